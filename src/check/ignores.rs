//! `# helm-keyring: ignore[rule] reason`, on the line of a finding or on a line of its own above it.

use std::ops::RangeInclusive;

use super::text::Text;
use crate::report::{Finding, Place, nearest};
use crate::rules::{self, RULES, useless_ignore};

const MARK: &str = "helm-keyring: ignore[";

/// One comment.
pub struct Ignore {
    place: Place,
    /// The lines of the findings that it means: one, or a block of text with its first line.
    lines: RangeInclusive<usize>,
    rules: Vec<String>,
    has_reason: bool,
    used: bool,
}

/// All of a file.
pub fn of(text: &Text<'_>) -> Vec<Ignore> {
    let mut found = Vec::new();
    for (at, _) in text.text.match_indices(MARK) {
        let Some(before) = comment_before(text.text, at) else { continue };
        let rest = text.text.get(at + MARK.len()..).unwrap_or_default().lines().next().unwrap_or_default();
        let Some((rules, reason)) = rest.split_once(']') else { continue };
        let place = text.place(at..at + MARK.len());
        let line = place.position.map_or(0, |position| position.line);
        let own_line = before.trim().is_empty();
        found.push(Ignore {
            place,
            lines: with_block(text.text, if own_line { next_line(text.text, at, line) } else { line }),
            rules: rules.split(',').map(|rule| rule.trim().to_owned()).collect(),
            has_reason: reason.trim_end_matches(['*', '/', '}', '-', ' ']).chars().any(char::is_alphanumeric),
            used: false,
        });
    }
    found
}

/// What stands on the line before the comment; `None` if this is no comment.
fn comment_before(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let openings = ["#", "{{/*", "{{- /*"];
    let opening = openings.iter().find_map(|opening| line.trim_end().strip_suffix(opening))?;
    Some(opening)
}

/// The next line that is neither blank nor a comment.
fn next_line(text: &str, at: usize, line: usize) -> usize {
    let behind = text.get(at..).unwrap_or_default().lines().skip(1);
    let skipped = behind.take_while(|line| matches!(line.trim_start().bytes().next(), None | Some(b'#')));
    line + 1 + skipped.count()
}

/// A line, and the block of text (`|`) that it begins.
fn with_block(text: &str, line: usize) -> RangeInclusive<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip(line - 1);
    let first = lines.next().unwrap_or_default();
    let header = first.split(" #").next().unwrap_or_default().trim_end();
    let begins_block = header.rsplit([' ', ':']).next().is_some_and(|last| last.starts_with(['|', '>']));
    let inside = lines.take_while(|line| begins_block && (line.trim().is_empty() || indent(line) > indent(first)));
    line..=line + inside.count()
}

/// Takes away what is ignored, and tells which comments do nothing.
pub fn apply(findings: Vec<Finding>, ignores: &mut [Ignore]) -> Vec<Finding> {
    let mut kept: Vec<Finding> = findings.into_iter().filter(|finding| !is_ignored(finding, ignores)).collect();
    for ignore in ignores.iter() {
        kept.extend(ignore.useless());
    }
    kept
}

fn is_ignored(finding: &Finding, ignores: &mut [Ignore]) -> bool {
    let Some(Place { file, position: Some(position), .. }) = finding.places.first() else { return false };
    let mut hit = false;
    for ignore in
        ignores.iter_mut().filter(|i| i.lines.contains(&position.line) && i.place.file == *file && i.has_reason)
    {
        if ignore.names(finding.id) {
            ignore.used = true;
            hit = true;
        }
    }
    hit
}

impl Ignore {
    /// Whether it is for a rule.
    pub fn names(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule == id)
    }

    fn useless(&self) -> Option<Finding> {
        let unknown = self.rules.iter().find(|rule| rules::find(rule).is_none());
        let (rule, why) = match unknown {
            Some(rule) => (Some(rule), useless_ignore::Why::UnknownRule),
            None if !self.has_reason => (self.rules.first(), useless_ignore::Why::NoReason),
            None if !self.used => (self.rules.first(), useless_ignore::Why::HitsNothing),
            None => return None,
        };
        // Whatever else stands there may be a key.
        let is_name = |rule: &&String| nearest(rule, RULES.iter().map(|known| known.info.id)).is_some();
        let rule = rule.filter(is_name);
        Some(useless_ignore::finding(rule.map(String::as_str), why, self.place.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Stands;

    fn ids(text: &str, line: usize) -> Vec<&'static str> {
        let text = Text::new("a.yaml", text, Stands::Whole, true);
        let start: usize = text.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let finding = Finding::refused("weak-key", "").at(Place::in_text("a.yaml", text.text.as_bytes(), start));
        apply(vec![finding], &mut of(&text)).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn the_line_itself_and_the_next_one_count() {
        assert!(ids("a: 1  # helm-keyring: ignore[weak-key] a trial\n", 1).is_empty());
        assert!(ids("# helm-keyring: ignore[other, weak-key] a trial\n# more\n\na: 1\n", 4).len() == 1);
        assert!(ids("# helm-keyring: ignore[weak-key] a trial\n# more\n\na: 1\n", 4).is_empty());
        assert!(ids("a: |  # helm-keyring: ignore[weak-key] a trial\n  b\n  c\nd: 1\n", 3).is_empty());
        assert_eq!(ids("a: |  # helm-keyring: ignore[weak-key] a trial\n  b\n  c\nd: 1\n", 4).len(), 2);
        assert!(ids("{{/* helm-keyring: ignore[weak-key] a trial */}}\na: 1\n", 2).is_empty());
    }

    #[test]
    fn what_hits_nothing_is_told() {
        assert_eq!(ids("a: 1  # helm-keyring: ignore[weak-key]\n", 1), ["weak-key", "useless-ignore"]);
        assert_eq!(ids("a: 1  # helm-keyring: ignore[weak-kee] a trial\n", 1), ["weak-key", "useless-ignore"]);
        assert_eq!(ids("a: 1\nb: 2  # helm-keyring: ignore[weak-key] a trial\n", 1), ["weak-key", "useless-ignore"]);
        assert_eq!(ids("a: helm-keyring: ignore[weak-key] no comment\n", 1), ["weak-key"]);
    }
}
