//! `helm-keyring check`: what would lose a key or leak one, before it is merged.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anstream::AutoStream;
use anyhow::Context as _;

use super::kept::KeptArgs;
use super::outputs::{Output, Outputs};
use super::progress::Progress;
use super::{Done, Ended, process, rendered_twice};
use crate::check::{self, Checked};
use crate::config::Config;
use crate::git;
use crate::keeper::Keeper;
use crate::lock::Lock;
use crate::render::{STDIN, is_blank};
use crate::report::{Exit, Finding, Format, Level, Place, Refusal, Report, Severity, styled, written};
use crate::rules;

pub const EXAMPLES: &str = "\
Examples:
  helm-keyring check                                       (the folder and all below it, as git sees it)
  helm-keyring check -f values.yaml -f production.yaml     (these together, as helm would merge them)
  helm-keyring check --chart ./chart -f values.yaml        (renders twice: what differs, and what Helm 4 breaks)
  helm template app ./chart | helm-keyring render | helm-keyring check -
  helm-keyring check --since origin/main                   (in CI: lines of the lock are only ever added)
  helm-keyring check -e production --with-source           (whoever may read the keys: the source has what is locked)
  helm-keyring check --format github --format sarif --output check.sarif

Changes nothing. It starts git only for --since, helm only for --chart, and reads no source without --with-source.
`helm-keyring explain` lists the rules; `# helm-keyring: ignore[rule] reason` on a line silences one there.";

#[derive(clap::Args)]
pub struct Args {
    /// Files and folders; `-` is stdin [default: ., unless -f or --chart is given]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    kept: KeptArgs,
    /// Values files that are merged and judged together, in this order, as for helm
    #[arg(short = 'f', long, value_name = "FILE")]
    values: Vec<String>,
    /// A chart whose defaults they are laid over; it is rendered twice with helm, and compared
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Compare the lock with that of this commit: a line that was removed or changed is an error
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Compare the source with the lock, as `render` does; here a lock that is behind is an error
    #[arg(long)]
    with_source: bool,
    #[command(flatten)]
    outputs: Outputs,
    /// The weight from which on a finding gives an exit code above 0
    #[arg(long, value_enum, value_name = "WEIGHT", default_value = "error")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Note,
    /// Only what stops the check itself does
    Never,
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let given = given(args)?;
    let (seen, mut said) = asked_for(args)?;
    let request = check::Request {
        paths: paths(args),
        stdin: stdin(args)?,
        configs: configs(args),
        lock: args.kept.lock.lock.clone(),
        given,
        seen,
    };
    let progress = Progress::on_terminal();
    let checked = check::check(&request, &|done, of| progress.tell(done, of));
    progress.end();
    let Checked { findings, files } = checked?;
    let rules = rules::infos();
    let report = Report { findings: &findings, files, rules: &rules };
    let in_repository = from_the_root(&findings);
    for Output { format, file } in &args.outputs.0 {
        // Code scanning and workflows name files from the repository's root.
        let findings = if matches!(format, Format::Sarif | Format::Github) { &in_repository } else { &findings };
        let report = Report { findings, ..report };
        match (file, format) {
            (Some(file), _) => std::fs::write(file, written(*format, &report))
                .with_context(|| format!("{} cannot be written", file.display()))?,
            (None, Format::Human) => print_human(&report, &std::mem::take(&mut said))?,
            (None, _) => process::print([written(*format, &report).as_bytes()])?,
        }
    }
    match exit(&findings, args.fail_on) {
        None => Ok(Vec::new()),
        Some(exit) => Err(Ended { code: exit as u8, findings: Vec::new() }.into()),
    }
}

/// The values that are merged; for the keyrings of an environment, if one was named.
fn given(args: &Args) -> Result<Option<check::Given>, Refusal> {
    if args.values.is_empty() && args.chart.is_none() {
        return Ok(None);
    }
    let files: Vec<String> = args.values.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    for path in files.iter().map(Path::new).chain(args.chart.as_deref()) {
        if let Err(error) = std::fs::metadata(path) {
            return Err(Finding::error(Exit::Io, "unreadable-file", "this path cannot be read")
                .at(Place::file(path.display().to_string()))
                .found(error.to_string())
                .help("name a file; what comes from stdin, or over the network, write into one first")
                .into());
        }
    }
    let which = &args.kept.which;
    let is_named = which.environment.is_some() || which.keyring.is_some();
    let selections = if is_named { args.kept.load()?.selections } else { Vec::new() };
    Ok(Some(check::Given { files, chart: args.chart.clone(), selections }))
}

