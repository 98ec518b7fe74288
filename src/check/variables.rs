//! Environment variables of an application: `.env` files and compose files.

use std::ops::Range;
use std::path::Path;

use super::reader::{Reader, Taken};
use crate::rules::Stands;
use crate::yaml::{Data, Value};

/// Looks at a text in which every line sets a variable, or that is named so; false if it is none.
pub fn dotenv(path: &Path, reader: &mut Reader<'_, '_>) -> bool {
    let text = reader.text;
    let is_sops = text.text.contains("sops_mac=");
    let mut found = Vec::new();
    let (mut offset, mut every_line) = (0, true);
    for line in text.text.split_inclusive('\n') {
        let written = line.trim_start_matches('\u{feff}').trim();
        match assignment(written) {
            Some((name, value)) if reader.ring_of_variable(name).is_some() => {
                let at = offset + line.find(value).unwrap_or(0);
                found.push((name, value, at));
            }
            Some(_) => {}
            None => every_line &= written.is_empty() || written.starts_with('#'),
        }
        offset += line.len();
    }
    let is_one = is_named_so(path) || (every_line && !found.is_empty());
    if is_one {
        let taken = Taken { sops: is_sops, ..Taken::default() };
        reader.taking(taken, |reader| {
            for (name, value, at) in found {
                variable(name, unquoted(value), at..at + value.len(), reader);
            }
        });
    }
    is_one
}

/// `.env`, `.env.production`, `production.env`, `.envrc`
fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(".env") || name.ends_with(".env")
}

/// `NAME=value`, `export NAME=value`
fn assignment(line: &str) -> Option<(&str, &str)> {
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let (name, value) = exported.unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some((name, value.trim()))
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
pub fn compose(compose: &Value, reader: &mut Reader<'_, '_>) {
    let services = compose.get("services").and_then(Value::map);
    for environment in services.into_iter().flatten().filter_map(|(_, service)| service.value.get("environment")) {
        match &environment.data {
            Data::Map(map) => {
                for (name, entry) in map {
                    let at = entry.value.span;
                    let value = entry.value.text().unwrap_or_default();
                    variable(name, value, at.start..at.end, reader);
                }
            }
            Data::List(items) => {
                for item in items {
                    if let Some((name, value)) = item.text().and_then(|text| text.split_once('=')) {
                        variable(name, value, item.span.start..item.span.end, reader);
                    }
                }
            }
            _ => {}
        }
    }
}

fn variable(name: &str, value: &str, bytes: Range<usize>, reader: &mut Reader<'_, '_>) {
    if let Some(ring) = reader.ring_of_variable(name) {
        let place = reader.text.place(bytes);
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
