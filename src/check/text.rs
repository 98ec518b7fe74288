//! A text that is looked at: a file, or YAML that stands in a string of one.

use std::ops::Range;

use crate::report::Place;
use crate::values::Stands;
use crate::yaml::{Node, Style, position};

/// A text, and where it stands. No `Debug`: it may hold keys.
#[derive(Clone)]
pub struct Text<'t> {
    /// The file, as messages name it.
    pub file: &'t str,
    /// The text itself.
    pub text: &'t str,
    /// Where the text stands in the file.
    pub stands: Stands,
    /// Whether the file can be committed.
    pub committed: bool,
}

impl<'t> Text<'t> {
    /// Where bytes of the text stand.
    pub fn place(&self, bytes: Range<usize>) -> Place {
        self.stands.place(self.file, self.text, bytes)
    }

    /// Where the lines of a string of this text stand in the file; the string is the node of a document that begins at
    /// `offset`. Only a block of text (`|`) keeps its lines.
    pub fn stands_inside(&self, node: &Node<'_>, offset: usize) -> Stands {
        let start = offset + node.span.start;
        let literal = node.style == Style::BlockScalar && is_literal(self.text, start);
        let (Some(inner), true) = (node.text(), literal) else {
            return Stands::At(Box::new(self.place(start..offset + node.span.end)));
        };
        let at = position(self.text.as_bytes(), start);
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
