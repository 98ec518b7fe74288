//! Cuts a stream into pieces of at most one document each, without copying or parsing.
//!
//! A document marker is `---` (or `...`) at the start of a line, followed by white space or the end: YAML
//! forbids that inside any scalar, so looking for the bytes is enough. The pieces tile the input.

use std::ops::Range;

use memchr::memmem;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The byte ranges of the pieces, in order; joined they are the input.
pub fn split(input: &[u8]) -> Vec<Range<usize>> {
    split_and_glued(input).0
}

/// The pieces, and the offsets of lines that begin with `---` but are no marker for YAML (`---foo`): Helm cuts there all
/// the same.
pub fn split_and_glued(input: &[u8]) -> (Vec<Range<usize>>, Vec<usize>) {
    if input.is_empty() {
        return Default::default();
    }
    let (markers, glued) = markers(input);
    let mut starts = vec![0];
    // Where the prolog of the next document (directives, comments) may begin: at the start, or behind `...`.
    let mut prolog = Some(if input.starts_with(BOM) { BOM.len() } else { 0 });
    for marker in markers {
        match marker {
            Marker::Start(at) => {
                let belongs_to_prolog = prolog.take().is_some_and(|from| is_prolog(&input[from..at]));
                if !belongs_to_prolog {
                    starts.push(at);
                }
            }
            Marker::End(at) => {
                let behind = line_end(input, at);
                starts.push(behind);
                prolog = Some(behind);
            }
        }
    }
    starts.dedup();
    starts.retain(|start| *start < input.len());
    let ends = starts.iter().skip(1).copied().chain([input.len()]);
    (starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect(), glued)
}

#[derive(Clone, Copy)]
enum Marker {
    /// `---`
    Start(usize),
    /// `...`
    End(usize),
}

/// All markers in order, and the glued ones.
fn markers(input: &[u8]) -> (Vec<Marker>, Vec<usize>) {
    let body = if input.starts_with(BOM) { BOM.len() } else { 0 };
    let lines: Vec<usize> = if has_lone_carriage_return(input) {
        line_starts(input, body)
            .filter(|at| input[*at..].starts_with(b"---") || input[*at..].starts_with(b"..."))
            .collect()
    } else {
        let dashes = memmem::find_iter(input, b"\n---").map(|newline| newline + 1);
        let dots = memmem::find_iter(input, b"\n...").map(|newline| newline + 1);
        let mut lines: Vec<usize> = std::iter::once(body).chain(dashes).collect();
        let sorted = lines.len();
        lines.extend(dots);
        if lines.len() > sorted {
            lines.sort_unstable();
        }
        lines
    };
    let (mut found, mut glued) = (Vec::new(), Vec::new());
    for at in lines {
        if is_marker(input, at, b"---") {
            found.push(Marker::Start(at));
        } else if is_marker(input, at, b"...") {
            found.push(Marker::End(at));
        } else if input[at..].starts_with(b"---") && input[at + 3] != b'-' {
            glued.push(at);
        }
    }
    (found, glued)
}

fn is_marker(input: &[u8], at: usize, marker: &[u8]) -> bool {
    input[at..].starts_with(marker) && matches!(input.get(at + 3), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
}

/// YAML breaks lines at a `\r` of its own too; such streams are rare and take the slow way.
fn has_lone_carriage_return(input: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', input).any(|at| input.get(at + 1) != Some(&b'\n'))
}

fn line_starts(input: &[u8], first: usize) -> impl Iterator<Item = usize> {
    let breaks = memchr::memchr2_iter(b'\r', b'\n', input);
    std::iter::once(first).chain(breaks.map(|at| at + 1))
}

fn line_end(input: &[u8], at: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &input[at..]).map_or(input.len(), |offset| {
        let end = at + offset;
        if input[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 }
    })
}

