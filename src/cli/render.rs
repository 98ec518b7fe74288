//! `helm-keyring render`: stdin → stdout.

use std::path::{Path, PathBuf};

use super::which::{ClusterArgs, LockArg, ProfileArg, SourceArgs, Which};
use super::{Done, process};
use crate::check;
use crate::config::{Config, Emit, Mode, Overrides, Selection, Source as SourceConfig};
use crate::helm;
use crate::profile::{self, Profile};
use crate::render::{self, Chosen, Outcome, Request, Show};
use crate::report::{Exit, Finding, Refusal};
use crate::source::{Source, Sources};
use crate::values::{self, Known, Set, SetKind};
use crate::yaml::Data;
use clap::Parser as _;
use zeroize::Zeroizing;

pub const EXAMPLES: &str = "\
Examples:
  helm template lr ./chart -f values.yaml | helm-keyring render -e production
  helm template lr ./chart -f values.yaml | helm-keyring render -f values.yaml
  helm upgrade lr ./chart --post-renderer helm-keyring --post-renderer-args render    (Helm 3)

In scripts, `set -o pipefail`: a refusal prints nothing to stdout and ends with an exit code above 0.";

/// What a run prints for a stream without any document.
const NOTHING: &[u8] = b"# helm-keyring: the chart rendered nothing\n";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    profile: ProfileArg,
    #[command(flatten)]
    from: SourceArgs,
    #[command(flatten)]
    lock: LockArg,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// In what form the keys are delivered
    #[arg(long, env = "HELM_KEYRING_EMIT", hide_env_values = true, value_name = "FORM")]
    emit: Option<EmitArg>,
    /// gitops: nothing may be generated; dev: a missing key is made up
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// A template for an own Secret's frame
    #[arg(long, env = "HELM_KEYRING_TEMPLATE", hide_env_values = true, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Do not annotate consumers' pods: a new key then restarts nothing
    #[arg(long)]
    no_annotation: bool,
    /// Do not mark the Secret so that neither Helm nor Argo CD deletes it
    #[arg(long)]
    no_keep: bool,
    /// Pass a stream that has no place for a key as it is
    #[arg(long)]
    allow_no_target: bool,
    /// Print a comment for a stream without documents, instead of refusing it
    #[arg(long)]
    allow_empty: bool,
    /// Print keys to a terminal too
    #[arg(long)]
    show_keys: bool,
    /// Print a refusal as a document that Helm 4 shows to the user, and end with 0: for its plugin alone
    #[arg(long, hide = true)]
    helm4: bool,
    #[command(flatten)]
    values: ValuesArgs,
}

/// The flags of `render` alone, for a command that renders on behalf of Helm.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    args: Args,
}

