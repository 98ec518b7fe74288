//! JSON that holds keys: members as they are written, each wiped on drop, and no message that quotes one.
//!
//! `serde_json` says in its errors what it found; here only the position is told.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::key::KeyText;

/// A JSON object: its members in their order, each value as it is written.
#[derive(Clone, Default)]
pub struct Object {
    members: Vec<(String, Raw)>,
}

type Raw = Zeroizing<Box<str>>;

/// Why a text is no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoObject {
    /// Not UTF-8.
    #[error("is no text in UTF-8")]
    NotText,
    /// Empty, or white space.
    #[error("is empty")]
    Empty,
    /// Something else.
    #[error("is no JSON object (line {line}, column {column})")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// A list, a text, `null`.
    #[error("is {0}, where a JSON object was expected")]
    Other(&'static str),
    /// A member that stands twice: which of the two is meant?
    #[error("holds a member twice")]
    Twice,
}

impl Object {
    /// Reads a whole text.
    ///
    /// # Errors
    /// A text that is no object, without a word of what it holds.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoObject> {
        let text = std::str::from_utf8(bytes).map_err(|_| NoObject::NotText)?;
        if text.trim().is_empty() {
            return Err(NoObject::Empty);
        }
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| position(&error))?;
        Self::of(raw.get())
    }

    /// A member that is an object itself. `null` and a missing one are none.
    ///
    /// # Errors
    /// A member that is something else.
    pub fn object(&self, name: &str) -> Result<Option<Self>, NoObject> {
        match self.raw(name) {
            None | Some("null") => Ok(None),
            Some(raw) => Self::of(raw).map(Some),
        }
    }

    fn of(raw: &str) -> Result<Self, NoObject> {
        match kind(raw) {
            "an object" => {
                let object: Self = serde_json::from_str(raw).map_err(|error| position(&error))?;
                let mut names: Vec<&str> = object.names().collect();
                names.sort_unstable();
                match names.windows(2).any(|two| two[0] == two[1]) {
                    true => Err(NoObject::Twice),
                    false => Ok(object),
                }
            }
            other => Err(NoObject::Other(other)),
        }
    }

    /// The members in their order: each name, and its text or what else it is.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Result<KeyText, &'static str>)> {
        self.members.iter().map(|(name, raw)| (name.as_str(), text(raw)))
    }

    /// The names of the members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// A member as it is written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(own, _)| own == name).map(|(_, raw)| &***raw)
    }

    /// A member that is a text; what else it is: `a number`, `null`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn text(&self, name: &str) -> Option<Result<KeyText, &'static str>> {
        self.raw(name).map(text)
    }

    /// A member that is a text and holds nothing secret.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member that is true or false.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member that is a list of texts which are no secrets.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<Vec<String>> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// Sets a member to a text: in its place if it is there, else at the end.
    pub fn set(&mut self, name: &str, text: &str) {
        self.set_raw(name, quoted(text));
    }

    /// Sets a member to JSON as it is written.
    pub fn set_raw(&mut self, name: &str, raw: Zeroizing<String>) {
        let raw: Raw = Zeroizing::new(raw.as_str().into());
        match self.members.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = raw,
            None => self.members.push((name.to_owned(), raw)),
        }
    }

    /// The object as JSON, on one line.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let len: usize = self.members.iter().map(|(name, raw)| 2 * name.len() + raw.len() + 4).sum();
        let mut text = Zeroizing::new(String::with_capacity(len + 2));
        text.push('{');
        for (index, (name, raw)) in self.members.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&quoted(name));
            text.push(':');
            text.push_str(raw);
        }
        text.push('}');
        text
    }
}

/// A text as JSON writes it.
#[must_use]
pub fn quoted(text: &str) -> Zeroizing<String> {
    // Room for every byte as `\u00xx`, so that no half-written copy stays behind in a smaller buffer.
    let mut json = Vec::with_capacity(6 * text.len() + 2);
    // Writing a text into memory cannot fail.
    let _ = text.serialize(&mut serde_json::Serializer::new(&mut json));
    Zeroizing::new(String::from_utf8(json).unwrap_or_default())
}

