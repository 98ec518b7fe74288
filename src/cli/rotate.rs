//! `helm-keyring rotate`: one more key.

use std::path::PathBuf;

use super::kept::{AloneArg, KeptArgs, key_from, write};
use super::table::table;
use super::{Done, process};
use crate::keeper::{Keeper, Rotation};
use crate::source::Sources;

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring rotate -e production --dry-run
  helm-keyring rotate -e production
  pass show new-key | helm-keyring rotate -e production --key-file -

The key is written to the source, read back, then locked. No old key is changed or removed.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    alone: AloneArg,
    /// The ring, where the profile has several: its name or one of its fields
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Take the new key from this file, - for stdin, instead of making one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

const FOLLOWS: &str = "
What follows:
  * Delivering is activating: the next deploy delivers all keys, and the application encrypts with the new one.
  * Until that rollout has ended, pods that still run cannot read what the new ones write. Choose a quiet hour.
  * Argo CD keeps what it rendered: `argocd app get APP --hard-refresh` lets it see the new key.
";
const NUMBERED_STAY: &str = "  * Old keys stay in the ring for ever: data is encrypted with them.\n";
const FIXED_STAYS: &str =
    "  * The old key stays in its `previous` field until it is released: `helm-keyring lock --forget`.\n";

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.kept.from.sources().alone(args.alone.i_am_alone);
    args.kept.from.patience.told(&sources, rotate(args, &sources))
}

fn rotate(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let selection = kept.one()?;
    let source = args.kept.open(sources, selection)?;
    let given = args.key_file.as_deref().map(key_from).transpose()?;
    let alone = if args.dry_run { None } else { Some(kept.alone(&[source.as_ref()])?) };
    let lock = args.kept.lock.read(&kept.config)?;
    let Some(keeper) = Keeper::new(selection, source.as_ref()) else { return Ok(Vec::new()) };
    let is_made = given.is_none();
    let rotation = keeper.rotate(&lock, args.field.as_deref(), given)?;
    let mut text = planned(&keeper, &rotation, args.dry_run && is_made);
    let mut findings = rotation.findings;
    findings.extend(kept.shared_with(selection)?);
    let written = write(&rotation.plan, alone.as_ref(), &kept.lock_path, " and read back", &mut text)?;
    if alone.is_some() {
        text.push_str(FOLLOWS);
        text.push_str(if rotation.is_fixed { FIXED_STAYS } else { NUMBERED_STAY });
    }
    process::print_after(&text, &written)?;
    Ok(findings)
}

fn planned(keeper: &Keeper<'_>, rotation: &Rotation<'_>, is_made_later: bool) -> String {
    let mut text = format!("{}, {}\n\n", keeper.owner(), keeper.source());
    if rotation.completes {
        text.push_str("The source has a key that the lock lacks. Only this is locked; no other key is added.\n\n");
    }
    let mut rows = vec![["field", "spelling", "fingerprint", ""].map(str::to_owned).to_vec()];
    let last = rotation.rows.len().saturating_sub(1);
    rows.extend(rotation.rows.iter().enumerate().map(|(index, row)| {
        let is_made_later = is_made_later && index == last && !rotation.completes;
        let fingerprint = if is_made_later { "(made then)" } else { &row.fingerprint };
        vec![row.field.clone(), row.spelling.clone(), fingerprint.to_owned(), row.fate.to_owned()]
    }));
    text.push_str(&table("  ", &rows));
    text.push('\n');
    text
}
