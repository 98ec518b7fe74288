//! The value that Helm sees: aliases expanded, scalars resolved, merge keys applied.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::scalar::{Number, Resolved, resolve};
use super::tree::{Kind, Node, Style, Tree};
use super::{Error, parse};

/// Nodes that aliases may add to one document. Real ones add a few hundred.
const MAX_NODES: usize = 50_000;
/// Bytes of text that aliases may add to one document.
const MAX_BYTES: usize = 2 << 20;

/// Bytes of one of several texts: `file` is whatever number the caller gave the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The caller's number of the text.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// A value of a mapping, and where its key stands.
#[derive(Clone)]
pub struct Entry {
    /// Where the key is written.
    pub key: Span,
    /// What it holds.
    pub value: Value,
}

/// What a value is.
#[derive(Clone)]
pub enum Data {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean of YAML 1.1.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text; may be key text, so it is wiped on drop.
    Text(Zeroizing<String>),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping. Keys are the strings that Helm makes of them (`yes` is `true`).
    Map(BTreeMap<String, Entry>),
}

/// A value and where it is written. Two values are equal when their data is, wherever they stand.
#[derive(Clone)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it is written.
    pub span: Span,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Null, Data::Null) => true,
            (Data::Bool(a), Data::Bool(b)) => a == b,
            (Data::Number(a), Data::Number(b)) => a == b,
            (Data::Text(a), Data::Text(b)) => a == b,
            (Data::List(a), Data::List(b)) => a == b,
            (Data::Map(a), Data::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((ka, ea), (kb, eb))| ka == kb && ea.value == eb.value)
            }
            _ => false,
        }
    }
}

impl Value {
    /// Parses and composes the first document of `text`; an empty one is null.
    ///
    /// # Errors
    /// Those of [`parse`] and [`Value::compose`].
    pub fn parse(text: &str, file: usize) -> Result<Self, Error> {
        Self::compose(&parse(text)?, file)
    }

    /// The value of a tree.
    ///
    /// # Errors
    /// A key that is no scalar or null, a merge of what is no mapping, a tag that its text does not fit, `.nan`
    /// and `.inf`, and aliases that would add more than 50,000 nodes or 2 MiB.
    pub fn compose(tree: &Tree<'_>, file: usize) -> Result<Self, Error> {
        match &tree.root {
            Some(root) => Composer::new(file, Some(root)).value(root),
            None => Ok(Self::null(file)),
        }
    }

    /// The value of one node of a tree.
    ///
    /// # Errors
    /// As [`Value::compose`].
    pub fn compose_node(tree: &Tree<'_>, node: &Node<'_>, file: usize) -> Result<Self, Error> {
        Composer::new(file, tree.root.as_ref()).value(node)
    }

    /// Null, written nowhere.
    pub fn null(file: usize) -> Self {
        Self { data: Data::Null, span: Span { file, start: 0, end: 0 } }
    }

    /// The entries of a mapping.
    pub fn map(&self) -> Option<&BTreeMap<String, Entry>> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string, none for numbers and all else.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under one key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key).map(|entry| &entry.value)
    }

    /// The value at a path of mapping keys.
    pub fn at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |value, key| value.get(key))
    }

    /// Moves all spans, of a document that begins so many bytes behind the start of its text.
    pub fn shift(&mut self, by: usize) {
        let shift = |span: &mut Span| {
            span.start += by;
            span.end += by;
        };
        shift(&mut self.span);
        match &mut self.data {
            Data::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Data::Map(map) => {
                for entry in map.values_mut() {
                    shift(&mut entry.key);
                    entry.value.shift(by);
                }
            }
            _ => {}
        }
    }

    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The value as JSON. The copy is not wiped: not for values that may hold a key.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.data {
            Data::Null => Json::Null,
            Data::Bool(b) => Json::Bool(*b),
            Data::Number(Number::Int(i)) => {
                u64::try_from(*i).map(Json::from).or_else(|_| i64::try_from(*i).map(Json::from)).unwrap_or(Json::Null)
            }
            Data::Number(Number::Float(f)) => Json::from(*f),
            Data::Text(text) => Json::String(text.to_string()),
            Data::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(map) => Json::Object(map.iter().map(|(k, e)| (k.clone(), e.value.to_json())).collect()),
        }
    }
}

