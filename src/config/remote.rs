//! Where a key lies, in the words of the External Secrets operator: what a `source` says, as a `remoteRef`.
//!
//! The operator logs in by itself, with the store that `secretStore` names; of our own source only the place counts. What
//! is relied on, of external-secrets.io/v1:
//!
//! | store | what its provider does |
//! |---|---|
//! | Vault | takes the store's `path` (the mount) off the front of `key` if it is there, so `key` may always have the mount before it. Without `path` the first part of `key` is the mount. For KV 2 it puts `data` behind the mount by itself, and takes a `data` in `key` for the API's. A member that is called exactly like `property` wins over a query |
//! | AWS Secrets Manager | `key` is a name or an ARN (behind the store's `prefix`, if it has one); `version` a stage, or an id behind `uuid/`; without it `AWSCURRENT`. A `property` is a query, in which the dots are tried as they are first; without it the text or binary as a whole |
//! | Kubernetes | `key` is a Secret in the store's `remoteNamespace`, `property` one of its fields, read as a query as for AWS |
//!
//! Queries are those of GJSON: `*`, `?`, `|`, `#`, `@` and the like would choose something else than the member that is meant.

use crate::profile::{FieldName, FieldSpec, Profile, Slot};
use crate::report::Finding;

use super::{Aws, Emit, Encoding, Kubernetes, Mode, Selection, Source, Vault};

/// A key in a store of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// The path or name of what holds it.
    pub key: String,
    /// The member of it, if it is not just the key.
    pub property: Option<String>,
    /// A fixed version, as the provider writes it.
    pub version: Option<String>,
    /// Whether there is base64 around the key text.
    pub base64: bool,
}

impl Source {
    /// Where the key of a field of a ring lies; `None` where the operator reads no such source, or the ring has no such
    /// field.
    #[must_use]
    pub fn remote(&self, ring: &FieldSpec, slot: Slot) -> Option<RemoteRef> {
        let names = self.names();
        let member = || names?.of(ring).field(slot);
        let base64 = names.is_some_and(|names| names.encoding == Some(Encoding::Base64));
        match self {
            Self::Vault(stored) => Some(RemoteRef {
                key: path(&stored.place),
                property: Some(member()?),
                version: stored.place.version.map(|version| version.to_string()),
                base64,
            }),
            Self::Aws(stored) => {
                let version = stored.place.version.as_ref().map(|id| format!("uuid/{id}"));
                let version = version.or_else(|| stored.place.stage.clone());
                match &stored.place.secret {
                    Some(secret) => Some(RemoteRef { key: secret.clone(), property: Some(member()?), version, base64 }),
                    None => {
                        Some(RemoteRef { key: secret_of(&stored.place, ring, slot)?, property: None, version, base64 })
                    }
                }
            }
            Self::Kubernetes(stored) => {
                Some(RemoteRef { key: stored.place.secret.clone(), property: Some(member()?), version: None, base64 })
            }
            Self::ByField(parts) => parts.get(&ring.name.to_string())?.remote(ring, slot),
            _ => None,
        }
    }

    /// What one store of the operator stands for: the kind, and the server. `None` where it reads no such source.
    fn store(&self) -> Option<(&'static str, Vec<Option<&str>>)> {
        let server = match self {
            Self::Vault(stored) => {
                let Vault { address, namespace, .. } = &stored.place;
                vec![address.as_deref(), namespace.as_deref()]
            }
            Self::Aws(stored) => {
                let Aws { region, endpoint, .. } = &stored.place;
                vec![region.as_deref(), endpoint.as_deref()]
            }
            Self::Kubernetes(stored) => {
                let Kubernetes { namespace, context, .. } = &stored.place;
                vec![namespace.as_deref(), context.as_deref()]
            }
            _ => return None,
        };
        Some((self.name(), server))
    }

    /// The source itself, or those of `byField`.
    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::ByField(parts) => parts.values().collect(),
            source => vec![source],
        }
    }
}

