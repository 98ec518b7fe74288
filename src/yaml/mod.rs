//! YAML as Helm and Kubernetes read it, with byte positions.
//!
//! Helm parses values and manifests with `sigs.k8s.io/yaml` on go-yaml v2: YAML 1.1 scalars (`yes` is a
//! boolean, `0755` is 493), merge keys, the last of two equal keys. [`parse`] gives the *tree* as written
//! (styles, anchors, byte spans: what an edit needs), [`Value::compose`] the *value* that Helm sees
//! (aliases expanded, scalars resolved: what a decision needs). No other module knows the parser.
//!
//! Neither type can be printed: both may hold key text.

mod position;
mod scalar;
mod tree;
mod value;

pub use position::{Position, position};
pub use scalar::{Number, is_plain_string};
#[cfg(test)]
pub(crate) use tree::documents;
pub use tree::{Kind, Node, Scalar, Style, Tree, parse};
pub use value::{Data, Entry, Span, Value};

/// Why a text is not YAML that Helm would read. Never quotes the text: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Byte offset in the parsed text at which the problem was seen.
    pub offset: usize,
    /// What is wrong, in words that quote nothing.
    pub message: String,
}

impl Error {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

#[cfg(test)]
mod tests;
