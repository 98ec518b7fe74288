//! Where keys come from, as `keyring.yaml` says it. Nothing here is a key or a token: those have files and variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::profile::FieldSpec;

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The user's own key in the chart's values; nothing external.
    Values {
        /// A deploy step writes the key into the values: only `check` of committed files makes use of it.
        #[serde(default)]
        injected: bool,
    },
    /// Environment variables: field to variable, with `{n}` for numbers. A field that is not named has its
    /// profile's variable, or its own name in capitals (`ENCRYPTION_KEY_0`).
    Env(BTreeMap<String, String>),
    /// Files of a folder, named like the fields.
    Dir {
        /// The folder, relative to the configuration file.
        path: PathBuf,
    },
    /// An encrypted file of the repository.
    #[serde(rename_all = "camelCase")]
    Sealed {
        /// The file, relative to the configuration file.
        file: PathBuf,
        /// The file that holds a master key, relative to the configuration file.
        master_key_file: Option<PathBuf>,
    },
    /// A path of HashiCorp Vault or OpenBao.
    Vault(Stored<Vault>),
    /// AWS Secrets Manager.
    #[serde(rename = "aws-secrets-manager")]
    Aws(Stored<Aws>),
    /// A file that the user's `sops` opens.
    Sops(Stored<Sops>),
    /// What a command prints.
    Exec(Stored<Exec>),
    /// A Secret of a cluster.
    Kubernetes(Stored<Kubernetes>),
    /// A source of its own for each ring, by the name that the profile gives it.
    ByField(BTreeMap<String, Source>),
    /// The running Secret, through `kubectl`. By hand only: it cannot be written into the file.
    #[serde(skip)]
    Live,
}

/// A place of a store, and how it names and writes keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stored<P> {
    /// Where.
    #[serde(flatten)]
    pub place: P,
    /// Under which names.
    #[serde(flatten)]
    pub names: Names,
}

impl<P: PartialEq> Stored<P> {
    /// Takes the names of another over, if it is the same place.
    fn join(&mut self, other: Self) -> bool {
        let same = self.place == other.place && self.names.encoding == other.names.encoding;
        if same {
            self.names.fields.extend(other.names.fields);
        }
        same
    }
}

/// How a store names and writes keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Names {
    /// Field of the profile to member of the store, with `{n}` for numbers. Others have the field's own name.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What the store adds around a key text.
    pub encoding: Option<Encoding>,
}

impl Names {
    /// A ring under the names of the store.
    #[must_use]
    pub fn of(&self, ring: &FieldSpec) -> FieldSpec {
        let own = |name: String| self.fields.get(&name).cloned().unwrap_or(name);
        FieldSpec { name: own(ring.name.to_string()).into(), previous: ring.previous.clone().map(own), ..ring.clone() }
    }
}

/// What a store adds around a key text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Base64, beside any that the key text itself has.
    Base64,
}

/// A path of Vault or OpenBao, in a KV engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vault {
    /// With the mount before it (`secret/obs/keys`), or below `mount`.
    pub path: String,
    /// Where the KV engine is mounted; else the server is asked.
    pub mount: Option<String>,
    /// 1 or 2; else the server is asked.
    pub kv_version: Option<u8>,
    /// A fixed version of KV 2; else the newest.
    pub version: Option<u64>,
    /// `https://HOST:PORT`; else `VAULT_ADDR`.
    pub address: Option<String>,
    /// A namespace; else `VAULT_NAMESPACE`.
    pub namespace: Option<String>,
    /// CA certificates in PEM; else `VAULT_CACERT`, else the system's.
    pub ca_cert: Option<PathBuf>,
    /// As whom.
    #[serde(default)]
    pub auth: VaultAuth,
}

/// As whom a path of Vault is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum VaultAuth {
    /// A token: that of the file, `VAULT_TOKEN`, `~/.vault-token`.
    Token {
        /// As an agent writes it.
        file: Option<PathBuf>,
    },
    /// The pod's own token.
    Kubernetes {
        /// A role of the login.
        role: String,
        /// Default: `kubernetes`.
        mount: Option<String>,
        /// Default: the pod's usual one.
        token_file: Option<PathBuf>,
    },
    /// An AppRole.
    #[serde(rename = "approle")]
    AppRole {
        /// The role's id; else `VAULT_ROLE_ID`.
        role_id: Option<String>,
        /// The file of the secret id; else `VAULT_SECRET_ID`, else none.
        secret_id_file: Option<PathBuf>,
        /// Default: `approle`.
        mount: Option<String>,
    },
    /// A JSON web token, as CI systems give them to jobs.
    Jwt {
        /// A role of the login; else the mount's default one.
        role: Option<String>,
        /// Default: `jwt`.
        mount: Option<String>,
        /// The file of the token; else `VAULT_JWT`.
        token_file: Option<PathBuf>,
    },
}

impl Default for VaultAuth {
    fn default() -> Self {
        Self::Token { file: None }
    }
}

/// A secret of AWS Secrets Manager, or one a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aws {
    /// Name or ARN of a secret that is a JSON object.
    pub secret: Option<String>,
    /// Field of the profile to name or ARN of a secret that is just its key, with `{n}` for numbers.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Else that of the ARN, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile.
    pub region: Option<String>,
    /// Else `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL`, the region's.
    pub endpoint: Option<String>,
    /// A profile of `~/.aws/config`; else `AWS_PROFILE`, where no other credentials are set.
    pub profile: Option<String>,
    /// A version's id; else the one with the stage.
    pub version: Option<String>,
    /// Default: `AWSCURRENT`.
    pub stage: Option<String>,
}

