//! What the stream holds of a profile: the Secrets with its fields, and the pods that read them.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::{Document, Stream};
use crate::config::{Instance, SecretNames};
use crate::held::{HeldField, fields};
use crate::manifest::{Object, Pod, SecretKeyRef, SecretVolume};
use crate::profile::{Consumer, FieldSpec, Profile, SecretSpec, Slot};
use crate::report::{Finding, Refusal, list};
use crate::rules::duplicate_secret;

/// A name that an own Secret of ours has.
pub const OWN_SUFFIX: &str = "-keyring";

/// A Secret document of the stream.
pub struct FoundSecret<'t, 'a> {
    /// The document it lies in.
    pub document: &'t Document<'a>,
    /// The Secret.
    pub object: Object<'t, 'a>,
}

/// A pod template, and how it reads the Secret.
pub struct FoundPod<'t, 'a> {
    /// The document it lies in.
    pub document: &'t Document<'a>,
    /// The object it lies in.
    pub object: Object<'t, 'a>,
    /// The template.
    pub pod: Pod<'t, 'a>,
    /// Volumes of the Secret that are consumers.
    pub volumes: Vec<SecretVolume<'t, 'a>>,
    /// References to fields of the rings.
    pub references: Vec<SecretKeyRef<'t, 'a>>,
    /// Whether it reads the Secret as a whole through `envFrom`: no consumer, but a reader.
    pub reads_all: bool,
}

/// What the stream holds of one Secret of the profile.
pub struct Survey<'t, 'a, 'p> {
    /// How the profile describes it.
    pub spec: &'p SecretSpec,
    /// The name that is in use.
    pub name: String,
    /// The document, if the stream holds it.
    pub secret: Option<FoundSecret<'t, 'a>>,
    /// Consumers and other readers.
    pub pods: Vec<FoundPod<'t, 'a>>,
}

impl<'t, 'a> Survey<'t, 'a, '_> {
    /// The pods that read a field of a ring.
    pub fn consumers(&self) -> impl Iterator<Item = &FoundPod<'t, 'a>> {
        self.pods.iter().filter(|pod| pod.is_consumer())
    }

    /// The consumers' namespace, if their documents say one.
    pub fn namespace(&self) -> Option<&str> {
        self.consumers().find_map(|pod| pod.object.namespace)
    }

    /// The piece of the first consumer.
    pub fn first_consumer(&self) -> usize {
        self.consumers().map(|pod| pod.document.piece).min().unwrap_or(0)
    }
}

impl SecretSpec {
    /// Which ring a field belongs to, and what it is to it.
    pub fn slot(&self, field: &str) -> Option<(usize, Slot)> {
        self.fields.iter().enumerate().find_map(|(i, ring)| Some((i, ring.slot(field)?)))
    }

    fn takes(&self, field: &str, consumer: Consumer) -> bool {
        self.slot(field).is_some_and(|(ring, _)| self.fields[ring].consumers.contains(&consumer))
    }
}

/// The names under which a profile's Secret may be found.
struct Names<'p> {
    spec: &'p SecretSpec,
    given: Option<String>,
}

impl<'p> Names<'p> {
    fn new(profile: &Profile, index: usize, spec: &'p SecretSpec, instance: &Instance) -> Self {
        let given = match &instance.secret {
            Some(SecretNames::One(name)) if profile.secrets.len() == 1 => Some(name.clone()),
            Some(SecretNames::ById(names)) => names.get(&spec.id_or_index(index)).cloned(),
            _ => None,
        };
        Self { spec, given }
    }

    fn fit(&self, name: &str) -> bool {
        let name = name.strip_suffix(OWN_SUFFIX).unwrap_or(name);
        match &self.given {
            Some(given) => given == name,
            None => self.spec.name.as_ref().is_none_or(|pattern| pattern.fits(name)),
        }
    }

    fn last_resort(&self) -> Option<&str> {
        self.given.as_deref().or_else(|| self.spec.name.as_ref()?.exact())
    }
}

impl SecretSpec {
    /// The `id`, or the place in the profile as text.
    pub fn id_or_index(&self, index: usize) -> String {
        self.id.clone().unwrap_or_else(|| index.to_string())
    }
}

/// All names that a field of the profile can be recognised by.
pub fn markers(profile: &Profile) -> BTreeSet<&str> {
    profile.rings().flat_map(|(_, ring)| ring.markers()).collect()
}

