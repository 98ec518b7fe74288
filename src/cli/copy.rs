//! `helm-keyring copy`: all keys of a keyring to another source.

use std::fmt::Write as _;

use super::kept::{AloneArg, KeptArgs, write};
use super::which::parse_source;
use super::{Done, process};
use crate::config::{Selection, Source as SourceConfig};
use crate::keeper::Keeper;
use crate::report::list;
use crate::source::Sources;

pub const EXAMPLES: &str = "\
Examples:
  mkdir -m 700 /media/backup/keys
  helm-keyring copy -e production --to dir=/media/backup/keys               (a backup)
  helm-keyring copy -e production --from dir=/media/backup/keys --to sealed=keys/production.sealed    (a restore)

Every key must match the lock before it is copied and after it was read back. Nothing is ever written over.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    alone: AloneArg,
    /// Where the keys are, as for --source [default: as keyring.yaml says]
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
    from: Option<SourceConfig>,
    /// Where they are to go: dir=PATH, sealed=FILE, sops=FILE, vault=PATH or aws-secrets-manager=NAME
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
    to: SourceConfig,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.kept.from.sources().alone(args.alone.i_am_alone);
    args.kept.from.patience.told(&sources, copy(args, &sources))
}

fn copy(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let selection = kept.one()?;
    let from = args.kept.open_source(sources, selection, args.from.as_ref().or(selection.source.as_ref()))?;
    let to = args.kept.open_source(sources, &without_place(selection), Some(&args.to))?;
    let alone = if args.dry_run { None } else { Some(kept.alone(&[to.as_ref()])?) };
    let lock = args.kept.lock.read(&kept.config)?;
    let Some(keeper) = Keeper::new(selection, to.as_ref()) else { return Ok(Vec::new()) };
    let transfer = keeper.copy(&lock, from.as_ref())?;
    let mut text = format!("{}: from {} to {}\n", keeper.owner(), from.describe(), keeper.source());
    let copied = if args.dry_run { "to be copied" } else { "copied" };
    for (what, fields) in [(copied, &transfer.added), ("there already", &transfer.there)] {
        if !fields.is_empty() {
            let _ = writeln!(text, "{what}: {}", list(fields));
        }
    }
    let how = format!(", read back and checked against {}", lock.file());
    let written = write(&transfer.plan, alone.as_ref(), &kept.lock_path, &how, &mut text)?;
    process::print_after(&text, &written)?;
    Ok(transfer.findings)
}

/// A message about the destination is not about the place in keyring.yaml.
fn without_place(selection: &Selection) -> Selection {
    Selection { place: None, ..selection.clone() }
}
