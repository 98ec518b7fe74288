//! The sealed file: a text file with the keys of one environment, encrypted, to be committed.
//!
//! ```text
//! helm-keyring-sealed v1
//! file <32 hex> env <name>
//! to <label> <key id> <base64>              one line a master key: the file's data key, for this master key
//! key <n> <field> <spelling> <base64>       one line a key text, written once and never again
//! end <count> <base64>                      binds all of the above together
//! ```
//!
//! A [`SealedFile`] is such a text, read strictly but not opened. [`SealedFile::open`] takes a [`MasterKey`] and
//! checks every seal of every line; only the [`Opened`] file shows keys and takes new ones. The format, with what it
//! protects from and what not, is `docs/sealed-format.md`.
//!
//! | file | what it knows |
//! |---|---|
//! | `file` | the lines, and how they are written |
//! | `parse` | how they are read: one spelling for each thing, nothing else |
//! | `opened` | the keys behind them; adding, recipients, a new data key |
//! | `crypto` | all cryptography: four derivations, one cipher, one MAC |
//! | `master` | a master key and its text |
//! | `given` | where the user's master key comes from |
//! | `names` | which names may stand in a line |

mod crypto;
mod error;
mod file;
mod given;
mod master;
mod names;
mod opened;
mod parse;
mod random;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use file::{Recipient, SealedFile};
pub use given::{GivenMasterKey, VARIABLE};
pub use master::{KeyId, MasterKey};
pub use opened::{Opened, SealedKey};

/// A sealed file with more bytes is refused, unread.
pub const FILE_LEN_MAX_BYTES: usize = 4 << 20;
/// A sealed file has at most so many recipients.
pub const RECIPIENTS_MAX: usize = 64;
/// A sealed key text has at most so many bytes.
pub const TEXT_LEN_MAX_BYTES: usize = 64 << 10;
