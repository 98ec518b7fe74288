//! New keys, from the operating system's randomness.

use super::policy::Policy;
use super::spelling::{Form, encode};
use super::text::KeyText;
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// The shortest key that is made.
pub(super) const KEY_LEN_BYTES: usize = 32;
const KEY_LEN_MAX_BYTES: usize = 4096;

/// No key could be made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A shorter key would be weak, and a longer one is nobody's wish.
    #[error("a new key has {KEY_LEN_BYTES} to {KEY_LEN_MAX_BYTES} bytes, the policy asks for {bytes}: give a key")]
    Length {
        /// Bytes that the policy asks for.
        bytes: usize,
    },
    /// The profile accepts no spelling at all.
    #[error("the policy accepts no spelling: give it one")]
    NoSpelling,
    /// A spelling that was asked for.
    #[error("a new key of this spelling does not fit: the profile wants {policy}")]
    Spelling {
        /// What the profile accepts.
        policy: Policy,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(#[source] rand::rngs::SysError),
}

/// A new key that fits the policy, in this spelling; else in base64 where that is accepted, else in hexadecimal or
/// raw.
///
/// # Errors
/// If the policy is for keys of fewer than 32 or more than 4,096 bytes, accepts no such spelling, or the operating
/// system gives no randomness.
pub fn generate(policy: &Policy, form: Option<Form>) -> Result<KeyText, GenerateError> {
    let form = form.or_else(|| form_for(policy)).ok_or(GenerateError::NoSpelling)?;
    let key = encode(form.into(), &random(policy)?);
    if policy.judge(&key).is_ok() { Ok(key) } else { Err(GenerateError::Spelling { policy: *policy }) }
}

/// Random bytes, as many as the policy wants.
pub(super) fn random(policy: &Policy) -> Result<Zeroizing<Vec<u8>>, GenerateError> {
    let len = len_for(policy);
    if !(KEY_LEN_BYTES..=KEY_LEN_MAX_BYTES).contains(&len) {
        return Err(GenerateError::Length { bytes: len });
    }
    let mut bytes = Zeroizing::new(vec![0; len]);
    SysRng.try_fill_bytes(&mut bytes).map_err(GenerateError::NoRandomness)?;
    Ok(bytes)
}

pub(super) fn form_for(policy: &Policy) -> Option<Form> {
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
    use super::super::{decode, is_made_up, weakness};
    use super::*;

    #[test]
    fn a_new_key_fits_is_strong_and_another_each_time() {
        let only = |raw, base64, hex| Policy::Bytes { len: 32, spellings: SpellingSet { raw, base64, hex } };
        for (policy, form) in [
            (Policy::bytes(32), Form::Base64),
            (only(true, false, true), Form::HexLower),
            (only(true, false, false), Form::Raw),
            (Policy::MinCharacters(60), Form::Base64),
            (Policy::Any, Form::Base64),
        ] {
            let [a, b] = [(); 2].map(|()| generate(&policy, None).unwrap());
            assert!(!a.same_as(&b) && policy.judge(&a).is_ok() && weakness(&a).is_none() && !is_made_up(&a));
            assert_eq!(decode(&a).spelling, form.into());
        }
    }

    #[test]
    fn a_spelling_that_the_policy_does_not_take_is_refused() {
        assert!(generate(&Policy::bytes(32), Some(Form::Raw)).is_ok());
        assert!(matches!(generate(&Policy::bytes(32), Some(Form::HexUpper)), Err(GenerateError::Spelling { .. })));
        assert!(matches!(generate(&Policy::bytes(16), None), Err(GenerateError::Length { bytes: 16 })));
    }
}
