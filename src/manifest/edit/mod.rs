//! Edits of one document: byte ranges replaced, and what the document must mean afterwards.
//!
//! Each primitive notes the bytes *and* the intended change of the value. [`Patch::apply`] parses the result
//! and compares it with the intention, so a wrong byte range can refuse a document but never change its meaning.

mod layout;
mod write;

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::cursor::{Cursor, Doubt, Step};
use crate::yaml::{self, Data, Entry, Node, Span, Style, Tree, Value, is_plain_string};
use write::double_quoted;

/// Why a document cannot be edited without risk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes belong to more than one place.
    #[error("{what} is shared through an anchor, an alias or a merge key")]
    Shared {
        /// What was to be edited.
        what: String,
        /// Where it is written in the document.
        offset: usize,
    },
    /// A mapping holds a key twice.
    #[error("{what} is written twice")]
    Duplicate {
        /// What was to be edited.
        what: String,
        /// Where it is written in the document.
        offset: usize,
    },
    /// The place is written in a way that no primitive edits.
    #[error("{what} is written in a way that cannot be edited in place")]
    Layout {
        /// What was to be edited.
        what: String,
        /// Where it is written in the document.
        offset: usize,
    },
    /// The edited document does not mean what was intended.
    #[error("the edited document would not mean what was intended")]
    Mismatch,
}

impl Error {
    /// Where in the document the problem is.
    pub fn offset(&self) -> usize {
        match self {
            Self::Shared { offset, .. } | Self::Duplicate { offset, .. } | Self::Layout { offset, .. } => *offset,
            Self::Mismatch => 0,
        }
    }
}

/// A value to be written.
pub enum New {
    /// A scalar; may be a key, so it is wiped on drop.
    Text(Zeroizing<String>),
    /// A mapping.
    Map(Vec<(String, New)>),
}

impl New {
    /// A scalar.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    fn value(&self) -> Value {
        let data = match self {
            Self::Text(text) => Data::Text(text.clone()),
            Self::Map(entries) => Data::Map(
                entries.iter().map(|(k, v)| (k.clone(), Entry { key: Span::default(), value: v.value() })).collect(),
            ),
        };
        Value { data, span: Span::default() }
    }
}

/// Bytes of a document to be replaced.
struct Edit {
    range: Range<usize>,
    text: Zeroizing<String>,
}

/// An intended change: the value at a path, `None` to remove it.
struct Change {
    path: Vec<Step>,
    value: Option<Value>,
}

/// The edits of one document.
pub struct Patch<'t, 'a> {
    tree: &'t Tree<'a>,
    edits: Vec<Edit>,
    changes: Vec<Change>,
}

impl<'t, 'a> Patch<'t, 'a> {
    /// No edit yet.
    pub fn new(tree: &'t Tree<'a>) -> Self {
        Self { tree, edits: Vec::new(), changes: Vec::new() }
    }

    /// Whether nothing is to be edited.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edited text, if it means what was intended; the original where nothing is to be edited.
    ///
    /// # Errors
    /// [`Error::Mismatch`].
    pub fn apply(mut self) -> Result<Zeroizing<String>, Error> {
        // An insertion goes before a removal that begins at the same byte; equal places keep their order.
        self.edits.sort_by_key(|edit| (edit.range.start, !edit.range.is_empty()));
        let text = self.tree.text;
        let mut out = Zeroizing::new(String::with_capacity(
            text.len() + self.edits.iter().map(|edit| edit.text.len()).sum::<usize>(),
        ));
        let mut done = 0;
        for edit in &self.edits {
            out.push_str(text.get(done..edit.range.start).ok_or(Error::Mismatch)?);
            out.push_str(&edit.text);
            done = edit.range.end;
        }
        out.push_str(text.get(done..).ok_or(Error::Mismatch)?);
        self.verify(&out)?;
        Ok(out)
    }

    fn verify(&self, edited: &str) -> Result<(), Error> {
        let compose = |tree: &Tree<'_>| Value::compose(tree, 0).map_err(|_| Error::Mismatch);
        let mut intended = compose(self.tree)?;
        for change in &self.changes {
            change.make(&mut intended).ok_or(Error::Mismatch)?;
        }
        let reparsed = yaml::parse(edited).map_err(|_| Error::Mismatch)?;
        if reparsed.has_more == self.tree.has_more && compose(&reparsed)? == intended {
            Ok(())
        } else {
            Err(Error::Mismatch)
        }
    }

