//! Files that people write for us: read strictly, and validated with a JSON Schema.
//!
//! A [`Document`] is one YAML document in which no property stands twice. [`Document::checked`] validates it and
//! makes a type of it. Every message has a place, and none quotes a value: somebody may have put a key there.

mod strict;
mod words;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::report::{Exit, Finding, Place, Refusal};
use crate::yaml::{self, Data, Span, Value};

/// More than any file that people write for us; it keeps a wrong path from filling the memory.
const MAX_BYTES: u64 = 16 << 20;

/// One YAML file, read strictly.
pub struct Document {
    file: String,
    text: String,
    value: Value,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Those of [`read_text`] and [`Document::parse`].
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        Self::parse(path.display().to_string(), read_text(path)?)
    }

    /// Reads a text; `file` is what messages call it.
    ///
    /// # Errors
    /// Broken YAML, more than one document, a property that stands twice or is not read as it is written.
    pub fn parse(file: impl Into<String>, text: String) -> Result<Self, Refusal> {
        let file = file.into();
        let value = read_strictly(&file, &text)?;
        Ok(Self { file, text, value })
    }

    /// Validates the document with a JSON Schema and makes a `T` of it.
    ///
    /// # Errors
    /// Everything that does not fit, in the order of its places.
    pub fn checked<T: DeserializeOwned>(&self, schema: &str) -> Result<T, Refusal> {
        let findings = words::findings(schema, self)?;
        if findings.is_empty() { self.trusted() } else { Err(Refusal(findings)) }
    }

    /// Makes a `T` of a document that is known to fit.
    ///
    /// # Errors
    /// A document that does not fit after all; without details.
    pub fn trusted<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_value(self.value.to_json()).map_err(|_| {
            // serde's own words would quote the value.
            Finding::usage("wrong-value", "this file does not have the form that it must have")
                .at(Place::file(&*self.file))
                .help("compare it with docs/configuration.md or docs/profiles.md")
                .into()
        })
    }

    /// The value of the whole document.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Where a span of this document stands.
    pub fn place(&self, span: Span) -> Place {
        Place::in_text(&*self.file, self.text.as_bytes(), span.start)
    }

    /// Where the property or item at a JSON pointer is written.
    pub fn find(&self, pointer: &str) -> Option<Place> {
        let steps = pointer.split('/').skip(1).try_fold((self.value.span, &self.value), step);
        steps.map(|(span, _)| self.place(span))
    }

    /// The same, or where the innermost thing that is there holds it.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            match (self.find(pointer), pointer.rsplit_once('/')) {
                (Some(place), _) => return place,
                (None, Some((holder, _))) => pointer = holder,
                (None, None) => return Place::file(&*self.file),
            }
        }
    }
}

/// One segment of a JSON pointer: where the value is announced (its key, or the item itself), and the value.
fn step<'d>((_, value): (Span, &'d Value), segment: &str) -> Option<(Span, &'d Value)> {
    match &value.data {
        Data::Map(map) => map.get(segment).map(|entry| (entry.key, &entry.value)),
        Data::List(items) => items.get(segment.parse::<usize>().ok()?).map(|item| (item.span, item)),
        _ => None,
    }
}

fn read_strictly(file: &str, text: &str) -> Result<Value, Refusal> {
    let not_yaml = |error: yaml::Error| {
        Finding::usage("not-yaml", format!("this is not YAML: {error}"))
            .at(Place::in_text(file, text.as_bytes(), error.offset))
            .help("mend the line; often the indentation or a quote before it is wrong")
    };
    let tree = yaml::parse(text).map_err(not_yaml)?;
    let value = Value::compose(&tree, 0).map_err(not_yaml)?;
    let findings = strict::findings(file, &tree, &value);
    if findings.is_empty() { Ok(value) } else { Err(Refusal(findings)) }
}

/// Reads a text file.
///
/// # Errors
/// A file that cannot be read (exit code 5), is larger than 16 MiB, or holds no UTF-8.
pub fn read_text(path: &Path) -> Result<String, Refusal> {
    let place = || Place::file(path.display().to_string());
    let bytes = read_bytes(path).map_err(|error| {
        Finding::error(Exit::Io, "unreadable-file", "this file cannot be read")
            .at(place())
            .found(error.to_string())
            .help("check the path and the permissions")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Finding::usage("not-text", "this file is not text in UTF-8").at(place()).help("save it as UTF-8").into()
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len().min(MAX_BYTES)).unwrap_or(0) + 1);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other("it is larger than 16 MiB")),
        false => Ok(bytes),
    }
}

/// A word of the user's file as messages may show it: in backquotes, unless it could be a key or a part of one.
pub fn shown(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./{}*".contains(c);
    (!word.is_empty() && word.len() < 32 && word.chars().all(plain)).then(|| format!("`{word}`"))
}

#[cfg(test)]
mod tests;