/// Parses what may hold a field of the profile, and then what names the Secrets found in it.
///
/// # Errors
/// A document that names a field and cannot be parsed; two candidates for one Secret.
pub fn read<'a>(stream: &Stream<'a>, profile: &Profile, instance: &Instance) -> Result<Vec<Document<'a>>, Refusal> {
    let markers = markers(profile);
    let mut documents = BTreeMap::new();
    for piece in stream.holding(&markers) {
        match stream.parse(piece) {
            Ok(document) => {
                documents.insert(piece, document);
            }
            // Only an escape brought it here: what cannot be parsed cannot be ours.
            Err(_) if !stream.piece_holds(piece, &markers) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let first: Vec<Document<'a>> = documents.into_values().collect();
    let names = profile.secrets.iter().enumerate().map(|(i, spec)| {
        let name = target(stream, &first, &Names::new(profile, i, spec, instance))?;
        Ok((spec, name))
    });
    let names: Vec<(&SecretSpec, Option<String>)> = names.collect::<Result<_, Refusal>>()?;
    let known: BTreeSet<usize> = first.iter().map(|document| document.piece).collect();
    let mut documents = first;
    for (spec, name) in names {
        let Some(name) = name else { continue };
        for piece in stream.naming(&name) {
            if known.contains(&piece) || documents.iter().any(|d| d.piece == piece) || !names_a_secret(stream, piece) {
                continue;
            }
            match stream.parse(piece) {
                Ok(document) => documents.push(document),
                // It may mount the Secret as a whole, and then it is a consumer.
                Err(refusal) if spec.only_these_fields => return Err(refusal),
                Err(_) => {}
            }
        }
    }
    documents.sort_by_key(|document| document.piece);
    Ok(documents)
}

fn names_a_secret(stream: &Stream<'_>, piece: usize) -> bool {
    stream.piece_holds(piece, &BTreeSet::from(["Secret", "secret"]))
}

/// Secrets that hold a ring of the profile, under names that nobody claims: a second instance of the chart, whose
/// keys the chart makes up. Fixed fields are told apart from others' only by the Secret's name.
pub fn unclaimed<'t, 'a>(
    documents: &'t [Document<'a>],
    profile: &Profile,
    claimed: &BTreeSet<String>,
) -> Vec<(&'t Document<'a>, Object<'t, 'a>)> {
    let mut found = Vec::new();
    for document in documents {
        for object in
            document.objects().into_iter().filter(|object| object.is_secret() && !claimed.contains(object.name))
        {
            let held = |spec: &SecretSpec| {
                let certain = |field: &HeldField<'_, '_>| spec.name.is_some() || matches!(field.slot, Slot::Number(_));
                spec.name.as_ref().is_none_or(|name| name.fits(object.name))
                    && fields(&object, |name| spec.slot(name)).iter().any(certain)
            };
            if profile.secrets.iter().any(held) {
                found.push((document, object));
            }
        }
    }
    found
}

/// Surveys parsed documents for every Secret of the profile that the stream knows of.
///
/// # Errors
/// Two candidates for one Secret.
pub fn survey<'t, 'a, 'p>(
    stream: &Stream<'a>,
    documents: &'t [Document<'a>],
    profile: &'p Profile,
    instance: &Instance,
) -> Result<Vec<Survey<'t, 'a, 'p>>, Refusal> {
    let mut surveys = Vec::new();
    for (index, spec) in profile.secrets.iter().enumerate() {
        let names = Names::new(profile, index, spec, instance);
        if let Some(name) = target(stream, documents, &names)? {
            let secret = only_secret(stream, documents, &name)?;
            let pods = pods(documents, spec, &name);
            if secret.is_some() || pods.iter().any(FoundPod::is_consumer) {
                surveys.push(Survey { spec, name, secret, pods });
            }
        }
    }
    Ok(surveys)
}

impl FoundPod<'_, '_> {
    /// Whether it reads a field of a ring.
    pub fn is_consumer(&self) -> bool {
        !self.volumes.is_empty() || !self.references.is_empty()
    }
}

