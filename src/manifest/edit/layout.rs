//! Where things stand: lines, columns, dashes, gaps.

use std::ops::Range;

use super::{Edit, Error, Patch};
use crate::manifest::Cursor;
use crate::yaml::{Node, Style};
use zeroize::Zeroizing;

impl<'t, 'a> Patch<'t, 'a> {
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.tree.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// How the line at `at` ends, or the one before it where it is the last: templates mix line ends.
    pub(super) fn eol(&self, at: usize) -> &'static str {
        let text = self.tree.text;
        let newline = text[at..].find('\n').map(|offset| at + offset).or_else(|| text[..at].rfind('\n'));
        if newline.is_some_and(|newline| text[..newline].ends_with('\r')) { "\r\n" } else { "\n" }
    }

    /// The end of the line that holds `at`, before its line break.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = &self.tree.text[at..];
        let line = rest.find('\n').map_or(rest, |newline| &rest[..newline]);
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// Lines from the one that `start` begins (only blanks before it) to the one that `end` ends (only a comment
    /// behind it), line break included.
    pub(super) fn whole_lines(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let text = self.tree.text;
        let line_start = self.line_start(start);
        let line_end = self.line_end(end);
        let behind = text[end..line_end].trim_start();
        let alone =
            text[line_start..start].trim_matches(' ').is_empty() && (behind.is_empty() || behind.starts_with('#'));
        let newline = text[line_end..].find('\n').map_or(text.len(), |offset| line_end + offset + 1);
        alone.then_some(line_start..newline)
    }

    pub(super) fn block_lines(&self, key: &Node<'_>, value: &Node<'_>) -> Result<Range<usize>, Error> {
        let end = value.span.end.max(key.span.end);
        self.whole_lines(key.start, end)
            .ok_or_else(|| Error::Layout { what: key.text().unwrap_or_default().to_owned(), offset: key.start })
    }

    /// The dash of a block sequence's item.
    pub(super) fn dash(&self, item: &Node<'_>) -> Option<usize> {
        let before = self.tree.text[..item.start].trim_end();
        before.ends_with('-').then(|| before.len() - 1)
    }

    /// The column at which a block mapping's keys begin.
    pub(super) fn column(&self, map: &Cursor<'t, 'a>) -> Result<usize, Error> {
        let first = map.node.entries().first().map(|(key, _)| key.start);
        first
            .map(|at| at - self.line_start(at))
            .ok_or(Error::Layout { what: "an empty mapping".into(), offset: map.node.start })
    }

    /// By how much the mappings below this one are indented: as the first such child, else 2.
    pub(super) fn step(&self, map: &Cursor<'t, 'a>) -> usize {
        let own = self.column(map).unwrap_or(0);
        let nested =
            map.node.entries().iter().filter(|(_, value)| value.style == Style::Block && !value.entries().is_empty());
        let columns = nested.map(|(_, value)| value.entries()[0].0.start).map(|at| at - self.line_start(at));
        columns.filter(|column| *column > own).map(|column| column - own).next().unwrap_or(2)
    }

    /// What stands between the bracket and the first element, so that new elements are spaced alike.
    pub(super) fn flow_gap(&self, open: usize, first: usize) -> String {
        let gap = &self.tree.text[open..first];
        match gap.rfind('\n') {
            Some(newline) => {
                let from = if gap[..newline].ends_with('\r') { newline - 1 } else { newline };
                gap[from..].to_owned()
            }
            None => " ".to_owned(),
        }
    }

    pub(super) fn remove_from_flow(&mut self, spans: &[Range<usize>], removed: &[usize], close: usize) {
        let mut i = 0;
        while i < removed.len() {
            let first = removed[i];
            while i + 1 < removed.len() && removed[i + 1] == removed[i] + 1 {
                i += 1;
            }
            let last = removed[i];
            let range = match (first.checked_sub(1), spans.get(last + 1)) {
                (_, Some(next)) => spans[first].start..next.start,
                (Some(previous), None) => spans[previous].end..spans[last].end,
                (None, None) => {
                    let tail = self.tree.text[spans[last].end..close].trim_end_matches(['}', ']']);
                    let comma = tail.find(',').map_or(0, |at| at + 1);
                    spans[first].start..spans[last].end + comma
                }
            };
            self.edits.push(Edit { range, text: Zeroizing::default() });
            i += 1;
        }
    }
}