struct Composer<'t, 'a> {
    file: usize,
    root: Option<&'t Node<'a>>,
    /// Collected when the first alias is met: most documents have none.
    anchors: OnceCell<HashMap<usize, &'t Node<'a>>>,
    /// How many aliases lie on the way to the current node.
    aliases: usize,
    nodes: usize,
    bytes: usize,
}

impl<'t, 'a> Composer<'t, 'a> {
    fn new(file: usize, root: Option<&'t Node<'a>>) -> Self {
        Self { file, root, anchors: OnceCell::new(), aliases: 0, nodes: 0, bytes: 0 }
    }

    fn value(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        if let Kind::Alias(_) = node.kind {
            let target = self.target(node)?;
            return self.through_alias(|composer| composer.value(target));
        }
        self.count(node)?;
        let data = match &node.kind {
            Kind::Alias(_) => Data::Null,
            Kind::Scalar(scalar) => scalar_data(node, scalar.text())?,
            Kind::Sequence(items) => Data::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?),
            Kind::Mapping(entries) => {
                let mut map = BTreeMap::new();
                self.fill(entries, &mut map)?;
                Data::Map(map)
            }
        };
        Ok(Value { data, span: self.span(node) })
    }

    fn through_alias<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.aliases += 1;
        let read = read(self);
        self.aliases -= 1;
        read
    }

    /// Counts what would not be there without aliases; the rest is bounded by the text itself.
    fn count(&mut self, node: &Node<'a>) -> Result<(), Error> {
        if self.aliases > 0 {
            self.nodes += 1;
            self.bytes += node.text().map_or(0, str::len);
        }
        if self.nodes > MAX_NODES || self.bytes > MAX_BYTES {
            return Err(Error::new(node.start, "aliases expand to more than can be read"));
        }
        Ok(())
    }

    /// Entries take effect in the order they are written, merges too: go-yaml v2 lets a later merge win.
    fn fill(&mut self, entries: &[(Node<'a>, Node<'a>)], map: &mut BTreeMap<String, Entry>) -> Result<(), Error> {
        for (key, value) in entries {
            if is_merge(key) {
                self.merge(value, map)?;
                continue;
            }
            let name = self.key(key)?;
            let value = self.value(value)?;
            map.insert(name, Entry { key: self.span(key), value });
        }
        Ok(())
    }

    fn merge(&mut self, node: &Node<'a>, map: &mut BTreeMap<String, Entry>) -> Result<(), Error> {
        let sources = match &node.kind {
            Kind::Sequence(items) => items.iter().rev().collect(),
            _ => vec![node],
        };
        for source in sources {
            let target = if matches!(source.kind, Kind::Alias(_)) { self.target(source)? } else { source };
            let Kind::Mapping(entries) = &target.kind else {
                return Err(Error::new(source.start, "a merge key (<<) needs a mapping"));
            };
            self.through_alias(|composer| {
                composer.count(source)?;
                composer.fill(entries, map)
            })?;
        }
        Ok(())
    }

    fn key(&mut self, node: &Node<'a>) -> Result<String, Error> {
        match self.value(node)?.data {
            Data::Text(text) => Ok(text.to_string()),
            Data::Bool(b) => Ok(b.to_string()),
            Data::Number(Number::Int(i)) => Ok(i.to_string()),
            Data::Number(Number::Float(f)) => Ok(float_key(f)),
            Data::Null => Err(Error::new(node.start, "null as a mapping key")),
            Data::List(_) | Data::Map(_) => Err(Error::new(
                node.start,
                "a list or mapping as a mapping key (a template that was not rendered, or {{ }} without quotes?)",
            )),
        }
    }

    fn target(&self, alias: &Node<'a>) -> Result<&'t Node<'a>, Error> {
        let Kind::Alias(id) = alias.kind else { return Err(Error::new(alias.start, "no alias")) };
        let anchors = self.anchors.get_or_init(|| {
            let mut anchors = HashMap::new();
            self.root.into_iter().for_each(|root| collect_anchors(root, &mut anchors));
            anchors
        });
        let target = anchors.get(&id).copied();
        // An anchor inside the node that it names would never end.
        target
            .filter(|t| !t.span.contains(&alias.start))
            .ok_or_else(|| Error::new(alias.start, "an alias whose anchor contains it"))
    }

    fn span(&self, node: &Node<'_>) -> Span {
        Span { file: self.file, start: node.start, end: node.span.end }
    }
}

