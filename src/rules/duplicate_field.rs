//! A name that stands twice in one mapping, on the way to a key.

use super::{Look, ValuesSeen, rule};
use crate::report::{Finding, Place};
use crate::schema::shown;
use crate::yaml::Node;

rule!(
    "duplicate-field",
    Error,
    "The second of two equal names in a mapping on the way to a key: YAML silently keeps one.",
    Look::Values(look)
);

fn look(values: &ValuesSeen<'_, '_>) -> Vec<Finding> {
    let mut places: Vec<(usize, usize, String)> = Vec::new();
    for path in values.profile.values_paths() {
        let steps: Vec<&str> = path.split('.').collect();
        twice(values.node, &steps, &mut places);
    }
    places.sort();
    places.dedup();
    let place = |start, end| (values.place_in_document)(start..end);
    places.into_iter().map(|(start, end, name)| finding(&name, place(start, end))).collect()
}

/// The place of the second one. A name that may be more than a name is not shown.
pub fn finding(name: &str, place: Place) -> Finding {
    let name = shown(name).unwrap_or_else(|| "a name".to_owned());
    Finding::refused("duplicate-field", format!("{name} stands twice in one mapping"))
        .at(place)
        .found("Helm keeps the last one, and all that stands below the other is lost without a word")
        .help("make one of the two")
}

fn twice(node: &Node<'_>, steps: &[&str], found: &mut Vec<(usize, usize, String)>) {
    let Some((step, rest)) = steps.split_first() else { return };
    let same: Vec<_> = node.entries().iter().filter(|(key, _)| key.text() == Some(step)).collect();
    let leads = same.iter().any(|(_, value)| leads_on(value, rest));
    for (at, (key, value)) in same.iter().enumerate() {
        if at > 0 && leads {
            found.push((key.span.start, key.span.end, (*step).to_owned()));
        }
        twice(value, rest, found);
    }
}

/// Whether a node holds the rest of the path.
pub fn leads_on(node: &Node<'_>, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    node.entries().iter().any(|(key, value)| key.text() == Some(step) && leads_on(value, rest))
}
