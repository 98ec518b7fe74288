//! JSON as `--set-json` takes it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::merge::Map;
use crate::yaml::{Data, Entry, Number, Span, Value};

/// A text that is one JSON value.
pub(super) fn whole(text: &str) -> Result<Value, String> {
    let Parsed(value) = serde_json::from_str(text).map_err(|error| place(&error))?;
    Ok(value)
}

/// The JSON value at the start of a text, and how many bytes it takes.
pub(super) fn first(text: &str) -> Result<(Value, usize), String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Parsed>();
    match values.next() {
        Some(Ok(Parsed(value))) => Ok((value, values.byte_offset())),
        Some(Err(error)) => Err(place(&error)),
        None => Err("no JSON value".to_owned()),
    }
}

/// The parser's own words may quote the text.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "JSON that ends too early" } else { "no JSON" };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

struct Parsed(Value);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let data = deserializer.deserialize_any(JsonVisitor)?;
        Ok(Self(Value { data, span: Span::default() }))
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Number(Number::Int(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Number(Number::Int(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Number(Number::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Text(Zeroizing::new(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(Parsed(value)) = items.next_element()? {
            list.push(value);
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut map = Map::new();
        while let Some((key, Parsed(value))) = entries.next_entry::<String, Parsed>()? {
            map.insert(key, Entry { key: Span::default(), value });
        }
        Ok(Data::Map(map))
    }
}
