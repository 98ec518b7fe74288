//! The lines of a sealed file, and how they are written.

use std::fmt::{self, Write as _};

use base64::engine::{Engine, general_purpose::STANDARD};

use super::crypto::{DataKey, FileId, MAC_LEN_BYTES};
use super::master::{KeyId, MasterKey};
use super::names::is_name;
use super::opened::Opened;
use super::random::Random;
use super::{Error, FILE_LEN_MAX_BYTES, RECIPIENTS_MAX, parse};
use crate::key::{KeyText, Spelling, decode};

pub(super) const MAGIC: &str = "helm-keyring-sealed v1";

/// A sealed file, read but not opened: what anybody can see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    pub(super) head: Head,
    pub(super) to: Vec<To>,
    pub(super) keys: Vec<KeyLine>,
    pub(super) mac: [u8; MAC_LEN_BYTES],
}

impl SealedFile {
    /// A new file of an environment without keys, sealed for these master keys.
    ///
    /// # Errors
    /// No or too many recipients, one twice, a name that is not allowed, no randomness.
    pub fn init(environment: &str, recipients: &[(&str, &MasterKey)]) -> Result<Opened, Error> {
        Self::init_with(environment, recipients, Random::System)
    }

    pub(super) fn init_with(
        environment: &str,
        recipients: &[(&str, &MasterKey)],
        mut random: Random,
    ) -> Result<Opened, Error> {
        if !is_name(environment) {
            return Err(Error::Name { what: "an environment's name" });
        }
        let id = *random.bytes()?;
        let data_key = DataKey::new(&mut random)?;
        let head = Head { id, environment: environment.to_owned() };
        let mut file = Self { head, to: Vec::new(), keys: Vec::new(), mac: [0; MAC_LEN_BYTES] };
        for (label, master) in recipients {
            let to = file.recipient(label, master, &data_key, &mut random)?;
            file.to.push(to);
        }
        Opened::new(file.ended(&data_key)?, data_key, random)
    }

    /// Reads a file. Only one spelling of each thing is taken, so that [`to_text`](Self::to_text) gives the same
    /// bytes again. Whether the seals fit is not known before [`open`](Self::open).
    ///
    /// # Errors
    /// [`Error::Malformed`] with the line, [`Error::TooLarge`].
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// The text to commit.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.above();
        let _ = writeln!(text, "{}", STANDARD.encode(self.mac));
        text
    }

    /// Opens the file: every seal of every line is checked before any key can be had.
    ///
    /// # Errors
    /// [`Error::WrongMasterKey`], or [`Error::Changed`] with the line.
    pub fn open(self, master: &MasterKey) -> Result<Opened, Error> {
        self.open_with(master, Random::System)
    }

    pub(super) fn open_with(self, master: &MasterKey, random: Random) -> Result<Opened, Error> {
        let id = master.id()?;
        let Some(index) = self.to.iter().position(|to| to.recipient.id == id) else {
            return Err(Error::WrongMasterKey { given: id, for_these: self.recipients().cloned().collect() });
        };
        let aad = self.head.bound_to(&self.to[index].before_blob());
        let data_key = master
            .unwrap(&self.head.id, &aad, &self.to[index].wrapped)?
            .ok_or(Error::Changed { line: self.line_of_recipient(index) })?;
        Opened::new(self, data_key, random)
    }

    /// The environment that the file belongs to.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.head.environment
    }

    /// Whose master keys open the file, in its order.
    pub fn recipients(&self) -> impl Iterator<Item = &Recipient> {
        self.to.iter().map(|to| &to.recipient)
    }

    /// How many keys the file has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The number that the next key of a ring gets.
    #[must_use]
    pub fn next_number(&self, field: &str) -> u32 {
        u32::try_from(self.keys.iter().filter(|key| key.field == field).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn line_of_recipient(&self, index: usize) -> usize {
        Head::LINES + index + 1
    }

    pub(super) fn line_of_key(&self, index: usize) -> usize {
        self.line_of_recipient(self.to.len()) + index
    }

    pub(super) fn line_of_end(&self) -> usize {
        self.line_of_key(self.keys.len())
    }

    /// Everything that the end binds: all lines, and the last one up to its MAC.
    pub(super) fn above(&self) -> String {
        let mut text = self.head.to_string();
        for to in &self.to {
            let _ = writeln!(text, "{}{}", to.before_blob(), STANDARD.encode(&to.wrapped));
        }
        for key in &self.keys {
            let _ = writeln!(text, "{}{}", key.before_blob(), STANDARD.encode(&key.sealed));
        }
        let _ = write!(text, "end {} ", self.keys.len());
        text
    }

    /// A line for one more master key.
    pub(super) fn recipient(
        &self,
        label: &str,
        master: &MasterKey,
        data_key: &DataKey,
        random: &mut Random,
    ) -> Result<To, Error> {
        if !is_name(label) {
            return Err(Error::Name { what: "a recipient's label" });
        }
        let recipient = Recipient { label: label.to_owned(), id: master.id()? };
        if let Some(same) = self.recipients().find(|other| other.label == recipient.label || other.id == recipient.id) {
            return Err(Error::SameRecipient(same.clone()));
        }
        let mut to = To { recipient, wrapped: Vec::new() };
        to.wrapped = master.wrap(data_key, &self.head.id, &self.head.bound_to(&to.before_blob()), random)?;
        Ok(to)
    }

    /// The same file with the end that fits it, if it keeps the limits.
    pub(super) fn ended(mut self, data_key: &DataKey) -> Result<Self, Error> {
        if !(1..=RECIPIENTS_MAX).contains(&self.to.len()) {
            return Err(Error::Recipients);
        }
        self.mac = data_key.mac(&self.head.id, self.above().as_bytes())?;
        if self.to_text().len() > FILE_LEN_MAX_BYTES { Err(Error::TooLarge) } else { Ok(self) }
    }
}

/// Whom a file is sealed for: a label for people, and the id of the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// `deploy`, `recovery`.
    pub label: String,
    /// The master key's id.
    pub id: KeyId,
}

