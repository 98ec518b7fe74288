//! A text that is looked at: a file, or YAML that stands in a string of one.

use std::ops::Range;

use crate::report::{Lines, Place};
use crate::values::Stands;
use crate::yaml::{Node, Style};

/// A text, and where it stands. No `Debug`: it may hold keys.
pub struct Text<'t> {
    /// The file, as messages name it.
    pub file: &'t str,
    /// The text itself.
    pub text: &'t str,
    /// Where the text stands in the file.
    pub stands: Stands,
    /// Whether the file can be committed.
    pub committed: bool,
    lines: Lines<'t>,
}

impl<'t> Text<'t> {
    /// A text.
    pub fn new(file: &'t str, text: &'t str, stands: Stands, committed: bool) -> Self {
        Self { file, text, stands, committed, lines: Lines::of(text) }
    }

    /// A text in a string of this one.
    pub fn inside<'i>(&'i self, text: &'i str, stands: Stands) -> Text<'i> {
        Text::new(self.file, text, stands, self.committed)
    }

    /// Where bytes of the text stand.
    pub fn place(&self, bytes: Range<usize>) -> Place {
        self.stands.place(|| self.lines.place(self.file, bytes))
    }

    /// Where the lines of a string of this text stand in the file; the string is the node of a document that begins at
    /// `offset`. Only a block of text (`|`) keeps its lines.
    pub fn stands_inside(&self, node: &Node<'_>, offset: usize) -> Stands {
        let start = offset + node.span.start;
        let literal = node.style == Style::BlockScalar && is_literal(self.text, start);
        let (Some(inner), true) = (node.text(), literal) else {
            return Stands::At(Box::new(self.place(start..offset + node.span.end)));
        };
        let at = self.lines.position(start);
        let blank_before = inner.len() - inner.trim_start_matches('\n').len();
        let (line, indent) = (at.line.saturating_sub(blank_before).max(1), at.column - 1);
        match &self.stands {
            Stands::Whole => Stands::Inside { line, indent },
            Stands::Inside { line: first, indent: by } => {
                Stands::Inside { line: first + line - 1, indent: by + indent }
            }
            Stands::At(place) => Stands::At(place.clone()),
        }
    }
}

/// Whether the header above the first line of a block is that of a literal one.
fn is_literal(text: &str, first_line: usize) -> bool {
    let above = text.get(..first_line).and_then(|before| before.rsplit_once('\n')).map_or("", |(above, _)| above);
    let header = above.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let header = header.split(" #").next().unwrap_or_default();
    header.split_whitespace().next_back().is_some_and(|last| last.starts_with('|'))
}