    /// Removes entries of a mapping, chosen by their keys. With all of them gone, and nothing to stay, the
    /// caller removes the mapping's own entry instead.
    ///
    /// # Errors
    /// Shared bytes, and layouts that cannot be edited.
    pub fn remove_entries(&mut self, map: &Cursor<'t, 'a>, chosen: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let entries = map.node.entries();
        let is_chosen = |i: usize| entries[i].0.text().is_some_and(chosen);
        let all: Vec<usize> = (0..entries.len()).filter(|i| is_chosen(*i)).collect();
        for &i in &all {
            let (key, value) = &entries[i];
            let name = key.text().unwrap_or_default();
            let shared = map.doubt.is_some() || [key, value].iter().any(|node| self.is_referenced(node));
            if shared {
                return Err(Error::Shared { what: name.to_owned(), offset: key.start });
            }
            self.changes.push(Change { path: child(&map.path, name), value: None });
            if map.node.style == Style::Block {
                let range = self.block_lines(key, value)?;
                self.edits.push(Edit { range, text: Zeroizing::default() });
            }
        }
        let none_stays = !all.is_empty() && all.len() == entries.len();
        if map.node.style == Style::Block && none_stays && !map.path.is_empty() {
            // A block mapping without entries is null.
            self.changes.push(Change { path: map.path.clone(), value: Some(Value::null(0)) });
        }
        if map.node.style == Style::Flow {
            let spans: Vec<Range<usize>> = entries.iter().map(|(k, v)| k.start..v.span.end.max(k.span.end)).collect();
            self.remove_from_flow(&spans, &all, map.node.span.end);
        }
        Ok(())
    }

    /// Puts entries first into the mapping under `key` of `parent`, which is made where there is none (before
    /// the key `before`, else first).
    ///
    /// # Errors
    /// Shared bytes, and layouts that cannot be edited.
    pub fn put(
        &mut self,
        parent: &Cursor<'t, 'a>,
        key: &str,
        before: &str,
        entries: Vec<(String, New)>,
    ) -> Result<(), Error> {
        let Some(child_node) = parent.get(key) else {
            self.editable(parent, key)?;
            let siblings = parent.node.entries();
            let at = siblings.iter().position(|(k, _)| k.text() == Some(before)).unwrap_or(0);
            return self.insert(parent, at, vec![(key.to_owned(), New::Map(entries))]);
        };
        self.editable(&child_node, key)?;
        if !child_node.node.entries().is_empty() {
            return self.insert(&child_node, 0, entries);
        }
        let is_null = Value::compose_node(self.tree, child_node.node, 0).is_ok_and(|v| matches!(v.data, Data::Null));
        if !is_null && !matches!(child_node.node.kind, yaml::Kind::Mapping(_)) {
            return Err(Error::Layout { what: key.to_owned(), offset: child_node.node.start });
        }
        let range = child_node.node.start..child_node.node.span.end;
        let new = New::Map(entries);
        let (range, text) = if parent.node.style == Style::Flow {
            let blank = if range.is_empty() { " " } else { "" };
            (range, format!("{blank}{}", self.flow(&new).as_str()))
        } else {
            let column = self.column(parent)?;
            let blank_before =
                self.tree.text[..range.start].len() - self.tree.text[..range.start].trim_end_matches(' ').len();
            let mut text = Zeroizing::new(String::new());
            let eol = self.eol(range.start);
            self.block_children(&new, column + self.step(parent), 2, eol, &mut text);
            (range.start - blank_before..range.end, format!("{eol}{}", text.trim_end_matches(eol)))
        };
        self.edits.push(Edit { range, text: Zeroizing::new(text) });
        self.changes.push(Change { path: child_node.path, value: Some(new.value()) });
        Ok(())
    }

    /// Replaces a scalar by a text, in double quotes.
    ///
    /// # Errors
    /// Shared bytes, and anything but a one-line scalar.
    pub fn replace(&mut self, scalar: &Cursor<'t, 'a>, text: &str) -> Result<(), Error> {
        let what = scalar.path.last().map_or_else(String::new, step_name);
        self.editable(scalar, &what)?;
        if !matches!(scalar.node.style, Style::Plain | Style::Quoted) || scalar.text().is_none() {
            return Err(Error::Layout { what, offset: scalar.node.start });
        }
        let blank = if scalar.node.is_empty_plain() { " " } else { "" };
        let quoted = Zeroizing::new(format!("{blank}{}", double_quoted(text).as_str()));
        self.edits.push(Edit { range: scalar.node.start..scalar.node.span.end, text: quoted });
        self.changes.push(Change { path: scalar.path.clone(), value: Some(New::text(text).value()) });
        Ok(())
    }

