//! What can be wrong with a sealed file or a master key, in words that quote nothing but valid names.

use std::path::Path;

use super::{FILE_LEN_MAX_BYTES, KeyId, RECIPIENTS_MAX, Recipient, TEXT_LEN_MAX_BYTES, VARIABLE};
use crate::report::{Exit, Finding, Place, list};
use crate::yaml::Position;

const RESTORE: &str = "restore the file from version control; a line edited by hand, or copied from another file or \
                       another commit, is refused too";
const MAKE: &str = "`helm-keyring sealed init` makes master keys of 32 random bytes; a passphrase can be guessed and is \
                    refused";

/// Why a sealed file cannot be read, opened or changed (exit code 3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line is not written as the format wants it.
    #[error("line {line} {what}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: String,
        /// What to do next.
        help: &'static str,
    },
    /// Larger than [`FILE_LEN_MAX_BYTES`].
    #[error("a sealed file has at most {} MiB", FILE_LEN_MAX_BYTES >> 20)]
    TooLarge,
    /// A seal does not fit what it is on.
    #[error("the file was changed: line {line} does not fit its seal")]
    Changed {
        /// Where it was noticed, from 1.
        line: usize,
    },
    /// The file is sealed for others.
    #[error("wrong master key: its id is {given}, but the file is sealed for {}", named(for_these))]
    WrongMasterKey {
        /// The id of the given one.
        given: KeyId,
        /// Whom the file is sealed for.
        for_these: Vec<Recipient>,
    },
    /// The file belongs to another environment.
    #[error("it is sealed for environment {found}, not for {wanted}")]
    Environment {
        /// What the file says.
        found: String,
        /// What is selected.
        wanted: String,
    },
    /// Neither a file nor the variable gives a master key.
    #[error("there is no master key to open it with")]
    NoMasterKey,
    /// The file with the master key cannot be read.
    #[error("master key file {file} cannot be read ({why})")]
    MasterKeyFile {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// What was given is no master key.
    #[error("{place} {what}")]
    NoSuchMasterKey {
        /// Where it was read.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A name that may not stand in a line.
    #[error(
        "{what} has 1 to 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends; this one not"
    )]
    Name {
        /// Whose name.
        what: &'static str,
    },
    /// A ring's name that may not stand in a line.
    #[error("this is no field's name as a profile writes it: letters, digits, '-', '_', '.' and one {{n}} at most")]
    Field,
    /// A number that is not the next one.
    #[error("key {given} cannot be added to {field}: the next one is {next}")]
    Number {
        /// The ring's name.
        field: String,
        /// The number that was given.
        given: u32,
        /// The number that can be added.
        next: u32,
    },
    /// An empty key text, or one of more than [`TEXT_LEN_MAX_BYTES`].
    #[error("a key text has 1 byte to {} KiB, this one has {bytes} bytes", TEXT_LEN_MAX_BYTES >> 10)]
    TextLength {
        /// How many.
        bytes: usize,
    },
    /// No recipient, or more than [`RECIPIENTS_MAX`].
    #[error("a sealed file has 1 to {RECIPIENTS_MAX} recipients")]
    Recipients,
    /// A label or a master key that the file has already.
    #[error("the file has the recipient {0} already")]
    SameRecipient(Recipient),
    /// A label that the file does not have.
    #[error("the file has no recipient of this label, only {}", named(.0))]
    NoRecipient(Vec<Recipient>),
    /// A new data key has to be wrapped for every recipient.
    #[error("the master key of {} is needed too", named(.0))]
    MissingMasterKeys(Vec<Recipient>),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// A length that the cryptography does not take, which the format rules out.
    #[error("the cryptography failed; please report this")]
    Cryptography,
}

impl Error {
    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Malformed { help, .. } => (*help).to_owned(),
            Self::TooLarge => "check the path; or put some keys into another environment's file".to_owned(),
            Self::Changed { .. } => RESTORE.to_owned(),
            Self::WrongMasterKey { .. } => "give the master key of one of these".to_owned(),
            Self::Environment { .. } => {
                "name this environment's own file in keyring.yaml; a sealed file cannot be renamed or copied to \
                 another environment"
                    .to_owned()
            }
            Self::NoMasterKey => format!("name a file that holds it, or set {VARIABLE}"),
            Self::MasterKeyFile { .. } => format!("check the path and its permissions, or set {VARIABLE}"),
            Self::NoSuchMasterKey { .. } => MAKE.to_owned(),
            Self::Name { .. } => "choose another name".to_owned(),
            Self::Field => "give the name of a ring of the profile".to_owned(),
            Self::Number { .. } => "a sealed file only grows at the end of a ring".to_owned(),
            Self::TextLength { .. } => "check what was read as the key".to_owned(),
            Self::Recipients => "remove a recipient only after another was added".to_owned(),
            Self::SameRecipient(_) => "choose another label, or make another master key".to_owned(),
            Self::NoRecipient(_) => "give one of these".to_owned(),
            Self::MissingMasterKeys(_) => {
                "give it, or remove that recipient first; a master key only ever opens for itself".to_owned()
            }
            Self::NoRandomness | Self::Cryptography => "nothing was written".to_owned(),
        }
    }

    /// The line of the sealed file that it is about, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Malformed { line, .. } | Self::Changed { line } => Some(*line),
            _ => None,
        }
    }

    /// The same, to be printed.
    #[must_use]
    pub fn finding(&self, file: &Path) -> Finding {
        let position = self.line().map(|line| Position { line, column: 1 });
        Finding::error(Exit::Source, "sealed-file", self.to_string())
            .at(Place::at(file.display().to_string(), position))
            .help(self.help())
    }

    pub(super) fn malformed(line: usize, what: impl Into<String>) -> Self {
        Self::Malformed { line, what: what.into(), help: RESTORE }
    }
}

fn named(recipients: &[Recipient]) -> String {
    list(&recipients.iter().map(Recipient::to_string).collect::<Vec<_>>())
}
