//! Sources: where key texts come from. One trait, one file a source.

mod dir;
mod env;
mod kubectl;
mod live;
mod sealed;

use std::path::PathBuf;

use zeroize::Zeroizing;

pub use dir::Dir;
pub use env::Env;
pub use kubectl::Kubectl;
pub use live::Live;
pub use sealed::Sealed;

use crate::key::KeyText;
use crate::keyring::Numbered;
use crate::profile::{FieldName, FieldSpec};
use crate::report::{Exit, Finding, Refusal};
use crate::schema::shown;

/// Files and their whole new contents, which may hold keys.
pub type NewFiles = Vec<(PathBuf, Zeroizing<Vec<u8>>)>;

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

    /// What is to be said of the place itself, whatever keys it holds.
    fn warnings(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// The same source, if keys can be added to it from here.
    fn store(&self) -> Option<&dyn Store> {
        None
    }
}

/// A source whose keys lie in files that this program may replace.
pub trait Store: Source {
    /// As [`Source::fetch`], but a store without keys is no error.
    ///
    /// # Errors
    /// As [`Source::fetch`].
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error>;

    /// The folder of its files.
    fn folder(&self) -> PathBuf;

    /// How many keys of a ring it has places for, the newest ones; `None`: for all that there ever were.
    fn places(&self, spec: &FieldSpec) -> Option<usize>;

    /// The files, whole, that hold these keys too, in the order in which they are to be replaced. Nothing is written.
    ///
    /// # Errors
    /// A store that cannot be read, or cannot take such a key.
    fn with(&self, additions: &[Addition<'_>]) -> Result<NewFiles, Error>;
}

/// A key that a store is to take.
pub struct Addition<'a> {
    /// Its ring.
    pub spec: &'a FieldSpec,
    /// Its number in the store: the next one.
    pub number: u32,
    /// The key.
    pub key: &'a KeyText,
}

/// Fetches, and tells a failure as a finding; `whose` is the keyring and environment.
///
/// # Errors
/// What the source says (exit code 3).
pub fn fetch(source: &dyn Source, rings: &[&FieldSpec], whose: &str) -> Result<Vec<Numbered>, Refusal> {
    source.fetch(rings).map_err(|error| failed(source, error, whose).into())
}

/// A source's failure as a finding.
pub fn failed(source: &dyn Source, error: Error, whose: &str) -> Finding {
    Finding::error(Exit::Source, "source-failed", format!("{}: {}", source.describe(), error.message))
        .found(format!("for {whose}; nothing was changed or printed"))
        .help(error.help)
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
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Refuses a name that was meant for a numbered field of one of the rings, and is none of any: its key would get lost.
fn refuse_almost_a_field<'n>(rings: &[&FieldSpec], mut names: impl Iterator<Item = &'n str>) -> Result<(), Error> {
    let almost = names.find_map(|name| {
        let is_a_field = rings.iter().any(|ring| ring.slot(name).is_some());
        let meant = rings.iter().find(|ring| !is_a_field && is_almost_a_field(ring, name))?;
        Some((name, *meant))
    });
    match almost {
        Some((name, ring)) => Err(Error::new(
            // A name may hold a key that slipped into it.
            format!("{} is almost a field of `{}`", shown(name).unwrap_or_else(|| "a name".to_owned()), ring.name),
            "name it exactly like the field, or take it away if it is no key",
        )),
        None => Ok(()),
    }
}

/// Whether a name was meant for a numbered field and is not one: `encryption-key-01`, `Encryption-Key-1`,
/// `encryption-key-1.txt`. It must not be passed over in silence: its key would get lost.
fn is_almost_a_field(ring: &FieldSpec, name: &str) -> bool {
    let FieldName::Numbered(before, after) = &ring.name else { return false };
    let begins = name.get(..before.len()).is_some_and(|start| start.eq_ignore_ascii_case(before));
    // Where nothing stands before the number, any name that begins with a digit would do.
    let ends = !before.is_empty() || name.to_ascii_lowercase().ends_with(&after.to_ascii_lowercase());
    begins && ends && ring.slot(name).is_none() && name[before.len()..].starts_with(|c: char| c.is_ascii_digit())
}
