//! Kubernetes manifests: Secrets, ConfigMaps, pods, External Secrets.

use super::documents::Document;
use super::facts::{ConfigMap, Facts};
use super::text::Text;
use super::values::{self, Mapping, Taken};
use crate::config::Instance;
use crate::held::fields;
use crate::manifest::{Cursor, Object, Pod};
use crate::profile::{FieldSpec, Profile, Slot};
use crate::render::surveyed;
use crate::report::Place;
use crate::rules::{self, Key, Manifests, Stands, unreadable};
use crate::values::Layer;
use crate::yaml::Value;

/// Looks at all objects of a text together.
pub fn look<'p>(documents: &[&Document<'_>], text: &Text<'_>, profiles: &'p [Profile], facts: &mut Facts<'p>) {
    let mut objects = Vec::new();
    for document in documents.iter().filter(|document| !document.is_sops()) {
        let all = Cursor::root(&document.tree).map(Object::all).unwrap_or_default();
        objects.extend(all.into_iter().map(|object| (object, document.offset)));
    }
    for (object, offset) in &objects {
        let place =
            |cursor: &Cursor<'_, '_>| text.place(offset + cursor.node.span.start..offset + cursor.node.span.end);
        match object.kind {
            "Secret" => secret(object, &place, text, profiles, facts),
            "ConfigMap" => config_map(object, *offset, text, profiles, facts),
            _ => {}
        }
        for (name, value) in Pod::all(object).iter().flat_map(Pod::literals) {
            let written = value.text().filter(|text| !text.is_empty());
            if let (Some(ring), Some(key)) = (of_variable(profiles, name), written) {
                values::take(ring, name, key, place(&value), Stands::Variable, text, Taken::WHOLE, facts);
            }
        }
    }
    let place = |bytes: std::ops::Range<usize>| text.place(bytes);
    facts.findings.extend(rules::of_manifests(&Manifests { objects: &objects, profiles, surveys: &[], place: &place }));
    surveyed(text.text.as_bytes(), profiles, &Instance::default(), &mut |surveys| {
        facts.findings.extend(rules::of_manifests(&Manifests { objects: &[], profiles, surveys, place: &place }));
    });
}

/// The ring that an application reads through this variable.
pub fn of_variable<'p>(profiles: &'p [Profile], name: &str) -> Option<&'p FieldSpec> {
    let mut rings = profiles.iter().flat_map(Profile::rings).map(|(_, ring)| ring);
    rings.find(|ring| ring.variable.as_deref() == Some(name))
}

fn secret<'p>(
    object: &Object<'_, '_>,
    place: &dyn Fn(&Cursor<'_, '_>) -> Place,
    text: &Text<'_>,
    profiles: &'p [Profile],
    facts: &mut Facts<'p>,
) {
    for spec in profiles.iter().flat_map(|profile| &profile.secrets) {
        for field in fields(object, |name| spec.slot(name)).iter().filter(|field| !field.value.is_blank()) {
            let Some(ring) = spec.fields.get(field.ring) else { continue };
            let at = place(&field.value);
            match field.text() {
                // A Secret may keep the key that was before the active one there.
                Some(key) if !key.is_empty() => {
                    let name = field.name.to_owned();
                    let key = Key {
                        spec: ring,
                        name,
                        text: key,
                        place: at,
                        stands: Stands::Secret,
                        committed: text.committed,
                    };
                    facts.findings.extend(rules::of_key(&key));
                    if field.slot != Slot::Previous {
                        facts.keys.push(key);
                    }
                }
                Some(_) => {}
                None => facts.findings.push(unreadable::finding(at, "a field of `data` is not base64")),
            }
        }
    }
}

fn config_map<'p>(
    object: &Object<'_, '_>,
    offset: usize,
    text: &Text<'_>,
    profiles: &'p [Profile],
    facts: &mut Facts<'p>,
) {
    let data = object.root.get("data").map(|data| data.values()).unwrap_or_default();
    let mut layers = Vec::new();
    for (name, value) in data {
        let Some(inner) = value.text() else { continue };
        let stands = text.stands_inside(value.node, offset);
        if let Some(ring) =
            of_variable(profiles, name).or_else(|| of_field(profiles, name)).filter(|_| !inner.is_empty())
        {
            let place = text.place(offset + value.node.span.start..offset + value.node.span.end);
            values::take(ring, name, inner, place, Stands::ConfigMap, text, Taken::WHOLE, facts);
        }
        if inner.contains(':') {
            let inside = Text { file: text.file, text: inner, stands: stands.clone(), committed: text.committed };
            embedded(&inside, Taken { lone: true, ..Taken::WHOLE }, profiles, facts);
        }
        layers.push((
            name.to_owned(),
            Layer { file: text.file.to_owned(), text: inner.to_owned().into(), stands, mapping: None },
        ));
    }
    let namespace = object.namespace.map(str::to_owned);
    facts.config_maps.push(ConfigMap { namespace, name: object.name.to_owned(), data: layers });
}

fn of_field<'p>(profiles: &'p [Profile], name: &str) -> Option<&'p FieldSpec> {
    let mut rings = profiles.iter().flat_map(Profile::rings).map(|(_, ring)| ring);
    rings.find(|ring| ring.slot(name).is_some())
}

/// Looks at YAML that stands in a string; what is no YAML, or no mapping, is only text.
pub fn embedded<'p>(text: &Text<'_>, taken: Taken, profiles: &'p [Profile], facts: &mut Facts<'p>) -> Option<Value> {
    let documents = Document::all(text).ok()?;
    for document in &documents {
        if let (Some(node), true) = (&document.tree.root, document.value.map().is_some()) {
            let mapping = Mapping { value: &document.value, node, offset: document.offset };
            values::look(mapping, text, taken, profiles, facts);
        }
    }
    documents.into_iter().next().map(|document| document.value)
}
