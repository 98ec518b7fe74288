//! Puts single values from the command line into the values.

use std::path::Path;

use zeroize::Zeroizing;

use super::merge::{Map, overlay};
use super::set::{Assignment, SetKind, Step, Written, typed};
use super::{Error, Files};
use crate::yaml::{Data, Entry, Span, Value};

/// Applies one assignment of a flag; `file` is the number under which the flag's values are known.
pub(super) fn assign(
    values: &mut Map,
    assignment: Assignment,
    kind: SetKind,
    file: usize,
    files: &mut Files,
) -> Result<(), Error> {
    let span = Span { file, start: 0, end: 0 };
    let mut one = |text: Zeroizing<String>| match kind {
        SetKind::Typed => Ok(typed(text, span)),
        SetKind::File if !text.is_empty() => from_file(&text, files),
        _ => Ok(Value { data: Data::Text(text), span }),
    };
    let value = match assignment.value {
        Written::One(text) => one(text)?,
        Written::List(texts) => {
            let items = texts.into_iter().map(one).collect::<Result<_, _>>()?;
            Value { data: Data::List(items), span }
        }
        Written::Json(mut value) => {
            stand_at(&mut value, span);
            value
        }
    };
    match (assignment.path.as_slice(), value.data) {
        ([], Data::Map(top)) => overlay(values, top),
        (path, data) => {
            let value = Value { data, span: value.span };
            let failed = |message: &str| Error::Set { flag: files.get(file).0.to_owned(), message: message.to_owned() };
            into_map(values, path, value, span).map_err(failed)?;
        }
    }
    Ok(())
}

fn from_file(path: &str, files: &mut Files) -> Result<Value, Error> {
    let file = files.read(Path::new(path))?;
    let text = files.get(file).1.to_owned();
    let span = Span { file, start: 0, end: text.len() };
    Ok(Value { data: Data::Text(Zeroizing::new(text)), span })
}

fn into_map(map: &mut Map, path: &[Step], value: Value, span: Span) -> Result<(), &'static str> {
    let Some((Step::Key(key), rest)) = path.split_first() else {
        return Err("an index into a mapping");
    };
    let is_new = !map.contains_key(key);
    let nothing = || Entry { key: span, value: Value { data: Data::Null, span } };
    let entry = map.entry(key.clone()).or_insert_with(nothing);
    entry.key = span;
    into_value(&mut entry.value, rest, value, span, is_new)
}

fn into_list(list: &mut Vec<Value>, index: usize, path: &[Step], value: Value, span: Span) -> Result<(), &'static str> {
    if list.len() <= index {
        list.resize_with(index + 1, || Value { data: Data::Null, span });
    }
    let item = &mut list[index];
    // Helm replaces what stands in the way of a name in a list, and nowhere else.
    let is_free = matches!(path.first(), Some(Step::Key(_))) || matches!(item.data, Data::Null);
    into_value(item, path, value, span, is_free)
}

fn into_value(place: &mut Value, path: &[Step], value: Value, span: Span, is_free: bool) -> Result<(), &'static str> {
    let Some(next) = path.first() else {
        *place = value;
        return Ok(());
    };
    place.span = span;
    match (next, &mut place.data) {
        (Step::Key(_), Data::Map(map)) => into_map(map, path, value, span),
        (Step::Index(index), Data::List(list)) => into_list(list, *index, &path[1..], value, span),
        (Step::Key(_), data) if is_free => {
            let mut map = Map::new();
            into_map(&mut map, path, value, span)?;
            *data = Data::Map(map);
            Ok(())
        }
        (Step::Index(index), data) if is_free => {
            let mut list = Vec::new();
            into_list(&mut list, *index, &path[1..], value, span)?;
            *data = Data::List(list);
            Ok(())
        }
        (Step::Key(_), _) => Err("a name below something that is no mapping"),
        (Step::Index(_), _) => Err("an index into something that is no list"),
    }
}

fn stand_at(value: &mut Value, span: Span) {
    value.span = span;
    match &mut value.data {
        Data::List(items) => items.iter_mut().for_each(|item| stand_at(item, span)),
        Data::Map(map) => {
            for entry in map.values_mut() {
                entry.key = span;
                stand_at(&mut entry.value, span);
            }
        }
        _ => {}
    }
}