/// Mount and path as one.
fn path(vault: &Vault) -> String {
    let path = vault.path.trim_matches('/');
    match &vault.mount {
        Some(mount) => format!("{}/{path}", mount.trim_matches('/')),
        None => path.to_owned(),
    }
}

/// The secret of one field, where each has its own.
fn secret_of(aws: &Aws, ring: &FieldSpec, slot: Slot) -> Option<String> {
    match slot {
        Slot::Number(number) => Some(aws.secrets.get(&ring.name.to_string())?.replace("{n}", &number.to_string())),
        Slot::Active | Slot::Previous => aws.secrets.get(&ring.field(slot)?).cloned(),
    }
}

impl Selection {
    /// What speaks against an ExternalSecret, if one is asked for, as far as the settings tell.
    #[must_use]
    pub fn wrong_external_secret(&self) -> Option<Finding> {
        if self.emit == Some(Emit::ExternalSecret) { wrong(self) } else { None }
    }
}

fn wrong(selection: &Selection) -> Option<Finding> {
    let kind = selection.source.as_ref().map_or("none", Source::name);
    if selection.mode == Mode::Dev {
        return Some(
            Finding::usage("dev-refused", "`dev` makes keys up, and `emit: ExternalSecret` takes them from a store")
                .help("say `emit: Secret` for this environment, or take `mode: dev` away"),
        );
    }
    if selection.secret_store.is_none() {
        return Some(
            Finding::usage("no-secret-store", "`emit: ExternalSecret` needs the store that the operator reads").help(
                "name it beside `emit`: `secretStore: {name: NAME}`, with `kind: ClusterSecretStore` if it is one",
            ),
        );
    }
    let Some(source) = selection.source.as_ref().filter(|source| source.parts().iter().all(|p| p.store().is_some()))
    else {
        return Some(
            Finding::usage(
                "not-a-store",
                "`emit: ExternalSecret` needs a source that the External Secrets operator reads",
            )
            .found(match kind {
                "none" => "no source is configured".to_owned(),
                "byField" => "one of the sources under `byField` is none".to_owned(),
                kind => format!("the source is `{kind}`"),
            })
            .help("the sources vault, aws-secrets-manager and kubernetes are such stores, and byField over one of them")
            .help("for keys from here: `emit: Secret`"),
        );
    };
    let parts = source.parts();
    if parts.windows(2).any(|pair| pair[0].store() != pair[1].store()) {
        return Some(
            Finding::usage("not-a-store", "the sources under `byField` are not one store")
                .found("an ExternalSecret has one store: its kind and its server")
                .help("keep the keys in one store, or use `emit: Secret`"),
        );
    }
    let paths =
        parts.iter().filter_map(|part| if let Source::Vault(stored) = part { Some(&stored.place) } else { None });
    if let Some(vault) = paths.into_iter().find(|vault| vault.kv_version != Some(1) && has_data(&path(vault))) {
        return Some(
            Finding::usage("not-a-store", format!("the operator would not find the path {}", path(vault)))
                .found("it takes a part `data` for the API's own, which KV 2 puts behind the mount")
                .help("leave `data` out if it is the API's; else give the path another name, or use `emit: Secret`"),
        );
    }
    properties(&selection.profile, source).find(|property| !is_plain(property)).map(|_| {
        Finding::usage("not-a-store", "a name in the store is one that the operator would read as a query")
            .found("plain are letters, digits, `-`, `_` and `.`")
            .help("give the member a plain name in the store, and say it with `fields`")
    })
}

fn has_data(path: &str) -> bool {
    path.split('/').skip(1).any(|part| part == "data")
}

