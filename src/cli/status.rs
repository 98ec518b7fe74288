//! `helm-keyring status`: where every key is.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::kept::{KeptArgs, bytes_from};
use super::table::table;
use super::which::ClusterArgs;
use super::{Done, process};
use crate::keeper::{Keeper, KeyStatus, Places, Status};
use crate::render;
use crate::report::{Finding, Refusal, Severity};
use crate::source::{Source, Sources};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring status -e production
  helm-keyring status -e production --live --secret lr-backend
  helm template lr ./chart | helm-keyring render -e production | helm-keyring status -e production --manifests -

The tables go to stdout, what is wrong to stderr; an exit code above 0 says that `render` would refuse.";

const MANIFESTS_BYTES_MAX: u64 = 1 << 30;
/// Characters of a fingerprint that a table shows, as the lock's messages do.
const SHORT: usize = 8;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    /// Look into the running Secret too, through kubectl
    #[arg(long)]
    live: bool,
    /// The running Secret's name; several times where there are several [default: the names that keyring.yaml or the
    /// profile says]
    #[arg(long, value_name = "NAME", requires = "live")]
    secret: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Rendered manifests in which to look for pods that read the keys, - for stdin
    #[arg(long, value_name = "FILE")]
    manifests: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// a table a ring
    Human,
    /// one JSON object
    Json,
}

#[derive(Serialize)]
struct Report<'r> {
    keyrings: &'r [Status],
    findings: Vec<Told<'r>>,
}

#[derive(Serialize)]
struct Told<'r> {
    id: &'r str,
    severity: &'static str,
    title: &'r str,
    places: Vec<String>,
    notes: &'r [String],
    help: &'r [String],
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.kept.from.sources();
    args.kept.from.patience.told(&sources, status(args, &sources))
}

fn status(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let lock = args.kept.lock.read(&kept.config)?;
    let manifests =
        args.manifests.as_deref().map(|file| bytes_from(file, MANIFESTS_BYTES_MAX, "manifests")).transpose()?;
    let (mut all, mut findings) = (Vec::new(), Vec::new());
    let opened = kept.selections.iter().map(|selection| Ok((selection, args.kept.open(sources, selection)?)));
    for (selection, source) in opened.collect::<Result<Vec<_>, Refusal>>()? {
        let Some(keeper) = Keeper::new(selection, source.as_ref()) else { continue };
        let live = if args.live { Some(args.cluster.live_of(selection, &args.secret, sources)?) } else { None };
        let mounts = manifests.as_ref().map(|bytes| render::mounts(bytes, selection)).transpose()?;
        let places = Places { live: live.as_ref().map(|live| live as &dyn Source), mounts };
        let (status, found) = keeper.status(&lock, &places)?;
        all.push(status);
        findings.extend(found);
    }
    let text = match args.format {
        Format::Human => all.iter().map(tables).collect(),
        Format::Json => json(&all, &findings)?,
    };
    process::print([text.as_bytes()])?;
    if findings.iter().any(|finding| finding.exit().is_some()) { Err(Refusal(findings).into()) } else { Ok(findings) }
}

fn tables(status: &Status) -> String {
    let mut text = format!("{}/{}, {}\n", status.keyring, status.environment, status.source);
    for ring in &status.rings {
        let has = |look: fn(&KeyStatus) -> bool| ring.keys.iter().any(look);
        let (live, mounts) = (has(|key| key.live.is_some()), has(|key| key.mounts.is_some()));
        let mut head = vec!["field", "number", "spelling", "strength", "fingerprint", "source", "lock"];
        head.extend(live.then_some("live"));
        head.extend(mounts.then_some("mounted by"));
        head.push("");
        let mut rows = vec![head.into_iter().map(str::to_owned).collect()];
        rows.extend(ring.keys.iter().map(|key| row(key, live, mounts)));
        let _ = write!(text, "\n  {}\n{}", ring.name, table("    ", &rows));
    }
    text.push('\n');
    text
}

fn row(key: &KeyStatus, live: bool, mounts: bool) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "-" }.to_owned();
    let short = key.fingerprint.get(..SHORT).unwrap_or(&key.fingerprint).to_owned();
    let strength = key.bits.map_or_else(|| "?".to_owned(), |bits| format!("{bits} bits"));
    let mut row = vec![key.field.clone(), key.number.to_string(), key.spelling.clone(), strength, short];
    row.extend([yes(key.source), yes(key.lock)]);
    if live {
        row.push(yes(key.live == Some(true)));
    }
    if mounts {
        let pods = key.mounts.as_deref().unwrap_or_default();
        row.push(if pods.is_empty() { "-".to_owned() } else { pods.join(", ") });
    }
    row.push(if key.active { "active" } else { "" }.to_owned());
    row
}

fn json(all: &[Status], findings: &[Finding]) -> anyhow::Result<String> {
    let told = |finding: &'_ Finding| -> &'static str {
        match finding.severity {
            Severity::Error(_) => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    };
    let findings = findings
        .iter()
        .map(|finding| Told {
            id: finding.id,
            severity: told(finding),
            title: &finding.title,
            places: finding.places.iter().map(ToString::to_string).collect(),
            notes: &finding.notes,
            help: &finding.help,
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&Report { keyrings: all, findings })?;
    text.push('\n');
    Ok(text)
}
