//! Keys that `dev` mode makes up, and how everybody else recognises them.
//!
//! A made-up key is 20 random bytes followed by 12 bytes of HMAC-SHA-256 over these under a fixed label. The
//! application cannot tell it from a good one; we can, in any spelling, so that it never leaves `dev`.

use super::generate::{GenerateError, KEY_LEN_BYTES, form_for, random};
use super::policy::Policy;
use super::reading::readings;
use super::spelling::encode;
use super::text::KeyText;
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;

const LABEL: &[u8] = b"helm-keyring/made-up/v1";
const RANDOM_LEN_BYTES: usize = 20;
const MARK_LEN_BYTES: usize = 12;
// Both together are a key of 32 bytes, the shortest that is ever made.
const _: () = assert!(RANDOM_LEN_BYTES + MARK_LEN_BYTES == KEY_LEN_BYTES);

/// A new key for `dev` mode that fits the policy: in base64 where that is accepted, else in hexadecimal or raw. 44
/// characters unless the policy asks for more.
///
/// # Errors
/// As [`generate`](super::generate()).
pub fn make_up(policy: &Policy) -> Result<KeyText, GenerateError> {
    let form = form_for(policy).ok_or(GenerateError::NoSpelling)?;
    let mut bytes = random(policy)?;
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

#[cfg(test)]
mod tests {
    use super::super::policy::SpellingSet;
    use super::super::spelling::{Form, decode};
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
        assert!(matches!(make_up(&Policy::bytes(16)), Err(GenerateError::Length { bytes: 16 })));
        assert!(matches!(make_up(&Policy::MinCharacters(usize::MAX)), Err(GenerateError::Length { .. })));
        let nothing = SpellingSet { raw: false, base64: false, hex: false };
        assert!(matches!(make_up(&Policy::Bytes { len: 32, spellings: nothing }), Err(GenerateError::NoSpelling)));
    }
}
