//! Flags that several commands share: which keyring in which environment, where its keys come from, and its lock.

use std::path::{Path, PathBuf};

use crate::config::{Config, LOCK, Overrides, Selection, Source as SourceConfig};
use crate::lock::Lock;
use crate::profile;
use crate::report::{Finding, Refusal};
use crate::sealed::{GivenMasterKey, MasterKey};
use crate::source::{Dir, Env, Kubectl, Live, Sealed, Source};

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
    /// Where the keys come from: values, env, dir=PATH or sealed=FILE [default: as keyring.yaml says]
    #[arg(long, env = "HELM_KEYRING_SOURCE", hide_env_values = true, value_name = "SOURCE", value_parser = parse_source)]
    pub source: Option<SourceConfig>,
    #[command(flatten)]
    pub master: MasterArg,
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

    /// Opens a source for a selection; `None` for keys in the chart's values, and for `live`, which is a Secret's.
    pub fn open(&self, source: &SourceConfig, selection: &Selection) -> Option<Box<dyn Source>> {
        Some(match source {
            SourceConfig::Values { .. } | SourceConfig::Live => return None,
            SourceConfig::Env(names) => Box::new(Env::of_process(names.clone())),
            SourceConfig::Dir { path } => Box::new(Dir { path: path.clone() }),
            SourceConfig::Sealed { file, master_key_file } => Box::new(Sealed {
                file: file.clone(),
                environment: selection.environment.clone(),
                master: self.given(master_key_file.as_deref()),
            }),
        })
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
    pub fn live(&self, selection: &Selection, secrets: Vec<String>) -> Live {
        Live::Cluster { kubectl: self.kubectl(selection.namespace.as_deref()), secrets }
    }

    /// The running Secrets of a keyring: those that were named, else what keyring.yaml and the profile say.
    pub fn live_of(&self, selection: &Selection, named: &[String]) -> Result<Live, Refusal> {
        if !named.is_empty() {
            return Ok(self.live(selection, named.to_vec()));
        }
        let names = selection.profile.secrets.iter().map(|spec| selection.secret_name(spec));
        match names.collect::<Option<Vec<String>>>().filter(|names| !names.iter().any(|name| name.contains('*'))) {
            Some(names) => Ok(self.live(selection, names)),
            None => Err(Finding::usage(
                "no-secret-name",
                format!("which Secret holds the keys of {} is not known", selection.title()),
            )
            .help("name it with `--secret`; where the keys lie in several Secrets, each")
            .into()),
        }
    }
}

/// `values`, `env`, `dir=PATH` or `sealed=FILE`.
pub fn parse_source(text: &str) -> Result<SourceConfig, String> {
    if MasterKey::is_meant_by(text.as_ref()) {
        return Err("a master key is no file's name: write it into a file, and name that".to_owned());
    }
    match text.split_once('=') {
        None if text == "values" => Ok(SourceConfig::Values { injected: false }),
        None if text == "live" => Ok(SourceConfig::Live),
        None if text == "env" => Ok(SourceConfig::Env(Default::default())),
        Some(("dir", path)) if !path.is_empty() => Ok(SourceConfig::Dir { path: path.into() }),
        Some(("sealed", file)) if !file.is_empty() => {
            Ok(SourceConfig::Sealed { file: file.into(), master_key_file: None })
        }
        _ => Err("expected values, env, dir=PATH or sealed=FILE".to_owned()),
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
