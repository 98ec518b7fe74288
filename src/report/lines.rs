//! A text cut into lines once, for many places in it.

use std::cell::OnceCell;
use std::ops::Range;

use super::context::Context;
use super::{Place, mask};
use crate::yaml::Position;

/// The lines of a text. No `Debug`: it may hold keys.
pub struct Lines<'t> {
    text: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// What the lines before each line say about it.
    contexts: OnceCell<Vec<Context>>,
}

impl<'t> Lines<'t> {
    /// Cuts a text.
    pub fn of(text: &'t str) -> Self {
        let behind = memchr::memchr_iter(b'\n', text.as_bytes()).map(|newline| newline + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect(), contexts: OnceCell::new() }
    }

    /// Where a byte stands; one past the end stands at the end.
    pub fn position(&self, offset: usize) -> Position {
        let (line, start) = self.line_of(offset);
        let before = self.text.get(start..self.text.floor_char_boundary(offset)).unwrap_or_default();
        Position { line: line + 1, column: before.chars().count() + 1 }
    }

    /// A byte range, with the masked line in which it begins.
    pub fn place(&self, file: impl Into<String>, span: Range<usize>) -> Place {
        let (line, start) = self.line_of(span.start);
        let nothing = Context::default();
        let context = self.contexts.get_or_init(|| self.all_contexts()).get(line).unwrap_or(&nothing);
        Place {
            file: file.into(),
            position: Some(self.position(span.start)),
            end: Some(self.position(span.end.max(span.start))),
            shown: Some(mask::shown(self.text, start, span, context)),
        }
    }

    /// The number of a byte's line, from 0, and where that begins.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        (line, self.starts.get(line).copied().unwrap_or(0))
    }

    fn all_contexts(&self) -> Vec<Context> {
        let mut context = Context::default();
        let mut contexts = Vec::with_capacity(self.starts.len());
        for line in self.text.split_inclusive('\n') {
            contexts.push(context.clone());
            context.go_on(line.strip_suffix('\n').unwrap_or(line));
        }
        contexts.push(context);
        contexts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::position;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_where_counting_finds_it(text in "[a-c :\u{e9}\n\r\"{}|-]{0,60}", at in 0_usize..70) {
            let lines = Lines::of(&text);
            let offset = text.floor_char_boundary(at);
            prop_assert_eq!(lines.position(at), position(text.as_bytes(), offset));
        }

        #[test]
        fn a_line_is_masked_as_if_all_before_it_were_read_anew(text in "([a-c]: |[a-c]: \"|\"|\\||>|\\{|\\}|  |\n|\r\n|---\n|# a|x){0,40}", at in 0_usize..80) {
            let lines = Lines::of(&text);
            let start = text.get(..text.floor_char_boundary(at)).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
            let anew = mask::shown(&text, start, at..at, &Context::behind(&text[..start]));
            prop_assert_eq!(lines.place("f", at..at).shown, Some(anew));
        }
    }
}
