//! What Argo CD would not read as it is meant: it would lose it, or put it into the Application's status.

use crate::manifest::split;
use crate::report::{Finding, Refusal};
use crate::yaml;

/// Refuses a stream that Argo CD reads otherwise than Helm and Kubernetes do.
///
/// # Errors
/// A document behind `...` without a `---` of its own, which Argo CD loses in silence; one without a `kind`, which it
/// quotes as a whole in the Application's status (both run with 3.2.12).
pub fn refuse_unreadable(stream: &[u8]) -> Result<(), Refusal> {
    let mut findings = Vec::new();
    let mut objects = 0;
    for (number, range) in split(stream).into_iter().enumerate() {
        let piece = &stream[range];
        if is_empty(piece) {
            continue;
        }
        if number > 0 && !piece.starts_with(b"---") {
            findings.push(
                Finding::refused("lost-document", "a document stands behind `...` without a `---` before it")
                    .found(format!("Argo CD would leave it out in silence{}", from(piece)))
                    .help("write `---` before it in the template"),
            );
        } else if has_kind(piece) {
            objects += 1;
        } else if !is_null(piece) {
            findings.push(
                Finding::refused("no-kind", "a document has no `kind`")
                    .found(format!("Argo CD would show all of it in the Application's status{}", from(piece)))
                    .help("mend the template: each document is a Kubernetes object"),
            );
        }
    }
    if findings.is_empty() && objects == 0 {
        findings.push(empty());
    }
    if findings.is_empty() { Ok(()) } else { Err(Refusal(findings)) }
}

/// For a chart without any object.
pub fn empty() -> Finding {
    Finding::refused("empty-input", "the chart rendered nothing")
        .found("an empty answer is success for Argo CD, which would then prune everything")
        .help("check the values: is all of the chart turned off?")
}

fn lines(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    piece.split(|byte| *byte == b'\n')
}

/// Nothing but markers, comments and blanks.
fn is_empty(piece: &[u8]) -> bool {
    lines(piece).all(|line| {
        let rest = line.strip_prefix(b"---").or_else(|| line.strip_prefix(b"...")).unwrap_or(line).trim_ascii();
        rest.is_empty() || rest.starts_with(b"#")
    })
}

/// Most documents say it in a line of its own, and need not be parsed.
fn has_kind(piece: &[u8]) -> bool {
    let first = lines(piece).next().unwrap_or_default();
    let is_bare = !first.starts_with(b"---") || is_empty(first);
    let says_it = |line: &[u8]| line.strip_prefix(b"kind:").is_some_and(|kind| !kind.trim_ascii().is_empty());
    let is_object =
        |value: yaml::Value| value.get("kind").and_then(yaml::Value::text).is_some_and(|kind| !kind.is_empty());
    (is_bare && lines(piece).any(says_it)) || parsed(piece).is_some_and(is_object)
}

/// Written as `null`, it is as good as not there.
fn is_null(piece: &[u8]) -> bool {
    parsed(piece).is_some_and(|value| matches!(value.data, yaml::Data::Null))
}

fn parsed(piece: &[u8]) -> Option<yaml::Value> {
    yaml::Value::parse(std::str::from_utf8(piece).ok()?, 0).ok()
}

/// The template, as Helm names it in a comment.
fn from(piece: &[u8]) -> String {
    let source = lines(piece).find_map(|line| line.strip_prefix(b"# Source: "));
    let name = source.and_then(|name| std::str::from_utf8(name).ok()).map(str::trim);
    name.filter(|name| name.len() < 200).map_or_else(String::new, |name| format!("; it is of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(stream: &str) -> Vec<&'static str> {
        refuse_unreadable(stream.as_bytes())
            .err()
            .map_or_else(Vec::new, |refusal| refusal.0.iter().map(|f| f.id).collect())
    }

    #[test]
    fn objects_and_nothing_are_fine() {
        for stream in [
            "---\n# Source: a/b.yaml\nkind: A\n---\n# nothing\n---\nnull\n---\n{\"kind\": \"B\"}\n",
            "--- # a comment\napiVersion: v1\nkind: A\n...\n# the end\n",
            "--- {kind: A}\n",
            "kind: A\n...\n---\nkind: B\n",
            "%YAML 1.1\n---\nkind: A\n",
            "\"kind\": A\n",
        ] {
            assert_eq!(ids(stream), Vec::<&str>::new(), "{stream}");
        }
    }

    #[test]
    fn nothing_at_all_is_refused() {
        for stream in ["", "---\n# nothing\n", "---\nnull\n---\n~\n", "...\n"] {
            assert_eq!(ids(stream), ["empty-input"], "{stream}");
        }
    }

    #[test]
    fn what_argo_cd_loses_or_shows_is_refused() {
        assert_eq!(ids("---\nkind: A\n...\nkind: B\n"), ["lost-document"]);
        for stream in ["--- hunter2\n", "---\npassword: hunter2\n", "--- |\nkind: A\n", "kind:\n", "---\n- kind: A\n"] {
            assert_eq!(ids(stream), ["no-kind"], "{stream}");
        }
        let refusal = refuse_unreadable(b"---\n# Source: a/templates/b.yaml\npassword: hunter2\n").unwrap_err();
        assert!(
            refusal.to_string().contains("; it is of a/templates/b.yaml\n") && !refusal.to_string().contains("hunter2")
        );
    }
}
