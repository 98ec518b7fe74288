//! A line of the source as a report may show it. Everything in it could be a key or a secret, also a comment, so
//! the line is made of what is known to be harmless: indentation, dashes, keys that are plain words, and the few
//! values that say nothing. All else is one `…`, whatever its length.

use std::ops::Range;

use super::context::Context;
use super::line::{Line, document, ends_word, indentation, key, tail, variable};
use super::place::Shown;
use super::word::{LONGEST_WORD, is_plain};

/// A longer line is cut.
const LONGEST: usize = 80;
/// Values that say nothing, in small letters.
const HARMLESS: &[&str] = &[
    "",
    "\"\"",
    "''",
    "null",
    "~",
    "true",
    "false",
    "\"true\"",
    "\"false\"",
    "'true'",
    "'false'",
    "yes",
    "no",
    "on",
    "off",
    "{}",
    "[]",
];
const HIDDEN: char = '…';

/// The line in which the span begins, and where the span stands in what is shown of it. `start`: where the line begins,
/// behind lines that leave this context.
pub(super) fn shown(text: &str, start: usize, span: Range<usize>, context: &Context) -> Shown {
    let (before, after) = text.split_at(text.floor_char_boundary(span.start));
    let len = text.floor_char_boundary(span.end.max(span.start)) - before.len();
    let pointed_at = first_line(after.get(..len).unwrap_or_default());
    let line = first_line(tail(text, start));
    let caret = Caret { before: tail(before, start), pointed_at };
    caret.in_masked(line, kept(line, context.holds(line))).cut()
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default().trim_end_matches('\r')
}

/// How many bytes of a line are shown, all of them ASCII, and what follows them.
struct Kept(usize, Rest);

#[derive(PartialEq)]
enum Rest {
    /// Blanks at most.
    Nothing,
    /// A comment, of which nothing is shown.
    Comment,
    /// Something that becomes `…`.
    Hidden,
}

/// What is shown of a line; `inside` a value that is its indentation.
fn kept(line: &str, inside: bool) -> Kept {
    let start = indentation(line);
    if inside {
        return if line.trim().is_empty() { Kept(0, Rest::Nothing) } else { Kept(start, Rest::Hidden) };
    }
    if let Some(rest) = document(line) {
        return match harmless(rest.trim_start()) {
            Some("") => Kept(3, comment_or_nothing(rest)),
            _ => Kept(4, Rest::Hidden),
        };
    }
    if let Some((name, value)) = variable(line) {
        // Base64 ends with `=` too, but holds no `_`.
        return match tail(line, value).trim_end() {
            "" if is_plain(name) && name.contains('_') => Kept(value, Rest::Nothing),
            "" | "=" => Kept(0, Rest::Hidden),
            _ if is_plain(name) => Kept(value, Rest::Hidden),
            _ => Kept(0, Rest::Hidden),
        };
    }
    let line = Line::of(line);
    if line.key.is_some_and(|key| !is_plain_key(key)) {
        return Kept(line.start, Rest::Hidden);
    }
    match harmless(line.value()) {
        Some(value) => {
            let end = line.text.get(..line.value + value.len()).unwrap_or_default().trim_end().len();
            Kept(end, comment_or_nothing(tail(line.text, end)))
        }
        None => Kept(line.value + opened(line.value()), Rest::Hidden),
    }
}

fn comment_or_nothing(rest: &str) -> Rest {
    if rest.trim().is_empty() { Rest::Nothing } else { Rest::Comment }
}

/// The value before its comment, if it is one that says nothing.
fn harmless(value: &str) -> Option<&str> {
    let begins_comment =
        |at: usize| value.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']));
    let comment = value.match_indices('#').map(|(at, _)| at).find(|at| begins_comment(*at));
    let value = value.get(..comment.unwrap_or(value.len()))?.trim_end();
    let is_known = HARMLESS.contains(&value.to_ascii_lowercase().as_str());
    (is_known || is_block_header(value)).then_some(value)
}

