//! Kubernetes objects of a document: the document itself, or the items of a `kind: List`.

use super::cursor::Cursor;

/// A Kubernetes object.
#[derive(Clone)]
pub struct Object<'t, 'a> {
    /// Its mapping.
    pub root: Cursor<'t, 'a>,
    /// `apiVersion`, empty if there is none.
    pub api_version: &'t str,
    /// `kind`, empty if there is none.
    pub kind: &'t str,
    /// `metadata.name`, empty if there is none.
    pub name: &'t str,
    /// `metadata.namespace`
    pub namespace: Option<&'t str>,
}

/// A name as messages may show it: one that Kubernetes would take, or that we say. Anything else may be a key in the
/// wrong place.
pub fn shown_name(name: &str) -> &str {
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:".contains(&b));
    if is_name || name.starts_with('(') { name } else { "(no valid name)" }
}

impl<'t, 'a> Object<'t, 'a> {
    /// The objects of a document, in order.
    pub fn all(root: Cursor<'t, 'a>) -> Vec<Self> {
        Self::all_of(root, ("", ""))
    }

    /// `implied`: API version and kind of a list's items where they do not say it themselves (`SecretList`).
    fn all_of(root: Cursor<'t, 'a>, implied: (&'t str, &'t str)) -> Vec<Self> {
        let text = |cursor: &Cursor<'t, 'a>, path: &[&str]| cursor.at(path).and_then(|c| c.text());
        let api_version = text(&root, &["apiVersion"]).unwrap_or(implied.0);
        let kind = text(&root, &["kind"]).unwrap_or(implied.1);
        if let Some(of) = kind.strip_suffix("List")
            && let Some(items) = root.get("items")
        {
            return items.items().into_iter().flat_map(|item| Self::all_of(item, (api_version, of))).collect();
        }
        let name = text(&root, &["metadata", "name"]).unwrap_or("");
        let namespace = text(&root, &["metadata", "namespace"]);
        vec![Self { root, api_version, kind, name, namespace }]
    }

    /// Whether it is a Secret of Kubernetes itself. What others hold that are called so, Argo CD for one shows to everybody.
    pub fn is_secret(&self) -> bool {
        self.kind == "Secret" && !self.api_version.contains('/')
    }

    /// `Deployment/lr-backend`, for messages.
    pub fn title(&self) -> String {
        let or = |text: &'t str, or: &'static str| if text.is_empty() { or } else { text };
        format!("{}/{}", or(self.kind, "(no kind)"), shown_name(or(self.name, "(no name)")))
    }

    /// Where it begins in its document.
    pub fn offset(&self) -> usize {
        self.root.node.start
    }
}
