//! How things are written: block style in the mapping's own indentation, flow style in double quotes.

use zeroize::Zeroizing;

use super::{New, Patch};
use crate::yaml::is_plain_string;

impl Patch<'_, '_> {
    /// The entries of a mapping, a line each, with `step` more blanks at each level below.
    pub(super) fn block_children(&self, new: &New, column: usize, step: usize, eol: &str, out: &mut String) {
        let New::Map(entries) = new else { return };
        for (key, value) in entries {
            out.push_str(&" ".repeat(column));
            out.push_str(&plain_or_quoted(key));
            out.push(':');
            match value {
                New::Text(text) => {
                    out.push(' ');
                    out.push_str(&plain_or_quoted(text));
                    out.push_str(eol);
                }
                New::Map(_) => {
                    out.push_str(eol);
                    self.block_children(value, column + step, step, eol, out);
                }
            }
        }
    }

    pub(super) fn flow(&self, new: &New) -> Zeroizing<String> {
        match new {
            New::Text(text) => double_quoted(text),
            New::Map(_) => Zeroizing::new(format!("{{{}}}", self.flow_entries(new, " ").as_str())),
        }
    }

    pub(super) fn flow_entries(&self, new: &New, gap: &str) -> Zeroizing<String> {
        let New::Map(entries) = new else { return Zeroizing::default() };
        let mut out = Zeroizing::new(String::new());
        for (i, (key, value)) in entries.iter().enumerate() {
            if i > 0 {
                out.push(',');
                out.push_str(gap);
            }
            out.push_str(&double_quoted(key));
            out.push_str(": ");
            out.push_str(&self.flow(value));
        }
        out
    }
}

fn plain_or_quoted(text: &str) -> Zeroizing<String> {
    if is_plain_string(text) { Zeroizing::new(text.to_owned()) } else { double_quoted(text) }
}

pub(super) fn double_quoted(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
