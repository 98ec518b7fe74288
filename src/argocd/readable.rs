//! What Argo CD would not read as it is meant: it would lose it, or put it into the Application's status.

use memchr::memmem;

use crate::manifest::split;
use crate::report::{Finding, Refusal};
use crate::yaml::{self, Data, Value};

/// Refuses a stream that Argo CD reads otherwise than Helm and Kubernetes do.
///
/// # Errors
/// All of what follows was run with the plugin server of 3.2.12. No object at all, which is success there, and prunes
/// everything. A document without a `kind`, which it quotes as a whole in the Application's status; one that begins on the
/// line of its `---` behind another one, whose line it quotes. A document behind `...` or a lone carriage return without a
/// `---` of its own, and a second JSON object without one, which it loses in silence.
pub fn refuse_unreadable(stream: &[u8]) -> Result<(), Refusal> {
    let mut findings = Vec::new();
    let mut objects = 0;
    for (number, range) in split(stream).into_iter().enumerate() {
        let is_behind_a_break = range.start == 0 || stream.get(range.start - 1) == Some(&b'\n');
        let piece = &stream[range];
        if is_empty(piece) {
            continue;
        }
        let marked = marked(piece).filter(|marked| is_behind_a_break || marked.len() < piece.len());
        let first = marked.and_then(|marked| lines(marked).next()).unwrap_or_default();
        if breaks_inside(piece) {
            findings.push(lost(piece, "a document ends at a line break that only some readers know"));
        } else if number > 0 && marked.is_none() {
            findings.push(lost(piece, "a document has no `---` of its own on a line before it"));
        } else if number > 0 && !is_empty(first) {
            findings.push(lost(piece, "a document begins on the line of its `---`"));
        } else {
            match Objects::of(piece) {
                Objects::Of(count) => objects += count,
                Objects::None(why) => findings.push(
                    Finding::refused("no-kind", why)
                        .found(format!("Argo CD would show all of it in the Application's status{}", from(piece)))
                        .help("mend the template: each document is a Kubernetes object"),
                ),
                Objects::Listed => findings.push(
                    Finding::refused("lost-document", "an object that is no list has `items`")
                        .found(format!("Argo CD takes it for a list, and would leave it out in silence{}", from(piece)))
                        .help("take `items` out in the template"),
                ),
            }
        }
    }
    if findings.is_empty() && objects == 0 {
        findings.push(empty());
    }
    if findings.is_empty() { Ok(()) } else { Err(Refusal(findings)) }
}

/// Whether a marker stands behind a line break of YAML 1.1 alone, which Argo CD's reader knows, and its splitter does not.
fn breaks_inside(piece: &[u8]) -> bool {
    ["\u{85}", "\u{2028}", "\u{2029}"].iter().any(|end| {
        memmem::find_iter(piece, end.as_bytes()).any(|at| {
            let rest = &piece[at + end.len()..];
            rest.starts_with(b"---") || rest.starts_with(b"...")
        })
    })
}

/// A piece from its `---` on, before which there are at most comments.
fn marked(piece: &[u8]) -> Option<&[u8]> {
    let mut rest = piece;
    while !rest.starts_with(b"---") {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let is_comment = matches!(rest[..end].trim_ascii(), [] | [b'#', ..]);
        rest = is_comment.then(|| &rest[end + 1..])?;
    }
    Some(rest)
}

fn lost(piece: &[u8], title: &str) -> Finding {
    Finding::refused("lost-document", title)
        .found(format!("Argo CD would leave it out in silence, or show it in the Application's status{}", from(piece)))
        .help("write `---` on a line of its own before it in the template")
}

/// For a chart without any object.
pub fn empty() -> Finding {
    Finding::refused("empty-input", "the chart rendered nothing")
        .found("an empty answer is success for Argo CD, which would then prune everything")
        .help("check the values: is all of the chart turned off?")
}

