//! The tree as written: styles, anchors and byte spans of one document.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};
use zeroize::Zeroize;

use super::Error;

/// How a node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Indented mapping or sequence.
    Block,
    /// `{…}` or `[…]`
    Flow,
    /// A scalar without quotes.
    Plain,
    /// `'…'` or `"…"`
    Quoted,
    /// `|` or `>`
    BlockScalar,
    /// `*name`
    Alias,
}

/// The decoded text of a scalar, wiped on drop where it is a copy: it may be a key.
pub struct Scalar<'a>(Cow<'a, str>);

impl Scalar<'_> {
    /// The text after escapes and folding.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Drop for Scalar<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

/// What a node holds.
pub enum Kind<'a> {
    /// Text; an empty value is an empty plain scalar.
    Scalar(Scalar<'a>),
    /// The items in order.
    Sequence(Vec<Node<'a>>),
    /// Keys and values in order, equal keys included.
    Mapping(Vec<(Node<'a>, Node<'a>)>),
    /// `*name`; the number of the anchor, see [`Tree::anchored`].
    Alias(usize),
}

/// A node and the bytes it is written with.
pub struct Node<'a> {
    /// What it holds.
    pub kind: Kind<'a>,
    /// How it is written.
    pub style: Style,
    /// Its content without anchor and tag. Ends with the last byte of its content: no comments and no blank
    /// lines that follow.
    pub span: Range<usize>,
    /// Where it begins, anchor and tag included.
    pub start: usize,
    /// The number of its anchor, if it has one.
    pub anchor: Option<usize>,
    pub(super) tag: Option<Tag>,
}

impl<'a> Node<'a> {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar.text()),
            _ => None,
        }
    }

    /// The entries of a mapping, none for anything else.
    pub fn entries(&self) -> &[(Node<'a>, Node<'a>)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence, none for anything else.
    pub fn items(&self) -> &[Node<'a>] {
        match &self.kind {
            Kind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Whether nothing is written where the node stands (`key:`).
    pub fn is_empty_plain(&self) -> bool {
        self.style == Style::Plain && self.span.is_empty()
    }
}

/// One parsed document.
pub struct Tree<'a> {
    /// The text that was parsed; all spans are byte ranges of it.
    pub text: &'a str,
    /// The root, `None` for an empty document.
    pub root: Option<Node<'a>>,
    /// Whether text behind the first document was left unread.
    pub has_more: bool,
    aliased: HashMap<usize, usize>,
}

impl<'a> Tree<'a> {
    /// The node with the anchor of this number.
    pub fn anchored(&self, anchor: usize) -> Option<&Node<'a>> {
        find_anchor(self.root.as_ref()?, anchor)
    }

    /// How often the anchor of this number is referred to.
    pub fn references(&self, anchor: usize) -> usize {
        self.aliased.get(&anchor).copied().unwrap_or(0)
    }
}

fn find_anchor<'n, 'a>(node: &'n Node<'a>, anchor: usize) -> Option<&'n Node<'a>> {
    if node.anchor == Some(anchor) {
        return Some(node);
    }
    let children = node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value]));
    children.into_iter().find_map(|child| find_anchor(child, anchor))
}

/// Parses the first document of `text`, as Helm does: what follows it is not read.
///
/// # Errors
/// What Helm's parser refuses too: broken YAML, `%YAML 1.2`, the escape `\/`; and nesting deeper than 255
/// (Helm's limit is 10,000; no chart comes near either). Nothing is quoted from the text.
pub fn parse(text: &str) -> Result<Tree<'_>, Error> {
    let options = granit_parser::options! { emit_anchor_events: true };
    let mut builder = Builder::new(text);
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(_) if builder.ended => break,
            Err(error) => return Err(translate(text, &error)),
        };
        if builder.ended {
            return Ok(builder.finish(!matches!(event, Event::StreamEnd)));
        }
        builder.take(event, &span)?;
    }
    let ended = builder.ended;
    Ok(builder.finish(ended))
}

