//! The documents of a render: which object each is, what it holds, and which template it came from.

use std::collections::BTreeMap;

use crate::manifest::split;
use crate::yaml::{self, Data, Entry, Value};

/// One object, or a text that is none.
pub(super) struct Document<'t> {
    /// What Helm says behind `# Source: `.
    pub(super) template: Option<&'t str>,
    pub(super) content: Content<'t>,
}

pub(super) enum Content<'t> {
    Object(Identity, Value),
    /// What no parser reads.
    Text(&'t str),
}

/// What makes two objects the same one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// All documents of a render; what holds nothing but comments is none.
pub(super) fn read(render: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let mut template = None;
    for piece in split(render.as_bytes()) {
        let text = render.get(piece).unwrap_or_default();
        // A template that ends a document with `...` itself gets no second comment.
        template = source(text).or(template);
        match value(text) {
            Some(value) if matches!(value.data, Data::Null) => {}
            Some(value) => {
                let objects = objects(value, "").into_iter();
                documents.extend(objects.map(|content| Document { template, content }));
            }
            None => documents.push(Document { template, content: Content::Text(text) }),
        }
    }
    documents
}

/// What stands behind `# Source: ` above a document's content.
fn source(text: &str) -> Option<&str> {
    let mut above = text.lines().take_while(|line| {
        let line = line.trim_end();
        line.is_empty() || line == "---" || line.starts_with('#')
    });
    above.find_map(|line| line.strip_prefix("# Source: ")).map(str::trim_end)
}

/// The value of a document, if it is one document that can be read to its end.
fn value(text: &str) -> Option<Value> {
    let tree = yaml::parse(text).ok().filter(|tree| !tree.has_more)?;
    Value::compose(&tree, 0).ok()
}

/// Takes a `kind: List` apart. `implied`: the kind of its items where they do not say it.
fn objects<'t>(mut value: Value, implied: &str) -> Vec<Content<'t>> {
    let identity = identity(&value, implied);
    if let (Some(of), Data::Map(map)) = (identity.kind.strip_suffix("List"), &mut value.data)
        && let Some(items) = items(map)
    {
        return items.into_iter().flat_map(|item| objects(item, of)).collect();
    }
    vec![Content::Object(identity, value)]
}

fn identity(value: &Value, implied: &str) -> Identity {
    let text = |path: &[&str]| value.at(path.iter().copied()).and_then(Value::text).filter(|text| !text.is_empty());
    let name = text(&["metadata", "name"]).or_else(|| text(&["metadata", "generateName"]));
    Identity {
        api_version: text(&["apiVersion"]).unwrap_or_default().to_owned(),
        kind: text(&["kind"]).unwrap_or(implied).to_owned(),
        namespace: text(&["metadata", "namespace"]).unwrap_or_default().to_owned(),
        name: name.unwrap_or_default().to_owned(),
    }
}

fn items(list: &mut BTreeMap<String, Entry>) -> Option<Vec<Value>> {
    match &mut list.get_mut("items")?.value.data {
        Data::List(items) => Some(std::mem::take(items)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, name and template of each document.
    fn seen(render: &str) -> Vec<String> {
        let one = |document: &Document<'_>| {
            let what = match &document.content {
                Content::Object(identity, _) => format!("{}/{}", identity.kind, identity.name),
                Content::Text(_) => "text".to_owned(),
            };
            format!("{what} {}", document.template.unwrap_or("-"))
        };
        read(render).iter().map(one).collect()
    }

    #[test]
    fn documents_go_by_what_they_are() {
        assert_eq!(seen("kind: A\nmetadata: {name: x}\n"), ["A/x -"]);
        assert_eq!(
            seen(
                "---\n# Source: c/a.yaml\n# c\nkind: A\n...\nkind: B\n---\n# Source: c/b.yaml\r\n# only a comment\n---\na: {\n"
            ),
            ["A/ c/a.yaml", "B/ c/a.yaml", "text c/b.yaml"]
        );
        assert_eq!(seen("kind: A\n# Source: c/a.yaml\n"), ["A/ -"]);
        assert_eq!(seen("kind: A\nmetadata: {generateName: x-}\n"), ["A/x- -"]);
    }

    #[test]
    fn lists_are_taken_apart() {
        let list =
            "kind: List\nitems:\n- {kind: A, metadata: {name: x}}\n- kind: BList\n  items: [{metadata: {name: z}}]\n";
        assert_eq!(seen(list), ["A/x -", "B/z -"]);
        assert_eq!(seen("kind: List\nitems: {a: b}\n"), ["List/ -"]);
    }
}
