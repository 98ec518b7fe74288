//! The documents of a YAML text, and what each of them is.

use super::text::Text;
use crate::manifest::split;
use crate::report::Finding;
use crate::rules::unreadable;
use crate::yaml::{self, Data, Tree, Value};

/// A parsed document.
pub struct Document<'t> {
    /// Where it begins in its text.
    pub offset: usize,
    /// The tree; its offsets count from the document's beginning.
    pub tree: Tree<'t>,
    /// The value; its spans count from the text's beginning.
    pub value: Value,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// `Application` of Argo CD.
    Application,
    /// `ApplicationSet` of Argo CD.
    ApplicationSet,
    /// `HelmRelease` of Flux.
    HelmRelease,
    /// Any other Kubernetes object.
    Manifest,
    /// A compose file.
    Compose,
    /// A file of ours: keyring.yaml, a profile, the lock.
    Own,
    /// `Chart.yaml`.
    Chart,
    /// A mapping that may be values.
    Values,
    /// Nothing that holds values.
    Other,
}

impl What {
    /// What a value is, told by what it holds.
    pub fn of(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::text);
        let (group, kind) = (text("apiVersion").unwrap_or_default(), text("kind"));
        match kind {
            Some("Application") if group.starts_with("argoproj.io/") => Self::Application,
            Some("ApplicationSet") if group.starts_with("argoproj.io/") => Self::ApplicationSet,
            Some("HelmRelease") if group.starts_with("helm.toolkit.fluxcd.io/") => Self::HelmRelease,
            _ if group.starts_with("helm-keyring/") => Self::Own,
            Some(_) if !group.is_empty() => Self::Manifest,
            _ if !group.is_empty() && text("version").is_some() && text("name").is_some() => Self::Chart,
            _ if value.get("services").is_some_and(|services| services.map().is_some()) => Self::Compose,
            _ if value.map().is_some() || matches!(value.data, Data::List(_)) => Self::Values,
            _ => Self::Other,
        }
    }
}

impl<'t> Document<'t> {
    /// The documents of a text.
    ///
    /// # Errors
    /// The first one that cannot be parsed.
    pub fn all(text: &Text<'t>) -> Result<Vec<Self>, Finding> {
        let mut documents = Vec::new();
        for piece in split(text.text.as_bytes()) {
            let bom = if text.text.get(piece.clone()).is_some_and(|t| t.starts_with('\u{feff}')) { 3 } else { 0 };
            let offset = piece.start + bom;
            let source = text.text.get(offset..piece.end).unwrap_or_default();
            let broken = |error: yaml::Error| {
                let at = (offset + error.offset).min(text.text.len());
                unreadable::finding(text.place(at..at), &error.message)
            };
            let tree = yaml::parse(source).map_err(broken)?;
            if tree.root.is_none() {
                continue;
            }
            let mut value = Value::compose(&tree, 0).map_err(broken)?;
            value.shift(offset);
            documents.push(Self { offset, tree, value });
        }
        Ok(documents)
    }

    /// Whether SOPS wrote it: its encrypted texts are no keys, whatever they look like.
    pub fn is_sops(&self) -> bool {
        self.value.get("sops").is_some_and(|sops| sops.get("mac").is_some() || sops.get("lastmodified").is_some())
    }
}
