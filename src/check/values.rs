//! Values in a document: wherever a profile's path begins.

use std::collections::HashMap;
use std::ops::Range;

use super::documents::Document;
use super::reader::Reader;
use crate::profile::Profile;
use crate::rules::{self, Stands, ValuesSeen, auto_generated_key, duplicate_field, unknown_field};
use crate::yaml::{Data, Node, Tree, Value};

/// Deeper than any chart in a chart in an application.
const MAX_DEPTH: usize = 12;

/// A mapping, as value and as it is written, and where its document begins in the text.
#[derive(Clone, Copy)]
pub struct Mapping<'v, 'a> {
    /// The value; its spans count from the text's beginning.
    pub value: &'v Value,
    /// The node; its spans count from the document's.
    pub node: &'v Node<'a>,
    /// Its document.
    pub tree: &'v Tree<'a>,
    /// Where the document begins.
    pub offset: usize,
}

impl<'v, 'a> Mapping<'v, 'a> {
    /// The root of a document.
    pub fn of(document: &'v Document<'a>, node: &'v Node<'a>) -> Self {
        Self { value: &document.value, node, tree: &document.tree, offset: document.offset }
    }

    /// The value of a node that another of the same name takes the place of.
    fn lost(&self, node: &Node<'_>) -> Option<Value> {
        let mut value = Value::compose_node(self.tree, node, 0).ok()?;
        value.shift(self.offset);
        Some(value)
    }
}

/// Looks at all values below a mapping or a list; tells whether a profile's path begins anywhere.
pub fn look(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>) -> bool {
    visit(at, reader, 0)
}

fn visit(at: Mapping<'_, '_>, reader: &mut Reader<'_, '_>, depth: usize) -> bool {
    let mut found = false;
    for profile in reader.profiles.iter().filter(|profile| begins(at, profile)) {
        instance(at, profile, reader);
        found = true;
    }
    if depth >= MAX_DEPTH {
        return found;
    }
    if let Data::List(items) = &at.value.data {
        for (value, node) in items.iter().zip(at.node.items()) {
            found |= visit(Mapping { value, node, ..at }, reader, depth + 1);
        }
    }
    // What an alias or a merge key brings in is written, and looked at, elsewhere.
    let holds_something = |node: &Node<'_>| !node.entries().is_empty() || !node.items().is_empty();
    let below = at.node.entries().iter().enumerate().filter(|(_, (_, node))| holds_something(node));
    // The nodes of each name, found once: a mapping may be as wide as its file.
    let mut of_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, (key, _)) in at.node.entries().iter().enumerate() {
        of_name.entry(key.text().unwrap_or_default()).or_default().push(index);
    }
    for (index, (key, node)) in below {
        let Some((name, same)) = key.text().and_then(|name| Some((name, of_name.get(name)?))) else { continue };
        let is_last = same.last() == Some(&index);
        let lost = if is_last { None } else { at.lost(node) };
        let Some(value) = lost.as_ref().or_else(|| at.value.get(name).filter(|_| is_last)) else { continue };
        let here = visit(Mapping { value, node, ..at }, reader, depth + 1);
        if here && let Some((second, _)) = same.get(1).and_then(|second| at.node.entries().get(*second)) {
            let place = reader.text.place(at.offset + second.span.start..at.offset + second.span.end);
            reader.facts.findings.push(duplicate_field::finding(name, place));
        }
        found |= here;
    }
    found
}

/// Whether one of the profile's paths begins here: the mapping that holds its last name is there, nearly so at least,
/// or was written and is lost.
fn begins(at: Mapping<'_, '_>, profile: &Profile) -> bool {
    profile.values_paths().into_iter().any(|path| {
        let steps: Vec<&str> = path.split('.').collect();
        match steps.as_slice() {
            [only] => at.node.entries().iter().any(|(key, _)| key.text() == Some(only)),
            [holders @ .., _] => {
                holds(at.value, holders)
                    || is_no_mapping(at.value, holders)
                    || duplicate_field::leads_on(at.node, &steps)
            }
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
        let steps: Vec<&str> = path.split('.').collect();
        let value = at.value.at(steps.iter().copied());
        // What stands at the path and is not what Helm sees, is lost; it is readable all the same.
        for node in nodes_at(at.node, &steps) {
            let is_seen = value.is_some_and(|value| value.span.start == at.offset + node.start);
            if let Some(key) = node.text().filter(|_| !is_seen) {
                let place = text.place(at.offset + node.span.start..at.offset + node.span.end);
                reader.usable_key(ring, path, key, place, Stands::Values);
            }
        }
        for near in unknown_field::near_values(at.value, &steps) {
            let place = text.place(near.span.start..near.span.end);
            reader.usable_key(ring, path, near.text().unwrap_or_default(), place, Stands::Values);
        }
        let Some(value) = value else { continue };
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

/// All nodes at a path, those that a later one of the same name takes the place of included.
fn nodes_at<'n, 'a>(node: &'n Node<'a>, steps: &[&str]) -> Vec<&'n Node<'a>> {
    let Some((step, rest)) = steps.split_first() else { return vec![node] };
    let fitting = node.entries().iter().filter(|(key, _)| key.text() == Some(step));
    fitting.flat_map(|(_, value)| nodes_at(value, rest)).collect()
}
