//! Environment variables of an application: `.env` files and compose files.

use super::documents::Document;
use super::reader::Reader;
use crate::report::Place;
use crate::rules::Stands;
use crate::yaml::{Data, Value};

/// Looks at a text in which every line sets a variable; false if it is none.
pub fn dotenv(reader: &mut Reader<'_, '_>) -> bool {
    let text = reader.text;
    let mut found = Vec::new();
    let mut offset = 0;
    for line in text.text.split_inclusive('\n') {
        let written = line.trim();
        if !written.is_empty() && !written.starts_with('#') {
            let Some((name, value)) = assignment(written) else { return false };
            let at = offset + line.find(value).unwrap_or(0);
            found.push((name, value, at));
        }
        offset += line.len();
    }
    let is_one = !found.is_empty();
    for (name, value, at) in found {
        variable(name, unquoted(value), text.place(at..at + value.len()), reader);
    }
    is_one
}

/// `NAME=value`, `export NAME=value`
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some((name, value))
}

/// Without the quotes, or the comment behind it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next()) {
            return inner;
        }
    }
    value.split(" #").next().unwrap_or(value).trim_end()
}

/// Looks at the `environment` of every service of a compose file.
pub fn compose(document: &Document<'_>, reader: &mut Reader<'_, '_>) {
    let text = reader.text;
    let services = document.value.get("services").and_then(Value::map);
    for environment in services.into_iter().flatten().filter_map(|(_, service)| service.value.get("environment")) {
        match &environment.data {
            Data::Map(map) => {
                for (name, entry) in map {
                    let at = entry.value.span;
                    let value = entry.value.text().unwrap_or_default();
                    variable(name, value, text.place(at.start..at.end), reader);
                }
            }
            Data::List(items) => {
                for item in items {
                    if let Some((name, value)) = item.text().and_then(|text| text.split_once('=')) {
                        let place = text.place(item.span.start..item.span.end);
                        variable(name, value, place, reader);
                    }
                }
            }
            _ => {}
        }
    }
}

fn variable(name: &str, value: &str, place: Place, reader: &mut Reader<'_, '_>) {
    if let Some(ring) = reader.ring_of_variable(name) {
        reader.key(ring, name, or_default(value), place, Stands::Variable);
    }
}

/// Of `${NAME:-default}` the default, which is a text like any other.
fn or_default(value: &str) -> &str {
    let inner = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match inner.and_then(|inner| inner.split_once(":-").or_else(|| inner.split_once('-'))) {
        Some((name, default)) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => default,
        // `${NAME:?message}` and the like.
        _ if inner.is_some() => "",
        _ => value,
    }
}