/// A collection that is still open, and the key that waits for its value.
struct Open<'a> {
    node: Node<'a>,
    key: Option<Node<'a>>,
}

/// Builds the tree from the parser's events.
struct Builder<'a> {
    text: &'a str,
    open: Vec<Open<'a>>,
    /// The scalar seen last: its anchor, if it has one, is told after it.
    scalar: Option<Node<'a>>,
    root: Option<Node<'a>>,
    aliased: HashMap<usize, usize>,
    ended: bool,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, open: Vec::new(), scalar: None, root: None, aliased: HashMap::new(), ended: false }
    }

    fn finish(self, has_more: bool) -> Tree<'a> {
        Tree { text: self.text, root: self.root, has_more, aliased: self.aliased }
    }

    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), Error> {
        let bytes = span.byte_range().unwrap_or_default();
        if let Event::Anchor(id, _) = event {
            self.anchor(id, bytes.start);
            return Ok(());
        }
        self.place_scalar();
        match event {
            Event::DocumentStart(_, Some(version)) if (version.major, version.minor) != (1, 1) => {
                return Err(Error::new(bytes.start, "a %YAML directive other than 1.1, which Helm refuses"));
            }
            Event::DocumentEnd => self.ended = true,
            Event::Scalar(content, style, _, tag) => self.scalar = Some(self.scalar_node(content, style, tag, span)?),
            Event::SequenceStart(style, _, tag) => self.start(Kind::Sequence(Vec::new()), style, tag, span),
            Event::MappingStart(style, _, tag) => self.start(Kind::Mapping(Vec::new()), style, tag, span),
            Event::SequenceEnd | Event::MappingEnd => self.end(bytes.end),
            Event::Alias(id) => {
                *self.aliased.entry(id).or_default() += 1;
                self.place(Node {
                    kind: Kind::Alias(id),
                    style: Style::Alias,
                    start: bytes.start,
                    span: bytes,
                    anchor: None,
                    tag: None,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn anchor(&mut self, id: usize, start: usize) {
        let node = match (&mut self.scalar, self.open.last_mut()) {
            (Some(scalar), _) => scalar,
            (None, Some(open)) => &mut open.node,
            (None, None) => return,
        };
        node.anchor = Some(id);
        node.start = node.start.min(start);
    }

    fn scalar_node(
        &self,
        content: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<Cow<'a, Tag>>,
        span: &Span,
    ) -> Result<Node<'a>, Error> {
        let mut scalar = Scalar(content);
        let mut bytes = span.byte_range().unwrap_or_default();
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Quoted,
            ScalarStyle::DoubleQuoted => {
                refuse_json_only_escape(self.text, &bytes)?;
                Style::Quoted
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // The parser's span runs into the next line's indentation.
                bytes.end = trimmed_end(self.text, &bytes);
                scalar.end_as_go_does(self.text);
                Style::BlockScalar
            }
        };
        let start = properties_start(span, bytes.start);
        Ok(Node { kind: Kind::Scalar(scalar), style, start, span: bytes, anchor: None, tag: tag.map(Cow::into_owned) })
    }

    fn start(&mut self, kind: Kind<'a>, style: StructureStyle, tag: Option<Cow<'a, Tag>>, span: &Span) {
        let bytes = span.byte_range().unwrap_or_default();
        let style = if style == StructureStyle::Flow { Style::Flow } else { Style::Block };
        let start = properties_start(span, bytes.start);
        let node = Node { kind, style, start, span: bytes, anchor: None, tag: tag.map(Cow::into_owned) };
        self.open.push(Open { node, key: None });
    }

    fn end(&mut self, parser_end: usize) {
        let Some(Open { mut node, .. }) = self.open.pop() else { return };
        // The parser ends a block collection at the next token, behind comments and blank lines.
        node.span.end = match (&node.style, last_child(&node)) {
            (Style::Block, Some(last)) => last.span.end.max(node.span.start),
            _ => parser_end,
        };
        self.place(node);
    }

    fn place_scalar(&mut self) {
        if let Some(scalar) = self.scalar.take() {
            self.place(scalar);
        }
    }

    fn place(&mut self, mut node: Node<'a>) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut parent.node.kind, parent.key.take()) {
            (Kind::Sequence(items), _) => items.push(node),
            (Kind::Mapping(entries), Some(key)) => {
                if node.is_empty_plain() && node.anchor.is_none() && node.tag.is_none() {
                    let after = after_colon(self.text, key.span.end);
                    node.span = after..after;
                    node.start = after;
                }
                entries.push((key, node));
            }
            (_, None) => parent.key = Some(node),
            _ => {}
        }
    }
}

impl Scalar<'_> {
    /// A block scalar cut off by the end of the file has no last line break for go-yaml.
    fn end_as_go_does(&mut self, text: &str) {
        let cut_off = !text.ends_with('\n');
        if cut_off
            && self.0.ends_with('\n')
            && text.ends_with(self.0.trim_end_matches('\n').rsplit('\n').next().unwrap_or(""))
        {
            self.0.to_mut().pop();
        }
    }
}

