//! Wrong arguments, explained without repeating them: a word of a passphrase may be among them.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Done;
use crate::report::{Finding, Refusal};

/// `--help` and `--version` are printed; everything else is a refusal with exit code 2.
pub fn explained(error: &clap::Error) -> Done {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        super::process::print([error.render().to_string().as_bytes()])?;
        return Ok(Vec::new());
    }
    let title = match (error.kind(), flag(error)) {
        (ErrorKind::UnknownArgument, Some(flag)) => format!("there is no flag {flag}"),
        (ErrorKind::UnknownArgument, None) => {
            "an argument that belongs to no flag; was a value left without quotes?".to_owned()
        }
        (ErrorKind::InvalidSubcommand, _) => "there is no such command".to_owned(),
        (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            "a command is missing".to_owned()
        }
        (kind, Some(flag)) => format!("{flag}: {kind}"),
        (kind, None) => kind.to_string(),
    };
    let mut finding = Finding::usage("usage", title);
    // Our own parsers say what they expect, and never what they were given.
    if let (ErrorKind::ValueValidation, Some(expected)) = (error.kind(), std::error::Error::source(error)) {
        finding = finding.found(expected.to_string());
    }
    if let Some(values) = strings(error, ContextKind::ValidValue) {
        finding = finding.found(format!("it takes {}", values.join(", ")));
    }
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue] {
        if let Some(meant) = strings(error, kind) {
            finding = finding.help(format!("did you mean {}?", meant.join(" or ")));
        }
    }
    Err(Refusal::from(finding.help("`helm-keyring help` shows the commands, `helm-keyring COMMAND --help` the flags"))
        .into())
}

/// The flag that the error is about, without a value.
fn flag(error: &clap::Error) -> Option<String> {
    let argument = strings(error, ContextKind::InvalidArg)?.into_iter().next()?;
    let flag = argument.split(['=', ' ']).next().unwrap_or_default();
    let is_flag =
        flag.starts_with("--") && flag.len() < 30 && flag.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    is_flag.then(|| flag.to_owned())
}

fn strings(error: &clap::Error, kind: ContextKind) -> Option<Vec<String>> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(vec![text.clone()]),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.clone()),
        _ => None,
    }
}