/// A file that the user's `sops` opens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sops {
    /// The file, relative to the configuration file.
    pub file: PathBuf,
    /// The properties that lead to the keys, with a `.` between them; else they lie at the top.
    pub under: Option<String>,
    /// Where the file's name does not say it: yaml, json, dotenv, ini.
    pub format: Option<String>,
}

/// A command that prints keys as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// Program and arguments; no shell. A program with a `/` in it is relative to the configuration file.
    pub command: Vec<String>,
    /// Variables that it gets beside `HOME`, `PATH` and the like.
    #[serde(default)]
    pub variables: Vec<String>,
    /// Where it runs: the folder of the configuration file.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A Secret of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubernetes {
    /// Its name.
    pub secret: String,
    /// Else the environment's own namespace.
    pub namespace: Option<String>,
    /// The context of kubectl; else its current one.
    pub context: Option<String>,
    /// With the pod's own token, and without kubectl.
    #[serde(default)]
    pub in_cluster: bool,
    /// The folder of the pod's token; else the usual one.
    pub service_account: Option<PathBuf>,
}

impl Source {
    /// The same source with its paths relative to `folder`.
    #[must_use]
    pub fn relative_to(&self, folder: &Path) -> Self {
        let join = |path: &mut PathBuf| *path = folder.join(&*path);
        let join_all = |paths: &mut [&mut Option<PathBuf>]| paths.iter_mut().filter_map(|p| p.as_mut()).for_each(join);
        let mut own = self.clone();
        match &mut own {
            Self::Dir { path } => join(path),
            Self::Sealed { file, master_key_file } => {
                join(file);
                join_all(&mut [master_key_file]);
            }
            Self::Vault(Stored { place, .. }) => {
                let file = match &mut place.auth {
                    VaultAuth::Token { file } => file,
                    VaultAuth::AppRole { secret_id_file, .. } => secret_id_file,
                    VaultAuth::Kubernetes { token_file, .. } | VaultAuth::Jwt { token_file, .. } => token_file,
                };
                join_all(&mut [file, &mut place.ca_cert]);
            }
            Self::Sops(Stored { place, .. }) => join(&mut place.file),
            Self::Exec(Stored { place, .. }) => place.folder = folder.to_owned(),
            Self::Kubernetes(Stored { place, .. }) => join_all(&mut [&mut place.service_account]),
            Self::ByField(parts) => parts.values_mut().for_each(|part| *part = part.relative_to(folder)),
            Self::Values { .. } | Self::Env(_) | Self::Aws(_) | Self::Live => {}
        }
        own
    }

    /// Both as one, if they are the same place: with the names of both.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let mut joined = self.clone();
        let same = match (&mut joined, other.clone()) {
            (Self::Env(own), Self::Env(others)) => {
                own.extend(others);
                true
            }
            (Self::Vault(own), Self::Vault(others)) => own.join(others),
            (Self::Aws(own), Self::Aws(others)) => own.join(others),
            (Self::Sops(own), Self::Sops(others)) => own.join(others),
            (Self::Exec(own), Self::Exec(others)) => own.join(others),
            (Self::Kubernetes(own), Self::Kubernetes(others)) => own.join(others),
            (own, others) => *own == others,
        };
        same.then_some(joined)
    }

    /// How a store names keys, if it is one.
    #[must_use]
    pub fn names(&self) -> Option<&Names> {
        match self {
            Self::Vault(stored) => Some(&stored.names),
            Self::Aws(stored) => Some(&stored.names),
            Self::Sops(stored) => Some(&stored.names),
            Self::Exec(stored) => Some(&stored.names),
            Self::Kubernetes(stored) => Some(&stored.names),
            Self::Values { .. }
            | Self::Env(_)
            | Self::Dir { .. }
            | Self::Sealed { .. }
            | Self::ByField(_)
            | Self::Live => None,
        }
    }

    /// Whether it reads this Secret of a namespace: one that is delivered from itself is lost for good once it is lost.
    #[must_use]
    pub fn reads_secret(&self, name: &str, namespace: Option<&str>) -> bool {
        match self {
            // Another context may be another cluster.
            Self::Kubernetes(Stored { place, .. }) => {
                let is_same = |own: &str| namespace.is_none_or(|namespace| namespace == own);
                place.secret == name && place.context.is_none() && place.namespace.as_deref().is_none_or(is_same)
            }
            Self::ByField(parts) => parts.values().any(|part| part.reads_secret(name, namespace)),
            _ => false,
        }
    }

    /// What it is called in `keyring.yaml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Values { .. } => "values",
            Self::Env(_) => "env",
            Self::Dir { .. } => "dir",
            Self::Sealed { .. } => "sealed",
            Self::Vault(_) => "vault",
            Self::Aws(_) => "aws-secrets-manager",
            Self::Sops(_) => "sops",
            Self::Exec(_) => "exec",
            Self::Kubernetes(_) => "kubernetes",
            Self::ByField(_) => "byField",
            Self::Live => "live",
        }
    }
}
