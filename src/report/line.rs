//! How a line of YAML or of a dotenv file is built: indentation, dashes, key, value. Without a parser, because
//! templates are no YAML and a broken file must be shown too.

use std::ops::Range;

/// One line, read as if a new node began in it.
pub(super) struct Line<'t> {
    /// Without its line break.
    pub text: &'t str,
    /// Byte behind the indentation and the dashes.
    pub start: usize,
    /// The least indentation of a line that goes on with this line's value.
    pub least: usize,
    /// The mapping key, quotes included.
    pub key: Option<&'t str>,
    /// Byte at which the value begins; at the end if there is none.
    pub value: usize,
}

impl<'t> Line<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mut start = indentation(text);
        let mut dash = None;
        while let Some(rest) = tail(text, start).strip_prefix('-').filter(|rest| ends_word(rest)) {
            dash = Some(start);
            start += 1 + indentation(rest);
        }
        let content = tail(text, start);
        match key(content, false) {
            Some((name, value)) => Self {
                text,
                start,
                least: start + 1,
                key: content.get(name),
                value: start + value + indentation(tail(content, value)),
            },
            // A text of several lines needs no deeper indentation than its first one has.
            None => Self { text, start, least: dash.map_or(start, |dash| dash + 1), key: None, value: start },
        }
    }

    /// The value with all that follows it, `""` if there is none.
    pub(super) fn value(&self) -> &'t str {
        tail(self.text, self.value)
    }
}

/// The text from a byte on, `""` past its end.
pub(super) fn tail(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or_default()
}

/// How many blanks the text begins with.
pub(super) fn indentation(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// Whether a word that stands before this text ends there.
pub(super) fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t'])
}

/// What follows `---` where that begins a document.
pub(super) fn document(line: &str) -> Option<&str> {
    line.strip_prefix("---").filter(|rest| ends_word(rest))
}

/// The mapping key that the text begins with, and the byte behind its colon. In a flow mapping, the colon of a
/// quoted key needs no blank behind it.
pub(super) fn key(text: &str, flow: bool) -> Option<(Range<usize>, usize)> {
    let first = text.chars().next().filter(|first| !"{}[],#|>%@!&*`".contains(*first))?;
    if let '"' | '\'' = first {
        let len = 1 + closing(first, tail(text, 1))?;
        let colon = len + indentation(tail(text, len));
        let rest = tail(text, colon).strip_prefix(':')?;
        return (flow || ends_word(rest)).then_some((0..len, colon + 1));
    }
    let colon = text.match_indices(':').map(|(at, _)| at).find(|at| ends_word(tail(text, at + 1)))?;
    let name = text.get(..colon)?;
    let is_comment = name.contains(" #") || name.contains("\t#");
    (!is_comment).then(|| (0..name.trim_end_matches([' ', '\t']).len(), colon + 1))
}

/// The name before `=` in a line of a dotenv file, and the byte behind the `=`.
pub(super) fn variable(line: &str) -> Option<(&str, usize)> {
    let rest = line.strip_prefix("export ").unwrap_or(line);
    let (name, _) = rest.split_once('=')?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    is_name.then(|| (name, line.len() - rest.len() + name.len() + 1))
}

/// How many bytes there are up to and with the mark that closes what `open` opened: a quote, or a template's comment
/// (`*`).
pub(super) fn closing(open: char, text: &str) -> Option<usize> {
    match open {
        '*' => text.find("*/").map(|at| at + 2),
        '`' => text.find('`').map(|at| at + 1),
        quote => {
            let mut chars = text.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                let doubled = quote == '\'' && c == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'');
                if doubled || (quote == '"' && c == '\\') {
                    chars.next();
                } else if c == quote {
                    return Some(at + 1);
                }
            }
            None
        }
    }
}
