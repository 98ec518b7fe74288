//! Sources: where key texts come from. One trait, one file a source.

mod dir;
mod env;

use std::collections::BTreeMap;

pub use dir::Dir;
pub use env::Env;

use crate::key::KeyText;
use crate::profile::{FieldName, FieldSpec};

/// Key texts of one ring by number; a fixed ring's active key has the highest.
pub type Numbered = BTreeMap<u32, KeyText>;

/// A place outside the chart that holds keys.
///
/// Implement it for a new store, and add the store to `schema/keyring.schema.json` and `config`.
pub trait Source {
    /// What to call it in a message: kind and place, nothing secret.
    fn describe(&self) -> String;

    /// Fetches all keys of all these rings, in their order, in one go. A ring without keys comes back empty.
    ///
    /// # Errors
    /// Says which key of which place could not be had, why, and what to check. Never holds key text.
    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error>;
}

/// Why a source failed (exit code 3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What failed.
    pub message: String,
    /// What to check next.
    pub help: String,
}

impl Error {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// The numbers of a fixed ring: the previous key, if there is one, comes before the active one. Without an
/// active key there is no ring, whatever came before it.
fn fixed(previous: Option<KeyText>, active: Option<KeyText>) -> Numbered {
    match active {
        Some(active) => (0..).zip(previous.into_iter().chain([active])).collect(),
        None => Numbered::new(),
    }
}

/// Whether a name was meant for a numbered field and is not one: `encryption-key-01`, `Encryption-Key-1`,
/// `encryption-key-1.txt`. It must not be passed over in silence: its key would get lost.
fn is_almost_a_field(ring: &FieldSpec, name: &str) -> bool {
    let FieldName::Numbered(before, _) = &ring.name else { return false };
    let begins = name.get(..before.len()).is_some_and(|start| start.eq_ignore_ascii_case(before));
    begins && ring.slot(name).is_none() && name[before.len()..].starts_with(|c: char| c.is_ascii_digit())
}
