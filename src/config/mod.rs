//! `keyring.yaml`: which keyrings and environments there are, and where their keys come from.
//!
//! Precedence, highest first: flag, `HELM_KEYRING_*`, environment, keyring, profile. [`Overrides`] carries the
//! first two; [`Config::select`] applies all of it and gives one [`Selection`] a keyring.
//!
//! | file | question |
//! |---|---|
//! | `find` | where does the file lie? |
//! | `choose` | which keyrings are meant, and in which environment? |
//! | `select` | what holds there, all precedence applied? |
//! | `fit` | does it fit the profile? |
//! | `clash` | has each field a name of its own in the store? |
//! | `remote` | where does a key lie, in the words of the External Secrets operator? |
//! | `mode` | may keys be made up? |
//! | `source` | where do keys come from? |
//! | `check` | what does `check` look at, and how much does each rule weigh? |

mod check;
mod choose;
mod clash;
mod find;
mod fit;
mod mode;
mod remote;
mod select;
mod source;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::profile::{self, Profile};
use crate::report::{Place, Refusal};
use crate::schema::Document;

pub use check::{Check, RuleSetting, Weight};
pub use remote::RemoteRef;
pub use source::{Aws, Encoding, Exec, Kubernetes, Names, Sops, Source, Stored, Vault, VaultAuth};

/// The JSON Schema of `keyring.yaml`.
pub const SCHEMA: &str = include_str!("../../schema/keyring.schema.json");

/// The name of the file.
pub const FILE: &str = "keyring.yaml";

/// The name of the lock, which lies beside it.
pub const LOCK: &str = "keyring.lock";

/// A read and validated configuration file.
pub struct Config {
    /// The file, as it is named in messages.
    pub path: PathBuf,
    /// The keyrings by name.
    pub keyrings: BTreeMap<String, Keyring>,
    /// Settings of `check`.
    pub check: Check,
    document: Document,
}

/// What is read from the file.
#[derive(Deserialize)]
struct Content {
    keyrings: BTreeMap<String, Keyring>,
    #[serde(default)]
    check: Check,
}

impl Config {
    /// Finds and reads the file: the one of `--config`, or the nearest one from the folder `start` upward, no
    /// further than the root of the repository (the folder that holds `.git`). Outside of a repository only
    /// `start` counts. Give `Path::new("")` for the working directory: messages then name files from there.
    ///
    /// # Errors
    /// A file that cannot be read, or does not fit its schema.
    pub fn find(start: &Path, overrides: &Overrides) -> Result<Option<Self>, Refusal> {
        let path = overrides.config.clone().or_else(|| find::upward(start));
        path.map(|path| Self::read(&path)).transpose()
    }

    /// The nearest file from the folder `start` upward, as for [`Config::find`]; not read.
    pub fn nearest(start: &Path) -> Option<PathBuf> {
        find::upward(start)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, or does not fit its schema.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        Self::from_document(path, Document::read(path)?)
    }

    /// Reads a text as if it stood in the file `path`.
    ///
    /// # Errors
    /// A text that does not fit its schema.
    pub fn parse(path: &Path, text: String) -> Result<Self, Refusal> {
        Self::from_document(path, Document::parse(path.display().to_string(), text)?)
    }

    fn from_document(path: &Path, document: Document) -> Result<Self, Refusal> {
        let Content { keyrings, check } = document.checked(SCHEMA)?;
        Ok(Self { path: path.to_owned(), keyrings, check, document })
    }

    /// Where the property at a JSON pointer is written, or what holds it.
    pub fn place_of(&self, pointer: &str) -> Place {
        self.document.place_of(pointer)
    }

    /// The folder of the file: what it names is relative to this, and the lock lies here.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The Secrets that the other keyrings than `keyring` name in an environment.
    pub fn secrets_of_others(&self, keyring: &str, environment: &str) -> BTreeSet<String> {
        let others = self.keyrings.iter().filter(|(name, _)| *name != keyring);
        let instances = others.filter_map(|(_, keyring)| {
            let own = &keyring.environments.get(environment)?.settings.instance.secret;
            own.as_ref().or(keyring.settings.instance.secret.as_ref())
        });
        instances.flat_map(SecretNames::names).collect()
    }

