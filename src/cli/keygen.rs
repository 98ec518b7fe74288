//! `helm-keyring keygen`: a new key on stdout.

use std::path::Path;

use super::which::ProfileArg;
use super::{Done, process};
use crate::key::{self, Form, Policy};
use crate::profile::{self, FieldSpec};
use crate::report::{Exit, Finding, Refusal, list};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring keygen
  helm-keyring keygen --profile lightrun > keys/encryption-key-0

32 random bytes from the operating system, in base64 unless the profile wants something else. Into a file or a pipe
it goes without a line end.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    profile: ProfileArg,
    /// The field that it is for, where the profile has several
    #[arg(long, value_name = "FIELD", requires = "profile")]
    field: Option<String>,
    /// How the key is written [default: as the profile accepts it, base64 first]
    #[arg(long, value_name = "SPELLING")]
    spelling: Option<SpellingArg>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SpellingArg {
    /// 44 characters for 32 bytes
    Base64,
    /// 64 small letters and digits for 32 bytes
    Hex,
    /// the bytes themselves
    Raw,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let policy = policy(args)?;
    let form = args.spelling.map(|spelling| match spelling {
        SpellingArg::Base64 => Form::Base64,
        SpellingArg::Hex => Form::HexLower,
        SpellingArg::Raw => Form::Raw,
    });
    let is_terminal = process::stdout_is_terminal();
    if is_terminal && matches!(args.spelling, Some(SpellingArg::Raw)) {
        let finding = Finding::usage("raw-terminal", "raw bytes are not for a terminal").help("write them into a file");
        return Err(Refusal::from(finding).into());
    }
    let key = key::generate(&policy, form).map_err(|error| {
        let exit = if matches!(error, key::GenerateError::NoRandomness(_)) { Exit::Io } else { Exit::Usage };
        Refusal::from(
            Finding::error(exit, "no-new-key", format!("no key can be made: {error}"))
                .help("choose another `--spelling`, or change the profile's policy"),
        )
    })?;
    process::print([key.expose(), if is_terminal { b"\n" } else { b"" }])?;
    Ok(Vec::new())
}

fn policy(args: &Args) -> Result<Policy, Refusal> {
    let Some(reference) = &args.profile.profile else {
        let spellings = key::SpellingSet { raw: true, base64: true, hex: true };
        return Ok(Policy::Bytes { len: 32, spellings });
    };
    let profile = profile::load(reference, Path::new(""))?;
    let rings: Vec<&FieldSpec> = profile.rings().map(|(_, spec)| spec).collect();
    let names: Vec<String> = rings.iter().map(|spec| spec.name.to_string()).collect();
    let meant: Vec<&&FieldSpec> = rings
        .iter()
        .filter(|spec| {
            args.field.as_ref().is_none_or(|field| spec.name.to_string() == *field || spec.slot(field).is_some())
        })
        .collect();
    match meant.as_slice() {
        [first, rest @ ..] if rest.iter().all(|spec| spec.policy == first.policy) => Ok(first.policy),
        _ => Err(Finding::usage("ring-not-chosen", "which field the key is for is not known")
            .found(format!("the profile has {}", list(&names)))
            .help("name one with `--field`")
            .into()),
    }
}
