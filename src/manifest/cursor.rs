//! A node of a document together with the way to it: what reading and editing share.

use crate::yaml::{Data, Kind, Node, Tree, Value};

/// Longer than any way through a document that the parser lets through.
const MAX_STEPS: usize = 512;

/// One step from a node to its child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A mapping's key.
    Key(String),
    /// A sequence's index.
    Index(usize),
}

/// Why a node must not be edited although it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Its bytes are shared through an anchor, an alias or a merge key.
    Shared,
    /// A mapping on the way holds its key twice.
    Duplicate,
}

/// A node, the path that leads to it, and whether editing it is in doubt.
#[derive(Clone)]
pub struct Cursor<'t, 'a> {
    tree: &'t Tree<'a>,
    /// The node; never an alias.
    pub node: &'t Node<'a>,
    /// The way from the root.
    pub path: Vec<Step>,
    /// Set when an edit of the node could change something else too.
    pub doubt: Option<Doubt>,
}

impl<'t, 'a> Cursor<'t, 'a> {
    /// The root of a document.
    pub fn root(tree: &'t Tree<'a>) -> Option<Self> {
        Self { tree, node: tree.root.as_ref()?, path: Vec::new(), doubt: None }.resolved()
    }

    /// The document's text.
    pub fn source(&self) -> &'a str {
        self.tree.text
    }

    /// The document.
    pub fn tree(&self) -> &'t Tree<'a> {
        self.tree
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&'t str> {
        self.node.text()
    }

    /// The value under a key of a mapping, also one that a merge key brings in.
    pub fn get(&self, key: &str) -> Option<Self> {
        let mut own = self.node.entries().iter().filter(|(k, _)| k.text() == Some(key));
        if let Some((_, first)) = own.next() {
            let last = own.next_back().map(|(_, value)| value);
            let duplicate = last.map(|_| Doubt::Duplicate);
            return self.child(last.unwrap_or(first), Step::Key(key.to_owned()), duplicate);
        }
        let merges = self.node.entries().iter().filter(|(k, _)| k.text() == Some("<<"));
        merges.filter_map(|(_, source)| self.merged(source, key)).next_back()
    }

    /// The value at a path of keys.
    pub fn at(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |cursor, key| cursor.get(key))
    }

    /// The items of a sequence.
    pub fn items(&self) -> Vec<Self> {
        let items = self.node.items().iter().enumerate();
        items.filter_map(|(i, item)| self.child(item, Step::Index(i), None)).collect()
    }

    /// The values of a mapping with their keys, in the order they are written; merged ones are left out.
    pub fn values(&self) -> Vec<(&'t str, Self)> {
        let named = self.node.entries().iter().filter_map(|(key, value)| Some((key.text()?, value)));
        named.filter_map(|(key, value)| Some((key, self.child(value, Step::Key(key.to_owned()), None)?))).collect()
    }

    /// As [`Cursor::values`], and with what merge keys bring in.
    pub fn values_with_merged(&self) -> Vec<(&'t str, Self)> {
        let mut all = self.values();
        for (_, source) in self.node.entries().iter().filter(|(key, _)| key.text() == Some("<<")) {
            let shared = Self { tree: self.tree, node: source, path: self.path.clone(), doubt: Some(Doubt::Shared) };
            let Some(source) = shared.resolved() else { continue };
            let sources = if source.node.items().is_empty() { vec![source] } else { source.items() };
            all.extend(sources.iter().filter(|s| s.path.len() < MAX_STEPS).flat_map(Self::values_with_merged));
        }
        all
    }

    /// Whether it is the value of this key.
    pub fn is_under(&self, key: &str) -> bool {
        matches!(self.path.last(), Some(Step::Key(last)) if last == key)
    }

    /// Whether it is a true boolean, as YAML 1.1 knows it.
    pub fn is_true(&self) -> bool {
        Value::compose_node(self.tree, self.node, 0).is_ok_and(|value| matches!(value.data, Data::Bool(true)))
    }

    /// Whether it is null, or text without anything to see.
    pub fn is_blank(&self) -> bool {
        let value = Value::compose_node(self.tree, self.node, 0);
        value.is_ok_and(|value| matches!(value.data, Data::Null) || value.text().is_some_and(|t| t.trim().is_empty()))
    }

    /// Whether a mapping has this key twice.
    pub fn has_duplicate(&self, key: &str) -> bool {
        self.node.entries().iter().filter(|(k, _)| k.text() == Some(key)).count() > 1
    }

    fn merged(&self, source: &'t Node<'a>, key: &str) -> Option<Self> {
        let shared = Self { tree: self.tree, node: source, path: self.path.clone(), doubt: Some(Doubt::Shared) };
        let source = shared.resolved()?;
        match &source.node.kind {
            Kind::Sequence(items) => items.iter().find_map(|item| source.merged(item, key)),
            _ => source.get(key),
        }
    }

    fn child(&self, node: &'t Node<'a>, step: Step, doubt: Option<Doubt>) -> Option<Self> {
        let mut path = self.path.clone();
        path.push(step);
        Self { tree: self.tree, node, path, doubt: self.doubt.or(doubt) }.resolved()
    }

    /// Follows an alias, and marks what more than one place refers to.
    fn resolved(mut self) -> Option<Self> {
        let mut hops = 0;
        while let Kind::Alias(id) = self.node.kind {
            self.doubt = self.doubt.or(Some(Doubt::Shared));
            self.node = self.tree.anchored(id)?;
            hops += 1;
            // An anchor inside itself would never end.
            if hops > 16 || self.path.len() > MAX_STEPS {
                return None;
            }
        }
        if self.node.anchor.is_some_and(|id| self.tree.references(id) > 0) {
            self.doubt = self.doubt.or(Some(Doubt::Shared));
        }
        Some(self)
    }
}