/// `|`, `>-`, `|2+`
fn is_block_header(value: &str) -> bool {
    let indicators = value.strip_prefix(['|', '>']).unwrap_or("?");
    indicators.len() <= 2 && indicators.bytes().all(|b| b"+-123456789".contains(&b))
}

/// How much of a flow collection is shown: up to its first value.
fn opened(value: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = tail(value, at);
        if rest.starts_with("{{") {
            return at;
        }
        let Some(inner) = rest.strip_prefix(['{', '[']) else { return at };
        at += 1 + indentation(inner);
        if rest.starts_with('[') {
            continue;
        }
        let rest = tail(value, at);
        let Some((name, end)) = key(rest, true) else { return at };
        if !rest.get(name).is_some_and(is_plain_key) {
            return at;
        }
        at += end + indentation(tail(rest, end));
    }
}

fn is_plain_key(key: &str) -> bool {
    let inner = |quote| key.strip_prefix(quote).and_then(|key| key.strip_suffix(quote));
    is_plain(inner('"').or_else(|| inner('\'')).unwrap_or(key))
}

/// The name of a template function that the caret points at, in code and not in a text or a comment. Such a name can
/// be no key: it would be code that does not run.
fn function<'t>(before: &str, line: &'t str) -> Option<&'t str> {
    let (_, action) = before.rsplit_once("{{")?;
    let mut context = Context::default();
    context.scan(&format!("{{{{{action}"));
    let rest = tail(line, before.len());
    let name = rest.get(..rest.bytes().take_while(u8::is_ascii_alphabetic).count())?;
    let after = tail(rest, name.len());
    let alone =
        before.ends_with([' ', '\t', '(', '|', '{']) && (ends_word(after) || after.starts_with([')', '|', '}']));
    let is_code = context.open.is_none() && !action.contains("}}");
    (is_code && alone && (1..=LONGEST_WORD).contains(&name.len())).then_some(name)
}

/// What the span covers of its first line.
struct Caret<'t> {
    before: &'t str,
    pointed_at: &'t str,
}

impl Caret<'_> {
    fn in_masked(&self, line: &str, Kept(kept, rest): Kept) -> Shown {
        let blank = |c| if c == '\t' { ' ' } else { c };
        let mut shown: String = line.get(..kept).unwrap_or_default().chars().map(blank).collect();
        if rest == Rest::Hidden
            && self.before.len() >= kept
            && let Some(name) = function(self.before, line).filter(|name| self.pointed_at.starts_with(name))
        {
            return Shown {
                line: format!("{shown}{HIDDEN} {{{{ {HIDDEN} {name} {HIDDEN} }}}}"),
                column: kept + 8,
                width: name.len(),
            };
        }
        let is_kept = self.before.len() < kept;
        match rest {
            Rest::Hidden => shown.push(HIDDEN),
            Rest::Comment if !is_kept && !tail(line, self.before.len()).is_empty() => {
                shown.push(' ');
                shown.push(HIDDEN);
            }
            Rest::Comment | Rest::Nothing => {}
        }
        let len = shown.chars().count();
        if is_kept {
            let longest = len.saturating_sub(self.before.len()).max(1);
            let width = self.pointed_at.chars().count().clamp(1, longest);
            return Shown { line: shown, column: self.before.len() + 1, width };
        }
        let column = if len > kept { len } else { kept + 1 };
        Shown { line: shown, column, width: 1 }
    }
}

impl Shown {
    /// Not longer than a line of a report can be.
    fn cut(self) -> Self {
        if self.line.chars().count() <= LONGEST {
            return self;
        }
        let line = self.line.chars().take(LONGEST - 1).chain([HIDDEN]).collect();
        let column = self.column.min(LONGEST);
        Self { line, column, width: self.width.min(LONGEST + 1 - column) }
    }
}

#[cfg(test)]
mod tests;
