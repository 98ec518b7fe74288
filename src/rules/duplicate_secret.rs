//! Two Secrets of one name.

use std::collections::BTreeMap;

use super::{Look, Manifests, rule};
use crate::held::fields;
use crate::manifest::{Object, shown_name};
use crate::profile::{Profile, SecretSpec};
use crate::report::{Finding, Place};

rule!("duplicate-secret", Error, "Two Secrets of one name, of which the last one applied wins.", Look::Manifests(look));

/// Secrets of one name, and where they stand.
pub fn finding(name: &str, places: Vec<Place>) -> Finding {
    let title = format!("the stream holds {} Secrets named `{}`", places.len(), shown_name(name));
    let finding = Finding::refused("duplicate-secret", title);
    let finding = places.into_iter().fold(finding, |finding, place| finding.at(place));
    finding.found("the last one applied would win").help("let the chart render it once")
}

fn look(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for secret in manifests.objects.iter().filter(|(object, _)| object.kind == "Secret") {
        by_name.entry((secret.0.namespace, secret.0.name)).or_default().push(secret);
    }
    let several = by_name.into_iter().filter(|(_, secrets)| {
        secrets.len() > 1 && secrets.iter().any(|(object, _)| holds_a_key(object, manifests.profiles))
    });
    let place = |(object, offset): &&(Object<'_, '_>, usize)| {
        let at =
            offset + object.root.get("metadata").and_then(|m| m.get("name")).map_or(object.offset(), |n| n.node.start);
        (manifests.place)(at..at + object.name.len())
    };
    several.map(|((_, name), secrets)| finding(name, secrets.iter().rev().map(place).collect())).collect()
}

fn holds_a_key(secret: &Object<'_, '_>, profiles: &[Profile]) -> bool {
    let specs = profiles.iter().flat_map(|profile| &profile.secrets);
    specs.into_iter().any(|spec| !fields(secret, |name| SecretSpec::slot(spec, name)).is_empty())
}