/// What Argo CD sees in a document.
enum Objects {
    /// So many objects: a `null` is none, a list as many as it has.
    Of(usize),
    /// One that is read as a list.
    Listed,
    /// Something else, and why.
    None(&'static str),
}

impl Objects {
    fn of(piece: &[u8]) -> Self {
        if is_plainly_one(piece) {
            return Self::Of(1);
        }
        let Some(value) = parsed(piece) else { return Self::None("a document cannot be read as one object") };
        let kind = kind(&value);
        match (&value.data, kind, value.get("items").map(|items| &items.data)) {
            (Data::Null, ..) => Self::Of(0),
            (_, None, _) => Self::None("a document has no `kind`"),
            (_, Some(kind), Some(Data::List(_))) if !kind.ends_with("List") => Self::Listed,
            (_, Some(_), Some(Data::List(items))) if items.iter().any(|item| self::kind(item).is_none()) => {
                Self::None("an item of a list has no `kind`")
            }
            (_, Some(_), Some(Data::List(items))) => Self::Of(items.len()),
            (_, Some("List"), _) => Self::Of(0),
            (_, Some(_), _) => Self::Of(1),
        }
    }
}

fn kind(value: &Value) -> Option<&str> {
    value.get("kind").and_then(Value::text).filter(|kind| !kind.is_empty())
}

/// Most documents say a kind in a line of its own, have no `items`, and are so plain that they need not be parsed.
fn is_plainly_one(piece: &[u8]) -> bool {
    let mut kinds = 0;
    let is_plain = |(number, line): (usize, &[u8])| match line.first() {
        None | Some(b'#' | b'\r') => true,
        Some(b' ') => is_closed(line),
        Some(b'-') => number == 0 && line.starts_with(b"---") && is_empty(line),
        Some(_) => {
            let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = (&line[..end], line.get(end + 1..).unwrap_or_default());
            kinds += usize::from(name == b"kind" && is_kind(value.trim_ascii()));
            name.iter().all(u8::is_ascii_alphanumeric) && name != b"items" && is_value(value) && is_closed(line)
        }
    };
    piece.is_ascii() && lines(piece).enumerate().all(is_plain) && kinds == 1 && count(piece, b"kind:") == 1
}

/// A word with a capital first, and no list.
fn is_kind(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_uppercase)
        && word.iter().all(u8::is_ascii_alphanumeric)
        && !word.ends_with(b"List")
}

/// What stands behind a name is apart from it, and no anchor, alias or tag.
fn is_value(value: &[u8]) -> bool {
    match value {
        [] => true,
        [b' ' | b'\r', rest @ ..] => {
            !matches!(rest.trim_ascii_start().first(), Some(b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'?'))
        }
        _ => false,
    }
}

/// Whether all that a line opens, it closes: what begins like a name on a line below could stand in quotes or in flow style.
fn is_closed(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let Some(at) = line.iter().position(|byte| b"\"'{[".contains(byte)) else { return true };
    let (before, opened) = line.split_at(at);
    let ends = |closing: u8, never: &[u8]| match opened {
        [_, inner @ .., last] => *last == closing && !inner.iter().any(|byte| never.contains(byte)),
        _ => false,
    };
    line.starts_with(b"#")
        || (before.ends_with(b": ") || before.ends_with(b"- "))
            && match opened[0] {
                b'"' => ends(b'"', b"\"\\"),
                b'\'' => ends(b'\'', b"'"),
                b'{' => ends(b'}', b"\"'{}[]#"),
                _ => ends(b']', b"\"'{}[]#"),
            }
}

/// How many lines begin so.
fn count(piece: &[u8], beginning: &[u8]) -> usize {
    lines(piece).filter(|line| line.starts_with(beginning)).count()
}