    /// The keyrings that are meant, each with its environment.
    ///
    /// # Errors
    /// A keyring or an environment that is not there, or an environment in doubt.
    pub fn pairs(&self, overrides: &Overrides) -> Result<Vec<(String, String)>, Refusal> {
        let pairs = self.choose(overrides)?;
        Ok(pairs.into_iter().map(|pair| (pair.name.to_owned(), pair.environment_name.to_owned())).collect())
    }

    /// Takes out what a file that is not trusted with the store must not say: external sources, templates and the
    /// operator's store. Gives the pairs of keyring and environment that said any of it.
    pub fn take_sources(&mut self) -> BTreeSet<(String, String)> {
        let mut taken = BTreeSet::new();
        for (name, keyring) in &mut self.keyrings {
            let of_keyring = keyring.settings.take_trusted();
            for (environment_name, environment) in &mut keyring.environments {
                let own = environment.settings.take_trusted();
                let source = environment.source.take().is_some_and(|source| !matches!(source, Source::Values { .. }));
                if of_keyring || own || source {
                    taken.insert((name.clone(), environment_name.clone()));
                }
            }
        }
        taken
    }

    /// The profiles of the keyrings that are none of `selections`.
    ///
    /// # Errors
    /// A profile that cannot be read.
    pub fn profiles_of_others(&self, selections: &[Selection]) -> Result<Vec<Profile>, Refusal> {
        let others = self.keyrings.iter().filter(|(name, _)| !selections.iter().any(|s| s.keyring == **name));
        others.map(|(_, keyring)| profile::load(&keyring.profile, self.folder())).collect()
    }
}

/// One application's keyring.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keyring {
    /// A shipped profile's name, or a file relative to the configuration file.
    pub profile: String,
    /// What holds for every environment that does not say otherwise.
    #[serde(flatten)]
    pub settings: Settings,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
}

/// One environment of a keyring.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// The Kubernetes namespace, by which the environment is recognised.
    pub namespace: Option<String>,
    /// Values files that `check` merges and judges, over the chart's own.
    #[serde(default)]
    pub values: Vec<String>,
    /// Where the keys come from.
    pub source: Option<Source>,
    /// `gitops` unless it says `dev`.
    pub mode: Option<Mode>,
    /// What differs from the keyring's own settings.
    #[serde(flatten)]
    pub settings: Settings,
}

/// What a keyring says, and an environment may say otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Which instance of the chart is meant.
    #[serde(default)]
    pub instance: Instance,
    /// In what form the keys are delivered.
    pub emit: Option<Emit>,
    /// The store of the External Secrets operator, for `emit: ExternalSecret`.
    pub secret_store: Option<SecretStore>,
    /// Whether consumers' pods get the fingerprint annotation that restarts them; default: yes.
    pub annotate: Option<bool>,
    /// Whether the Secret is marked so that neither Helm nor Argo CD deletes it; default: yes.
    pub keep: Option<bool>,
    /// A minijinja frame for an own Secret, relative to the configuration file.
    pub template: Option<PathBuf>,
}

impl Settings {
    /// Takes out what only a trusted file may say; whether there was any.
    fn take_trusted(&mut self) -> bool {
        let template = self.template.take().is_some();
        self.secret_store.take().is_some() || template
    }
}

/// Which instance of the chart is meant, where there can be doubt.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// A dependency's name or alias (dotted for deeper ones) under which the chart's values lie.
    pub values: Option<String>,
    /// The Secret's name: one, or one for each `id` of the profile's Secrets.
    pub secret: Option<SecretNames>,
}

/// The name of a profile's one Secret, or a name for each of several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SecretNames {
    /// The profile has one Secret.
    One(String),
    /// By the profile's `id`.
    ById(BTreeMap<String, String>),
}

impl SecretNames {
    /// All names.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::ById(names) => names.values().cloned().collect(),
        }
    }
}

/// In what form keys are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Emit {
    /// In a Secret: the chart's own, or one of ours where the chart renders none.
    Secret,
    /// In a Secret that the External Secrets operator makes, from an ExternalSecret of ours. No key is read.
    ExternalSecret,
    /// Not at all: the Secret exists elsewhere; only consumers are completed.
    #[serde(rename = "none")]
    None,
}