    /// Makes a sequence hold `keep` of its items (by index), then copies of the item `model`, each with some of
    /// its scalars written anew: (old scalar, new text).
    ///
    /// # Errors
    /// Shared bytes, and layouts that cannot be edited.
    pub fn complete_items(
        &mut self,
        list: &Cursor<'t, 'a>,
        keep: &[usize],
        model: usize,
        copies: &[Vec<(Cursor<'t, 'a>, String)>],
    ) -> Result<(), Error> {
        let what = list.path.last().map_or_else(String::new, step_name);
        self.editable(list, &what)?;
        let items = list.node.items();
        let layout = || Error::Layout { what: what.clone(), offset: list.node.start };
        let item = items.get(model).ok_or_else(layout)?;
        if items.iter().any(|item| self.is_referenced(item)) {
            return Err(Error::Shared { what, offset: list.node.start });
        }
        let dropped: Vec<usize> = (0..items.len()).filter(|i| !keep.contains(i)).collect();
        let begin = if list.node.style == Style::Flow { item.start } else { self.dash(item).ok_or_else(layout)? };
        let (at, separator) = if list.node.style == Style::Flow {
            let spans: Vec<_> = items.iter().map(|item| item.start..item.span.end).collect();
            self.remove_from_flow(&spans, &dropped, list.node.span.end);
            (item.span.end, format!(",{}", self.flow_gap(list.node.start, items[0].start)))
        } else {
            for &i in &dropped {
                let dash = self.dash(&items[i]).ok_or_else(layout)?;
                let range = self.whole_lines(dash, items[i].span.end).ok_or_else(layout)?;
                self.edits.push(Edit { range, text: Zeroizing::default() });
            }
            (self.line_end(item.span.end), format!("{}{}", self.eol(begin), " ".repeat(begin - self.line_start(begin))))
        };
        let mut text = Zeroizing::new(String::new());
        let mut copied_values = Vec::new();
        for copy in copies {
            text.push_str(&separator);
            text.push_str(&self.copied(begin..item.span.end, copy).ok_or_else(layout)?);
            copied_values.push(copied_value(&list.items()[model], copy)?);
        }
        let (before, behind): (Vec<usize>, Vec<usize>) = keep.iter().partition(|i| **i <= model);
        let mut values = self.item_values(list, &before)?;
        values.extend(copied_values);
        values.extend(self.item_values(list, &behind)?);
        self.edits.push(Edit { range: at..at, text });
        self.changes.push(Change {
            path: list.path.clone(),
            value: Some(Value { data: Data::List(values), span: Span::default() }),
        });
        Ok(())
    }

    fn item_values(&self, list: &Cursor<'t, 'a>, keep: &[usize]) -> Result<Vec<Value>, Error> {
        let kept = keep.iter().filter_map(|i| list.node.items().get(*i));
        kept.map(|item| Value::compose_node(self.tree, item, 0).map_err(|_| Error::Mismatch)).collect()
    }

    /// The source of an item with some scalars' texts exchanged inside their own quotes.
    fn copied(&self, bytes: Range<usize>, changes: &[(Cursor<'t, 'a>, String)]) -> Option<String> {
        let mut changes: Vec<_> = changes.iter().collect();
        changes.sort_by_key(|(scalar, _)| scalar.node.span.start);
        let mut out = String::new();
        let mut done = bytes.start;
        for (scalar, new) in changes {
            let old = scalar.text().filter(|old| !old.is_empty())?;
            let source = self.tree.text.get(scalar.node.span.clone())?;
            if source.matches(old).count() != 1 || !is_plain_string(new) && scalar.node.style == Style::Plain {
                return None;
            }
            out.push_str(self.tree.text.get(done..scalar.node.span.start)?);
            out.push_str(&source.replace(old, new));
            done = scalar.node.span.end;
        }
        out.push_str(self.tree.text.get(done..bytes.end)?);
        Some(out)
    }

