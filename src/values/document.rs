//! One values file: its YAML documents, one over the other, as Helm 4 reads it.
//!
//! Helm 3 reads the first document only.

use std::ops::Range;

use super::merge::{Map, overlay};
use super::{Error, Files};
use crate::yaml::{self, Data, Value, position};

/// The values in the text of this number.
pub(super) fn values(files: &Files, file: usize) -> Result<Map, Error> {
    let (name, text) = files.get(file);
    let broken = |error: yaml::Error| Error::Yaml {
        name: name.to_owned(),
        position: position(text.as_bytes(), error.offset),
        message: error.message,
    };
    let mut all = Map::new();
    for bytes in documents(text).map_err(broken)? {
        let begin = bytes.start;
        let mut document = Value::parse(&text[bytes], file)
            .map_err(|error| broken(yaml::Error { offset: begin + error.offset, ..error }))?;
        shift(&mut document, begin);
        match document.data {
            Data::Map(map) => overlay(&mut all, map),
            Data::Null => {}
            _ => {
                let position = position(text.as_bytes(), document.span.start);
                return Err(Error::NotMapping { name: name.to_owned(), position, kind: document.kind() });
            }
        }
    }
    Ok(all)
}

/// The pieces between lines that begin with `---`; nothing but a comment may follow on such a line.
fn documents(text: &str) -> Result<Vec<Range<usize>>, yaml::Error> {
    let mut pieces = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let message = "more than a comment behind ---, which Helm 4 refuses".to_owned();
                return Err(yaml::Error { offset: at, message });
            }
            pieces.push(begin..at);
            begin = at + line.len();
        }
        at += line.len();
    }
    pieces.push(begin..at);
    Ok(pieces)
}

/// Moves all spans of a document to where it stands in its file.
fn shift(value: &mut Value, by: usize) {
    value.span.start += by;
    value.span.end += by;
    match &mut value.data {
        Data::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Data::Map(map) => {
            for entry in map.values_mut() {
                entry.key.start += by;
                entry.key.end += by;
                shift(&mut entry.value, by);
            }
        }
        _ => {}
    }
}