/// A store that the External Secrets operator reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecretStore {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub kind: StoreKind,
}

/// The kinds of a store. The default is the operator's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum StoreKind {
    /// For ExternalSecrets of its own namespace.
    #[default]
    SecretStore,
    /// For all namespaces.
    ClusterSecretStore,
}

impl StoreKind {
    /// As a manifest has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecretStore => "SecretStore",
            Self::ClusterSecretStore => "ClusterSecretStore",
        }
    }
}

/// How strict a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Nothing may be generated.
    #[default]
    Gitops,
    /// A missing key is made up and marked.
    Dev,
}

/// What flags and `HELM_KEYRING_*` say; they win over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--keyring`
    pub keyring: Option<String>,
    /// `-e`, `--environment`
    pub environment: Option<String>,
    /// `--profile`: a shipped name or a file.
    pub profile: Option<String>,
    /// `--namespace`
    pub namespace: Option<String>,
    /// `--source`
    pub source: Option<Source>,
    /// `--emit`
    pub emit: Option<Emit>,
    /// No flag: for code that renders on behalf of somebody else.
    pub secret_store: Option<SecretStore>,
    /// `--mode`
    pub mode: Option<Mode>,
    /// `--no-annotation`
    pub annotate: Option<bool>,
    /// `--no-keep`
    pub keep: Option<bool>,
    /// `--template`
    pub template: Option<PathBuf>,
}

/// One keyring in one environment, all precedence applied.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The keyring's name; the profile's where there is no configuration file.
    pub keyring: String,
    /// The environment's name; `None` where there is no configuration file.
    pub environment: Option<String>,
    /// The release's namespace, where a flag or the environment says it.
    pub namespace: Option<String>,
    /// Where the environment is written; `None` where there is no configuration file.
    pub place: Option<Place>,
    /// How the chart spells its keys.
    pub profile: Profile,
    /// Which instance is meant.
    pub instance: Instance,
    /// `None`: decided by the stream.
    pub emit: Option<Emit>,
    /// The store of the External Secrets operator; there with `emit: ExternalSecret`.
    pub secret_store: Option<SecretStore>,
    /// Whether pods get the annotation.
    pub annotate: bool,
    /// Whether the Secret is marked so that neither Helm nor Argo CD deletes it.
    pub keep: bool,
    /// The frame of an own Secret, as text.
    pub template: Option<String>,
    /// How strict the run is.
    pub mode: Mode,
    /// Where the keys come from; paths are resolved. `None`: not said, so the chart's values.
    pub source: Option<Source>,
}

#[cfg(test)]
mod tests {
    use super::testing::{assert_documents, code_blocks, config, project_file, read, refused};

    #[test]
    fn the_documented_examples_are_valid() {
        let document = project_file("docs/configuration.md");
        let examples = code_blocks(&document, "yaml");
        assert_eq!(examples.len(), 3);
        for example in examples {
            let file = config(&example);
            let pairs = file.keyrings.values().flat_map(|keyring| keyring.environments.keys());
            for environment in pairs {
                let overrides = super::Overrides { environment: Some(environment.clone()), ..Default::default() };
                assert!(file.select(&overrides).is_ok(), "{environment}");
            }
        }
    }

    #[test]
    fn the_documented_sources_are_valid() {
        let examples = code_blocks(&project_file("docs/sources.md"), "yaml");
        assert!(examples.len() >= 5, "{}", examples.len());
        for example in examples {
            let indented = example.lines().map(|line| format!("        {line}\n")).collect::<String>();
            let head = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments:\n      production:\n";
            config(&(head.to_owned() + &indented));
        }
    }

    #[test]
    fn the_documented_message_is_the_real_one() {
        let messages = code_blocks(&project_file("docs/configuration.md"), "text");
        let typo = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: devmesh\n    enviroments: {}\n";
        assert_eq!(messages, [refused(read(typo))]);
    }

    #[test]
    fn every_property_is_documented() {
        let pages = ["docs/configuration.md", "docs/sources.md", "docs/rules/README.md"].map(project_file).concat();
        assert_documents(&pages, super::SCHEMA);
    }
}