/// The values that Helm got; only needed to judge them.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "The values that helm got")]
struct ValuesArgs {
    /// The chart, for its own defaults
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Values files, as for helm
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    values: Vec<String>,
    /// As for helm
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// As for helm
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// As for helm
    #[arg(long, value_name = "KEY=FILE")]
    set_file: Vec<String>,
    /// As for helm
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// As for helm
    #[arg(long, value_name = "KEY=VALUE")]
    set_literal: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EmitArg {
    /// in a Secret: the chart's own, or one of ours where it renders none
    #[value(name = "Secret", alias = "secret")]
    Secret,
    /// in a Secret that the External Secrets operator makes: needs `secretStore` in keyring.yaml, and reads no key
    #[value(name = "ExternalSecret", alias = "externalsecret")]
    ExternalSecret,
    /// not at all: the Secret exists elsewhere
    None,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ModeArg {
    Gitops,
    Dev,
}

impl Args {
    fn overrides(&self) -> Overrides {
        Overrides {
            profile: self.profile.profile.clone(),
            // Helm hands its namespace to plugins under this name.
            namespace: self.which.namespace.clone().or_else(|| std::env::var("HELM_NAMESPACE").ok()),
            source: self.from.source.clone(),
            emit: self.emit.map(|emit| match emit {
                EmitArg::Secret => Emit::Secret,
                EmitArg::ExternalSecret => Emit::ExternalSecret,
                EmitArg::None => Emit::None,
            }),
            mode: self.mode.map(|mode| match mode {
                ModeArg::Gitops => Mode::Gitops,
                ModeArg::Dev => Mode::Dev,
            }),
            annotate: self.no_annotation.then_some(false),
            keep: self.no_keep.then_some(false),
            template: self.template.clone(),
            ..self.which.overrides()
        }
    }
}

/// What a release was given before: a name for messages, and YAML.
pub type Before = (String, Zeroizing<String>);

impl ValuesArgs {
    fn read(&self, before: Option<Before>) -> Result<Known, Refusal> {
        let kinds = [
            (SetKind::Typed, &self.set),
            (SetKind::String, &self.set_string),
            (SetKind::File, &self.set_file),
            (SetKind::Json, &self.set_json),
            (SetKind::Literal, &self.set_literal),
        ];
        let set: Vec<Set> = kinds
            .into_iter()
            .flat_map(|(kind, texts)| {
                texts.iter().map(move |text| Set { kind, text: Zeroizing::new(text.clone()), place: None })
            })
            .collect();
        if self.chart.is_none() && self.values.is_empty() && set.is_empty() && before.is_none() {
            return Ok(Known::Unknown { reason: "no values were given".to_owned() });
        }
        let request =
            values::Request { chart: self.chart.clone(), before, files: self.values.clone(), layers: Vec::new(), set };
        values::read(&request).map_err(|error| values_failed(&error))
    }
}

fn values_failed(error: &values::Error) -> Refusal {
    let exit = if matches!(error, values::Error::Io { .. }) { Exit::Io } else { Exit::Usage };
    Finding::error(exit, "values", error.to_string()).help("helm would refuse these values too").into()
}

/// Runs the command.
pub fn run(args: &Args) -> Done {
    let Some(stream) = process::stdin()? else {
        let finding = Finding::usage("no-input", "stdin is a terminal");
        return Err(Refusal::from(finding.help("pipe into it: helm template … | helm-keyring render")).into());
    };
    match args.print_rendered(&stream) {
        Err(error) if args.helm4 && helm::listens(&stream) => in_helm4(error),
        done => done,
    }
}

/// A wrong flag of Helm 4's post-renderer is told as it shows messages, too: it was read before the flags were known.
pub fn told_to_helm4(done: Done) -> Done {
    let error = match done {
        Err(error) if std::env::args_os().any(|word| word == "--helm4") => error,
        done => return done,
    };
    match process::stdin()?.filter(|stream| helm::listens(stream)) {
        Some(_) => in_helm4(error),
        None => Err(error),
    }
}

fn in_helm4(error: anyhow::Error) -> Done {
    let Refusal(findings) = super::refusal(error);
    process::print([helm::message(&findings).as_bytes()])?;
    Ok(findings)
}

impl Args {
    /// The flags as words, and `HELM_KEYRING_*`.
    pub fn of(words: &[String]) -> Result<Self, clap::Error> {
        Flags::try_parse_from(words).map(|flags| flags.args)
    }

    /// The values that the flags name.
    pub fn known(&self, before: Option<Before>) -> Result<Known, Refusal> {
        self.values.read(before)
    }

    /// Whether files and `--set` flags come to anything; yes if that cannot be told.
    pub fn gives_values(&self) -> Result<bool, Refusal> {
        let values = ValuesArgs { chart: None, ..self.values.clone() };
        Ok(match values.read(Some(("nothing".to_owned(), Zeroizing::default())))? {
            Known::Values(merged) => !matches!(&merged.value.data, Data::Map(map) if map.is_empty()),
            Known::Unknown { .. } => true,
        })
    }

    /// Judges the values before there is a stream.
    pub fn preflight(&self, known: &Known) -> Result<(), Refusal> {
        if self.allow_no_target {
            return Ok(());
        }
        let overrides = self.overrides();
        let selections = match (Config::find(Path::new(""), &overrides)?, &overrides.profile) {
            (Some(config), _) => config.select(&overrides)?,
            (None, Some(reference)) => {
                vec![Selection::without_config(profile::load(reference, Path::new(""))?, &overrides)?]
            }
            (None, None) => {
                let shipped = profile::shipped_names().filter_map(profile::shipped);
                let selection = |profile: Result<Profile, Refusal>| Selection::without_config(profile?, &overrides);
                shipped.map(selection).collect::<Result<_, _>>()?
            }
        };
        self.beside_values_files(&selections, render::preflight(&selections, known)).map(|_| ())
    }

    /// What was done, with what there is to say of the values files as they are written; all that speaks against either.
    fn beside_values_files<T>(
        &self,
        selections: &[Selection],
        done: Result<T, Refusal>,
    ) -> Result<(T, Vec<Finding>), Refusal> {
        let profiles: Vec<Profile> = selections.iter().map(|selection| selection.profile.clone()).collect();
        let found = check::of_values_files(&self.values.values, &profiles);
        match done {
            Ok(done) if found.iter().all(|finding| finding.exit().is_none()) => Ok((done, found)),
            Ok(_) => Err(Refusal(found)),
            Err(Refusal(mut refused)) => {
                let is_new =
                    |finding: &Finding| !refused.iter().any(|r| r.id == finding.id && r.places == finding.places);
                let more: Vec<Finding> = found.into_iter().filter(is_new).collect();
                refused.extend(more);
                Err(Refusal(refused))
            }
        }
    }

    /// Keys in the hooks of a stream, which Helm 3 shows to nobody.
    pub fn refuse_hooks(&self, stream: &[u8]) -> Result<(), Refusal> {
        let chosen = self.choose(stream, &self.overrides(), true, &mut Vec::new())?;
        chosen.selections.iter().try_for_each(|selection| render::refuse_hooks(stream, selection))
    }

    /// The stream with the keys in it.
    pub fn rendered<'s>(&self, stream: &'s [u8], known: &Known, show: Show) -> Result<Outcome<'s>, Refusal> {
        self.refuse_live_by_habit()?;
        let overrides = self.overrides();
        let mut findings = Vec::new();
        let Chosen { selections, claimed, guarded, lock } =
            self.choose(stream, &overrides, self.allow_no_target, &mut findings)?;
        let variable = |name: &str| std::env::var(name).ok();
        selections.iter().try_for_each(|selection| selection.check_mode(lock.as_ref(), &variable))?;
        let sources = self.from.sources();
        let request = Request {
            selections: &selections,
            values: known,
            claimed,
            guarded: &guarded,
            lock: lock.as_ref(),
            allow_no_target: self.allow_no_target,
            show,
            open: &|selection, secret| self.open(&sources, selection, secret),
        };
        let done = self.beside_values_files(&selections, render::render(stream, &request));
        let stats = self.from.patience.stats(&sources);
        match done {
            Ok((Outcome { stream, findings: found }, of_values)) => {
                let findings = [findings, found, of_values].into_iter().flatten().chain(stats).collect();
                Ok(Outcome { stream, findings })
            }
            Err(Refusal(found)) => Err(Refusal(found.into_iter().chain(stats).collect())),
        }
    }