    /// Inserts entries before the entry `at` of a mapping that has some.
    fn insert(&mut self, map: &Cursor<'t, 'a>, at: usize, entries: Vec<(String, New)>) -> Result<(), Error> {
        let what = entries.first().map_or_else(String::new, |(key, _)| key.clone());
        let existing = map.node.entries();
        let anchor = existing.get(at).ok_or(Error::Layout { what: what.clone(), offset: map.node.start })?;
        let key_start = anchor.0.start;
        let new = New::Map(entries);
        let mut text = Zeroizing::new(String::new());
        if map.node.style == Style::Flow {
            let goes =
                |(key, _): &(Node<'_>, Node<'_>)| key.text().is_some_and(|name| self.is_removed(&map.path, name));
            let gap = self.flow_gap(map.node.start, existing[0].0.start);
            let new_entries = self.flow_entries(&new, &gap);
            let nothing_stays_behind = existing[at..].iter().all(goes);
            // A removal at the end of a flow mapping begins behind the entry before it, so the insertion does too.
            let place = match at.checked_sub(1).filter(|_| nothing_stays_behind) {
                Some(previous) => {
                    text.push_str(&format!(",{gap}{}", new_entries.as_str()));
                    existing[previous].1.span.end.max(existing[previous].0.span.end)
                }
                None => {
                    text.push_str(&new_entries);
                    text.push_str(&if nothing_stays_behind { String::new() } else { format!(",{gap}") });
                    key_start
                }
            };
            self.edits.push(Edit { range: place..place, text });
        } else {
            let line = self.line_start(key_start);
            let column = key_start - line;
            self.block_children(&new, column, self.step(map), self.eol(key_start), &mut text);
            if self.tree.text[line..key_start].trim_matches(' ').is_empty() {
                self.edits.push(Edit { range: line..line, text });
            } else {
                // The first key stands behind a dash: the new entries take its place.
                let shifted = format!("{}{}", text.trim_start_matches(' '), " ".repeat(column));
                self.edits.push(Edit { range: key_start..key_start, text: Zeroizing::new(shifted) });
            }
        }
        if let New::Map(entries) = new {
            for (key, value) in entries {
                self.changes.push(Change { path: child(&map.path, &key), value: Some(value.value()) });
            }
        }
        Ok(())
    }

    fn is_removed(&self, map: &[Step], key: &str) -> bool {
        let path = child(map, key);
        self.changes.iter().any(|change| change.value.is_none() && change.path == path)
    }

    fn editable(&self, cursor: &Cursor<'t, 'a>, what: &str) -> Result<(), Error> {
        let (what, offset) = (what.to_owned(), cursor.node.start);
        match cursor.doubt {
            None => Ok(()),
            Some(Doubt::Shared) => Err(Error::Shared { what, offset }),
            Some(Doubt::Duplicate) => Err(Error::Duplicate { what, offset }),
        }
    }

    fn is_referenced(&self, node: &Node<'_>) -> bool {
        matches!(node.kind, yaml::Kind::Alias(_)) || node.anchor.is_some_and(|id| self.tree.references(id) > 0)
    }
}

fn copied_value(model: &Cursor<'_, '_>, changes: &[(Cursor<'_, '_>, String)]) -> Result<Value, Error> {
    let mut value = Value::compose_node(model.tree(), model.node, 0).map_err(|_| Error::Mismatch)?;
    for (scalar, new) in changes {
        let path = scalar.path.get(model.path.len()..).ok_or(Error::Mismatch)?.to_vec();
        let change = Change { path, value: Some(New::text(new).value()) };
        change.make(&mut value).ok_or(Error::Mismatch)?;
    }
    Ok(value)
}

impl Change {
    /// Makes the change in a value; `None` if the path leads nowhere.
    fn make(&self, root: &mut Value) -> Option<()> {
        let (last, way) = self.path.split_last()?;
        let mut at = root;
        for step in way {
            at = match (step, &mut at.data) {
                (Step::Key(key), Data::Map(map)) => &mut map.get_mut(key)?.value,
                (Step::Index(i), Data::List(items)) => items.get_mut(*i)?,
                _ => return None,
            };
        }
        if matches!((last, &at.data, &self.value), (Step::Key(_), Data::Null, Some(_))) {
            at.data = Data::Map(BTreeMap::new());
        }
        match (last, &mut at.data, &self.value) {
            (Step::Key(key), Data::Map(map), Some(value)) => {
                map.insert(key.clone(), Entry { key: Span::default(), value: value.clone() });
            }
            (Step::Key(key), Data::Map(map), None) => {
                // Two equal keys are removed by two changes.
                map.remove(key);
            }
            (Step::Index(i), Data::List(items), Some(value)) => *items.get_mut(*i)? = value.clone(),
            _ => return None,
        }
        Some(())
    }
}

fn child(path: &[Step], key: &str) -> Vec<Step> {
    path.iter().cloned().chain([Step::Key(key.to_owned())]).collect()
}

fn step_name(step: &Step) -> String {
    match step {
        Step::Key(key) => key.clone(),
        Step::Index(i) => format!("item {i}"),
    }
}

#[cfg(test)]
mod tests;
