//! `helm-keyring explain`: what a finding means, and what to do.

use std::fmt::Write as _;

use super::{Done, process};
use crate::report::{Finding, Refusal, nearest};
use crate::rules::{self, RULES};

/// The pages that have a section for each finding that is no rule's.
const PAGES: [&str; 9] = [
    include_str!("../../docs/check.md"),
    include_str!("../../docs/render.md"),
    include_str!("../../docs/configuration.md"),
    include_str!("../../docs/keys.md"),
    include_str!("../../docs/guard.md"),
    include_str!("../../docs/verify.md"),
    include_str!("../../docs/helm.md"),
    include_str!("../../docs/sources.md"),
    include_str!("../../docs/argocd.md"),
];

#[derive(clap::Args)]
pub struct Args {
    /// What stands in brackets at the start of a finding: key-length
    #[arg(value_name = "ID")]
    id: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let text = match &args.id {
        None => list(),
        Some(id) => match rules::find(id) {
            Some(rule) => rule.info.page.to_owned(),
            None => section(id).ok_or_else(|| Refusal::from(unknown(id)))?,
        },
    };
    process::print([text.as_bytes()])?;
    Ok(Vec::new())
}

fn list() -> String {
    let mut text = String::new();
    for rule in &RULES {
        let _ = writeln!(text, "{:<24} {:<8} {}", rule.info.id, rule.info.level.name(), rule.info.finds);
    }
    text.push_str("\n`helm-keyring explain ID` says more, of every other finding too.\n");
    text
}

/// The section with this heading, up to the next heading.
fn section(id: &str) -> Option<String> {
    let heading = format!("### `{id}`\n");
    let behind = PAGES.iter().find_map(|page| Some(page.split_once(heading.as_str())?.1))?;
    let lines = behind.lines().take_while(|line| !line.starts_with('#'));
    let body: Vec<&str> = lines.collect();
    Some(format!("# `{id}`\n\n{}\n", body.join("\n").trim()))
}

fn unknown(id: &str) -> Finding {
    let finding = Finding::usage("unknown-rule", "there is no finding of this name");
    match nearest(id, RULES.iter().map(|rule| rule.info.id)) {
        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
        None => finding.help("`helm-keyring explain` lists the rules"),
    }
}
