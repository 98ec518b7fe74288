//! Names and patterns, written in CEL.

use std::fmt::Write as _;

use crate::profile::{FieldName, FieldSpec, SecretSpec};

/// A text as a CEL string literal: whatever it holds, it stays one string.
pub fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            ' '..='~' => literal.push(character),
            _ => {
                let _ = write!(literal, "\\U{:08x}", u32::from(character));
            }
        }
    }
    literal.push('"');
    literal
}

/// Whether the key `k` of the old data is a field of the Secret's rings. A `previous` field that is empty holds no
/// key yet: the first rotation fills it.
pub fn is_field(spec: &SecretSpec) -> String {
    let mut terms = Vec::new();
    for ring in &spec.fields {
        match &ring.name {
            FieldName::Numbered(before, after) => {
                let pattern = format!("^{}(0|[1-9][0-9]*){}$", escaped(before), escaped(after));
                terms.push(format!("k.matches({})", literal(&pattern)));
            }
            FieldName::Fixed(name) => terms.push(format!("k == {}", literal(name))),
        }
        if let Some(previous) = &ring.previous {
            terms.push(format!("(k == {} && size(oldObject.data[k]) > 0)", literal(previous)));
        }
    }
    terms.join(" || ")
}

/// Whether the key `k` is a fixed field whose old value is now in its `previous` field; `None` if no field has one.
pub fn has_moved(spec: &SecretSpec) -> Option<String> {
    let terms: Vec<String> = spec.fields.iter().filter_map(moved).collect();
    (!terms.is_empty()).then(|| terms.join(" || "))
}

fn moved(ring: &FieldSpec) -> Option<String> {
    let (FieldName::Fixed(name), Some(previous)) = (&ring.name, &ring.previous) else { return None };
    let previous = literal(previous);
    Some(format!(
        "k == {} && k in variables.after && {previous} in variables.after && \
         variables.after[{previous}] == oldObject.data[k]",
        literal(name)
    ))
}

/// Whether the old object has the name, or a name of the pattern with its one `*`.
pub fn has_name(pattern: &str) -> String {
    let name = "oldObject.metadata.name";
    match pattern.split_once('*') {
        None => format!("{name} == {}", literal(pattern)),
        Some((before, after)) => {
            let mut terms = Vec::new();
            if !before.is_empty() {
                terms.push(format!("{name}.startsWith({})", literal(before)));
            }
            if !after.is_empty() {
                terms.push(format!("{name}.endsWith({})", literal(after)));
            }
            terms.push(format!("size({name}) >= {}", before.len() + after.len()));
            terms.join(" && ")
        }
    }
}

/// The old object's annotation, or the empty text.
pub fn annotation(name: &str) -> String {
    let all = "oldObject.metadata.annotations";
    let name = literal(name);
    format!("has({all}) && {name} in {all}\n  ? {all}[{name}]\n  : \"\"")
}

/// A text in a regular expression that stands for itself.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(literal("encryption-key-0"), r#""encryption-key-0""#);
        assert_eq!(literal(r#"a" == "a" || "\"#), r#""a\" == \"a\" || \"\\""#);
        assert_eq!(literal("\n\u{e9}\u{1f511}"), r#""\U0000000a\U000000e9\U0001f511""#);
    }

    #[test]
    fn a_pattern_stands_for_itself() {
        assert_eq!(escaped("key.(b)-"), r"key\.\(b\)-");
    }

    #[test]
    fn names_with_a_star() {
        assert_eq!(has_name("keys"), r#"oldObject.metadata.name == "keys""#);
        assert_eq!(
            has_name("*-db"),
            r#"oldObject.metadata.name.endsWith("-db") && size(oldObject.metadata.name) >= 3"#
        );
        assert_eq!(
            has_name("ab*ba"),
            "oldObject.metadata.name.startsWith(\"ab\") && oldObject.metadata.name.endsWith(\"ba\") \
             && size(oldObject.metadata.name) >= 4"
        );
    }
}
