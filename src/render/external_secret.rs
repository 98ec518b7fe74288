//! An ExternalSecret of ours: which key of which place the External Secrets operator is to put into which field.
//!
//! It pins the keys. Each is named by itself (no `dataFrom`, which would take whatever the place holds), and the operator
//! looks again only when the ExternalSecret is another one (`refreshPolicy: OnChange`): a new key arrives with the render that
//! locks it, and a key that somebody changes in the store arrives at nobody.
//!
//! What else is relied on: with `creationPolicy: Orphan` and `deletionPolicy: Retain` the Secret outlives the ExternalSecret. With a
//! `template` the operator copies no label and no annotation of the ExternalSecret to the Secret; Argo CD would take the Secret
//! for its own by them, and prune it. A template without data leaves the data as they are. The strategies of each `remoteRef`
//! are the operator's defaults: some versions write them into what is applied, and a GitOps controller sees a difference
//! for good where they are left out.

use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::{Map, Value as Json, json};

use super::decided::Decided;
use super::keep;
use super::run::Run;
use super::stream::{Document, HELM4_FILE, Part};
use super::survey::{FoundPod, LeftBehind, Survey, left_behind};
use crate::config::{RemoteRef, SecretStore};
use crate::manifest::Object;
use crate::report::{Exit, Finding, Refusal};
use crate::yaml::{self, Value};

/// What it looks like.
const FRAME: &str = include_str!("external_secret.yaml");
/// Its kind.
pub const KIND: &str = "ExternalSecret";
/// Argo CD applies it before the workloads, whose pods wait for the Secret.
const WAVE: &str = "argocd.argoproj.io/sync-wave";
/// Its wave, unless a consumer comes as early.
const WAVE_MAX: i64 = -1;

/// What an ExternalSecret says.
pub struct ExternalSecret<'e> {
    /// Its name, and that of the Secret that it makes.
    pub name: &'e str,
    /// The consumers' namespace, if their documents say one.
    pub namespace: Option<&'e str>,
    /// The store that the operator reads.
    pub store: &'e SecretStore,
    /// The keyring.
    pub keyring: &'e str,
    /// The environment.
    pub environment: &'e str,
    /// Whether it and the Secret are marked to outlive the release.
    pub keep: bool,
    /// Whether it goes into a stream of Helm 4, which wants to know a file's name for each document.
    pub in_helm4: bool,
    /// In which wave Argo CD applies it.
    pub wave: i64,
    /// Fields of the Secret, and where the key of each lies.
    pub keys: Vec<(String, RemoteRef)>,
}

