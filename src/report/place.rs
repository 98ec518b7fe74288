//! Where something is written, and the line that may be shown of it.

use std::ops::Range;

use super::Lines;
use crate::yaml::{Position, position};

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it, `<stdin>` for the stream.
    pub file: String,
    /// Line and column, where there are any.
    pub position: Option<Position>,
    /// Where it ends: the first character behind it.
    pub end: Option<Position>,
    /// The line, as far as it may be shown.
    pub shown: Option<Shown>,
}

/// A line without what could be a key or a secret, and what to point at in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// The masked line, without a line break.
    pub line: String,
    /// Where the caret stands in [`Shown::line`], in characters from 1.
    pub column: usize,
    /// How many characters are pointed at, at least 1.
    pub width: usize,
}

impl Place {
    /// A byte of a text.
    pub fn in_text(file: impl Into<String>, text: &[u8], offset: usize) -> Self {
        Self::at(file, Some(position(text, offset)))
    }

    /// A byte range of a text, with the masked line in which it begins.
    pub fn shown_in_text(file: impl Into<String>, text: &str, span: Range<usize>) -> Self {
        Lines::of(text).place(file, span)
    }

    /// The same place, in a file in which the text begins further down and to the right.
    #[must_use]
    pub fn moved(mut self, lines: usize, columns: usize) -> Self {
        for position in [&mut self.position, &mut self.end].into_iter().flatten() {
            position.line += lines;
            position.column += columns;
        }
        self
    }

    /// A file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self::at(file, None)
    }

    /// A line and column that somebody else counted.
    pub fn at(file: impl Into<String>, position: Option<Position>) -> Self {
        Self { file: file.into(), position, end: None, shown: None }
    }

    /// The path of the file with forward slashes, or `None` for what is no file: `<stdin>`, `--set key`.
    pub fn path(&self) -> Option<String> {
        let is_file = !self.file.is_empty() && !self.file.starts_with('<') && !self.file.starts_with("--");
        let path = self.file.strip_prefix("./").unwrap_or(&self.file);
        is_file.then(|| path.replace(std::path::MAIN_SEPARATOR, "/"))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some(p) => write!(f, "{}:{}:{}", self.file, p.line, p.column),
            None => f.write_str(&self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_place_knows_its_true_start_and_end() {
        let place = Place::shown_in_text("values.yaml", "a:\n  é: x\nb: 1\n", 5..11);
        assert_eq!(place.to_string(), "values.yaml:2:3");
        assert_eq!(place.end, Some(Position { line: 3, column: 1 }));
        assert_eq!(Place::shown_in_text("v", "ab", 9..9).position, Some(Position { line: 1, column: 3 }));
    }

    #[test]
    fn streams_and_flags_are_no_files() {
        assert_eq!(Place::file("./a/b.yaml").path().as_deref(), Some("a/b.yaml"));
        for name in ["<stdin>", "<helm template>", "--set a.b", ""] {
            assert_eq!(Place::file(name).path(), None, "{name}");
        }
    }
}