/// `deploy (0123456789abcdef)`
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.label, self.id)
    }
}

/// The first two lines, to which all others are bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: FileId,
    pub(super) environment: String,
}

impl Head {
    const LINES: usize = 2;

    /// What a seal covers besides its own text: the head, and the line up to the seal.
    pub(super) fn bound_to(&self, before_blob: &str) -> Vec<u8> {
        format!("{self}{before_blob}").into_bytes()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAGIC}\nfile ")?;
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        writeln!(f, " env {}", self.environment)
    }
}

/// `to <label> <key id> <base64>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct To {
    pub(super) recipient: Recipient,
    pub(super) wrapped: Vec<u8>,
}

impl To {
    pub(super) fn before_blob(&self) -> String {
        format!("to {} {} ", self.recipient.label, self.recipient.id)
    }
}

/// `key <n> <field> <spelling> <base64>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyLine {
    pub(super) number: u32,
    pub(super) field: String,
    pub(super) spelling: Spelling,
    pub(super) sealed: Vec<u8>,
}

impl KeyLine {
    /// Seals a key text.
    pub(super) fn seal(
        head: &Head,
        field: &str,
        number: u32,
        text: &KeyText,
        data_key: &DataKey,
        random: &mut Random,
    ) -> Result<Self, Error> {
        let spelling = decode(text).spelling;
        let mut line = Self { number, field: field.to_owned(), spelling, sealed: Vec::new() };
        line.sealed = data_key.seal(&head.bound_to(&line.before_blob()), text.expose(), random)?;
        Ok(line)
    }

    /// The key text, or `None` if a bit of anything differs.
    pub(super) fn unseal(&self, head: &Head, data_key: &DataKey) -> Result<Option<KeyText>, Error> {
        Ok(data_key.unseal(&head.bound_to(&self.before_blob()), &self.sealed)?.map(KeyText::from))
    }

    pub(super) fn before_blob(&self) -> String {
        format!("key {} {} {} ", self.number, self.field, self.spelling)
    }
}
