//! `helm-keyring check`: what would lose a key, before it is merged.

use std::fmt::Write as _;

use super::kept::KeptArgs;
use super::{Done, process};
use crate::git;
use crate::keeper::Keeper;
use crate::lock::Lock;
use crate::report::{Exit, Finding, Refusal, Severity};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring check --since origin/main           (in CI: lines of the lock are only ever added)
  helm-keyring check -e production --with-source   (whoever may read the keys: the source has just what is locked)

Changes nothing. It starts no program but git, for --since, and reads no source without --with-source.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    /// Compare the lock with that of this commit: a line that was removed or changed is an error
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Compare the source with the lock, as `render` does; here a lock that is behind is an error
    #[arg(long)]
    with_source: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let config = args.kept.configuration()?;
    let lock = args.kept.lock.read(&config)?;
    let mut text = format!("{}: {} lines\n", lock.file(), lock.lines().count());
    let mut findings = Vec::new();
    if let Some(revision) = &args.since {
        let path = args.kept.lock.path(&config);
        let before = match git::show(&path, revision)? {
            Some(text) => Lock::parse(format!("{revision}:{}", lock.file()), &text)?,
            None => Lock::missing(lock.file()),
        };
        findings.extend(lock.lost_since(&before));
        let added = lock.lines().count().saturating_sub(before.lines().count());
        let _ = writeln!(text, "since {revision}: {added} more");
    }
    if args.with_source {
        for selection in &args.kept.load()?.selections {
            let source = args.kept.open(selection)?;
            let Some(keeper) = Keeper::new(selection, source.as_ref()) else { continue };
            findings.extend(keeper.wrong(&lock)?.into_iter().map(strict));
            let _ = writeln!(text, "{}: compared with {}", keeper.owner(), keeper.source());
        }
    }
    if findings.iter().any(|finding| finding.exit().is_some()) {
        return Err(Refusal(findings).into());
    }
    process::print([text.as_bytes()])?;
    Ok(findings)
}

/// Before a merge there is time to write the line.
fn strict(finding: Finding) -> Finding {
    match finding.id {
        "lock-behind" => Finding { severity: Severity::Error(Exit::Lock), ..finding },
        _ => finding,
    }
}
