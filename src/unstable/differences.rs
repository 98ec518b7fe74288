//! What differs between two renders of one chart, by meaning: which field of which object.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::fields::{What, compare, printable};
use super::rendered::{Content, Document, Identity, read};

/// A document that nobody can read has no name.
const UNREADABLE: &str = "a document that is no YAML";

/// One field that differs, or one object that only one render has. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What Helm says behind `# Source: `: the template, below the chart's name.
    pub template: Option<String>,
    /// `Secret/lr-backend`, with ` in namespace x` where another namespace has one of the same name.
    pub object: String,
    /// `data.password`, `spec.containers[0].image`; `data.*` where the names of the fields differ. Empty for an object as
    /// a whole.
    pub path: String,
    /// How it differs.
    pub kind: Kind,
}

/// How two renders differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Another value.
    Value,
    /// Another value that looks like a checksum, while some other field has another value too: it follows from that.
    Checksum,
    /// Only one of the renders has it.
    Missing,
}

/// All differences, sorted by template, object and path. Order of documents and keys, comments and quotes are none.
pub fn differences(first: &str, second: &str) -> Vec<Difference> {
    let (first, second) = (read(first), read(second));
    let crowded = names_in_several_namespaces(first.iter().chain(&second));
    let (pairs, alone) = matched(&first, &second);
    let mut found = Vec::new();
    for (a, b) in pairs {
        found.extend(between(a, b, &crowded));
    }
    found.extend(alone.into_iter().map(|document| Difference {
        template: document.template.map(printable),
        object: title(document, None, &crowded),
        path: String::new(),
        kind: Kind::Missing,
    }));
    // What looks like a checksum follows from another difference only if there is one.
    if !found.iter().any(|difference| difference.kind == Kind::Value) {
        found.iter_mut().filter(|difference| difference.kind == Kind::Checksum).for_each(|d| d.kind = Kind::Value);
    }
    found.sort();
    found
}

/// What differs between two documents that are the same object.
fn between(first: &Document<'_>, second: &Document<'_>, crowded: &Crowded) -> Vec<Difference> {
    let changes = match (&first.content, &second.content) {
        (Content::Object(_, a), Content::Object(_, b)) => {
            compare(a, b).into_iter().map(|change| (change.path, kind(change.what))).collect()
        }
        (Content::Text(a), Content::Text(b)) if a == b => Vec::new(),
        _ => vec![(String::new(), Kind::Value)],
    };
    let of = |(path, kind)| Difference {
        template: first.template.map(printable),
        object: title(first, Some(second), crowded),
        path,
        kind,
    };
    changes.into_iter().map(of).collect()
}

fn kind(what: What) -> Kind {
    match what {
        What::Value => Kind::Value,
        What::Checksum => Kind::Checksum,
        What::Missing => Kind::Missing,
    }
}

type Pair<'d, 't> = (&'d Document<'t>, &'d Document<'t>);

/// Pairs the documents of two renders: the same object of the same template, then the same object, then what differs
/// in its name only (or in its namespace, if that is made up). What is left has no partner.
fn matched<'d, 't>(
    first: &'d [Document<'t>],
    second: &'d [Document<'t>],
) -> (Vec<Pair<'d, 't>>, Vec<&'d Document<'t>>) {
    let (mut first, mut second): (Vec<_>, Vec<_>) = (first.iter().collect(), second.iter().collect());
    let mut pairs = Vec::new();
    let exact = |document: &Document<'t>| match &document.content {
        Content::Object(identity, _) => (document.template, Some(identity.clone()), ""),
        Content::Text(text) => (document.template, None, *text),
    };
    pair(&mut first, &mut second, &mut pairs, |document| Some(exact(document)));
    pair(&mut first, &mut second, &mut pairs, |document| match &document.content {
        Content::Object(identity, _) => Some(identity.clone()),
        Content::Text(_) => None,
    });
    pair(&mut first, &mut second, &mut pairs, |document| match &document.content {
        Content::Object(Identity { api_version, kind, .. }, _) => {
            Some((document.template, Some((api_version.clone(), kind.clone()))))
        }
        Content::Text(_) => Some((document.template, None)),
    });
    first.extend(second);
    (pairs, first)
}