fn last_child<'n, 'a>(node: &'n Node<'a>) -> Option<&'n Node<'a>> {
    match &node.kind {
        Kind::Sequence(items) => items.last(),
        Kind::Mapping(entries) => entries.last().map(|(_, value)| value),
        _ => None,
    }
}

fn properties_start(span: &Span, content_start: usize) -> usize {
    span.tag_start().and_then(|tag| tag.byte_offset()).map_or(content_start, |tag| tag.min(content_start))
}

fn trimmed_end(text: &str, bytes: &Range<usize>) -> usize {
    text.get(bytes.clone()).map_or(bytes.end, |content| bytes.start + content.trim_end().len())
}

/// The offset behind the `:` that follows a key on its line, or the key's own end where there is none (`? key`): a
/// `:` further down may belong to another key.
fn after_colon(text: &str, key_end: usize) -> usize {
    let rest = &text[key_end..];
    let colon = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    // `:x` is the plain text of the next key.
    let is_indicator = |behind: &str| behind.is_empty() || behind.starts_with([' ', '\t', '\n', '\r', ',', '}', ']']);
    match rest[colon..].strip_prefix(':') {
        Some(behind) if is_indicator(behind) => key_end + colon + 1,
        _ => key_end,
    }
}

/// `"\/"` is JSON and YAML 1.2; go-yaml v2 refuses it.
fn refuse_json_only_escape(text: &str, bytes: &Range<usize>) -> Result<(), Error> {
    let mut escaped = false;
    for (at, byte) in text.as_bytes().get(bytes.clone()).unwrap_or_default().iter().enumerate() {
        if escaped && *byte == b'/' {
            return Err(Error::new(bytes.start + at, "the escape \\/ in a double-quoted text, which Helm refuses"));
        }
        escaped = !escaped && *byte == b'\\';
    }
    Ok(())
}

fn translate(text: &str, error: &ScanError) -> Error {
    let offset = error.marker().byte_offset().unwrap_or(text.len());
    let message = match error.kind() {
        // The parser's words would quote a character, and it may be one of a key.
        ErrorKind::UnexpectedCharacter { .. } => "a character that cannot stand here; quote the text".to_owned(),
        _ => error.info().to_owned(),
    };
    Error::new(offset, message)
}

/// The documents of a stream as the parser sees them, for tests of the splitter.
#[cfg(test)]
pub(crate) fn documents(text: &str) -> Result<Vec<String>, Error> {
    let mut documents: Vec<String> = Vec::new();
    for next in Parser::new_from_str(text) {
        let (event, _) = next.map_err(|error| translate(text, &error))?;
        match event {
            Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(..) => documents.push(String::new()),
            event => {
                if let Some(document) = documents.last_mut() {
                    document.push_str(&format!("{event:?};"));
                }
            }
        }
    }
    // A piece of comments and blank lines is no document; neither is an explicit one without content.
    documents.retain(|document| document != "DocumentEnd;" && !document.starts_with("Scalar(\"\", Plain, 0, None);"));
    Ok(documents)
}
