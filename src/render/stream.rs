//! The rendered stream: its pieces, and which of them are parsed at all.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::manifest::{Cursor, Object, split_and_glued};
use crate::report::{Finding, Place, Refusal};
use crate::yaml::{self, Tree};

/// What the stream is called in messages.
pub const STDIN: &str = "<stdin>";

/// A stream cut into pieces; nothing is parsed yet.
pub struct Stream<'a> {
    bytes: &'a [u8],
    pieces: Vec<Range<usize>>,
    glued: Vec<usize>,
}

/// The annotation that Helm 4 gives to every document for a post-renderer, and takes away afterwards.
pub const HELM4_FILE: &str = "postrenderer.helm.sh/postrender-filename";

/// Whether Helm 4 sent a stream to a post-renderer.
pub fn is_from_helm4(bytes: &[u8]) -> bool {
    memmem::find(bytes, HELM4_FILE.as_bytes()).is_some()
}

/// Whether there is nothing in a stream but blank lines, comments and markers.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').all(|line| {
        let line = line.strip_prefix(b"---").unwrap_or(line).trim_ascii();
        line.is_empty() || line.starts_with(b"#")
    })
}

/// A parsed piece.
pub struct Document<'a> {
    /// Its place among the stream's pieces.
    pub piece: usize,
    /// Where it begins in the stream.
    pub offset: usize,
    /// Its tree.
    pub tree: Tree<'a>,
}

impl<'a> Document<'a> {
    /// Its objects.
    pub fn objects<'t>(&'t self) -> Vec<Object<'t, 'a>> {
        Cursor::root(&self.tree).map(Object::all).unwrap_or_default()
    }
}

impl<'a> Stream<'a> {
    /// Cuts the stream.
    pub fn new(bytes: &'a [u8]) -> Self {
        let (pieces, glued) = split_and_glued(bytes);
        Self { bytes, pieces, glued }
    }

    /// The bytes of a piece.
    pub fn piece(&self, piece: usize) -> Range<usize> {
        self.pieces.get(piece).cloned().unwrap_or_default()
    }

    /// Line and column of a byte.
    pub fn place(&self, offset: usize) -> Place {
        Place::in_text(STDIN, self.bytes, offset)
    }

    /// Line and column of a byte of a document.
    pub fn place_in(&self, document: &Document<'_>, offset: usize) -> Place {
        self.place(document.offset + offset)
    }

    /// Warnings about lines where Helm cuts and YAML does not.
    pub fn oddities(&self) -> Vec<Finding> {
        let Some(first) = self.glued.first() else { return Vec::new() };
        vec![
            Finding::warning("glued-marker", "a line begins with `---` but goes on without a blank")
                .at(self.place(*first))
                .found(format!(
                    "{} such line(s): Helm cuts documents there, YAML does not; they are left as they are",
                    self.glued.len()
                ))
                .help("put the `---` on a line of its own in the template"),
        ]
    }

    /// Whether Helm 4 sent it to a post-renderer.
    pub fn is_from_helm4(&self) -> bool {
        is_from_helm4(self.bytes)
    }

    /// The pieces that hold any of these names, also where an escape or `!!binary` could hide one.
    pub fn holding(&self, names: &BTreeSet<&str>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for name in names {
            self.mark(memmem::find_iter(self.bytes, name.as_bytes()), &mut found);
        }
        self.mark(
            memchr::memchr_iter(b'\\', self.bytes).filter(|at| hides_a_letter(&self.bytes[at + 1..])),
            &mut found,
        );
        self.mark(memmem::find_iter(self.bytes, b"!!binary"), &mut found);
        found
    }

