//! A key that the chart would make up at every render.

use super::{Deployed, Look, rule};
use crate::config::Mode;
use crate::judge::first_field;
use crate::profile::FieldSpec;
use crate::render::UserKey;
use crate::report::{Finding, Place};

rule!(
    "auto-generated-key",
    Error,
    "An empty, null or missing key, so that the chart makes up another one at every render.",
    Look::Deployed(look)
);

/// The user's key of a ring is empty.
pub fn finding(ring: &FieldSpec) -> Finding {
    let path = ring.values.as_ref().map_or("", |values| values.key.as_str());
    Finding::refused("auto-generated-key", format!("{path} is empty"))
        .found(format!(
            "the chart would make up another `{}` at every render, and what was encrypted so far is lost",
            first_field(ring)
        ))
        .found(format!("expected {}", ring.policy))
        .help("let the key come from a source: `helm-keyring init` writes a keyring.yaml")
        .help("on a trial, make one with `helm-keyring keygen` and pass it with `-f`")
}

/// A values file of which nobody knows what it is merged with.
pub fn lone(ring: &FieldSpec, place: Place) -> Finding {
    let path = ring.values.as_ref().map_or("", |values| values.key.as_str());
    Finding::warning("auto-generated-key", format!("{path} is empty in this file"))
        .at(place)
        .found(format!(
            "unless another values file or a source brings the key, the chart makes up another `{}` at every render",
            first_field(ring)
        ))
        .help("name the files that are merged: `values` of an environment in keyring.yaml, or `check -f A -f B`")
        .help("if nothing sets it here, take the line out")
}

fn look(deployed: &Deployed<'_>) -> Vec<Finding> {
    if deployed.external || deployed.mode == Mode::Dev {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, ring) in deployed.profile.rings().filter(|(_, ring)| ring.values.is_some()) {
        let renders_none = deployed.profile.secrets.get(index).and_then(|secret| deployed.user.renders_none(secret));
        let empty = match deployed.user.key(ring) {
            Ok(UserKey::Empty { place }) => place,
            _ => continue,
        };
        if renders_none == Some(true) || (empty.is_none() && !deployed.certain) {
            continue;
        }
        let place = empty.unwrap_or_else(|| deployed.place.clone());
        found.push(match deployed.injected {
            false => finding(ring).at(place).found(format!("these are the merged values of {}", deployed.title)),
            true => Finding::note("auto-generated-key", format!("{} is to be injected", path(ring)))
                .at(place)
                .found(format!("{} says that a deploy step brings the key into the values", deployed.title))
                .help("`render` still refuses an empty one"),
        });
    }
    found
}

fn path(ring: &FieldSpec) -> &str {
    ring.values.as_ref().map_or("", |values| values.key.as_str())
}