/// Whether every line is blank, a comment or a directive.
fn is_prolog(text: &[u8]) -> bool {
    text.split(|b| matches!(b, b'\n' | b'\r')).all(|line| {
        // Every document may begin with a byte order mark.
        let line = line.strip_prefix(BOM).unwrap_or(line);
        let content = line.trim_ascii_start();
        content.is_empty() || content[0] == b'#' || line[0] == b'%'
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml;

    fn pieces(text: &str) -> Vec<&str> {
        split(text.as_bytes()).into_iter().map(|piece| &text[piece]).collect()
    }

    #[test]
    fn each_trap_is_cut_where_yaml_cuts() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a: 1", &["a: 1"]),
            ("---\na: 1\n---\nb: 2\n", &["---\na: 1\n", "---\nb: 2\n"]),
            // 1: the first document, behind a byte order mark
            ("\u{feff}---\na: 1\n---\nb", &["\u{feff}---\na: 1\n", "---\nb"]),
            // 2: not a marker for YAML
            ("a: 1\n---foo\nb: 2", &["a: 1\n---foo\nb: 2"]),
            // 3: content on the marker's line
            (
                "--- # c\na: 1\n--- {a: b}\n--- |\n x\n--- !t\n",
                &["--- # c\na: 1\n", "--- {a: b}\n", "--- |\n x\n", "--- !t\n"],
            ),
            // 4: `...` ends; directives behind it belong to the next
            ("a: 1\n...\n%YAML 1.1\n---\nb: 2\n", &["a: 1\n...\n", "%YAML 1.1\n---\nb: 2\n"]),
            ("a: 1\n...\nb: 2\n", &["a: 1\n...\n", "b: 2\n"]),
            ("%TAG ! x:\n# c\n---\na: 1\n", &["%TAG ! x:\n# c\n---\na: 1\n"]),
            ("a:\n%b\n---\nc", &["a:\n%b\n", "---\nc"]),
            // 5: comment-only and empty documents
            ("---\n# Source: a\n---\n---\nb: 1\n", &["---\n# Source: a\n", "---\n", "---\nb: 1\n"]),
            // 6: line ends stay
            ("a: 1\r\n---\r\nb: 2\r\n", &["a: 1\r\n", "---\r\nb: 2\r\n"]),
            // 7: a lone carriage return breaks lines too
            ("a: 1\r---\rb: 2\r", &["a: 1\r", "---\rb: 2\r"]),
            // 8: JSON
            ("{\"a\": 1}\n", &["{\"a\": 1}\n"]),
            // text that only looks like a marker
            ("a: |\n  ---\n  x\n -- -\nb: \"--- \"\n", &["a: |\n  ---\n  x\n -- -\nb: \"--- \"\n"]),
            ("a\n----\nb\n....\n", &["a\n----\nb\n....\n"]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn glued_markers_are_found() {
        assert_eq!(split_and_glued(b"---a\n---b\n--- c\n---\n----\n").1, [0, 5]);
        assert_eq!(split_and_glued(b"a\n---").1, [0usize; 0]);
    }

    /// Streams of lines that are likely to confuse a splitter.
    fn streams() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "---",
            "--- ",
            "---\t# c",
            "...",
            "... # c",
            "%YAML 1.1",
            "# c",
            "",
            "a: 1",
            "- x",
            "b: |",
            "  ---",
            "  text",
            "---x",
            "{a: b}",
            "'q",
            "q'",
        ]);
        let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r", ""]);
        prop::collection::vec((line, end), 0..12)
            .prop_map(|lines| lines.into_iter().flat_map(|(l, e)| [l, e]).collect())
    }

    proptest! {
        #[test]
        fn the_pieces_tile_any_input(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let joined: Vec<u8> = split(&input).into_iter().flat_map(|piece| input[piece].to_vec()).collect();
            prop_assert_eq!(joined, input);
        }

        #[test]
        fn the_pieces_tile_streams_and_are_never_empty(text in streams()) {
            let pieces = pieces(&text);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), text);
        }

        #[test]
        fn a_valid_stream_holds_the_same_documents_piece_by_piece(text in streams()) {
            let Ok(whole) = yaml::documents(&text) else { return Ok(()) };
            let mut parts = Vec::new();
            for piece in pieces(&text) {
                parts.extend(yaml::documents(piece).map_err(|e| TestCaseError::fail(format!("{piece:?}: {e}")))?);
            }
            prop_assert_eq!(parts, whole);
        }
    }
}
