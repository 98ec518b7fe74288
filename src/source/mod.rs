//! Sources: where key texts come from. One trait, one file a source.

mod address;
mod aws;
mod by_field;
mod deadline;
mod dir;
mod env;
mod exec;
mod http;
pub mod json;
mod kubectl;
mod kubernetes;
mod live;
mod open;
mod place;
mod program;
mod proxy;
mod run;
mod scrub;
mod sealed;
mod sops;
mod stored;
mod vault;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use by_field::ByField;
pub use deadline::Deadline;
pub use dir::Dir;
pub use env::Env;
pub use kubectl::Kubectl;
pub use live::Live;
pub use open::Sources;
pub use run::{Cost, Run, Stats};
pub use scrub::Scrubber;
pub use sealed::Sealed;
pub use stored::Stored;

use crate::key::KeyText;
use crate::keyring::{Numbered, Ring};
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

/// A source that keys can be added to.
pub trait Store: Source {
    /// As [`Source::fetch`], but a store without keys is no error.
    ///
    /// # Errors
    /// As [`Source::fetch`].
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error>;

    /// The folder of its files, if it keeps keys in files.
    fn folder(&self) -> Option<PathBuf>;

    /// How many keys of a ring it has places for, the newest ones; `None`: for all that there ever were.
    fn places(&self, spec: &FieldSpec) -> Option<usize>;

    /// What it takes to hold these keys too. Nothing is written.
    ///
    /// # Errors
    /// A store that cannot be read, or cannot take such a key.
    fn with(&self, additions: &[Addition<'_>]) -> Result<Change, Error>;

    /// It was changed: what was read before counts no more.
    fn forget(&self) {}
}

/// Files that are to be replaced.
#[derive(Default)]
pub struct Files {
    /// Whole, in the order in which they are to be replaced.
    pub files: NewFiles,
    /// What they were made from, where somebody else may change that meanwhile.
    pub since: Vec<Since>,
}

/// A file as it was read.
pub struct Since {
    /// The file.
    pub file: PathBuf,
    /// What was in it.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Since {
    /// Whether it is still so.
    ///
    /// # Errors
    /// It was changed, or cannot be read any more.
    pub fn refuse_changed(&self) -> Result<(), Error> {
        let now = std::fs::read(&self.file).map(Zeroizing::new);
        if now.is_ok_and(|now| *now == *self.bytes) { Ok(()) } else { Err(changed()) }
    }
}

/// Somebody else has changed a file.
fn changed() -> Error {
    Error::new(
        "was changed since it was read; nothing of ours was written",
        "look at what was changed, then run this again: it begins with what is there now",
    )
}

/// A change of a store that was not made yet.
#[derive(Default)]
pub struct Change {
    /// Files, whole, in the order in which they are to be replaced.
    pub files: NewFiles,
    /// What they were made from.
    pub since: Vec<Since>,
    /// What a store elsewhere is to take, after the files.
    pub remote: Vec<Box<dyn Remote>>,
}

impl Change {
    /// A change of files alone.
    #[must_use]
    pub fn of_files(files: NewFiles) -> Self {
        Self { files, ..Self::default() }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.remote.is_empty()
    }
}

/// A change of a store elsewhere.
pub trait Remote {
    /// The place, in words.
    fn describe(&self) -> String;

    /// Makes it, if nothing was changed there since it was planned.
    ///
    /// # Errors
    /// Somebody else was faster, or the store refuses. Says what is known of the state.
    fn put(&self) -> Result<(), Error>;
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

impl<'a> Addition<'a> {
    /// The same once more.
    fn again(&self) -> Self {
        let Addition { spec, number, key } = *self;
        Self { spec, number, key }
    }

    /// Puts it behind the keys of its ring.
    ///
    /// # Errors
    /// Its number is not the next one.
    fn append_to(&self, keys: &mut Numbered) -> Result<(), Error> {
        let next = keys.keys().next_back().map_or(0, |highest| highest + 1);
        if self.number != next {
            let message = format!("key {} of `{}` cannot be added: the next is {next}", self.number, self.spec.name);
            return Err(Error::new(message, "a keyring only grows at its end"));
        }
        keys.insert(next, self.key.duplicate());
        Ok(())
    }
}

/// Additions to one ring each, in their order.
fn by_ring<'a>(additions: &'a [Addition<'a>]) -> Vec<(&'a FieldSpec, Vec<&'a Addition<'a>>)> {
    let mut rings: Vec<(&FieldSpec, Vec<&Addition<'_>>)> = Vec::new();
    for addition in additions {
        match rings.iter_mut().find(|(spec, _)| spec.name == addition.spec.name) {
            Some((_, added)) => added.push(addition),
            None => rings.push((addition.spec, vec![addition])),
        }
    }
    rings
}

/// The fields of a ring and what is in them, as they are delivered; nothing for a ring without keys.
fn slots(spec: &FieldSpec, keys: &Numbered) -> Result<Vec<(String, KeyText)>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys.iter().map(|(number, key)| (*number, key.duplicate())).collect();
    let ring = Ring::new(spec, keys)
        .map_err(|error| Error::new(error.to_string(), "bring the missing key back; never renumber the others"))?;
    Ok(ring.delivered().into_iter().map(|(field, key)| (field, key.duplicate())).collect())
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
    let title = format!("{}: {}", source.describe(), error.message);
    let finding = Finding::error(Exit::Source, "source-failed", title);
    let finding = error.login.iter().fold(finding, |finding, login| finding.found(format!("login: {login}")));
    finding.found(format!("for {whose}; nothing was changed or printed")).help(error.help)
}

/// Why a source failed (exit code 3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What failed.
    pub message: String,
    /// What to check next.
    pub help: String,
    /// As whom the store was asked, where that matters.
    pub login: Option<String>,
    /// What kind of failure it is.
    pub why: Why,
}

/// What kind of failure: all that may be told to those who must not know the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Why {
    /// Nothing answers, or only that it cannot now.
    Unreachable,
    /// It took too long.
    TooLate,
    /// The login, or what it may do, is not enough.
    Refused,
    /// It is there, and has no such keys.
    Missing,
    /// Anything else.
    #[default]
    Other,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), login: None, why: Why::Other }
    }

    fn because(self, why: Why) -> Self {
        Self { why, ..self }
    }

    fn with_login(self, login: Option<String>) -> Self {
        Self { login: self.login.or(login), ..self }
    }
}

/// Longer is no token and no name.
const WORD_LEN_MAX_BYTES: u64 = 64 << 10;

/// A token or a name that a file holds, without white space around it.
fn read_word(file: &Path, what: &str) -> Result<Zeroizing<String>, Error> {
    let failed = |why: String| {
        Error::new(format!("{what} cannot be read from {}: {why}", file.display()), "check path and permissions")
    };
    if file.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(failed("it is no regular file".to_owned()));
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = File::open(file).and_then(|file| file.take(WORD_LEN_MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| failed(error.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty".to_owned())),
        _ if text.len() as u64 > WORD_LEN_MAX_BYTES => Err(failed("it is larger than 64 KiB".to_owned())),
        word => Ok(Zeroizing::new(word.to_owned())),
    }
}

/// Keys that cross a network without TLS.
fn plain_http(place: &str) -> Finding {
    Finding::warning("plain-http", format!("{place} is asked without TLS"))
        .found("whoever can listen on the way reads keys and tokens")
        .help("use https://, unless something else encrypts all of the way")
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
