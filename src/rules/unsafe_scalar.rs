//! A key that YAML, or a template that prints it without quotes, makes something else of.

use super::{Key, Look, Stands, rule};
use crate::key::KeyText;
use crate::report::{Finding, Place};
use crate::yaml::{self, Data, Value};

rule!(
    "unsafe-scalar",
    Error,
    "A key that YAML reads as a number or boolean, or that changes when a template prints it without quotes.",
    Look::Key(look)
);

/// The values hold something that is no text.
pub fn finding(path: &str, kind: &str, place: Place) -> Finding {
    Finding::refused("unsafe-scalar", format!("{path} is {kind}, not text"))
        .at(place)
        .found("YAML reads a key of digits, or a word like `yes`, as something else than text")
        .help("put the key in quotes")
}

/// A switch that is a text.
pub fn text_for_a_switch(path: &str, place: Place) -> Finding {
    Finding::refused("unsafe-scalar", format!("{path} is text, not a boolean"))
        .at(place)
        .found("a template takes any text that is not empty for true, `\"false\"` too")
        .help("write true or false without quotes")
}

fn look(key: &Key<'_>) -> Option<Finding> {
    if key.stands != Stands::Values || key.reference().is_some() || key.misfit().is_some() {
        return None;
    }
    let what = printed_without_quotes(&key.text)?;
    Some(
        Finding::refused("unsafe-scalar", format!("`{}` {what} where a template prints it without quotes", key.name))
            .at(key.place.clone())
            .found("many charts print it so, and the key would change on its way")
            .help("make one in base64: `helm-keyring keygen`; let helm-keyring deliver one that is in use: `helm-keyring adopt`"),
    )
}

/// What YAML makes of the text, if something else than itself.
fn printed_without_quotes(key: &KeyText) -> Option<&'static str> {
    let text = std::str::from_utf8(key.expose()).ok()?;
    let line = zeroize::Zeroizing::new(format!("key: {text}\n"));
    let Ok(tree) = yaml::parse(&line) else { return Some("breaks the document") };
    let Ok(value) = Value::compose(&tree, 0) else { return Some("breaks the document") };
    match value.get("key").map(|value| &value.data) {
        Some(Data::Text(read)) if read.as_str() == text && value.map().is_some_and(|map| map.len() == 1) => None,
        Some(Data::Number(_)) => Some("is read as a number"),
        Some(Data::Bool(_)) => Some("is read as a boolean"),
        Some(Data::Null) => Some("is read as nothing"),
        _ => Some("is read as something else"),
    }
}
