//! Keys that `dev` mode makes up, and how everybody else recognises them.
//!
//! A made-up key is 20 random bytes followed by 12 bytes of HMAC-SHA-256 over these under a fixed label. The
//! application cannot tell it from a good one; we can, in any spelling, so that it never leaves `dev`.

use super::policy::Policy;
use super::reading::readings;
use super::spelling::{Form, encode};
use super::text::KeyText;
use hkdf::Hkdf;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"helm-keyring/made-up/v1";
const RANDOM_LEN_BYTES: usize = 20;
const MARK_LEN_BYTES: usize = 12;
const KEY_LEN_BYTES: usize = RANDOM_LEN_BYTES + MARK_LEN_BYTES;
const KEY_LEN_MAX_BYTES: usize = 4096;

/// No key could be made up.
#[derive(Debug, thiserror::Error)]
pub enum MakeUpError {
    /// A shorter key has no room for the mark, and a longer one is nobody's wish.
    #[error("a made-up key has {KEY_LEN_BYTES} to {KEY_LEN_MAX_BYTES} bytes, the policy asks for {bytes}: give a key")]
    Length {
        /// Bytes that the policy asks for.
        bytes: usize,
    },
    /// The profile accepts no spelling at all.
    #[error("the policy accepts no spelling: give it one")]
    NoSpelling,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(#[source] rand::rngs::SysError),
}

/// A new key for `dev` mode that fits the policy: in base64 where that is accepted, else in hexadecimal or raw. 44
/// characters unless the policy asks for more.
///
/// # Errors
/// If the policy is for keys of fewer than 32 or more than 4,096 bytes, accepts no spelling, or the operating system
/// gives no randomness.
pub fn make_up(policy: &Policy) -> Result<KeyText, MakeUpError> {
    let form = form_for(policy).ok_or(MakeUpError::NoSpelling)?;
    let len = len_for(policy);
    if !(KEY_LEN_BYTES..=KEY_LEN_MAX_BYTES).contains(&len) {
        return Err(MakeUpError::Length { bytes: len });
    }
    let mut bytes = Zeroizing::new(vec![0; len]);
    SysRng.try_fill_bytes(&mut bytes).map_err(MakeUpError::NoRandomness)?;
    if let Some((random, rest)) = bytes.split_first_chunk_mut::<RANDOM_LEN_BYTES>()
        && let Some(place) = rest.first_chunk_mut::<MARK_LEN_BYTES>()
    {
        *place = mark(random);
    }
    Ok(encode(form.into(), &bytes))
}

/// Whether the key was made by [`make_up`], in whatever spelling (raw, base64, base64url, hexadecimal) it comes now.
/// By chance in one of 2⁹⁶ keys.
#[must_use]
pub fn is_made_up(key: &KeyText) -> bool {
    readings(key).iter().any(|reading| carries_mark(&reading.bytes))
}

fn carries_mark(bytes: &[u8]) -> bool {
    bytes
        .split_first_chunk::<RANDOM_LEN_BYTES>()
        .and_then(|(random, rest)| Some(mark(random).ct_eq(rest.first_chunk::<MARK_LEN_BYTES>()?)))
        .is_some_and(bool::from)
}

/// HKDF-Extract is HMAC-SHA-256 keyed with the salt; this form of it cannot fail.
fn mark(random: &[u8; RANDOM_LEN_BYTES]) -> [u8; MARK_LEN_BYTES] {
    let (tag, _) = Hkdf::<Sha256>::extract(Some(LABEL), random);
    std::array::from_fn(|at| tag.get(at).copied().unwrap_or_default())
}

fn form_for(policy: &Policy) -> Option<Form> {
    match policy {
        Policy::Bytes { spellings, .. } if spellings.base64 => Some(Form::Base64),
        Policy::Bytes { spellings, .. } if spellings.hex => Some(Form::HexLower),
        Policy::Bytes { spellings, .. } => spellings.raw.then_some(Form::Raw),
        Policy::MinCharacters(_) | Policy::Any => Some(Form::Base64),
    }
}

/// Bytes behind the text; base64 makes 4 characters of 3 bytes.
fn len_for(policy: &Policy) -> usize {
    match policy {
        Policy::Bytes { len, .. } => *len,
        Policy::MinCharacters(characters) => KEY_LEN_BYTES.max(characters.div_ceil(4).saturating_mul(3)),
        Policy::Any => KEY_LEN_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::SpellingSet;
    use super::super::spelling::decode;
    use super::super::testing::{every_kind_of_random_key, key};
    use super::*;

    /// Bytes 00 to 13, and the mark as Python's `hmac` makes it:
    /// `hmac.new(b"helm-keyring/made-up/v1", bytes(range(20)), "sha256").digest()[:12]`.
    const VECTOR: &str = "000102030405060708090a0b0c0d0e0f10111213044486940ce6aef1b5a953d5";

    fn policies() -> [Policy; 7] {
        let only = |len, raw, base64, hex| Policy::Bytes { len, spellings: SpellingSet { raw, base64, hex } };
        [
            Policy::bytes(32),
            only(32, true, false, false),
            only(32, false, false, true),
            only(64, true, true, false),
            Policy::MinCharacters(32),
            Policy::MinCharacters(101),
            Policy::Any,
        ]
    }

    #[test]
    fn a_made_up_key_fits_and_is_recognised() {
        for policy in policies() {
            let made = make_up(&policy).unwrap();
            assert!(policy.judge(&made).is_ok(), "{policy}");
            assert!(is_made_up(&made), "{policy}");
            assert!(!made.same_as(&make_up(&policy).unwrap()));
        }
        assert_eq!(make_up(&Policy::bytes(32)).unwrap().len(), 44);
    }

    #[test]
    fn no_spelling_hides_it() {
        let bytes = decode(&make_up(&Policy::Any).unwrap());
        for form in [Form::Raw, Form::Base64, Form::HexLower, Form::HexUpper] {
            for newline in [false, true] {
                let text = encode(super::super::Spelling { form, newline }, bytes.expose());
                assert!(is_made_up(&text), "{form:?}");
            }
        }
    }

    #[test]
    fn the_vector_of_another_implementation() {
        assert!(is_made_up(&key(VECTOR)));
        let last = if VECTOR.ends_with('0') { "1" } else { "0" };
        assert!(!is_made_up(&key(format!("{}{last}", &VECTOR[..63]))));
        assert!(!is_made_up(&key(&VECTOR[..62])));
    }

    #[test]
    fn other_keys_are_not_made_up() {
        assert!(every_kind_of_random_key().all(|random| !is_made_up(&random)));
        assert!(!is_made_up(&key("")));
    }

    #[test]
    fn what_cannot_be_marked_is_not_made() {
        assert!(matches!(make_up(&Policy::bytes(16)), Err(MakeUpError::Length { bytes: 16 })));
        assert!(matches!(make_up(&Policy::MinCharacters(usize::MAX)), Err(MakeUpError::Length { .. })));
        let nothing = SpellingSet { raw: false, base64: false, hex: false };
        assert!(matches!(make_up(&Policy::Bytes { len: 32, spellings: nothing }), Err(MakeUpError::NoSpelling)));
    }
}