/// The name of the Secret in use: what consumers name, else what holds the fields, else the given name.
fn target(stream: &Stream<'_>, documents: &[Document<'_>], names: &Names<'_>) -> Result<Option<String>, Refusal> {
    let mut read: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut held: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for document in documents {
        for object in document.objects() {
            for pod in Pod::all(&object) {
                for (secret, offset) in consumed(&pod, names.spec) {
                    if names.fit(secret) {
                        read.entry(secret.to_owned()).or_insert((object.title(), document.offset + offset));
                    }
                }
            }
            if object.is_secret() && names.fit(object.name) && !fields(&object, |name| names.spec.slot(name)).is_empty()
            {
                held.entry(object.name.to_owned()).or_insert((object.title(), document.offset + object.offset()));
            }
        }
    }
    let mut candidates = read.clone();
    candidates.extend(held);
    if candidates.len() > 1 {
        return Err(two_candidates(stream, &candidates, names.spec).into());
    }
    let found = candidates.into_keys().next();
    Ok(found.or_else(|| names.last_resort().map(str::to_owned)))
}

fn two_candidates(stream: &Stream<'_>, candidates: &BTreeMap<String, (String, usize)>, spec: &SecretSpec) -> Finding {
    let names: Vec<String> = candidates.keys().map(|name| format!("`{name}`")).collect();
    let fields: Vec<String> = spec.fields.iter().map(|ring| format!("`{}`", ring.name)).collect();
    let mut finding =
        Finding::refused("two-targets", format!("{} could each be the Secret with {}", list(&names), list(&fields)));
    for (name, (title, offset)) in candidates {
        finding = finding.at(stream.place(*offset)).found(format!("{title} names or holds it under `{name}`"));
    }
    finding.help("say which one with `instance: {secret: NAME}` in keyring.yaml")
}

/// The Secrets (with the place) that a pod reads fields of the rings from.
fn consumed<'t>(pod: &Pod<'t, '_>, spec: &SecretSpec) -> Vec<(&'t str, usize)> {
    let volumes = pod.volumes().into_iter().filter(|volume| names_a_field(volume, spec));
    let volumes = volumes.filter_map(|volume| Some((volume.secret.text()?, volume.secret.node.start)));
    let references = pod.secret_key_refs().into_iter().filter(|reference| is_ours(reference, spec));
    volumes.chain(references.filter_map(|r| Some((r.secret.text()?, r.secret.node.start)))).collect()
}

fn names_a_field(volume: &SecretVolume<'_, '_>, spec: &SecretSpec) -> bool {
    let keys = volume.items.iter().flat_map(|items| items.items()).filter_map(|item| item.get("key")?.text());
    keys.into_iter().any(|key| spec.takes(key, Consumer::Volume))
}

fn is_ours(reference: &SecretKeyRef<'_, '_>, spec: &SecretSpec) -> bool {
    reference.key.text().is_some_and(|key| spec.takes(key, Consumer::SecretKeyRef))
}

fn only_secret<'t, 'a>(
    stream: &Stream<'a>,
    documents: &'t [Document<'a>],
    name: &str,
) -> Result<Option<FoundSecret<'t, 'a>>, Refusal> {
    let mut found: Vec<FoundSecret<'t, 'a>> = Vec::new();
    for document in documents {
        let named = document.objects().into_iter().filter(|object| object.is_secret() && object.name == name);
        found.extend(named.map(|object| FoundSecret { document, object }));
    }
    if found.len() > 1 {
        let places = found.iter().map(|secret| stream.place_in(secret.document, secret.object.offset())).collect();
        return Err(duplicate_secret::finding(name, places).into());
    }
    Ok(found.pop())
}

fn pods<'t, 'a>(documents: &'t [Document<'a>], spec: &SecretSpec, name: &str) -> Vec<FoundPod<'t, 'a>> {
    let whole = spec.only_these_fields || name.ends_with(OWN_SUFFIX);
    let mut found = Vec::new();
    for document in documents {
        for object in document.objects() {
            for pod in Pod::all(&object) {
                let shows_it = |volume: &SecretVolume<'_, '_>| volume.secret.text() == Some(name);
                let consumes =
                    |volume: &SecretVolume<'_, '_>| names_a_field(volume, spec) || (whole && volume.items.is_none());
                let volumes: Vec<_> = pod.volumes().into_iter().filter(shows_it).filter(consumes).collect();
                let references = pod.secret_key_refs().into_iter();
                let references: Vec<_> =
                    references.filter(|r| r.secret.text() == Some(name) && (whole || is_ours(r, spec))).collect();
                let reads_all = pod.env_from_secrets().contains(&name);
                if reads_all || !volumes.is_empty() || !references.is_empty() {
                    found.push(FoundPod { document, object: object.clone(), pod, volumes, references, reads_all });
                }
            }
        }
    }
    found
}

