//! What Helm 4 itself changes in values on the way to a post-renderer and back, whatever the post-renderer does.
//! Seen on 4.1.4 and 4.3.1; a pipe keeps all of it.

use crate::manifest::split;
use crate::report::{Finding, Place};
use crate::yaml::{self, Kind, Node, Style};

const PIPE: &str = "use the pipe (`helm template … | helm-keyring render`), which keeps every byte";
/// From so many dashes in a row on, Helm 4.1.2 to 4.1.4 cuts or breaks a line; one less, if something follows them.
const DASHES: usize = 7;

/// Looks through what `helm template` printed. `name`: what messages call it.
pub fn broken_by_helm4(name: &str, stream: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for piece in split(stream.as_bytes()) {
        let text = &stream[piece.clone()];
        let place = |offset: usize| Place::in_text(name, stream.as_bytes(), piece.start + offset);
        let from = text.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or("a document without a name");
        if let Some(at) = dashes(text) {
            found.push(
                Finding::warning("helm4-dashes", format!("a run of dashes in {from}"))
                    .at(place(at))
                    .found("Helm 4.1.2 to 4.1.4 takes it for the end of a document before any post-renderer runs")
                    .help("draw the line with another sign, or use Helm 4.2 or later")
                    .help(PIPE),
            );
        }
        let Ok(tree) = yaml::parse(text) else { continue };
        let Some(root) = &tree.root else { continue };
        let mut folded = Vec::new();
        walk(root, &mut |node| folded.extend(grows(text, node).then_some(node.span.start)));
        for at in folded {
            found.push(
                Finding::warning("helm4-folded", format!("a folded text (`>`) with more-indented lines in {from}"))
                    .at(place(at))
                    .found("Helm 4 adds a blank line to it at every pass, behind any post-renderer")
                    .help("write it with `|` in the chart")
                    .help(PIPE),
            );
        }
        if let Some(at) = shared_in_list(root) {
            found.push(
                Finding::warning("helm4-list-anchors", format!("a `kind: List` with anchors in {from}"))
                    .at(place(at))
                    .found("Helm 4 takes the list apart, and fails where an item refers to another one's anchor")
                    .help("write the items as documents of their own, or without anchors")
                    .help(PIPE),
            );
        }
    }
    found
}

/// Where the first long run of dashes stands that is no marker of a document.
fn dashes(text: &str) -> Option<usize> {
    let mut rest = text;
    while let Some(at) = rest.find('-') {
        let behind = &rest[at..];
        let count = behind.len() - behind.trim_start_matches('-').len();
        let next = behind[count..].chars().next().unwrap_or(' ');
        if count >= DASHES || (count == DASHES - 1 && !next.is_whitespace()) {
            return Some(text.len() - behind.len());
        }
        rest = &behind[count..];
    }
    None
}

fn walk<'n>(node: &'n Node<'n>, visit: &mut dyn FnMut(&'n Node<'n>)) {
    visit(node);
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                walk(key, visit);
                walk(value, visit);
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Whether a node is a folded text of which a line is indented more than the first.
fn grows(text: &str, node: &Node<'_>) -> bool {
    if node.style != Style::BlockScalar {
        return false;
    }
    // The span begins behind the indentation of the first line; the header stands above it.
    let (before, content) = text.split_at_checked(node.span.start).unwrap_or_default();
    let (above, indent) = before.rsplit_once('\n').unwrap_or_default();
    let header = above.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let indicator = header.split(" #").next().unwrap_or_default().split_whitespace().next_back().unwrap_or_default();
    let inner =
        content.get(..node.span.len()).unwrap_or_default().lines().skip(1).filter(|line| !line.trim().is_empty());
    let mut indents = inner.map(|line| line.len() - line.trim_start_matches(' ').len());
    indicator.starts_with('>') && indents.any(|own| own > indent.len())
}

/// Where the first anchor of a `kind: List` stands.
fn shared_in_list(root: &Node<'_>) -> Option<usize> {
    let is_list = root
        .entries()
        .iter()
        .any(|(key, value)| key.text() == Some("kind") && value.text().is_some_and(|kind| kind.ends_with("List")));
    let mut first = None;
    if is_list {
        walk(root, &mut |node| {
            if first.is_none() && node.anchor.is_some() {
                first = Some(node.start);
            }
        });
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(stream: &str) -> Vec<&'static str> {
        broken_by_helm4("<helm template>", stream).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn what_helm_4_breaks_is_named_and_nothing_else() {
        assert_eq!(ids("a: >\n  one\n    more\n  two\n"), ["helm4-folded"]);
        assert_eq!(ids("a: [x]\nb:\n  - >-\n    one\n      more\n"), ["helm4-folded"]);
        assert_eq!(ids("a: >\n  one\n  two\nb: |\n  one\n    more\n"), Vec::<&str>::new());
        assert_eq!(ids("# Source: c/templates/a.yaml\na: |\n  x\n  ---------\n"), ["helm4-dashes"]);
        assert_eq!(ids("a: x ------b\n"), ["helm4-dashes"]);
        assert_eq!(ids("a: -----BEGIN X-----\nb: x ------\n"), Vec::<&str>::new());
        assert_eq!(ids("kind: List\nitems:\n  - {a: &a 1}\n  - {a: *a}\n"), ["helm4-list-anchors"]);
        assert_eq!(ids("kind: ConfigMap\ndata: {a: &a x, b: *a}\n"), Vec::<&str>::new());
    }
}