/// The names in the store of all that a profile may deliver.
fn properties<'s>(profile: &'s Profile, source: &'s Source) -> impl Iterator<Item = String> + 's {
    profile.rings().flat_map(move |(_, ring)| {
        let slots = match ring.name {
            FieldName::Numbered(..) => vec![Slot::Number(0)],
            FieldName::Fixed(_) => vec![Slot::Active, Slot::Previous],
        };
        slots.into_iter().filter_map(move |slot| source.remote(ring, slot)?.property)
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{config, refused};
    use crate::config::{Overrides, RemoteRef, SecretStore, Selection, StoreKind};
    use crate::profile::Slot;
    use crate::report::Refusal;

    fn select(source: &str) -> Result<Selection, Refusal> {
        let text = format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    emit: ExternalSecret\n    \
             secretStore: {{name: store}}\n    environments:\n      p:\n        source: {source}\n"
        );
        Ok(config(&text).select(&Overrides::default())?.remove(0))
    }

    /// Where the key number 3 lies: key, property, version, and whether there is base64 around it.
    fn remote(source: &str) -> (String, Option<String>, Option<String>, bool) {
        let selection = select(source).unwrap_or_else(|refusal| panic!("{refusal}"));
        let ring = selection.profile.rings().next().unwrap().1;
        let RemoteRef { key, property, version, base64 } =
            selection.source.as_ref().unwrap().remote(ring, Slot::Number(3)).unwrap();
        (key, property, version, base64)
    }

    fn at(key: &str, property: Option<&str>, version: Option<&str>) -> (String, Option<String>, Option<String>, bool) {
        (key.to_owned(), property.map(str::to_owned), version.map(str::to_owned), false)
    }

    #[test]
    fn a_path_of_vault_has_its_mount_before_it() {
        let name = Some("encryption-key-3");
        assert_eq!(remote("{vault: {path: secret/obs/keys}}"), at("secret/obs/keys", name, None));
        assert_eq!(
            remote("{vault: {path: /obs/keys/, mount: team/kv, version: 7}}"),
            at("team/kv/obs/keys", name, Some("7"))
        );
        let renamed = "{vault: {path: secret/keys, encoding: base64, fields: {'encryption-key-{n}': 'lr_{n}'}}}";
        assert_eq!(remote(renamed), ("secret/keys".to_owned(), Some("lr_3".to_owned()), None, true));
    }

    #[test]
    fn a_version_of_aws_is_an_id_or_a_stage() {
        let name = Some("encryption-key-3");
        let aws = |more: &str| remote(&format!("{{aws-secrets-manager: {{secret: obs/keys{more}}}}}"));
        assert_eq!(aws(""), at("obs/keys", name, None));
        assert_eq!(aws(", version: 0a1b"), at("obs/keys", name, Some("uuid/0a1b")));
        assert_eq!(aws(", stage: LIVE"), at("obs/keys", name, Some("LIVE")));
        let each = "{aws-secrets-manager: {secrets: {'encryption-key-{n}': 'obs/key-{n}'}}}";
        assert_eq!(remote(each), at("obs/key-3", None, None));
    }

    #[test]
    fn a_field_of_a_secret() {
        let source = "{kubernetes: {secret: master, namespace: keys}}";
        assert_eq!(remote(source), at("master", Some("encryption-key-3"), None));
        let by_field = format!("{{byField: {{'encryption-key-{{n}}': {source}}}}}");
        assert_eq!(remote(&by_field), at("master", Some("encryption-key-3"), None));
    }

    #[test]
    fn the_operator_reads_three_kinds_of_stores() {
        let sources = [
            "{values: {}}",
            "{env: {}}",
            "{dir: {path: keys}}",
            "{sealed: {file: keys.sealed}}",
            "{sops: {file: keys.yaml}}",
            "{exec: {command: [keys]}}",
            "{byField: {'encryption-key-{n}': {env: {}}}}",
        ];
        for source in sources {
            assert!(refused(select(source)).starts_with("error[not-a-store]"), "{source}");
        }
        assert_eq!(
            refused(select("{env: {}}")),
            "\
error[not-a-store]: `emit: ExternalSecret` needs a source that the External Secrets operator reads
  --> keyring.yaml:5:5
   = note: the source is `env`
   = help: the sources vault, aws-secrets-manager and kubernetes are such stores, and byField over one of them
   = help: for keys from here: `emit: Secret`
"
        );
    }

    #[test]
    fn a_name_that_is_a_query_is_refused() {
        for name in ["keys.#", "*{n}", "a|b{n}", "k\u{e9}{n}", "@this{n}", "a b{n}", "a\\{n}"] {
            let source = format!("{{vault: {{path: secret/keys, fields: {{'encryption-key-{{n}}': '{name}'}}}}}}");
            assert!(select(&source).is_err(), "{name}");
        }
        let dotted = "{vault: {path: secret/keys, fields: {'encryption-key-{n}': 'a.b_{n}'}}}";
        assert_eq!(remote(dotted).1.as_deref(), Some("a.b_3"));
    }

    #[test]
    fn a_path_with_the_word_of_the_api_is_refused() {
        for path in ["secret/data/keys", "secret/obs/data/keys"] {
            assert!(refused(select(&format!("{{vault: {{path: {path}}}}}"))).contains("a part `data`"), "{path}");
        }
        assert_eq!(remote("{vault: {path: secret/data/keys, kvVersion: 1}}").0, "secret/data/keys");
        assert_eq!(remote("{vault: {path: data/keys}}").0, "data/keys");
    }

    #[test]
    fn one_store_for_all() {
        let ledger = |cookie: &str| {
            let text = format!(
                "apiVersion: helm-keyring/v1\nkeyrings:\n  ledger:\n    profile: ledger.yaml\n    environments:\n      p:\n        \
                 emit: ExternalSecret\n        secretStore: {{name: store, kind: ClusterSecretStore}}\n        source:\n          \
                 byField:\n            storage-key: {{vault: {{path: secret/a}}}}\n            token-key: {{vault: {{path: secret/b}}}}\n            \
                 cookie-secret: {cookie}\n"
            );
            let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/profiles/keyring.yaml"));
            crate::config::Config::parse(path, text).unwrap().select(&Overrides::default())
        };
        let selection = ledger("{vault: {path: secret/c}}").unwrap_or_else(|refusal| panic!("{refusal}")).remove(0);
        let store = SecretStore { name: "store".to_owned(), kind: StoreKind::ClusterSecretStore };
        assert_eq!(selection.secret_store, Some(store));
        for other in ["{kubernetes: {secret: c}}", "{vault: {path: secret/c, address: 'https://other:8200'}}"] {
            assert!(refused(ledger(other)).contains("are not one store"), "{other}");
        }
        assert!(refused(ledger("{env: {}}")).contains("one of the sources under `byField` is none"));
    }

    #[test]
    fn a_store_must_be_named_and_its_kind_is_the_operators_default() {
        let selection = select("{vault: {path: secret/keys}}").unwrap();
        assert_eq!(selection.secret_store.unwrap().kind, StoreKind::SecretStore);
        let text = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments:\n      p:\n        \
                    emit: ExternalSecret\n        source: {vault: {path: secret/keys}}\n";
        assert_eq!(
            refused(config(text).select(&Overrides::default())),
            "\
error[no-secret-store]: `emit: ExternalSecret` needs the store that the operator reads
  --> keyring.yaml:7:9
   = help: name it beside `emit`: `secretStore: {name: NAME}`, with `kind: ClusterSecretStore` if it is one
"
        );
        let store = Some(SecretStore { name: "argocd".to_owned(), kind: StoreKind::default() });
        let overrides = Overrides { secret_store: store.clone(), ..Overrides::default() };
        assert_eq!(config(text).select(&overrides).unwrap().remove(0).secret_store, store);
    }

    #[test]
    fn the_mode_dev_makes_keys_up_and_a_store_does_not() {
        let text = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    emit: ExternalSecret\n    \
                    secretStore: {name: store}\n    environments: {p: {mode: dev, source: {vault: {path: secret/keys}}}}\n";
        assert!(refused(config(text).select(&Overrides::default())).starts_with("error[dev-refused]"));
    }
}
