//! A switch that makes the chart add a random key.

use super::{Look, ValuesSeen, rule};
use crate::report::{Finding, Place};
use crate::yaml::Data;

rule!(
    "rotate-in-gitops",
    Error,
    "A rotation by the chart, which replaces the key at every render.",
    Look::Values(look)
);

/// The switch at `path` is on.
pub fn finding(path: &str, place: Place) -> Finding {
    Finding::refused("rotate-in-gitops", format!("{path} is on"))
        .at(place)
        .found("without a cluster the chart puts a new random key in place of the old one, at every render")
        .help(format!("take {path} out, and add a key to the source: the new key becomes active when it is delivered"))
}

fn look(values: &ValuesSeen<'_, '_>) -> Vec<Finding> {
    let switches = values.profile.rings().filter_map(|(_, ring)| ring.values.as_ref()?.rotate.as_ref());
    switches
        .filter_map(|path| {
            let value = values.value.at(path.split('.'))?;
            matches!(value.data, Data::Bool(true))
                .then(|| finding(path, (values.place)(value.span.start..value.span.end)))
        })
        .collect()
}
