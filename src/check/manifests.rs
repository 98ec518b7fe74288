//! Kubernetes manifests: Secrets, ConfigMaps, pods, External Secrets.

use std::ops::Range;

use super::documents::Document;
use super::facts::ConfigMap;
use super::reader::{Reader, Taken};
use crate::config::Instance;
use crate::held::fields;
use crate::manifest::{Cursor, Object, Pod};
use crate::profile::Slot;
use crate::render::surveyed;
use crate::rules::{self, Key, Manifests, Stands, unreadable};
use crate::values::Layer;

/// Looks at all objects of a text together.
pub fn look(documents: &[&Document<'_>], reader: &mut Reader<'_, '_>) {
    let mut objects = Vec::new();
    for document in documents.iter().filter(|document| !document.is_sops()) {
        let all = Cursor::root(&document.tree).map(Object::all).unwrap_or_default();
        objects.extend(all.into_iter().map(|object| (object, document.offset)));
    }
    for (object, offset) in &objects {
        match object.kind {
            "Secret" => secret(object, *offset, reader),
            "ConfigMap" => config_map(object, *offset, reader),
            _ => {}
        }
        for (name, value) in Pod::all(object).iter().flat_map(Pod::literals) {
            if let (Some(ring), Some(key)) = (reader.ring_of_variable(name), value.text()) {
                let place = reader.text.place(bytes_of(&value, *offset));
                reader.taking(Taken::default(), |reader| reader.key(ring, name, key, place, Stands::Variable));
            }
        }
    }
    let (text, profiles) = (reader.text, reader.profiles);
    let place = |bytes: Range<usize>| text.place(bytes);
    let findings = &mut reader.facts.findings;
    findings.extend(rules::of_manifests(&Manifests { objects: &objects, profiles, surveys: &[], place: &place }));
    surveyed(text.text.as_bytes(), profiles, &Instance::default(), &mut |surveys| {
        findings.extend(rules::of_manifests(&Manifests { objects: &[], profiles, surveys, place: &place }));
    });
}

/// Where a value stands in the text; `offset` is the document's.
fn bytes_of(value: &Cursor<'_, '_>, offset: usize) -> Range<usize> {
    offset + value.node.span.start..offset + value.node.span.end
}

fn secret(object: &Object<'_, '_>, offset: usize, reader: &mut Reader<'_, '_>) {
    for spec in reader.profiles.iter().flat_map(|profile| &profile.secrets) {
        for field in fields(object, |name| spec.slot(name)).iter().filter(|field| !field.value.is_blank()) {
            let Some(ring) = spec.fields.get(field.ring) else { continue };
            let place = reader.text.place(bytes_of(&field.value, offset));
            match field.text() {
                Some(key) if !key.is_empty() => {
                    let (name, committed) = (field.name.to_owned(), reader.text.committed);
                    let key = Key::new(ring, name, key, place, Stands::Secret, committed);
                    match field.slot {
                        // The key before the active one is at home there, and in the other field of another Secret.
                        Slot::Previous => reader.facts.findings.extend(rules::of_key(&key)),
                        _ => reader.judged(key),
                    }
                }
                Some(_) => {}
                None => reader.facts.findings.push(unreadable::finding(place, "a field of `data` is not base64")),
            }
        }
    }
}

fn config_map(object: &Object<'_, '_>, offset: usize, reader: &mut Reader<'_, '_>) {
    let data = object.root.get("data").map(|data| data.values()).unwrap_or_default();
    let mut layers = Vec::new();
    for (name, value) in data {
        let Some(inner) = value.text() else { continue };
        let text = reader.text;
        let stands = text.stands_inside(value.node, offset);
        if let Some(ring) = reader.ring_of_variable(name).or_else(|| reader.ring_of_field(name)) {
            let place = text.place(bytes_of(&value, offset));
            reader.taking(Taken::default(), |reader| reader.key(ring, name, inner, place, Stands::ConfigMap));
        }
        if inner.contains(':') {
            let inside = text.inside(inner, stands.clone());
            let lone = Taken { lone: true, ..Taken::default() };
            reader.taking(lone, |reader| reader.embedded(&inside));
        }
        let layer = Layer { file: text.file.to_owned(), text: inner.to_owned().into(), stands, mapping: None };
        layers.push((name.to_owned(), layer));
    }
    let namespace = object.namespace.map(str::to_owned);
    reader.facts.config_maps.push(ConfigMap { namespace, name: object.name.to_owned(), data: layers });
}