    /// What is printed for a stream without documents.
    pub fn blank<'s>(&self, stream: &'s [u8]) -> Result<&'s [u8], Refusal> {
        if self.allow_empty {
            return Ok(if stream.trim_ascii().is_empty() { NOTHING } else { stream });
        }
        Err(Finding::refused("empty-input", "there is no document on stdin")
            .found("an empty result would make Argo CD prune, and Helm 3 delete, everything")
            .help("look at helm's own message: it printed nothing")
            .help("pass `--allow-empty` if the chart may render nothing")
            .into())
    }

    fn print_rendered(&self, stream: &[u8]) -> Done {
        if render::is_blank(stream) {
            process::print([self.blank(stream)?])?;
            return Ok(Vec::new());
        }
        let known = self.known(None)?;
        let hidden = process::stdout_is_terminal() && !self.show_keys;
        let show = if hidden { Show::Placeholders } else { Show::Keys };
        let Outcome { stream, mut findings } = self.rendered(stream, &known, show)?;
        if hidden && !stream.is_unchanged() {
            findings.push(
                Finding::note("hidden-keys", "stdout is a terminal: keys are shown as placeholders")
                    .help("`--show-keys` prints them"),
            );
        }
        process::print(stream.chunks())?;
        Ok(findings)
    }
}

impl Args {
    fn open(&self, sources: &Sources, selection: &Selection, secret: &str) -> Option<Box<dyn Source>> {
        match selection.source.as_ref()? {
            SourceConfig::Live => Some(Box::new(self.cluster.live(selection, vec![secret.to_owned()], sources))),
            source => self.from.open(sources, source, selection),
        }
    }

    /// A running Secret is a source for one night, by hand: no variable and no controller may make it one for good.
    fn refuse_live_by_habit(&self) -> Result<(), Refusal> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if self.from.source != Some(SourceConfig::Live) || !(is_set("HELM_KEYRING_SOURCE") || is_set("ARGOCD_APP_NAME"))
        {
            return Ok(());
        }
        Err(Finding::usage("live-by-habit", "the source `live` is for a person, once: `--source live`")
            .found("what runs would become its own source, and a key that was lost there would be lost for good")
            .help("configure the store as the source; `helm-keyring adopt` takes over what runs")
            .into())
    }

    /// From the configuration file; without one, the one profile that the stream has a place for.
    fn choose(
        &self,
        stream: &[u8],
        overrides: &Overrides,
        allow_no_target: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Chosen, Refusal> {
        // An empty path is the working directory, and messages name files as seen from there.
        let here = Path::new("");
        match Config::find(here, overrides)? {
            Some(config) => {
                let selections = config.select(overrides)?;
                Chosen::among(selections, &config, overrides.keyring.is_some(), self.lock.read(&config)?)
            }
            None => Chosen::by_stream(stream, overrides, allow_no_target, findings),
        }
    }
}
