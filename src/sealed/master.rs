//! Master keys: what a sealed file is opened with.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Range;

use base64::engine::{Engine, general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Error;
use super::crypto::DataKey;
use super::crypto::{self, FileId, KEY_ID_LEN_BYTES, KEY_LEN_BYTES, Key};
use super::random::Random;
use crate::key::KeyText;

const PREFIX: &str = "hkm1_";
const CHECKSUM_LABEL: &[u8] = b"helm-keyring/master-key/v1";
const CHECKSUM_LEN_BYTES: usize = 4;
const DECODED_LEN_BYTES: usize = KEY_LEN_BYTES + CHECKSUM_LEN_BYTES;
/// Characters after the prefix.
const ENCODED_LEN: usize = DECODED_LEN_BYTES / 3 * 4;

/// The public name of a master key. It tells nothing about the key, and is the same in every file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub(super) [u8; KEY_ID_LEN_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// 32 random bytes, written `hkm1_` and 48 characters of base64url: the key, and 4 bytes to notice a typing mistake.
///
/// Wiped when dropped; without `Debug`, `Display`, `Clone` and `Serialize`.
pub struct MasterKey(Key);

impl MasterKey {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(Random::System.bytes()?))
    }

    /// Reads the text; one line end after it is let pass. `place` says in a message where the text stands.
    ///
    /// # Errors
    /// [`Error::NoSuchMasterKey`], without any part of the text.
    pub fn parse(text: &KeyText, place: &str) -> Result<Self, Error> {
        let line = text.without_one_newline();
        let line = line.as_ref().unwrap_or(text).expose();
        Self::read(line).map_err(|what| Error::NoSuchMasterKey { place: place.to_owned(), what })
    }

    /// The text, to be shown or written once.
    #[must_use]
    pub fn into_text(self) -> KeyText {
        let mut bytes = Zeroizing::new([0; DECODED_LEN_BYTES]);
        let (key, sum) = bytes.split_at_mut(KEY_LEN_BYTES);
        key.copy_from_slice(self.0.as_slice());
        sum.copy_from_slice(&checksum(&self.0));
        let mut text = String::with_capacity(PREFIX.len() + ENCODED_LEN);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        KeyText::from(text)
    }

    /// Its public name.
    ///
    /// # Errors
    /// [`Error::Cryptography`], which does not happen.
    pub fn id(&self) -> Result<KeyId, Error> {
        crypto::key_id(&self.0).map(KeyId)
    }

    /// Where master keys stand in a text: whole ones, without a typing mistake.
    pub fn spans_in(text: &[u8]) -> Vec<Range<usize>> {
        let starts = memchr::memmem::find_iter(text, PREFIX.as_bytes());
        let spans = starts.map(|start| start..start + PREFIX.len() + ENCODED_LEN);
        spans.filter(|span| text.get(span.clone()).is_some_and(|line| Self::read(line).is_ok())).collect()
    }

    /// Whether somebody wrote a master key where something else belongs, which a message would then show.
    pub fn is_meant_by(text: &OsStr) -> bool {
        memchr::memmem::find(text.as_encoded_bytes(), PREFIX.as_bytes()).is_some()
    }

    pub(super) fn wrap(
        &self,
        data_key: &DataKey,
        file: &FileId,
        aad: &[u8],
        random: &mut Random,
    ) -> Result<Vec<u8>, Error> {
        data_key.wrap(file, &self.0, aad, random)
    }

    pub(super) fn unwrap(&self, file: &FileId, aad: &[u8], wrapped: &[u8]) -> Result<Option<DataKey>, Error> {
        DataKey::unwrap(file, &self.0, aad, wrapped)
    }

    #[cfg(test)]
    pub(super) fn of_bytes(bytes: [u8; KEY_LEN_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn read(text: &[u8]) -> Result<Self, &'static str> {
        let Some(encoded) = text.strip_prefix(PREFIX.as_bytes()) else {
            return Err(what_instead(text));
        };
        if encoded.len() != ENCODED_LEN {
            return Err("is not complete, or too long: a master key has 53 characters");
        }
        let mut bytes = Zeroizing::new([0; DECODED_LEN_BYTES]);
        match URL_SAFE_NO_PAD.decode_slice(encoded, bytes.as_mut_slice()) {
            Ok(DECODED_LEN_BYTES) => {}
            _ => return Err("has a character that no master key has"),
        }
        let (key_bytes, sum) = bytes.split_at(KEY_LEN_BYTES);
        let mut key = Key::default();
        key.copy_from_slice(key_bytes);
        if bool::from(checksum(&key).ct_eq(sum)) {
            Ok(Self(key))
        } else {
            Err("is mistyped: its checksum does not fit")
        }
    }
}

