//! Which key opens a ciphertext: the answer to "decryption failures: verify you are using the correct key".
//!
//! Two layouts by construction; AES-256-GCM in both, so that a key that opens one cannot do so by chance. What comes
//! out is wiped at once: nobody asked for it.
//!
//! | layout | key |
//! |---|---|
//! | `nonce12 ‖ ciphertext ‖ tag16` | the 32 bytes behind the key text |
//! | `salt32 ‖ nonce12 ‖ ciphertext ‖ tag16` | PBKDF2-HMAC-SHA-256(SHA-256(key text) ‖ context, salt, 10,000 rounds) |
//!
//! | file | question |
//! |---|---|
//! | `encoding` | which bytes does the file hold? |
//! | `reading` | which bytes could the application take a key text for? |

mod encoding;
mod reading;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use encoding::{Encoding, EncodingError, decode};
pub use reading::Reading;

use crate::key::KeyText;

const KEY_LEN_BYTES: usize = 32;
const SALT_LEN_BYTES: usize = 32;
const NONCE_LEN_BYTES: usize = 12;
const TAG_LEN_BYTES: usize = 16;
const PBKDF2_ROUNDS: u32 = 10_000;

/// How a ciphertext is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `nonce12 ‖ ciphertext ‖ tag16` under the key itself.
    Key,
    /// `salt32 ‖ nonce12 ‖ ciphertext ‖ tag16` under a key derived from the text and the salt.
    Pbkdf2,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 2] = [Self::Key, Self::Pbkdf2];

    /// The fewest bytes that such a ciphertext can have.
    #[must_use]
    pub fn shortest(self) -> usize {
        let salt = if self == Self::Pbkdf2 { SALT_LEN_BYTES } else { 0 };
        salt + NONCE_LEN_BYTES + TAG_LEN_BYTES
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "nonce, ciphertext, tag",
            Self::Pbkdf2 => "salt, nonce, ciphertext, tag (PBKDF2)",
        })
    }
}

/// How a key opens a ciphertext: as what the text has to be read, in which layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The layout that fits.
    pub layout: Layout,
    /// What the key text was taken for.
    pub reading: Reading,
}

/// The first way in which the key opens the ciphertext, if there is one.
#[must_use]
pub fn opening(ciphertext: &[u8], key: &KeyText, layouts: &[Layout], context: &[u8]) -> Option<Opening> {
    layouts.iter().find_map(|&layout| {
        let (salt, rest) = ciphertext.split_at_checked(layout.shortest() - Layout::Key.shortest())?;
        let opens = |reading: &Reading| match layout {
            Layout::Key => reading.bytes(key).is_some_and(|bytes| is_opened(rest, &bytes)),
            Layout::Pbkdf2 => reading.bytes(key).is_some_and(|text| is_opened(rest, &*derived(&text, context, salt))),
        };
        let readings = match layout {
            Layout::Key => Reading::of_key_bytes(),
            Layout::Pbkdf2 => Reading::of_text(),
        };
        readings.iter().copied().find(opens).map(|reading| Opening { layout, reading })
    })
}

/// Whether any reading of the text has the length of a key, so that [`Layout::Key`] is worth a try.
#[must_use]
pub fn can_be_a_key(key: &KeyText) -> bool {
    Reading::of_key_bytes().iter().any(|reading| reading.bytes(key).is_some_and(|bytes| bytes.len() == KEY_LEN_BYTES))
}

fn derived(text: &[u8], context: &[u8], salt: &[u8]) -> Zeroizing<[u8; KEY_LEN_BYTES]> {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(text)));
    let password = Zeroizing::new([digest.as_slice(), context].concat());
    let mut key = Zeroizing::new([0; KEY_LEN_BYTES]);
    pbkdf2_hmac::<Sha256>(&password, salt, PBKDF2_ROUNDS, key.as_mut_slice());
    key
}

/// Whether `nonce ‖ ciphertext ‖ tag` opens under the key. Bytes of another length are no key.
fn is_opened(sealed: &[u8], key: &[u8]) -> bool {
    let parts = || {
        let cipher = Aes256Gcm::new_from_slice(key).ok()?;
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN_BYTES)?;
        let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_LEN_BYTES)?)?;
        let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
        let buffer = InOutBuf::new(ciphertext, &mut plaintext).ok()?;
        cipher.decrypt_inout_detached(&Nonce::try_from(nonce).ok()?, b"", buffer, &Tag::try_from(tag).ok()?).ok()
    };
    parts().is_some()
}