/// Moves what has equal keys from both lists to `pairs`, in order; what has no key stays.
fn pair<'d, 't, K: Ord>(
    first: &mut Vec<&'d Document<'t>>,
    second: &mut Vec<&'d Document<'t>>,
    pairs: &mut Vec<Pair<'d, 't>>,
    key: impl Fn(&Document<'t>) -> Option<K>,
) {
    let mut waiting: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
    for (index, document) in second.iter().enumerate() {
        if let Some(key) = key(document) {
            waiting.entry(key).or_default().push_back(index);
        }
    }
    let mut taken = BTreeSet::new();
    first.retain(|document| {
        let index = key(document).and_then(|key| waiting.get_mut(&key)?.pop_front());
        let partner = index.and_then(|index| second.get(index).map(|partner| (index, *partner)));
        let Some((index, partner)) = partner else { return true };
        taken.insert(index);
        pairs.push((*document, partner));
        false
    });
    let mut index = 0..;
    second.retain(|_| !index.next().is_some_and(|index| taken.contains(&index)));
}

/// Kinds and names that more than one namespace has.
type Crowded = BTreeSet<(String, String)>;

fn names_in_several_namespaces<'d, 't: 'd>(documents: impl Iterator<Item = &'d Document<'t>>) -> Crowded {
    let mut namespaces: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for document in documents {
        if let Content::Object(identity, _) = &document.content {
            namespaces.entry((&identity.kind, &identity.name)).or_default().insert(&identity.namespace);
        }
    }
    let several = namespaces.into_iter().filter(|(_, namespaces)| namespaces.len() > 1);
    several.map(|((kind, name), _)| (kind.to_owned(), name.to_owned())).collect()
}

fn title(document: &Document<'_>, partner: Option<&Document<'_>>, crowded: &Crowded) -> String {
    let Content::Object(identity, _) = &document.content else { return UNREADABLE.to_owned() };
    let name = match partner.map(|partner| &partner.content) {
        Some(Content::Object(other, _)) => shared_name(&identity.name, &other.name),
        _ => identity.name.clone(),
    };
    let or = |text: &str, or: &str| if text.is_empty() { or.to_owned() } else { printable(text) };
    let title = format!("{}/{}", or(&identity.kind, "(no kind)"), or(&name, "(no name)"));
    let is_crowded = crowded.contains(&(identity.kind.clone(), identity.name.clone()));
    match identity.namespace.as_str() {
        namespace if is_crowded && !namespace.is_empty() => format!("{title} in namespace {}", printable(namespace)),
        _ => title,
    }
}