fn what_instead(text: &[u8]) -> &'static str {
    match text {
        [] => "is empty",
        [b'h', b'k', b'm', digit, ..] if digit.is_ascii_digit() => "is a master key of another version of helm-keyring",
        _ => "holds no master key: one starts with hkm1_, and passphrases are refused",
    }
}

fn checksum(key: &Key) -> [u8; CHECKSUM_LEN_BYTES] {
    let hash = Sha256::new().chain_update(CHECKSUM_LABEL).chain_update(key.as_slice()).finalize();
    let mut sum = [0; CHECKSUM_LEN_BYTES];
    sum.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    sum
}

#[cfg(test)]
mod tests {
    use super::super::tests::must_not_be;
    use super::*;

    must_not_be!(MasterKey: std::fmt::Debug);
    must_not_be!(MasterKey: std::fmt::Display);
    must_not_be!(MasterKey: Clone);
    must_not_be!(MasterKey: serde::Serialize);
    must_not_be!(MasterKey: std::ops::Deref);

    fn text() -> String {
        String::from_utf8(MasterKey::of_bytes([7; 32]).into_text().expose().to_vec()).unwrap()
    }

    fn refused(text: &str) -> &'static str {
        match MasterKey::parse(&KeyText::from(text.to_owned()), "variable X") {
            Err(Error::NoSuchMasterKey { place, what }) => {
                assert_eq!(place, "variable X");
                what
            }
            _ => panic!("not refused"),
        }
    }

    #[test]
    fn the_text_comes_back() {
        let text = text();
        assert_eq!(text.len(), 53);
        for written in [text.clone(), format!("{text}\n"), format!("{text}\r\n")] {
            let key = MasterKey::parse(&KeyText::from(written), "").ok().unwrap();
            assert_eq!(key.into_text().expose(), text.as_bytes());
        }
        let (one, two) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
        assert_ne!(one.id(), two.id());
        assert!(!one.into_text().same_as(&two.into_text()));
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let text = text();
        let mut tried = 0;
        for place in 0..text.len() {
            for other in (0x20..0x7f_u8).filter(|other| *other != text.as_bytes()[place]) {
                let mut bytes = text.clone().into_bytes();
                bytes[place] = other;
                refused(&String::from_utf8(bytes).unwrap());
                tried += 1;
            }
        }
        assert_eq!(tried, 53 * 94);
    }

    #[test]
    fn what_is_no_master_key_is_named() {
        let text = text();
        assert_eq!(refused(""), "is empty");
        assert_eq!(refused("\n"), "is empty");
        assert!(refused("correct horse battery staple").contains("passphrases are refused"));
        assert!(refused(&text.replace("hkm1", "hkm2")).contains("another version"));
        assert!(refused(&text[..52]).contains("53 characters"));
        assert!(refused(&format!("{text}\n\n")).contains("53 characters"));
        assert!(refused(&text.replace("hkm1_B", "hkm1_+")).contains("a character"));
        assert!(refused(&text.replace("hkm1_B", "hkm1_C")).contains("mistyped"));
        let help = Error::NoSuchMasterKey { place: String::new(), what: "" }.help();
        assert!(help.contains("sealed init"), "{help}");
    }
}
