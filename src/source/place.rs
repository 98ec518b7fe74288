//! A place of a store: a path of Vault, a secret of AWS, a file, a Secret, what a command prints. It is read as a whole,
//! once a run; what its members are called in the Secret is somebody else's matter ([`super::Stored`]).

use std::collections::BTreeMap;

use super::json::Object;
use super::{Error, Files, Run};
use crate::key::KeyText;
use crate::report::Finding;

/// A place that is read as a whole.
///
/// Implement it for a new store; `docs/sources.md` has a table of what each must answer.
pub trait Place: Send + Sync {
    /// What to call it in a message: kind and path, nothing secret.
    fn describe(&self) -> String;

    /// The same text for the same place only: equal ones are read once a run.
    fn identity(&self) -> String;

    /// As whom it is read, in words, as far as that is known yet.
    fn login(&self) -> Option<String> {
        None
    }

    /// Reads everything.
    ///
    /// # Errors
    /// What failed, what it answered, what to check. Never holds key text.
    fn read(&self, run: &Run) -> Result<Content, Error>;

    /// What is to be said of the place itself, whatever it holds.
    fn warnings(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// The same place, if it can be written to from here.
    fn writable(&self) -> Option<&dyn Writable> {
        None
    }
}

/// A place that takes keys.
pub trait Writable: Place {
    /// The folder of its file, where it is one.
    fn folder(&self) -> Option<std::path::PathBuf> {
        None
    }

    /// What it takes to set these members over what was read: new files, whole, or `None` if [`Writable::put`] does it.
    /// Nothing is changed yet, but everything that can be refused is refused.
    ///
    /// # Errors
    /// A place that cannot take them safely.
    fn prepare(&self, run: &Run, before: &Content, members: &Members) -> Result<Option<Files>, Error>;

    /// Sets these members, if nothing was changed there since `before` was read; all others stay.
    ///
    /// # Errors
    /// Somebody else was faster, or the store refuses. Says what is known of the state.
    fn put(&self, run: &Run, before: &Content, members: &Members) -> Result<(), Error>;
}

/// Members to be set: names in the store, and texts in the store's encoding.
pub type Members = BTreeMap<String, KeyText>;

/// The members for a store that keeps JSON.
///
/// # Errors
/// Bytes that are no text need an encoding.
pub fn texts(members: &Members) -> Result<impl Iterator<Item = (&str, &str)>, Error> {
    let texts: Vec<(&str, Option<&str>)> =
        members.iter().map(|(name, key)| (name.as_str(), std::str::from_utf8(key.expose()).ok())).collect();
    match texts.iter().find(|(_, text)| text.is_none()) {
        Some((name, _)) => Err(Error::new(
            format!("`{name}` is no text in UTF-8, and the store keeps JSON"),
            "set `encoding: base64` on the source, and write the other keys so too",
        )),
        None => Ok(texts.into_iter().filter_map(|(name, text)| Some((name, text?)))),
    }
}

/// What a place holds.
#[derive(Default)]
pub struct Content {
    /// Members by name.
    pub members: BTreeMap<String, Value>,
    /// The version that was read, in the store's own words.
    pub version: Option<String>,
    /// The object as it was read, where the store keeps one.
    pub object: Object,
    /// What is to be said of what was read.
    pub warnings: Vec<Finding>,
    /// Nothing is there yet; said to those who need a key, and no error for those who bring one.
    pub missing: Option<Error>,
}

/// A member of a place.
pub enum Value {
    /// Bytes as they are.
    Text(KeyText),
    /// Something else than text: `a number`, `null`.
    Other(&'static str),
}

impl Content {
    /// All members of an object.
    #[must_use]
    pub fn of(object: Object, version: Option<String>) -> Self {
        let value = |text: Result<KeyText, &'static str>| text.map_or_else(Value::Other, Value::Text);
        let members = object.texts().map(|(name, text)| (name.to_owned(), value(text))).collect();
        Self { members, version, object, ..Self::default() }
    }

    /// Nothing is there.
    #[must_use]
    pub fn missing(error: Error) -> Self {
        Self { missing: Some(error), ..Self::default() }
    }
}