impl ExternalSecret<'_> {
    /// The document, ending in a line break: written, read again, and compared with what is meant.
    ///
    /// # Errors
    /// A mistake of ours: nothing that the user says can lead to one.
    pub fn document(&self) -> Result<String, Refusal> {
        let bug = || Finding::error(Exit::Io, "bug", format!("{KIND} `{}` cannot be written", self.name));
        let text = self.written().map_err(|error| bug().found(error.to_string()))? + "\n";
        let read = Value::parse(&text, 0).map_err(|error| bug().found(error.to_string()))?;
        if read.to_json() == self.meaning() {
            Ok(text)
        } else {
            Err(bug().found("it would mean something else").into())
        }
    }

    /// Whether an object of the stream says exactly this. The file's name is Helm 4's own affair.
    pub fn is_said_by(&self, document: &Document<'_>, object: &Object<'_, '_>) -> bool {
        let Ok(value) = Value::compose_node(&document.tree, object.root.node, 0) else { return false };
        let without_file = |mut json: Json| {
            if let Some(annotations) = json.pointer_mut("/metadata/annotations").and_then(Json::as_object_mut) {
                annotations.remove(HELM4_FILE);
            }
            json
        };
        without_file(value.to_json()) == without_file(self.meaning())
    }

    fn annotations(&self) -> Vec<(&'static str, String)> {
        let file = self.in_helm4.then(|| (HELM4_FILE, format!("helm-keyring/{}.yaml", self.name)));
        let own = [(WAVE, self.wave.to_string())].into_iter();
        own.chain(self.marks().into_iter().map(|(name, value)| (name, value.to_owned()))).chain(file).collect()
    }

    /// The marks that keep an object, as on a Secret of ours.
    fn marks(&self) -> Vec<(&'static str, &'static str)> {
        if self.keep { keep::MARKS.to_vec() } else { Vec::new() }
    }

    fn written(&self) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let key = |(field, remote): &(String, RemoteRef)| {
            context! {
                field => scalar(field),
                key => scalar(&remote.key),
                property => remote.property.as_deref().map(scalar),
                version => remote.version.as_deref().map(scalar),
                decoding => decoding(remote),
            }
        };
        let pair = |name: &str, value: &str| context! { name => scalar(name), value => scalar(value) };
        environment.template_from_str(FRAME)?.render(context! {
            keyring => self.keyring,
            environment => self.environment,
            name => scalar(self.name),
            namespace => self.namespace.map(scalar),
            annotations => self.annotations().iter().map(|(name, value)| pair(name, value)).collect::<Vec<_>>(),
            store_kind => self.store.kind.name(),
            store_name => scalar(&self.store.name),
            marks => self.marks().iter().map(|(name, value)| pair(name, value)).collect::<Vec<_>>(),
            keys => self.keys.iter().map(key).collect::<Vec<_>>(),
        })
    }

    /// The same as a value.
    fn meaning(&self) -> Json {
        let texts = |pairs: Vec<(&str, String)>| -> Map<String, Json> {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect()
        };
        let mut metadata = texts(vec![("name", self.name.to_owned())]);
        metadata
            .extend(texts(self.namespace.map(|namespace| ("namespace", namespace.to_owned())).into_iter().collect()));
        metadata.insert("annotations".to_owned(), texts(self.annotations()).into());
        let mut template = texts(vec![("engineVersion", "v2".to_owned())]);
        if self.keep {
            let marks = self.marks().into_iter().map(|(name, value)| (name, value.to_owned()));
            template.insert("metadata".to_owned(), json!({"annotations": texts(marks.collect())}));
        }
        let key = |(field, remote): &(String, RemoteRef)| {
            let mut reference = texts(vec![
                ("key", remote.key.clone()),
                ("conversionStrategy", "Default".to_owned()),
                ("decodingStrategy", decoding(remote).to_owned()),
                ("metadataPolicy", "None".to_owned()),
            ]);
            let more = [("property", &remote.property), ("version", &remote.version)];
            reference
                .extend(texts(more.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()));
            json!({"secretKey": field, "remoteRef": reference})
        };
        json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": KIND,
            "metadata": metadata,
            "spec": {
                "refreshPolicy": "OnChange",
                "secretStoreRef": {"kind": self.store.kind.name(), "name": self.store.name},
                "target": {
                    "name": self.name,
                    "creationPolicy": "Orphan",
                    "deletionPolicy": "Retain",
                    "template": template,
                },
                "data": self.keys.iter().map(key).collect::<Vec<_>>(),
            },
        })
    }
}

/// Before all consumers: Argo CD waits for a wave before it begins the next one.
fn wave_before(survey: &Survey<'_, '_, '_>) -> i64 {
    let consumers = survey.consumers();
    let waves =
        consumers.filter_map(|pod| pod.object.root.at(&["metadata", "annotations", WAVE])?.text()?.parse().ok());
    waves.map(|wave: i64| wave.saturating_sub(1)).fold(WAVE_MAX, i64::min)
}

fn decoding(remote: &RemoteRef) -> &'static str {
    if remote.base64 { "Base64" } else { "None" }
}

/// A text as a scalar that every reader of YAML takes for this text.
fn scalar(text: &str) -> String {
    if yaml::is_plain_string(text) {
        return text.to_owned();
    }
    let written = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(written).collect::<String>())
}

