//! `helm-keyring source test`: whether the keys can be had, for an operator's first five minutes and his worst ones.

use std::fmt::Write as _;
use std::time::Instant;

use super::kept::{Kept, KeptArgs};
use super::table::table;
use super::{Done, process};
use crate::config::Selection;
use crate::keeper::{Keeper, Probed};
use crate::lock::Lock;
use crate::report::{Finding, Refusal};
use crate::source::{Source, Sources};

/// Characters of a fingerprint that a table shows, as `status` does.
const SHORT: usize = 8;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Reads the keys, and says from where, as whom, how fast and what they are like; never a key
    #[command(after_help = EXAMPLES)]
    Test(Args),
}

const EXAMPLES: &str = "\
Examples:
  helm-keyring source test -e production
  helm-keyring source test -e production --source vault=secret/obs/keys

Changes nothing, and needs no lock. Exit code 3: a source failed; 1: a key would be refused.";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
}

/// Runs the command.
pub fn run(command: &Command) -> Done {
    let Command::Test(args) = command;
    let sources = args.kept.from.sources();
    args.kept.from.patience.told(&sources, test(args, &sources))
}

fn test(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let (lock, mut findings) = lock(&kept)?;
    let mut text = String::new();
    for selection in &kept.selections {
        let source = args.kept.open(sources, selection)?;
        // One after the other, so that each has its own time.
        match probe(selection, source.as_ref(), &lock, sources, &mut text) {
            Ok(found) => findings.extend(found),
            Err(Refusal(found)) => findings.extend(found),
        }
    }
    process::print([text.as_bytes()])?;
    if findings.iter().any(|finding| finding.exit().is_some()) { Err(Refusal(findings).into()) } else { Ok(findings) }
}

/// The lock, or one for this run alone.
fn lock(kept: &Kept) -> Result<(Lock, Vec<Finding>), Refusal> {
    let file = kept.lock_path.display().to_string();
    Ok(match Lock::read(&kept.lock_path)? {
        Some(lock) => (lock, Vec::new()),
        None => {
            let note =
                Finding::note("no-lock", format!("there is no {file} yet: fingerprints hold for this run alone"))
                    .help("`helm-keyring lock` writes it, when all is right");
            (Lock::with_random_salt(file)?, vec![note])
        }
    })
}

/// Reads the keys of a selection, and appends what they are like to `text`.
pub(super) fn probe(
    selection: &Selection,
    source: &dyn Source,
    lock: &Lock,
    sources: &Sources,
    text: &mut String,
) -> Result<Vec<Finding>, Refusal> {
    let Some(keeper) = Keeper::new(selection, source) else { return Ok(Vec::new()) };
    let (before, begun) = (sources.stats().places.len(), Instant::now());
    let probed = keeper.probe(lock);
    let took = begun.elapsed();
    let _ = writeln!(text, "{}", keeper.owner());
    let costs = sources.stats().places.split_off(before);
    for cost in &costs {
        let mut rows = vec![vec!["source".to_owned(), cost.place.clone()]];
        rows.extend(cost.login.iter().map(|login| vec!["login".to_owned(), login.clone()]));
        rows.extend(cost.version.iter().map(|version| vec!["version".to_owned(), version.clone()]));
        rows.push(vec!["time".to_owned(), format!("{} ms", cost.time.as_millis())]);
        text.push_str(&table("  ", &rows));
    }
    if costs.is_empty() {
        let rows = [["source".to_owned(), source.describe()], ["time".to_owned(), format!("{} ms", took.as_millis())]];
        text.push_str(&table("  ", &rows.map(Vec::from)));
    }
    let (rows, findings) = probed.inspect_err(|_| text.push_str("  failed\n\n"))?;
    text.push('\n');
    text.push_str(&keys(&rows));
    text.push('\n');
    Ok(findings)
}

fn keys(probed: &[Probed]) -> String {
    let mut rows = vec![["field", "what it is", "strength", "fingerprint", "locked", ""].map(str::to_owned).to_vec()];
    rows.extend(probed.iter().map(|key| {
        vec![
            key.field.clone(),
            key.text.clone(),
            key.bits.map_or_else(|| "?".to_owned(), |bits| format!("{bits} bits")),
            key.fingerprint.get(..SHORT).unwrap_or(&key.fingerprint).to_owned(),
            if key.is_locked { "yes" } else { "-" }.to_owned(),
            key.verdict.to_owned(),
        ]
    }));
    table("  ", &rows)
}
