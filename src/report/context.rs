//! What the lines before a line say about it: whether it begins something of its own, or goes on with a value.
//!
//! A line of a block scalar, of a quoted text or of a flow collection may look like `key: value` and be a piece of a
//! secret. In doubt a line is taken for such a piece.

use super::line::{Line, closing, document, indentation, tail, variable};

/// What ends a line for Helm's parser.
const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// What is still open behind some lines.
#[derive(Clone, Default)]
pub(super) struct Context {
    /// The quote that is open, or `*` for a template's comment.
    pub open: Option<char>,
    /// How many brackets and braces are open.
    depth: usize,
    /// The least indentation of a line that belongs to the value above it.
    value: Option<usize>,
}

impl Context {
    /// Behind all lines of a text.
    #[cfg(test)]
    pub(super) fn behind(text: &str) -> Self {
        let mut context = Self::default();
        context.go_on(text);
        context
    }

    /// Behind the lines of one more text.
    pub(super) fn go_on(&mut self, text: &str) {
        text.split(BREAKS).for_each(|line| self.pass(line));
    }

    /// Whether the next line goes on with a value.
    pub(super) fn holds(&self, line: &str) -> bool {
        let in_value = |least| line.trim().is_empty() || indentation(line) >= least;
        self.document(line).is_none() && (self.open.is_some() || self.depth > 0 || self.value.is_some_and(in_value))
    }

    /// What follows `---` where that begins a document. In a template's comment it does not.
    fn document<'t>(&self, line: &'t str) -> Option<&'t str> {
        document(line).filter(|_| self.open != Some('*'))
    }

    fn pass(&mut self, line: &str) {
        let content = line.trim_start();
        if let Some(rest) = self.document(line) {
            *self = Self::default();
            self.enter(rest.trim_start(), 0);
        } else if self.open.is_some() || self.depth > 0 {
            self.scan(line);
        } else if self.holds(line) || content.is_empty() || content.starts_with('#') {
            // Nothing new begins.
        } else if content.starts_with("{{") {
            // An action may stand at any indentation, also within a value.
            self.scan(content);
        } else if let Some((_, value)) = variable(line) {
            self.value = None;
            let value = tail(line, value);
            if value.starts_with(['"', '\'']) {
                self.scan(value);
            }
        } else {
            self.value = None;
            let line = Line::of(line);
            self.enter(line.value(), line.least);
        }
    }

    /// Begins a value.
    fn enter(&mut self, value: &str, least: usize) {
        let value = without_properties(value);
        if value.is_empty() || value.starts_with('#') {
            return;
        }
        if !value.starts_with("{{") {
            self.value = Some(least);
        }
        if value.starts_with(['"', '\'', '{', '[']) {
            self.scan(value);
        }
    }

    /// Follows quotes and brackets to the end of a line. Outside of brackets a quote opens only a value: what stands
    /// behind `"{{ include "` is an action again.
    pub(super) fn scan(&mut self, line: &str) {
        let mut rest = line;
        let mut before = None;
        loop {
            if let Some(open) = self.open {
                let Some(len) = closing(open, rest) else { return };
                (self.open, rest, before) = (None, tail(rest, len), Some(open));
            }
            let mut chars = rest.chars();
            let Some(c) = chars.next() else { return };
            match c {
                '{' | '[' => self.depth += 1,
                '}' | ']' => self.depth = self.depth.saturating_sub(1),
                '#' if before.is_some_and(char::is_whitespace) => return,
                '"' | '\'' | '`' if self.opens(before) => self.open = Some(c),
                '*' if before == Some('/') && self.depth >= 2 => self.open = Some(c),
                _ => {}
            }
            (before, rest) = (Some(c), chars.as_str());
        }
    }

    /// Whether a quote behind this character opens a text.
    fn opens(&self, before: Option<char>) -> bool {
        match before {
            Some(before) => self.depth > 0 && !before.is_alphanumeric(),
            None => true,
        }
    }
}

/// The value behind its tag and its anchor.
fn without_properties(value: &str) -> &str {
    let mut value = value;
    while value.starts_with(['!', '&']) {
        let end = value.find([' ', '\t']).unwrap_or(value.len());
        value = tail(value, end).trim_start();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each line goes on with a value: `#` if so, `.` if not.
    fn drawn(text: &str) -> String {
        let mut context = Context::default();
        text.lines()
            .map(|line| {
                let held = context.holds(line);
                context.pass(line);
                if held { '#' } else { '.' }
            })
            .collect()
    }

    #[test]
    fn values_of_several_lines_are_followed() {
        for (text, expected) in [
            ("a: |\n  b: c\n\n  d\ne: f", ".###."),
            ("- a: |-\n    b: c\n  d: e\n- f", ".#.."),
            ("- |\n  b: c\n- d: e", ".#."),
            ("a: &x !!str >\n  b: c\nd:", ".#."),
            ("a: \"b\nc: d\n e\\\"\nf\"\ng: h", ".###."),
            ("a: 'b\nc: it''s\nd'\ng: h", ".##."),
            ("a: {b: c,\nd: e,\n}\ng: h", ".##."),
            ("a: b\n  c: d\ne: f", ".#."),
            ("a:\n  b: c\n  d:\n  - e\n  - f: g", "....."),
            ("--- |\na: b\n--- # c\nd: e", ".#.."),
            ("{{- if .a }}\na: |\n{{ .b }}\n  c: d\n{{- end }}\ne: f", "...#.."),
            ("{{/* a\nb: c\n*/}}\nd: e", ".##."),
            ("A=\"b\nc=d\"\nE=f", ".#."),
            ("a: \"{{ include \"b\" . }}\"\nc: d", ".."),
            ("# a 'b\nc: d'e\nf: g", "..."),
            ("a:\r\n  b: |\r\n    c: d\r\n  e: f", "..#."),
            ("a:\n  b c\n  d: e\nf: g", "..#."),
            ("{{/*\n---\na: b\n*/}}\nc: d", ".###."),
        ] {
            assert_eq!(drawn(text), expected, "{text}");
        }
    }
}
