//! `helm-keyring check`: what would lose a key, before it is merged.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::kept::KeptArgs;
use super::{Done, process};
use crate::git;
use crate::helm::broken_by_helm4;
use crate::keeper::Keeper;
use crate::lock::Lock;
use crate::report::{Exit, Finding, Refusal, Severity};

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring check --since origin/main           (in CI: lines of the lock are only ever added)
  helm-keyring check -e production --with-source   (whoever may read the keys: the source has just what is locked)
  helm-keyring check --chart ./chart -f values.yaml    (what Helm 4 breaks behind any post-renderer)

Changes nothing. It starts git only for --since, helm only for --chart, and reads no source without --with-source.";

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
    /// Render this chart with helm, and look for what Helm 4 breaks on the way to a post-renderer and back
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Values files for that, as for helm
    #[arg(short = 'f', long, value_name = "FILE", requires = "chart")]
    values: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let of_chart = args.chart.as_deref().map(|chart| broken(chart, &args.values)).transpose()?;
    let asked_more = args.since.is_some() || args.with_source;
    if let Some(findings) = of_chart.as_ref().filter(|_| !asked_more) {
        return Ok(findings.clone());
    }
    let config = args.kept.configuration()?;
    let lock = args.kept.lock.read(&config)?;
    let mut text = format!("{}: {} lines\n", lock.file(), lock.lines().count());
    let mut findings = of_chart.unwrap_or_default();
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

/// What Helm 4 would change in the chart's manifests.
fn broken(chart: &Path, values: &[String]) -> anyhow::Result<Vec<Finding>> {
    let program = std::env::var_os("HELM_BIN").filter(|bin| !bin.is_empty()).unwrap_or_else(|| "helm".into());
    let mut helm = Command::new(program);
    helm.args(["template", "release-name"]).arg(chart).args(values.iter().map(|file| format!("--values={file}")));
    let output =
        helm.stdin(Stdio::null()).output().context("helm cannot be run: install it, or name it with HELM_BIN")?;
    if !output.status.success() {
        // Helm's own words may quote a line of a Secret.
        let finding = Finding::usage("no-render", format!("helm cannot render {}", chart.display()))
            .help("`helm template` with the same values says why");
        return Err(Refusal::from(finding).into());
    }
    let stream = Zeroizing::new(String::from_utf8_lossy(&output.stdout).into_owned());
    Ok(broken_by_helm4("<helm template>", &stream))
}

/// Before a merge there is time to write the line.
fn strict(finding: Finding) -> Finding {
    match finding.id {
        "lock-behind" => Finding { severity: Severity::Error(Exit::Lock), ..finding },
        _ => finding,
    }
}