fn text(raw: &str) -> Result<KeyText, &'static str> {
    // JSON can write half of a character, which no text can hold.
    let what = || if kind(raw) == "a text" { "a text with half a character" } else { kind(raw) };
    serde_json::from_str::<Text>(raw).map(|Text(text)| text).map_err(|_| what())
}

/// What a value is, by its first character.
fn kind(raw: &str) -> &'static str {
    match raw.trim_start().bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn position(error: &serde_json::Error) -> NoObject {
    NoObject::NotJson { line: error.line(), column: error.column() }
}

struct Text(KeyText);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(KeyText::from(text)))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut members = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, Zeroizing::new(raw.into())));
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text.as_bytes()).ok().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        Object::parse(bytes).err().unwrap().to_string()
    }

    #[test]
    fn members_are_texts_or_what_they_are() {
        let object =
            object(r#"{"h": "\ud800", "t": "a\n\u00e4", "n": 1e400, "z": null, "l": ["x"], "o": {"v": 2}, "f": true}"#);
        let text = |name: &str| object.text(name).map(|text| text.map(|key| key.expose().to_vec()));
        assert_eq!(text("t"), Some(Ok("a\nä".as_bytes().to_vec())));
        for (name, kind) in [
            ("h", "a text with half a character"),
            ("n", "a number"),
            ("z", "null"),
            ("l", "a list"),
            ("o", "an object"),
            ("f", "true or false"),
        ] {
            assert_eq!(text(name), Some(Err(kind)), "{name}");
        }
        assert_eq!(text("x"), None);
        let inner = object.object("o").unwrap().unwrap();
        assert_eq!((inner.number("v"), object.flag("f")), (Some(2), Some(true)));
        assert!(object.object("z").unwrap().is_none() && object.object("x").unwrap().is_none());
        assert_eq!(object.words("l"), Some(vec!["x".to_owned()]));
    }

    #[test]
    fn what_is_no_object_is_said_without_its_words() {
        assert_eq!(refused(b" \n"), "is empty");
        assert_eq!(refused(b"\xff"), "is no text in UTF-8");
        assert_eq!(refused(b"[\"canary\"]"), "is a list, where a JSON object was expected");
        assert_eq!(refused(b"\"canary\""), "is a text, where a JSON object was expected");
        assert_eq!(refused(b"{\"a\": canary}"), "is no JSON object (line 1, column 7)");
        assert_eq!(refused(b"{\"a\": \"canary\"} x"), "is no JSON object (line 1, column 17)");
        assert_eq!(refused(b"{\"a\": 1, \"a\": 2}"), "holds a member twice");
        assert_eq!(refused(b"{\"a\": 1, \"\\u0061\": 2}"), "holds a member twice");
        assert!(object(r#"{"o": [1]}"#).object("o").is_err());
    }

    #[test]
    fn all_else_stays_as_it_is_written() {
        let mut object = object(r#"{"n": 1.10, "big": 123456789012345678901234567890, "o": { "a" : [ ] }, "k": "v"}"#);
        object.set("k", "x\"\\\n");
        object.set("new", "");
        assert_eq!(
            object.to_json().as_str(),
            r#"{"n":1.10,"big":123456789012345678901234567890,"o":{ "a" : [ ] },"k":"x\"\\\n","new":""}"#
        );
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_back(name in ".{0,12}", text in any::<String>()) {
            let mut object = object(r#"{"a": {"b": 1}}"#);
            object.set(&name, &text);
            let again = Object::parse(object.to_json().as_bytes()).ok().unwrap();
            let read = again.text(&name).and_then(Result::ok).map(|key| key.expose().to_vec());
            prop_assert_eq!(read, Some(text.into_bytes()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Object::parse(&bytes);
        }
    }
}
