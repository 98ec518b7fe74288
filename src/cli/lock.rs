//! `helm-keyring lock`: lines for the keys that the source has.

use std::fmt::Write as _;

use super::kept::KeptArgs;
use super::{Done, process};
use crate::files::{Prepared, RealDisk};
use crate::keeper::{self, Keeper, Locked};
use crate::lock::Line;
use crate::report::Refusal;
use crate::source::Sources;

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring lock -e production
  helm-keyring lock -e production --forget storage-key-previous    (nothing needs that key any more)

Adds lines, never changes or removes one; only --forget does, typed out. Commit keyring.lock.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    /// Take what is locked about this field out first; whoever needs its key has lost it then
    #[arg(long, value_name = "FIELD")]
    forget: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.kept.from.sources();
    args.kept.from.patience.told(&sources, lock(args, &sources))
}

fn lock(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let alone = kept.alone(&[])?;
    let mut lock = keeper::lock_at(&kept.lock_path)?;
    let before = lock.clone();
    if !args.forget.is_empty() {
        kept.one()?;
    }
    let (mut text, mut findings) = (String::new(), Vec::new());
    let opened = kept.selections.iter().map(|selection| Ok((selection, args.kept.open(sources, selection)?)));
    for (selection, source) in opened.collect::<Result<Vec<_>, Refusal>>()? {
        let Some(keeper) = Keeper::new(selection, source.as_ref()) else { continue };
        let locked = keeper.lock(&mut lock, &args.forget)?;
        text.push_str(&told(&keeper, &locked));
        findings.extend(locked.findings);
    }
    let mut written = Vec::new();
    if lock != before {
        let new = lock.to_text();
        let prepared = alone.prepare(&RealDisk, &[(&kept.lock_path, new.as_bytes())]);
        prepared.and_then(Prepared::put_all).map_err(|error| Refusal::from(error.finding()))?;
        written.push(kept.lock_path.display().to_string());
        let _ = writeln!(text, "written: {}; commit it", kept.lock_path.display());
    }
    process::print_after(&text, &written)?;
    Ok(findings)
}

fn told(keeper: &Keeper<'_>, locked: &Locked) -> String {
    let owner = keeper.owner();
    let mut text = String::new();
    let mut line = |what: &str, line: &Line| {
        let _ = writeln!(text, "{owner}: {what} {} {} {}", line.field, line.spelling, line.short_fingerprint());
    };
    locked.forgotten.iter().for_each(|forgotten| line("forgot", forgotten));
    locked.added.iter().for_each(|added| line("locked", added));
    if locked.added.is_empty() {
        let keys = if locked.count == 1 { "1 key".to_owned() } else { format!("{} keys", locked.count) };
        let _ = writeln!(text, "{owner}: {keys} in {}, nothing to add", keeper.source());
    }
    text
}
