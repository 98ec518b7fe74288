//! An opened sealed file: its keys, and what can be changed.

use super::crypto::DataKey;
use super::file::{KeyLine, Recipient, SealedFile};
use super::master::MasterKey;
use super::names::is_field;
use super::random::Random;
use super::{Error, TEXT_LEN_MAX_BYTES};
use crate::key::{KeyText, Spelling};

/// A sealed file whose every seal was checked. Nothing is written to a disk here: [`file`](Self::file) is what to
/// write after a change. A change that fails changes nothing.
pub struct Opened {
    file: SealedFile,
    texts: Vec<KeyText>,
    data_key: DataKey,
    random: Random,
}

/// One key of an opened file.
pub struct SealedKey<'o> {
    /// The ring's name, as the profile writes it: `encryption-key-{n}`, or a fixed field.
    pub field: &'o str,
    /// Its number in the ring.
    pub number: u32,
    /// How the text writes the key.
    pub spelling: Spelling,
    /// The key text.
    pub text: &'o KeyText,
}

impl Opened {
    /// Checks every line and the end.
    pub(super) fn new(file: SealedFile, data_key: DataKey, random: Random) -> Result<Self, Error> {
        let unseal = |(index, line): (usize, &KeyLine)| {
            line.unseal(&file.head, &data_key)?.ok_or(Error::Changed { line: file.line_of_key(index) })
        };
        let texts = file.keys.iter().enumerate().map(unseal).collect::<Result<_, _>>()?;
        if data_key.mac_fits(&file.head.id, file.above().as_bytes(), &file.mac)? {
            Ok(Self { file, texts, data_key, random })
        } else {
            Err(Error::Changed { line: file.line_of_end() })
        }
    }

    /// The file, to be written.
    #[must_use]
    pub fn file(&self) -> &SealedFile {
        &self.file
    }

    /// All keys, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = SealedKey<'_>> {
        self.file.keys.iter().zip(&self.texts).map(|(line, text)| SealedKey {
            field: &line.field,
            number: line.number,
            spelling: line.spelling,
            text,
        })
    }

    /// Adds a key at the end of a ring. Every line but the last stays as it is.
    ///
    /// # Errors
    /// A name that is not allowed, a number that is not the next one, an empty or too long text, a file that would
    /// grow too large, no randomness.
    pub fn add(&mut self, field: &str, number: u32, text: &KeyText) -> Result<(), Error> {
        if !is_field(field) {
            return Err(Error::Field);
        }
        let next = self.file.next_number(field);
        if number != next {
            return Err(Error::Number { field: field.to_owned(), given: number, next });
        }
        if !(1..=TEXT_LEN_MAX_BYTES).contains(&text.len()) {
            return Err(Error::TextLength { bytes: text.len() });
        }
        let line = KeyLine::seal(&self.file.head, field, number, text, &self.data_key, &mut self.random)?;
        self.change(|file| file.keys.push(line))?;
        self.texts.push(text.duplicate());
        Ok(())
    }

    /// Lets one more master key open the file.
    ///
    /// # Errors
    /// A label that is not allowed, a label or a master key that the file has already, too many, no randomness.
    pub fn add_recipient(&mut self, label: &str, master: &MasterKey) -> Result<(), Error> {
        let to = self.file.recipient(label, master, &self.data_key, &mut self.random)?;
        self.change(|file| file.to.push(to))
    }

    /// Takes a master key's line out. Whoever had that master key may still know the data key, from this file or an
    /// older commit, and could read what is added later: [`rekey`](Self::rekey) afterwards.
    ///
    /// # Errors
    /// A label that the file does not have, the last recipient.
    pub fn remove_recipient(&mut self, label: &str) -> Result<(), Error> {
        let Some(index) = self.file.recipients().position(|recipient| recipient.label == label) else {
            return Err(Error::NoRecipient(self.file.recipients().cloned().collect()));
        };
        self.change(|file| drop(file.to.remove(index)))
    }

    /// Seals all anew, under a new file id and a new data key, for the same recipients. Their master keys are all
    /// needed. What an old commit holds stays readable to whoever could read it.
    ///
    /// # Errors
    /// A master key that is missing or is none of the recipients', no randomness.
    pub fn rekey(&mut self, masters: &[&MasterKey]) -> Result<(), Error> {
        let mut given = Vec::new();
        for master in masters {
            let id = master.id()?;
            if !self.file.recipients().any(|recipient| recipient.id == id) {
                let for_these = self.file.recipients().cloned().collect();
                return Err(Error::WrongMasterKey { given: id, for_these });
            }
            given.push((id, *master));
        }
        let mut recipients = Vec::new();
        let mut missing: Vec<Recipient> = Vec::new();
        for recipient in self.file.recipients() {
            match given.iter().find(|(id, _)| *id == recipient.id) {
                Some((_, master)) => recipients.push((recipient.label.as_str(), *master)),
                None => missing.push(recipient.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(Error::MissingMasterKeys(missing));
        }
        let random = std::mem::replace(&mut self.random, Random::System);
        let mut anew = SealedFile::init_with(self.file.environment(), &recipients, random)?;
        let (head, data_key) = (&anew.file.head, &anew.data_key);
        let mut lines = Vec::new();
        for key in self.keys() {
            lines.push(KeyLine::seal(head, key.field, key.number, key.text, data_key, &mut anew.random)?);
        }
        anew.change(|file| file.keys = lines)?;
        anew.texts = std::mem::take(&mut self.texts);
        *self = anew;
        Ok(())
    }

    fn change(&mut self, change: impl FnOnce(&mut SealedFile)) -> Result<(), Error> {
        let mut file = self.file.clone();
        change(&mut file);
        self.file = file.ended(&self.data_key)?;
        Ok(())
    }
}
