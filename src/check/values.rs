//! Values in a document: wherever a profile's path begins.

use std::ops::Range;

use super::reader::Reader;
use crate::profile::Profile;
use crate::rules::{self, Stands, ValuesSeen, auto_generated_key, unknown_field};
use crate::yaml::{Data, Node, Value};

/// Deeper than any chart in a chart in an application.
const MAX_DEPTH: usize = 12;

/// A mapping, as value and as it is written, and where its document begins in the text.
#[derive(Clone, Copy)]
pub struct Mapping<'v, 'a> {
    /// The value; its spans count from the text's beginning.
    pub value: &'v Value,
    /// The node; its spans count from the document's.
    pub node: &'v Node<'a>,
    /// Where the document begins.
    pub offset: usize,
}

/// Looks at all values below a mapping; tells whether a profile's path begins anywhere.
pub fn look(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) -> bool {
    visit(at, reader, 0)
}

fn visit(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>, depth: usize) -> bool {
    let mut found = false;
    for profile in reader.profiles.iter().filter(|profile| begins(at.value, profile)) {
        instance(at, profile, reader);
        found = true;
    }
    if depth >= MAX_DEPTH {
        return found;
    }
    for (name, entry) in at.value.map().into_iter().flatten().filter(|(_, entry)| entry.value.map().is_some()) {
        // What an alias or a merge key brings in is written, and looked at, elsewhere.
        let written = at.node.entries().iter().rev().find(|(key, _)| key.text() == Some(name.as_str()));
        if let Some((_, node)) = written.filter(|(_, node)| !node.entries().is_empty()) {
            found |= visit(Mapping { value: &entry.value, node, ..at }, reader, depth + 1);
        }
    }
    found
}

/// Whether one of the profile's paths begins here: the mapping that holds its last name is there, nearly so at least.
fn begins(value: &Value, profile: &Profile) -> bool {
    profile.values_paths().into_iter().any(|path| {
        let steps: Vec<&str> = path.split('.').collect();
        match steps.as_slice() {
            [only] => value.map().is_some_and(|map| map.keys().any(|name| name == only)),
            [holders @ .., _] => holds(value, holders) || is_no_mapping(value, holders),
            [] => false,
        }
    })
}

/// Whether the holder is there and is no mapping. One name alone may be another chart's.
fn is_no_mapping(value: &Value, holders: &[&str]) -> bool {
    let holder = value.at(holders.iter().copied());
    holders.len() > 1 && holder.is_some_and(|holder| holder.map().is_none() && !matches!(holder.data, Data::Null))
}

fn holds(value: &Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return value.map().is_some() };
    let mut entries = value.map().into_iter().flatten();
    entries.any(|(name, entry)| (name == step || unknown_field::is_near(name, step)) && holds(&entry.value, rest))
}

fn instance<'p>(at: Mapping<'_, '_>, profile: &'p Profile, reader: &mut Reader<'_, 'p>) {
    let text = reader.text;
    let of_value = |bytes: Range<usize>| text.place(bytes);
    let of_node = |bytes: Range<usize>| text.place(at.offset + bytes.start..at.offset + bytes.end);
    reader.facts.findings.extend(rules::of_values(&ValuesSeen {
        profile,
        value: at.value,
        node: at.node,
        place: &of_value,
        place_in_document: &of_node,
    }));
    for (_, ring) in profile.rings() {
        let Some(path) = ring.values.as_ref().map(|values| values.key.as_str()) else { continue };
        let Some(value) = at.value.at(path.split('.')) else { continue };
        let place = text.place(value.span.start..value.span.end);
        match &value.data {
            Data::Text(key) if !key.is_empty() => reader.key(ring, path, key, place, Stands::Values),
            Data::Null | Data::Text(_) if reader.taken.lone => {
                reader.facts.lone.push(auto_generated_key::lone(ring, place));
            }
            _ => {}
        }
    }
}
