//! A generator of External Secrets that can make another key.

use super::{Look, Manifests, rule};
use crate::manifest::{Cursor, Object};
use crate::profile::Profile;
use crate::report::Finding;
use crate::yaml::{Kind, Node};

rule!(
    "generator-not-immutable",
    Error,
    "A Password generator of External Secrets that feeds a key, without `immutable`.",
    Look::Manifests(look)
);

fn look(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (object, offset) in manifests.objects.iter().filter(|(object, _)| object.kind == "ExternalSecret") {
        let Some(spec) = object.root.get("spec") else { continue };
        let immutable = spec.at(&["target", "immutable"]).is_some_and(|immutable| immutable.is_true());
        if immutable || !feeds_a_key(object, manifests.profiles) {
            continue;
        }
        let sources = spec.get("dataFrom").map(|list| list.items()).unwrap_or_default();
        let generators = sources.iter().filter_map(|source| source.at(&["sourceRef", "generatorRef"]));
        for generator in
            generators.filter(|generator| generator.get("kind").and_then(|kind| kind.text()) == Some("Password"))
        {
            let span = &generator.node.span;
            found.push(
                Finding::refused("generator-not-immutable", format!("{} makes up a key that may change", object.title()))
                    .at((manifests.place)(offset + span.start..offset + span.start))
                    .found("deleted and created again, or refreshed, it overwrites the key with a new random one; `creationPolicy` does not help")
                    .help("set `target.immutable: true`; better, fetch one key that exists (`remoteRef`)"),
            );
        }
    }
    found
}

/// Whether its target is a Secret of a profile: by its name, or by a field that it names.
fn feeds_a_key(object: &Object<'_, '_>, profiles: &[Profile]) -> bool {
    let target = object.root.at(&["spec", "target", "name"]).and_then(|name| name.text()).unwrap_or(object.name);
    let named = |profile: &Profile| profile.secrets.iter().any(|s| s.name.as_ref().is_some_and(|n| n.fits(target)));
    profiles.iter().any(|profile| named(profile) || names_a_field(&object.root, profile))
}

fn names_a_field(cursor: &Cursor<'_, '_>, profile: &Profile) -> bool {
    let is_field = |text: &str| profile.secrets.iter().any(|spec| spec.slot(text).is_some());
    any_text(cursor.node, &is_field)
}

fn any_text(node: &Node<'_>, fits: &dyn Fn(&str) -> bool) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => fits(scalar.text()),
        Kind::Sequence(items) => items.iter().any(|item| any_text(item, fits)),
        Kind::Mapping(entries) => entries.iter().any(|(key, value)| any_text(key, fits) || any_text(value, fits)),
        Kind::Alias(_) => false,
    }
}