fn collect_anchors<'t, 'a>(node: &'t Node<'a>, anchors: &mut HashMap<usize, &'t Node<'a>>) {
    if let Some(id) = node.anchor {
        anchors.insert(id, node);
    }
    for item in node.items() {
        collect_anchors(item, anchors);
    }
    for (key, value) in node.entries() {
        collect_anchors(key, anchors);
        collect_anchors(value, anchors);
    }
}

/// Whether a key is the merge key: `<<` without quotes, or tagged as one.
pub(super) fn is_merge(key: &Node<'_>) -> bool {
    let tag = core_tag(key);
    key.text() == Some("<<") && (tag.as_deref() == Some("merge") || (tag.is_none() && key.style == Style::Plain))
}

fn core_tag(node: &Node<'_>) -> Option<String> {
    node.tag.as_ref()?.suffix_in_namespace("tag:yaml.org,2002:").map(Into::into)
}

fn scalar_data(node: &Node<'_>, text: &str) -> Result<Data, Error> {
    let as_text = || Data::Text(Zeroizing::new(text.to_owned()));
    if node.tag.is_none() {
        return if node.style == Style::Plain { untagged(node, text, resolve(text)) } else { Ok(as_text()) };
    }
    let misfit = |tag: &str| Err(Error::new(node.start, format!("the tag !!{tag} on a text that is none")));
    match (core_tag(node).as_deref(), resolve(text)) {
        (Some("int"), resolved @ Resolved::Number(Number::Int(_))) => untagged(node, text, resolved),
        (Some("float"), Resolved::Number(Number::Int(i))) => Ok(Data::Number(Number::Float(i as f64))),
        (Some("float"), resolved @ (Resolved::Number(_) | Resolved::NotJson)) => untagged(node, text, resolved),
        (Some("bool"), resolved @ Resolved::Bool(_)) => untagged(node, text, resolved),
        (Some("null"), Resolved::Null) => Ok(Data::Null),
        (Some(tag @ ("int" | "float" | "bool" | "null")), _) => misfit(tag),
        (Some("binary"), _) => binary(node, text),
        _ => Ok(as_text()),
    }
}

fn untagged(node: &Node<'_>, text: &str, resolved: Resolved) -> Result<Data, Error> {
    Ok(match resolved {
        Resolved::Null => Data::Null,
        Resolved::Bool(b) => Data::Bool(b),
        Resolved::Number(number) => Data::Number(number),
        Resolved::NotJson => return Err(Error::new(node.start, "an infinite or undefined number, which Helm refuses")),
        Resolved::Merge | Resolved::Text => Data::Text(Zeroizing::new(text.to_owned())),
    })
}

fn binary(node: &Node<'_>, text: &str) -> Result<Data, Error> {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect());
    let bytes =
        STANDARD.decode(compact.as_bytes()).map_err(|_| Error::new(node.start, "!!binary without valid base64"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Data::Text(Zeroizing::new(text))),
        Err(_) => Err(Error::new(node.start, "!!binary that is no text")),
    }
}

/// A float as a mapping key, as `sigs.k8s.io/yaml` writes it: `FormatFloat(f, 'g', -1, 32)`.
fn float_key(f: f64) -> String {
    let scientific = format!("{:e}", f as f32);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{}", f as f32);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