/// The configurations above what is looked at: the one that is named, or the nearest ones upward.
fn configs(args: &Args) -> Vec<PathBuf> {
    if let Some(named) = &args.kept.which.config {
        return vec![named.clone()];
    }
    let folders = args.paths.iter().map(|path| if path.is_dir() { path } else { path.parent().unwrap_or(path) });
    std::iter::once(Path::new("")).chain(folders).filter_map(Config::nearest).collect()
}

/// The same findings, with files named from the root of the repository that the working directory lies in.
fn from_the_root(findings: &[Finding]) -> Vec<Finding> {
    let here = std::env::current_dir().unwrap_or_default();
    let Some(root) = here.ancestors().find(|folder| folder.join(".git").exists()) else { return findings.to_vec() };
    let renamed = |mut place: Place| {
        let file = place.path().map(|path| check::absolute(Path::new(&path)));
        if let Some(file) = file.as_deref().and_then(|file| file.strip_prefix(root).ok()) {
            place.file = file.display().to_string();
        }
        place
    };
    let of_finding = |finding: &Finding| {
        let places = finding.places.iter().cloned().map(renamed).collect();
        Finding { places, ..finding.clone() }
    };
    findings.iter().map(of_finding).collect()
}

fn paths(args: &Args) -> Vec<PathBuf> {
    let named: Vec<PathBuf> = args.paths.iter().filter(|path| path.as_os_str() != "-").cloned().collect();
    let asks_otherwise = !args.paths.is_empty() || !args.values.is_empty() || args.chart.is_some();
    if named.is_empty() && !asks_otherwise { vec![PathBuf::from(".")] } else { named }
}

fn stdin(args: &Args) -> anyhow::Result<Option<(String, String)>> {
    if !args.paths.iter().any(|path| path.as_os_str() == "-") {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).context("stdin cannot be read")?;
    if is_blank(&bytes) {
        let finding = Finding::refused("empty-input", "there is no document on stdin");
        return Err(
            Refusal::from(finding.help("look at the message of what was to print it: it printed nothing")).into()
        );
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::from(Finding::usage("not-text", "stdin is not text in UTF-8")))?;
    Ok(Some((STDIN.to_owned(), text)))
}

/// What needs git, helm or a source: findings, and lines for people.
fn asked_for(args: &Args) -> anyhow::Result<(Vec<Finding>, String)> {
    let mut text = String::new();
    let mut findings = match &args.chart {
        Some(chart) => rendered_twice::findings(chart, &args.values)?,
        None => Vec::new(),
    };
    if args.since.is_none() && !args.with_source {
        return Ok((findings, text));
    }
    let config = args.kept.configuration()?;
    let lock = args.kept.lock.read(&config)?;
    let _ = writeln!(text, "{}: {} lines", lock.file(), lock.lines().count());
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
        let selections = args.kept.load()?.selections;
        let sources = args.kept.from.sources();
        let opened = selections.iter().map(|selection| Ok((selection, args.kept.open(&sources, selection)?)));
        for (selection, source) in opened.collect::<Result<Vec<_>, Refusal>>()? {
            let Some(keeper) = Keeper::new(selection, source.as_ref()) else { continue };
            match keeper.wrong(&lock) {
                Ok(found) => findings.extend(found.into_iter().map(strict)),
                Err(Refusal(found)) => findings.extend(found),
            }
            let _ = writeln!(text, "{}: compared with {}", keeper.owner(), keeper.source());
        }
        if let Some(stats) = args.kept.from.patience.stats(&sources) {
            let _ = writeln!(text, "{}", [vec![stats.title], stats.notes].concat().join("\n  "));
        }
    }
    Ok((findings, text))
}

/// Before a merge there is time to write the line.
fn strict(finding: Finding) -> Finding {
    match finding.id {
        "lock-behind" => Finding { severity: Severity::Error(Exit::Lock), ..finding },
        _ => finding,
    }
}

fn print_human(report: &Report<'_>, said: &str) -> anyhow::Result<()> {
    let text = format!("{}{said}", styled(report));
    let plain = AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never;
    match plain {
        true => process::print([anstream::adapter::strip_str(&text).to_string().as_bytes()]),
        false => process::print([text.as_bytes()]),
    }
}

/// The exit code that the findings ask for. What is no rule's stopped a part of the check, and always counts.
fn exit(findings: &[Finding], fail_on: FailOn) -> Option<Exit> {
    let asked = |finding: &Finding| {
        let fails = match (fail_on, finding.level()) {
            (FailOn::Never, _) => rules::find(finding.id).is_none() && finding.exit().is_some(),
            (FailOn::Error, level) => level == Level::Error,
            (FailOn::Warning, level) => level != Level::Note,
            (FailOn::Note, _) => true,
        };
        fails.then(|| finding.exit().unwrap_or(Exit::Refused))
    };
    findings.iter().filter_map(asked).max()
}
