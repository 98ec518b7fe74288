//! `helm-keyring adopt`: the keys of a running Secret, into the source and the lock.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::kept::{AloneArg, Kept, KeptArgs, bytes_from, write};
use super::which::ClusterArgs;
use super::{Done, process};
use crate::config::Selection;
use crate::keeper::{self, Keeper, Transfer};
use crate::profile::FieldSpec;
use crate::report::{Finding, Refusal, list};
use crate::source::{Live, Sources};
use zeroize::Zeroizing;

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring adopt -e production --secret lr-backend
  kubectl get secret lr-backend -n obs -o json | helm-keyring adopt -e production --from-file -

Keys are taken exactly as they are, weak ones too: data is encrypted with them. docs/adopt.md walks through it.";

const SECRETS_BYTES_MAX: u64 = 16 << 20;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    kept: KeptArgs,
    #[command(flatten)]
    alone: AloneArg,
    /// The running Secret, which kubectl reads; several times where there are several [default: the names that
    /// keyring.yaml or the profile says]
    #[arg(long, value_name = "NAME", conflicts_with = "from_file")]
    secret: Vec<String>,
    /// A file with the Secret as kubectl prints it (-o json or yaml), - for stdin
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let sources = args.kept.from.sources().alone(args.alone.i_am_alone);
    args.kept.from.patience.told(&sources, adopt(args, &sources))
}

fn adopt(args: &Args, sources: &Sources) -> Done {
    let kept = args.kept.load()?;
    let selection = kept.one()?;
    let source = args.kept.open(sources, selection)?;
    let live = live(args, selection, sources)?;
    let alone = if args.dry_run { None } else { Some(kept.alone(&[source.as_ref()])?) };
    let lock = keeper::lock_at(&kept.lock_path)?;
    let Some(keeper) = Keeper::new(selection, source.as_ref()) else { return Ok(Vec::new()) };
    let transfer = keeper.adopt(&lock, &live)?;
    let mut text = told(&keeper, &transfer, args.dry_run);
    let written = write(&transfer.plan, alone.as_ref(), &kept.lock_path, " and read back", &mut text)?;
    if alone.is_some() {
        text.push_str(&what_follows(args, &kept, selection));
    }
    process::print_after(&text, &written)?;
    Ok(transfer.findings)
}

fn live(args: &Args, selection: &Selection, sources: &Sources) -> anyhow::Result<Live> {
    if let Some(file) = &args.from_file {
        let bytes = bytes_from(file, SECRETS_BYTES_MAX, "a Secret")?;
        let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
        let text = text.map_err(|_| Refusal::from(not_text(file)))?;
        return Ok(Live::printed(file, text));
    }
    Ok(args.cluster.live_of(selection, &args.secret, sources)?)
}

fn not_text(file: &Path) -> Finding {
    Finding::refused("no-secret", format!("{} is no text", file.display()))
        .help("print the Secret with `kubectl get secret NAME -o json`")
}

fn told(keeper: &Keeper<'_>, transfer: &Transfer<'_>, dry_run: bool) -> String {
    let adopted = if dry_run { "to be adopted" } else { "adopted" };
    let mut text = format!("{}, into {}\n", keeper.owner(), keeper.source());
    let _ = match transfer.added.is_empty() {
        true => writeln!(text, "every key is there already: {}", list(&transfer.there)),
        false => writeln!(text, "{adopted}: {}", list(&transfer.added)),
    };
    text
}

/// What to change in the values, so that chart and source do not speak against each other.
fn what_follows(args: &Args, kept: &Kept, selection: &Selection) -> String {
    let mut text = String::from("\nWhat follows:\n");
    let rings: Vec<&FieldSpec> = selection.profile.rings().map(|(_, spec)| spec).collect();
    let prefix = selection.instance.values.as_ref().map(|prefix| format!("{prefix}.")).unwrap_or_default();
    let values: Vec<_> = rings.iter().filter_map(|spec| spec.values.as_ref()).collect();
    for value in &values {
        let _ = writeln!(text, "  * Take {prefix}{} out of the values: the key comes from the source now.", value.key);
        if let Some(rotate) = &value.rotate {
            let _ = writeln!(text, "  * Leave {prefix}{rotate} off: `helm-keyring rotate` adds the next key.");
        }
    }
    let environment = selection.environment.as_deref().unwrap_or_default();
    let _ = writeln!(
        text,
        "  * `helm template … | helm-keyring render -e {environment}` delivers just these keys; compare before the first deploy:"
    );
    let secrets: String = args.secret.iter().map(|name| format!(" --secret {name}")).collect();
    let _ = writeln!(text, "    `helm-keyring status -e {environment} --live{secrets}`");
    let _ = writeln!(
        text,
        "  * Take the sealed file or the store into your backup. {} holds no key.",
        kept.lock_path.display()
    );
    text
}
