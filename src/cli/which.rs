//! Flags that several commands share: which keyring in which environment, where its keys come from, and its lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Done;
use crate::config::{Config, LOCK, Overrides, Selection, Source as SourceConfig};
use crate::lock::Lock;
use crate::profile;
use crate::report::{Finding, Refusal};
use crate::sealed::{GivenMasterKey, MasterKey};
use crate::source::{Kubectl, Live, Source, Sources, Stats};

/// Which keyring in which environment.
#[derive(clap::Args)]
pub struct Which {
    /// The environment in keyring.yaml
    #[arg(short, long, env = "HELM_KEYRING_ENVIRONMENT", hide_env_values = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// The configuration file [default: keyring.yaml, upward to the repository's root]
    #[arg(long, env = "HELM_KEYRING_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only this keyring of keyring.yaml [default: all that have the environment]
    #[arg(long, env = "HELM_KEYRING_KEYRING", hide_env_values = true, value_name = "NAME")]
    pub keyring: Option<String>,
    /// The namespace, which helps to recognise the environment
    #[arg(short, long, env = "HELM_KEYRING_NAMESPACE", hide_env_values = true, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl Which {
    /// What these flags say.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            keyring: self.keyring.clone(),
            environment: self.environment.clone(),
            namespace: self.namespace.clone(),
            ..Overrides::default()
        }
    }
}

/// How the chart spells its keys.
#[derive(clap::Args)]
pub struct ProfileArg {
    #[arg(long, env = "HELM_KEYRING_PROFILE", hide_env_values = true, value_name = "NAME|FILE", help = profile_help())]
    pub profile: Option<String>,
}

fn profile_help() -> String {
    let shipped: Vec<&str> = profile::shipped_names().collect();
    format!("How the chart spells its keys: {}, or a file", shipped.join(", "))
}

/// Where the keys come from.
#[derive(clap::Args)]
pub struct SourceArgs {
    /// Where the keys come from: values, env, dir=PATH, sealed=FILE, sops=FILE, vault=PATH, aws-secrets-manager=NAME or
    /// kubernetes=NAME [default: as keyring.yaml says]
    #[arg(long, env = "HELM_KEYRING_SOURCE", hide_env_values = true, value_name = "SOURCE", value_parser = parse_source)]
    pub source: Option<SourceConfig>,
    #[command(flatten)]
    pub master: MasterArg,
    #[command(flatten)]
    pub patience: PatienceArgs,
}

impl SourceArgs {
    /// All sources of the run; its time begins now.
    pub fn sources(&self) -> Sources {
        Sources::within(self.patience.timeout)
    }

    /// Opens the source of a selection; `None` for keys in the chart's values.
    pub fn open(&self, sources: &Sources, source: &SourceConfig, selection: &Selection) -> Option<Box<dyn Source>> {
        sources.open(source, selection, &|configured: Option<&Path>| self.master.given(configured))
    }
}

/// How long stores may take, and whether it is told what they cost.
#[derive(clap::Args)]
pub struct PatienceArgs {
    // The default is well below the 60 seconds after which Argo CD gives up.
    /// How long all stores together may take, in seconds
    #[arg(long, env = "HELM_KEYRING_TIMEOUT", hide_env_values = true, value_name = "SECONDS",
          default_value = "20", value_parser = parse_timeout)]
    pub timeout: Duration,
    /// Say what was fetched, how often was asked, and how long it took
    #[arg(long)]
    pub stats: bool,
}

impl PatienceArgs {
    /// Ends the stores' logins, and says what all has cost if that was asked for.
    pub fn stats(&self, sources: &Sources) -> Option<Finding> {
        sources.close();
        self.stats.then(|| told(&sources.stats()))
    }

    /// The same, added to a success and to a failure.
    pub fn told(&self, sources: &Sources, done: Done) -> Done {
        let stats = self.stats(sources);
        match done {
            Ok(findings) => Ok(findings.into_iter().chain(stats).collect()),
            Err(error) => match error.downcast::<Refusal>() {
                Ok(Refusal(findings)) => Err(Refusal(findings.into_iter().chain(stats).collect()).into()),
                Err(error) => Err(error),
            },
        }
    }
}

fn told(stats: &Stats) -> Finding {
    let places = stats.places.len();
    let requests: usize = stats.requests.iter().map(|(_, count)| count).sum();
    let plural = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let title = format!("{} fetched with {}", plural(places, "place"), plural(requests, "request"));
    let mut finding = Finding::note("stats", title);
    for place in &stats.places {
        let version = place.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
        finding = finding.found(format!("{}{version}: {} ms", place.place, place.time.as_millis()));
    }
    let counts: Vec<String> = stats.requests.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    if counts.is_empty() { finding } else { finding.found(counts.join(", ")) }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match (0.1..=3600.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("expected 0.1 to 3600 seconds".to_owned()),
    }
}

/// The master key of a sealed file.
#[derive(clap::Args)]
pub struct MasterArg {
    /// The file that holds the master key of a sealed file [default: HELM_KEYRING_MASTER_KEY itself, or as
    /// keyring.yaml says]
    #[arg(long, env = "HELM_KEYRING_MASTER_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
}

