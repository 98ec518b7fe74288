//! A reference that would itself become the key.

use super::{Key, Look, Stands, rule};
use crate::key::Reference;
use crate::report::Finding;

rule!(
    "unresolved-reference",
    Error,
    "A reference or template that nobody resolved, and whose letters would become the key.",
    Look::Key(look)
);

/// A reference that something else was to resolve.
pub fn finding(name: &str, reference: &str) -> Finding {
    Finding::refused("unresolved-reference", format!("`{name}` is {reference}"))
        .found("its letters themselves would become the key")
        .help("resolve it before the render, or let helm-keyring fetch the key from a source")
}

fn look(key: &Key<'_>) -> Option<Finding> {
    let reference = key.reference()?;
    // Kubernetes, compose and the shell put variables in themselves.
    if key.stands == Stands::Variable && reference == Reference::Variable {
        return None;
    }
    Some(finding(&key.name, &reference.to_string()).at(key.place.clone()))
}
