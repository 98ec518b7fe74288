//! A value of another type than the chart expects.

use super::{Look, ValuesSeen, rule, unsafe_scalar};
use crate::profile::ValueType;
use crate::report::Finding;
use crate::yaml::{Data, Value};

rule!(
    "wrong-type",
    Error,
    "A value at one of the profile's paths that is of another type than the chart expects.",
    Look::Values(look)
);

fn look(values: &ValuesSeen<'_, '_>) -> Vec<Finding> {
    let typed = values.profile.typed_values();
    typed.into_iter().filter_map(|(path, expected)| judge(values, path, expected)).collect()
}

fn judge(values: &ValuesSeen<'_, '_>, path: &str, expected: ValueType) -> Option<Finding> {
    if let Some(finding) = no_mapping_on_the_way(values, path) {
        return Some(finding);
    }
    let value = values.value.at(path.split('.'))?;
    let place = || (values.place)(value.span.start..value.span.end);
    match (expected, &value.data) {
        (_, Data::Null) | (ValueType::Text, Data::Text(_)) | (ValueType::Switch, Data::Bool(_)) => None,
        (ValueType::Text, Data::Number(_) | Data::Bool(_)) => Some(unsafe_scalar::finding(path, value.kind(), place())),
        // A template of a template: whoever renders it knows.
        (ValueType::Switch, Data::Text(text)) if text.contains("{{") => None,
        (ValueType::Switch, Data::Text(text)) if !text.is_empty() => {
            Some(unsafe_scalar::text_for_a_switch(path, place()))
        }
        _ => Some(finding(path, value, expected).at(place())),
    }
}

/// What stands where a mapping must lead on to the path's end.
fn no_mapping_on_the_way(values: &ValuesSeen<'_, '_>, path: &str) -> Option<Finding> {
    for (end, _) in path.match_indices('.') {
        let way = path.get(..end)?;
        let value = values.value.at(way.split('.'))?;
        if !matches!(value.data, Data::Map(_) | Data::Null) {
            let title = format!("{way} is {}, where a mapping is needed", value.kind());
            return Some(
                Finding::refused("wrong-type", title)
                    .at((values.place)(value.span.start..value.span.end))
                    .found(format!("the chart looks for {path} in it"))
                    .help("write a mapping, or take the line out"),
            );
        }
    }
    None
}

/// What stands at a path, and what must.
pub fn finding(path: &str, value: &Value, expected: ValueType) -> Finding {
    Finding::refused("wrong-type", format!("{path} is {}, where {expected} is needed", value.kind()))
        .found("the chart would fail, or make something else of it")
        .help(match expected {
            ValueType::Text => "write the text itself, in quotes",
            ValueType::Switch => "write true or false, or take the line out",
        })
}