impl MasterArg {
    /// The flag wins over the variable, the variable over the configuration.
    pub fn given(&self, configured: Option<&Path>) -> GivenMasterKey {
        match &self.master_key_file {
            Some(file) => GivenMasterKey { file: Some(file.clone()), variable: None },
            None => GivenMasterKey::of_process(configured.map(Path::to_owned)),
        }
    }
}

/// The cluster, through kubectl.
#[derive(clap::Args)]
pub struct ClusterArgs {
    /// The context of kubectl, where a cluster is asked [default: its current one]
    #[arg(long, env = "HELM_KUBECONTEXT", hide_env_values = true, value_name = "NAME")]
    pub kube_context: Option<String>,
}

impl ClusterArgs {
    /// kubectl for a namespace.
    pub fn kubectl(&self, namespace: Option<&str>) -> Kubectl {
        Kubectl { context: self.kube_context.clone(), namespace: namespace.map(str::to_owned) }
    }

    /// Running Secrets.
    pub fn live(&self, selection: &Selection, secrets: Vec<String>, sources: &Sources) -> Live {
        let run = Arc::clone(sources.run());
        Live::Cluster { kubectl: self.kubectl(selection.namespace.as_deref()), secrets, run }
    }

    /// The running Secrets of a keyring: those that were named, else what keyring.yaml and the profile say.
    pub fn live_of(&self, selection: &Selection, named: &[String], sources: &Sources) -> Result<Live, Refusal> {
        if !named.is_empty() {
            return Ok(self.live(selection, named.to_vec(), sources));
        }
        let names = selection.profile.secrets.iter().map(|spec| selection.secret_name(spec));
        match names.collect::<Option<Vec<String>>>().filter(|names| !names.iter().any(|name| name.contains('*'))) {
            Some(names) => Ok(self.live(selection, names, sources)),
            None => Err(Finding::usage(
                "no-secret-name",
                format!("which Secret holds the keys of {} is not known", selection.title()),
            )
            .help("name it with `--secret`; where the keys lie in several Secrets, each")
            .into()),
        }
    }
}

const SOURCES: &str = "values, env, dir=PATH, sealed=FILE, sops=FILE, vault=PATH, aws-secrets-manager=NAME or \
                       kubernetes=NAME; others are written into keyring.yaml";

/// What `--source` takes: a kind, and its one place.
pub fn parse_source(text: &str) -> Result<SourceConfig, String> {
    if MasterKey::is_meant_by(text.as_ref()) {
        return Err("a master key is no file's name: write it into a file, and name that".to_owned());
    }
    let (kind, place) = text.split_once('=').map_or((text, None), |(kind, place)| (kind, Some(place)));
    let place = place.filter(|place| !place.is_empty());
    let stored = |place: &str| -> Option<SourceConfig> {
        let member = match kind {
            "sops" => "file",
            "vault" => "path",
            "aws-secrets-manager" | "kubernetes" => "secret",
            _ => return None,
        };
        serde_json::from_value(serde_json::json!({kind: {member: place}})).ok()
    };
    match (kind, place) {
        ("values", None) if text == kind => Ok(SourceConfig::Values { injected: false }),
        ("live", None) if text == kind => Ok(SourceConfig::Live),
        ("env", None) if text == kind => Ok(SourceConfig::Env(Default::default())),
        ("dir", Some(path)) => Ok(SourceConfig::Dir { path: path.into() }),
        ("sealed", Some(file)) => Ok(SourceConfig::Sealed { file: file.into(), master_key_file: None }),
        (_, Some(place)) => stored(place).ok_or_else(|| format!("expected {SOURCES}")),
        _ => Err(format!("expected {SOURCES}")),
    }
}

/// The lock.
#[derive(clap::Args)]
pub struct LockArg {
    /// The lock [default: keyring.lock beside the configuration file]
    #[arg(long, env = "HELM_KEYRING_LOCK", hide_env_values = true, value_name = "FILE")]
    pub lock: Option<PathBuf>,
}

impl LockArg {
    /// Where the lock lies, or would.
    pub fn path(&self, config: &Config) -> PathBuf {
        self.lock.clone().unwrap_or_else(|| config.folder().join(LOCK))
    }

    /// The lock, to be asked; one that is not there has no lines.
    pub fn read(&self, config: &Config) -> Result<Lock, Refusal> {
        let path = self.path(config);
        Ok(Lock::read(&path)?.unwrap_or_else(|| Lock::missing(path.display().to_string())))
    }
}

/// The configuration file, for a command that makes no sense without one.
pub fn configuration(overrides: &Overrides) -> Result<Config, Refusal> {
    // An empty path is the working directory, and messages name files as seen from there.
    Config::find(Path::new(""), overrides)?.ok_or_else(|| no_config().into())
}

fn no_config() -> Finding {
    Finding::usage("no-config", "there is no keyring.yaml")
        .found("looked from the working directory upward to the repository's root")
        .help("write one with `helm-keyring init`, or name it with `--config`")
}
