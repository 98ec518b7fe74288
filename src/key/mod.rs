//! Key text and everything that may be asked of it, without ever showing it.
//!
//! [`KeyText`] holds the bytes that reach the application. It cannot be printed, serialised or cloned by accident,
//! and is wiped when it goes. The other files answer one question each, in words that never hold a part of the key:
//!
//! | file | question |
//! |---|---|
//! | `spelling` | which bytes stand behind the text, and how does the text write them? |
//! | `policy` | does the text have the size and the spelling that the application needs? |
//! | `strength` | could somebody guess it? |
//! | `reference` | is it a key at all, or a reference that nobody resolved? |
//! | `generate` | how is a new one made? |
//! | `made_up` | was it made up in `dev` mode? |
//! | `fingerprint` | is it the same key as before? |

mod diagnosis;
mod encoding;
mod fingerprint;
mod generate;
mod made_up;
mod misfit;
mod policy;
mod reading;
mod reference;
mod seen;
mod spelling;
mod strength;
#[cfg(test)]
mod testing;
mod text;

pub use fingerprint::{FingerprintError, SALT_LEN, annotation, annotation_of_lock, fingerprint};
pub use generate::{GenerateError, generate};
pub use made_up::{is_made_up, make_up};
pub use misfit::{Misfit, Wrapping};
pub use policy::{Policy, SpellingSet, Verdict};
pub use reference::{Reference, unresolved};
pub use seen::{Note, Seen, Shape};
pub use spelling::{Decoded, Form, Spelling, UnknownSpelling, decode, encode};
pub use strength::{Weakness, WeaknessKind, bits_at_most, weakness};
pub use text::KeyText;
