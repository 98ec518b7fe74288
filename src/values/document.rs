//! One values file: its YAML documents, one over the other, as Helm 4 reads it.
//!
//! Helm 3 reads the first document only.

use std::ops::Range;

use super::merge::{Map, overlay};
use super::{Error, Files};
use crate::yaml::{self, Data, Position, Span, Value};

/// The values in the text of this number.
pub(super) fn values(files: &Files, file: usize) -> Result<Map, Error> {
    let (name, text) = files.get(file);
    let stand = |offset: usize| {
        files.place(&Span { file, start: offset, end: offset }).position.unwrap_or(Position { line: 1, column: 1 })
    };
    let broken = |error: yaml::Error| Error::Yaml {
        name: name.to_owned(),
        position: stand(error.offset),
        message: error.message,
    };
    let mut all = Map::new();
    for bytes in documents(text).map_err(broken)? {
        let begin = bytes.start;
        let mut document = Value::parse(&text[bytes], file)
            .map_err(|error| broken(yaml::Error { offset: begin + error.offset, ..error }))?;
        document.shift(begin);
        match document.data {
            Data::Map(map) => overlay(&mut all, map),
            Data::Null => {}
            _ => {
                let position = stand(document.span.start);
                return Err(Error::NotMapping { name: name.to_owned(), position, kind: document.kind() });
            }
        }
    }
    Ok(all)
}

/// The values in a mapping of the text of this number.
pub(super) fn mapping(files: &Files, file: usize, mut value: Value) -> Result<Map, Error> {
    belong_to(&mut value, file);
    match value.data {
        Data::Map(map) => Ok(map),
        Data::Null => Ok(Map::new()),
        _ => {
            let place = files.place(&value.span);
            let position = place.position.unwrap_or(Position { line: 1, column: 1 });
            Err(Error::NotMapping { name: place.file, position, kind: value.kind() })
        }
    }
}

/// Makes all spans those of another text.
fn belong_to(value: &mut Value, file: usize) {
    value.span.file = file;
    match &mut value.data {
        Data::List(items) => items.iter_mut().for_each(|item| belong_to(item, file)),
        Data::Map(map) => {
            for entry in map.values_mut() {
                entry.key.file = file;
                belong_to(&mut entry.value, file);
            }
        }
        _ => {}
    }
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
