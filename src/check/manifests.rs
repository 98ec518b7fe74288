//! Kubernetes manifests: Secrets, ConfigMaps, pods, External Secrets.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::documents::Document;
use super::facts::ConfigMap;
use super::reader::{Reader, Taken};
use crate::config::Instance;
use crate::held::fields;
use crate::manifest::{Cursor, Object, Pod};
use crate::profile::Slot;
use crate::render::surveyed;
use crate::rules::{self, Key, Manifests, Stands, unreadable};
use crate::values::{Layer, Stands as Where};

/// Looks at all objects of a text together.
pub fn look(documents: &[&Document<'_>], reader: &mut Reader<'_, '_>) {
    let mut objects = Vec::new();
    for document in documents {
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
    // What SOPS has encrypted is no key, nor base64.
    let is_encrypted = |value: &Cursor<'_, '_>| value.text().is_some_and(|text| text.starts_with("ENC["));
    for spec in reader.profiles.iter().flat_map(|profile| &profile.secrets) {
        let held = fields(object, |name| spec.slot(name));
        for field in held.iter().filter(|field| !field.value.is_blank() && !is_encrypted(&field.value)) {
            let Some(ring) = spec.fields.get(field.ring) else { continue };
            let place = reader.text.place(bytes_of(&field.value, offset));
            match field.text() {
                Some(key) if !key.is_empty() => {
                    let key = Key::new(ring, field.name.to_owned(), key, place, Stands::Secret, reader.text.committed);
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
    for (part, encoded) in [("data", true), ("stringData", false)] {
        for (name, value) in object.root.get(part).map(|part| part.values()).unwrap_or_default() {
            other_field(name, &value, encoded, offset, reader);
        }
    }
}

/// A field that is no ring's: a variable that a pod takes over as a whole, or values for a chart.
fn other_field(name: &str, value: &Cursor<'_, '_>, encoded: bool, offset: usize, reader: &mut Reader<'_, '_>) {
    let Some(written) = value.text() else { return };
    let ring = reader.ring_of_variable(name);
    if ring.is_none() && !name.ends_with("yaml") && !name.ends_with("yml") {
        return;
    }
    let decoded = || String::from_utf8(STANDARD.decode(written).ok()?).ok();
    let Some(inner) = (if encoded { decoded() } else { Some(written.to_owned()) }).map(Zeroizing::new) else { return };
    let text = reader.text;
    let place = text.place(bytes_of(value, offset));
    if let Some(ring) = ring {
        reader.key(ring, name, &inner, place, Stands::Secret);
    } else {
        let stands = if encoded { Where::At(Box::new(place)) } else { text.stands_inside(value.node, offset) };
        let lone = Taken { lone: true, ..reader.taken };
        reader.taking(lone, |reader| reader.embedded(&text.inside(&inner, stands)));
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