    /// The pieces that hold this name.
    pub fn naming(&self, name: &str) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.mark(memmem::find_iter(self.bytes, name.as_bytes()), &mut found);
        found
    }

    /// Notes the pieces of offsets, which come in order.
    fn mark(&self, offsets: impl Iterator<Item = usize>, found: &mut BTreeSet<usize>) {
        let mut behind = 0;
        for offset in offsets {
            if offset >= behind {
                let piece = self.pieces.partition_point(|piece| piece.end <= offset);
                behind = self.piece(piece).end;
                found.insert(piece);
            }
        }
    }

    /// Whether a piece holds any of these names as they are.
    pub fn piece_holds(&self, piece: usize, names: &BTreeSet<&str>) -> bool {
        let bytes = &self.bytes[self.piece(piece)];
        names.iter().any(|name| memmem::find(bytes, name.as_bytes()).is_some())
    }

    /// Parses one piece.
    ///
    /// # Errors
    /// A refusal that names line and column; whether it matters is the caller's to know.
    pub fn parse(&self, piece: usize) -> Result<Document<'a>, Refusal> {
        let range = self.piece(piece);
        let bytes = &self.bytes[range.clone()];
        let refused = |offset: usize, why: &str| {
            Refusal::from(
                Finding::refused("unreadable", format!("document {} cannot be parsed: {why}", piece + 1))
                    .at(self.place(range.start + offset))
                    .found("it names a field of the keyring, so it cannot pass unread")
                    .help("render again; if it persists, mend the template that makes this document"),
            )
        };
        let text = std::str::from_utf8(bytes).map_err(|e| refused(e.valid_up_to(), "it is not UTF-8"))?;
        if let Some(offset) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            return Err(refused(
                offset,
                "a line break that YAML 1.1 and 1.2 read differently (U+0085, U+2028 or U+2029)",
            ));
        }
        // A byte order mark belongs to the stream.
        let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let tree = yaml::parse(&text[bom..]).map_err(|e| refused(bom + e.offset, &e.message))?;
        if tree.has_more {
            let end = tree.root.as_ref().map_or(0, |root| root.span.end);
            return Err(refused(bom + end, "something follows it without a `---` between"));
        }
        yaml::Value::compose(&tree, 0).map_err(|e| refused(bom + e.offset, &e.message))?;
        Ok(Document { piece, offset: range.start + bom, tree })
    }

    /// A document put before a piece.
    pub fn put_before(&self, piece: usize, document: &str) -> Part {
        let range = self.piece(piece);
        let bytes = &self.bytes[range.clone()];
        let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let at = range.start + bom;
        let behind = &bytes[bom..];
        let mut lines = behind.split(|b| matches!(b, b'\n' | b'\r'));
        let is_marker =
            |line: &[u8]| line.strip_prefix(b"---").is_some_and(|rest| matches!(rest, [] | [b' ' | b'\t', ..]));
        let text = if lines.next().is_some_and(is_marker) {
            format!("---\n{document}")
        } else if has_directive(behind) {
            format!("{document}...\n")
        } else {
            format!("{document}---\n")
        };
        (at..at, Zeroizing::new(text))
    }
}

/// Whether a directive stands before the document; comments and blank lines may come first.
fn has_directive(piece: &[u8]) -> bool {
    let mut lines = piece.split(|b| matches!(b, b'\n' | b'\r'));
    lines.find(|line| !matches!(line.trim_ascii_start(), [] | [b'#', ..])).is_some_and(|line| line.starts_with(b"%"))
}

/// `\x2d`, `\u002d`, `\U0000002d` and a backslash at the end of a line can each hide part of an ASCII name.
fn hides_a_letter(behind: &[u8]) -> bool {
    [&b"x"[..], b"u00", b"U000000", b"\n", b"\r"].iter().any(|escape| behind.starts_with(escape))
}

/// An edit of the stream: a range, and what stands there afterwards.
pub type Part = (Range<usize>, Zeroizing<String>);

/// A stream's bytes with some ranges written anew. Nothing is copied until it is written.
pub struct Rewritten<'a> {
    bytes: &'a [u8],
    parts: Vec<Part>,
}

impl<'a> Rewritten<'a> {
    /// `parts` in order, without overlap.
    pub(super) fn new(bytes: &'a [u8], mut parts: Vec<Part>) -> Self {
        parts.sort_by_key(|(range, _)| (range.start, range.end));
        Self { bytes, parts }
    }

    /// Whether it is the stream as it came.
    pub fn is_unchanged(&self) -> bool {
        self.parts.is_empty()
    }

    /// The pieces of the output, in order.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut done = 0;
        let parts = self.parts.iter().flat_map(move |(range, new)| {
            let before = &self.bytes[done..range.start];
            done = range.end;
            [before, new.as_bytes()]
        });
        let behind = self.parts.last().map_or(0, |(range, _)| range.end);
        parts.chain([&self.bytes[behind..]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(text: &str) -> Vec<usize> {
        Stream::new(text.as_bytes()).holding(&BTreeSet::from(["key-"])).into_iter().collect()
    }

    #[test]
    fn only_pieces_that_may_be_ours_are_named() {
        assert_eq!(holding("a: 1\n---\nkey-0: x\n---\nb: 2\n---\nc: key-1 key-2"), [1, 3]);
        assert_eq!(holding(r#"a: "\"""#), [0usize; 0]);
    }

    #[test]
    fn a_name_cannot_hide_behind_an_escape() {
        for text in [r#""k\x65y-0": x"#, r#""k\u0065y-0": x"#, "\"k\\\n  ey-0\": x", "? !!binary a2V5LTA=\n: x"] {
            assert_eq!(holding(text), [0], "{text}");
        }
    }

    #[test]
    fn blank_streams_are_known() {
        for text in ["", "\n\n", "---\n# Source: a\n---\n", "--- # c\n"] {
            assert!(is_blank(text.as_bytes()), "{text:?}");
        }
        assert!(!is_blank(b"---\na: 1"));
    }

    #[test]
    fn an_unparsable_document_is_named_by_line() {
        let stream = Stream::new(b"a: 1\n---\nb: [\n");
        let refusal = stream.parse(1).err().expect("broken");
        assert_eq!(refusal.0[0].places[0].to_string(), "<stdin>:3:4");
    }
}