fn parsed(piece: &[u8]) -> Option<Value> {
    let tree = yaml::parse(std::str::from_utf8(piece).ok()?).ok()?;
    if tree.has_more { None } else { Value::compose(&tree, 0).ok() }
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
            "kind: A\n...\n\n---\n# Source: b\nkind: B\n",
            "kind: A\n... # x\n# y\n\n---\n# Source: b\nkind: B\n",
            "%YAML 1.1\n---\nkind: A\n",
            "\"kind\": A\n",
            "---\nkind: List\nitems:\n- kind: A\n",
            "---\nkind: \"A\" # why\n",
            "---\nkind: ConfigMap\r\ndata: {a: b}\r\n---\r\nkind: B\r\n",
            "---\nkind: ConfigMap\ndata:\n  a: |\n    ---\n    kind: no\n",
        ] {
            assert_eq!(ids(stream), Vec::<&str>::new(), "{stream}");
        }
    }

    #[test]
    fn nothing_at_all_is_refused() {
        for stream in [
            "",
            "---\n# nothing\n",
            "---\nnull\n---\n~\n",
            "...\n",
            "---\nkind: List\nitems: []\n",
            "---\nkind: List\nitems:\n",
            "---\nkind: List\napiVersion: v1\n",
            "---\nkind: ConfigMapList\nitems: []\n",
            "%YAML 1.1\n---\n",
            "kind: SecretList\n'items': []\n",
            "kind: SecretList\n? items\n: []\n",
            "kind: SecretList\n<<: {items: []}\n",
        ] {
            assert_eq!(ids(stream), ["empty-input"], "{stream}");
        }
    }

    #[test]
    fn what_argo_cd_loses_or_shows_is_refused() {
        for stream in [
            "---\nkind: A\n...\nkind: B\n",
            "---\nkind: A\n--- {kind: B}\n",
            "---\nkind: A\n--- !!map\nkind: B\n",
            "---\nkind: A\r---\rkind: B\r",
            "---\nkind: A\u{85}---\nkind: B\n",
            "kind: A\n...\n# c\n--- {kind: B}\n",
            "kind: A\n...\n%YAML 1.1\n---\nkind: B\n",
            "kind: Secret\nitems: []\ndata: {a: b}\n",
            "kind: Secret\n'items': [{kind: A}]\n",
        ] {
            assert_eq!(ids(stream), ["lost-document"], "{stream}");
        }
        for stream in [
            "--- hunter2\n",
            "---\npassword: hunter2\n",
            "--- |\nkind: A\n",
            "kind:\n",
            "kind: # c\na: b\n",
            "kind: ~\n",
            "kind: \"\"\n",
            "kind: 5\n",
            "kind: A\n'kind': null\n",
            "metadata: \"hunter2\nkind: ConfigMap\nx\"\n",
            "metadata: \"hunter2\nkind: ConfigMap\nx: y\"\n",
            "apiVersion: v1\ndata:\n  a: \"x\nkind: ConfigMap\nb: hunter2y\"\n",
            "data:\n  a: 'x\nkind: ConfigMap\nb: hunter2y'\n",
            "data:\n  a: \"x\\\"\nkind: ConfigMap\nb: hunter2y\"\n",
            "data:\n  - '\"': \"x\nkind: ConfigMap\nb: hunter2y\"\n",
            "data:\n  5\": \"x\nkind: ConfigMap\nb: hunter2y\"\n",
            "data:\n  don't: \"x'\nkind: ConfigMap\nb: hunter2y\"\n",
            "data:\n  a: {b: {}\nkind: ConfigMap\n  }\n",
            "data:\n  a]: [\nkind: ConfigMap\n  ]\n",
            "data: {a: \"}\nkind: ConfigMap\nb: hunter2y\"}\n",
            "data:\n  ? \"x\nkind: ConfigMap\nb: hunter2y\"\n",
            "kind: {a: 1}\n",
            "---\n- kind: A\n",
            "---\nkind: List\nitems:\n- name: x\n",
            "{\"kind\": \"A\"}\n{\"kind\": \"B\"}\n",
        ] {
            assert_eq!(ids(stream), ["no-kind"], "{stream}");
        }
        let refusal = refuse_unreadable(b"---\n# Source: a/templates/b.yaml\npassword: hunter2\n").unwrap_err();
        let told = refusal.to_string();
        assert!(told.contains("; it is of a/templates/b.yaml\n") && !told.contains("hunter2"));
    }
}