/// A field that a list of items or a reference names.
pub struct NamedField<'t> {
    /// The field.
    pub name: &'t str,
    /// Where it is written in its document.
    pub offset: usize,
    /// Whether the pod starts without it.
    pub optional: bool,
}

/// Every field that the consuming volumes and references of a pod name.
pub fn named_fields<'t>(pod: &FoundPod<'t, '_>) -> Vec<NamedField<'t>> {
    let mut named = Vec::new();
    for volume in &pod.volumes {
        for item in volume.items.iter().flat_map(|items| items.items()) {
            let name = item.get("key").and_then(|key| key.text());
            named.extend(name.map(|name| NamedField { name, offset: item.node.start, optional: volume.optional }));
        }
    }
    for reference in &pod.references {
        let name = reference.key.text();
        named.extend(name.map(|name| NamedField {
            name,
            offset: reference.key.node.start,
            optional: reference.optional,
        }));
    }
    named
}

/// A reader of a ring's field that is no consumer, and so could not be pointed at another Secret.
pub struct LeftBehind<'t, 'a> {
    /// The document it lies in.
    pub document: &'t Document<'a>,
    /// The object it lies in.
    pub object: Object<'t, 'a>,
    /// Where it is written in its document.
    pub offset: usize,
    /// The ring.
    pub ring: &'t FieldSpec,
    /// How it reads the field.
    pub how: &'static str,
}

/// Who reads fields of the rings from the Secret `name`, and is no consumer: whole Secrets, where the profile says that
/// the field is read in this way, and fields in a way that the profile does not name.
pub fn left_behind<'t, 'a>(documents: &'t [Document<'a>], spec: &'t SecretSpec, name: &str) -> Vec<LeftBehind<'t, 'a>> {
    let whole = spec.only_these_fields || name.ends_with(OWN_SUFFIX);
    let read_by = |consumer| spec.fields.iter().find(|ring| ring.consumers.contains(&consumer));
    let named = |key: Option<&str>, consumer| {
        let (ring, _) = spec.slot(key?)?;
        spec.fields.get(ring).filter(|ring| !ring.consumers.contains(&consumer))
    };
    let mut found = Vec::new();
    for document in documents {
        for object in document.objects() {
            for pod in Pod::all(&object) {
                let mut left = |ring: Option<&'t FieldSpec>, offset: usize, how: &'static str| {
                    found.extend(ring.map(|ring| LeftBehind { document, object: object.clone(), offset, ring, how }));
                };
                if pod.env_from_secrets().contains(&name) {
                    left(read_by(Consumer::SecretKeyRef), pod.offset(), "with the whole Secret, through `envFrom`");
                }
                for volume in pod.volumes().into_iter().filter(|volume| volume.secret.text() == Some(name)) {
                    let at = volume.secret.node.start;
                    match &volume.items {
                        None if whole => {}
                        None => left(read_by(Consumer::Volume), at, "with the whole Secret, in a volume"),
                        Some(_) if names_a_field(&volume, spec) => {}
                        Some(items) => {
                            let items = items.items();
                            let keys = items.iter().map(|item| item.get("key").and_then(|key| key.text()));
                            let ring = keys.into_iter().find_map(|key| named(key, Consumer::Volume));
                            left(ring, at, "in a volume, which the profile does not name as its reader");
                        }
                    }
                }
                for reference in pod.secret_key_refs().into_iter().filter(|r| r.secret.text() == Some(name) && !whole) {
                    let ring = named(reference.key.text(), Consumer::SecretKeyRef);
                    left(
                        ring,
                        reference.key.node.start,
                        "by `secretKeyRef`, which the profile does not name as its reader",
                    );
                }
            }
        }
    }
    found
}

/// A field of a Secret of the profile, found under a name that does not fit.
pub struct Misnamed {
    /// The object that holds or reads it.
    pub title: String,
    /// The field.
    pub field: String,
    /// Where in the stream.
    pub offset: usize,
}

/// Fields of a Secret of the profile that are held by Secrets which the profile does not take for it.
pub fn misnamed(documents: &[Document<'_>], spec: &SecretSpec, taken: &BTreeSet<&str>) -> Vec<Misnamed> {
    let mut found = Vec::new();
    for document in documents {
        for object in document.objects().into_iter().filter(|o| o.is_secret() && !taken.contains(o.name)) {
            for field in fields(&object, |name| spec.slot(name)) {
                found.push(Misnamed {
                    title: object.title(),
                    field: field.name.to_owned(),
                    offset: document.offset + field.value.node.start,
                });
            }
        }
    }
    found
}