/// `app-…-db` for `app-x7k2-db` and `app-9qp0-db`: the made-up part would read differently each time.
fn shared_name(first: &str, second: &str) -> String {
    if first == second {
        return first.to_owned();
    }
    let is_break = |c: char| matches!(c, '-' | '.');
    let head = first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count();
    let tail = first.bytes().rev().zip(second.bytes().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(first.len().min(second.len()) - head);
    let head = first.get(..head).and_then(|head| head.get(..=head.rfind(is_break)?)).unwrap_or_default();
    let tail = first.get(first.len() - tail..).and_then(|tail| tail.get(tail.find(is_break)?..)).unwrap_or_default();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One line a difference: `template object path`, with `!` for a missing one and `#` for a checksum.
    fn told(first: &str, second: &str) -> Vec<String> {
        let one = |d: Difference| {
            let mark = match d.kind {
                Kind::Value => "",
                Kind::Checksum => "#",
                Kind::Missing => "!",
            };
            format!("{} {} {}{mark}", d.template.as_deref().unwrap_or("-"), d.object, d.path)
        };
        differences(first, second).into_iter().map(one).collect()
    }

    fn secret(name: &str, more: &str) -> String {
        format!("---\n# Source: c/templates/s.yaml\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{more}\n")
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn order_comments_and_quotes_are_no_difference() {
        let (a, b) = (secret("a", "data: {x: eA==, z: eQ==}"), secret("b", "data: {}"));
        let turned = secret("a", "# c\ndata:\n  \"z\": 'eQ=='\n  x: eA==");
        assert_eq!(told(&format!("{a}{b}"), &format!("{b}{turned}")), NONE);
    }

    #[test]
    fn a_field_is_named_with_its_object_and_template() {
        let deployment = |sum: &str| {
            format!(
                "kind: Deployment\nmetadata: {{name: app}}\nspec: {{template: {{metadata: {{annotations: {{checksum/secret: {sum}}}}}}}}}\n"
            )
        };
        let render = |data: &str, sum: &str| format!("{}---\n{}", secret("a", data), deployment(sum));
        let checksum = "- Deployment/app spec.template.metadata.annotations.checksum/secret";
        assert_eq!(
            told(&render("data: {x: eA==}", "a"), &render("data: {x: eQ==}", "b")),
            // The second document has no comment of its own.
            [
                "c/templates/s.yaml Deployment/app spec.template.metadata.annotations.checksum/secret#",
                "c/templates/s.yaml Secret/a data.x"
            ]
        );
        assert_eq!(told(&deployment("a"), &deployment("b")), [checksum]);
    }

    #[test]
    fn an_object_in_one_render_only_is_missing() {
        let (a, b) = (secret("a", ""), secret("b", ""));
        assert_eq!(told(&a, &format!("{b}{a}")), ["c/templates/s.yaml Secret/b !"]);
        assert_eq!(told(&format!("{b}{a}"), &a), ["c/templates/s.yaml Secret/b !"]);
        assert_eq!(told("kind: A", "kind: B"), ["- A/(no name) !", "- B/(no name) !"]);
    }

    #[test]
    fn a_made_up_name_is_a_field_that_differs() {
        let differing = told(&secret("app-x7k2", "data: {x: eA==}"), &secret("app-9qp0", "data: {x: eQ==}"));
        assert_eq!(
            differing,
            ["c/templates/s.yaml Secret/app-… data.x", "c/templates/s.yaml Secret/app-… metadata.name"]
        );
        let beside = |name: &str| format!("{}{}", secret("fixed", ""), secret(name, ""));
        assert_eq!(told(&beside("x-1-z"), &beside("x-2-z")), ["c/templates/s.yaml Secret/x-…-z metadata.name"]);
    }

    #[test]
    fn shared_names_keep_whole_words() {
        assert_eq!(shared_name("app-x7k2-db", "app-x9p0-db"), "app-…-db");
        assert_eq!(shared_name("abc", "abd"), "…");
        assert_eq!(shared_name("a-a", "a-a-a"), "a-…");
        assert_eq!(shared_name("é-1", "è-1"), "…-1");
    }

    #[test]
    fn a_name_in_two_namespaces_is_told_with_its_namespace() {
        let of =
            |namespace: &str, x: &str| format!("---\nkind: A\nmetadata: {{name: a, namespace: {namespace}}}\nx: {x}\n");
        let first = format!("{}{}", of("m", "1"), of("o", "1"));
        assert_eq!(told(&first, &format!("{}{}", of("o", "2"), of("m", "1"))), ["- A/a in namespace o x"]);
        assert_eq!(told(&of("m", "1"), &of("m", "2")), ["- A/a x"]);
    }

    #[test]
    fn lists_and_equal_names_are_compared_object_by_object() {
        let list = |x: u8| format!("kind: List\nitems: [{{kind: A, metadata: {{name: a}}, x: {x}}}, {{kind: B}}]\n");
        assert_eq!(told(&list(1), &list(2)), ["- A/a x"]);
        let twice = |x: u8| format!("{}{}", secret("a", "x: 1"), secret("a", &format!("x: {x}")));
        assert_eq!(told(&twice(1), &twice(2)), ["c/templates/s.yaml Secret/a x"]);
    }

    #[test]
    fn what_is_no_yaml_is_compared_as_text() {
        assert_eq!(told("a: {\n", "a: {\n"), NONE);
        assert_eq!(told("a: {b\n", "a: {c\n"), [format!("- {UNREADABLE} ")]);
        assert_eq!(told("a: {b\n", ""), [format!("- {UNREADABLE} !")]);
    }

    #[test]
    fn no_value_is_told() {
        let config = |line: &str| format!("kind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  f: |\n    x\n    {line}\n");
        assert_eq!(told(&config("hunter2"), &config("swordfish")), ["- ConfigMap/a data.f"]);
    }

    proptest! {
        #[test]
        fn a_render_does_not_differ_from_itself(text in r"\PC*", yaml in r"([a-c]: |- |---\n|\.\.\.\n|&a |\*a|\n|  |\{|\}|#|.nan|kind: List\nitems:\n|\|\n){0,30}") {
            prop_assert_eq!(differences(&text, &text), []);
            prop_assert_eq!(differences(&yaml, &yaml), []);
        }
    }
}