impl<'a> Run<'_, 'a> {
    /// The ExternalSecret, to be put before the first consumer; nothing where the stream holds it already.
    pub(super) fn external_secret(
        &self,
        survey: &Survey<'_, '_, '_>,
        name: &str,
        rings: &[Decided<'_>],
    ) -> Result<Option<Part>, Refusal> {
        let (Some(source), Some(store)) = (&self.selection.source, &self.selection.secret_store) else {
            return Err(Finding::usage("no-secret-store", "`emit: ExternalSecret` needs a source and a `secretStore`")
                .help("name both in keyring.yaml")
                .into());
        };
        let mut keys = Vec::new();
        for ring in rings {
            for field in ring.fields() {
                let remote = ring.spec().slot(&field).and_then(|slot| source.remote(ring.spec(), slot));
                let Some(remote) = remote else {
                    let title = format!("where the key of `{field}` lies in the store is not known");
                    return Err(Finding::usage("not-a-store", title)
                        .found("it is locked, so it must be delivered")
                        .help("name its place in `source`, in keyring.yaml")
                        .into());
                };
                keys.push((field, remote));
            }
        }
        let secret = ExternalSecret {
            name,
            namespace: survey.namespace(),
            store,
            keyring: &self.selection.keyring,
            environment: self.environment(),
            keep: self.keeps(),
            in_helm4: self.stream.is_from_helm4(),
            wave: wave_before(survey),
            keys,
        };
        if self.holds(&secret)? {
            return Ok(None);
        }
        Ok(Some(self.stream.put_before(survey.first_consumer(), &secret.document()?)))
    }

    /// Whether the stream holds an ExternalSecret already.
    ///
    /// # Errors
    /// It holds another one of this name, or for the same Secret.
    fn holds(&self, secret: &ExternalSecret<'_>) -> Result<bool, Refusal> {
        let mut is_there = false;
        for piece in self.stream.naming(secret.name) {
            let Ok(document) = self.stream.parse(piece) else { continue };
            for object in document.objects().iter().filter(|object| object.kind == KIND) {
                let target = object.root.at(&["spec", "target", "name"]);
                if object.name != secret.name && target.and_then(|target| target.text()) != Some(secret.name) {
                    continue;
                }
                if !secret.is_said_by(&document, object) {
                    let title = format!("{} is not the one that helm-keyring would add", object.title());
                    return Err(Finding::refused("other-external-secret", title)
                        .at(self.stream.place_in(&document, object.offset()))
                        .found(format!("both make Secret `{}`, and say different things of it", secret.name))
                        .help("take it out of the chart; after a change of the lock or of keyring.yaml, render the chart anew")
                        .into());
                }
                is_there = true;
            }
        }
        Ok(is_there)
    }

    /// Readers of the keys that cannot be pointed at another Secret would find no key any more.
    pub(super) fn refuse_left_behind(
        &self,
        survey: &Survey<'_, '_, '_>,
        name: &str,
        documents: &[Document<'a>],
    ) -> Result<(), Refusal> {
        if !survey.pods.iter().any(FoundPod::is_consumer) {
            let title = format!("no pod in the stream reads the keys of Secret `{}`", survey.name);
            return Err(Finding::refused("no-target", title)
                .found(format!("the keys would move to Secret `{name}`, and nothing could be pointed at it"))
                .help("render the pods that read it in the same stream, or use `emit: Secret`")
                .into());
        }
        if survey.name == name {
            return Ok(());
        }
        let left = left_behind(documents, survey.spec, &survey.name);
        let finding = |left: &LeftBehind<'_, '_>| {
            let (title, field) = (left.object.title(), &left.ring.name);
            Finding::refused("left-behind", format!("{title} reads `{field}` {}", left.how))
                .at(self.stream.place_in(left.document, left.offset))
                .found(format!("the keys move to Secret `{name}`, and it cannot be pointed at that one"))
                .help("let it read the field by itself, as the profile names its readers")
                .help("does it not need the key? Then say in the profile how the field is read: `consumers`")
                .help("or keep the keys in the chart's Secret: `emit: Secret`")
        };
        if left.is_empty() { Ok(()) } else { Err(Refusal(left.iter().map(finding).collect())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::StoreKind;

    proptest! {
        /// `document` compares by itself: it is enough that it is written.
        #[test]
        fn whatever_the_names_are_it_means_what_it_should(
            name in "[a-z0-9][-a-z0-9.]{0,9}", namespace in proptest::option::of("[a-z0-9]{1,5}|on|no|1e3|0x1f"),
            keys in prop::collection::vec(("[-._a-zA-Z0-9]{1,6}", ".{1,12}", proptest::option::of("[-_.A-Za-z0-9]{1,6}")), 1..5),
            version in proptest::option::of("[0-9]{1,3}|uuid/[0-9a-f-]{3,9}|y|null"),
            keep: bool, in_helm4: bool, base64: bool,
        ) {
            let store = SecretStore { name: "on".to_owned(), kind: StoreKind::SecretStore };
            let remote = |key: String, property| RemoteRef { key, property, version: version.clone(), base64 };
            let keys = keys.into_iter().map(|(field, key, property)| (field, remote(key, property))).collect();
            let secret = ExternalSecret {
                name: &name, namespace: namespace.as_deref(), store: &store, keyring: "a", environment: "b", keep, in_helm4, wave: -1, keys,
            };
            let text = secret.document().map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
            prop_assert!(text.ends_with('\n') && !text.contains("\n\n"), "{}", text);
            let documents = crate::yaml::documents(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(documents.len(), 1);
        }
    }
}
