//! Fingerprints: whether a key is the same as before, without giving the key away.
//!
//! A random key goes through HKDF; one that is readable text may be a passphrase that somebody guesses at, so it goes
//! through Argon2id first, at 19 MiB and tens of milliseconds a guess. The parameters belong to version 1 of the format and
//! are never read from a file.

use super::encoding::{Wiped, is_printable};
use super::spelling::{Decoded, decode};
use super::text::KeyText;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of the salt in the header of a lock.
pub const SALT_LEN: usize = 16;

const FINGERPRINT_LABEL: &[u8] = b"helm-keyring/fingerprint/v1";
const LOCK_INFO: &[u8] = b"lock";
const ANNOTATION_LABEL: &[u8] = b"helm-keyring/annotation/v1";
const LOCK_ANNOTATION_LABEL: &[u8] = b"helm-keyring/annotation-of-lock/v1";
const ANNOTATION_SALT_INFO: &[u8] = b"salt";
const FINGERPRINT_LEN_BYTES: usize = 20;
const PRK_LEN_BYTES: usize = 32;

const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;

type Prk = Zeroizing<[u8; PRK_LEN_BYTES]>;

/// A fingerprint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintError {
    /// Argon2id needs 19 MiB.
    #[error("not enough memory for a fingerprint (19 MiB)")]
    OutOfMemory,
    /// Argon2id refused the text.
    #[error("no fingerprint: {0}")]
    Argon2(argon2::Error),
    /// HKDF refused a length.
    #[error("no fingerprint: a length that HKDF does not take")]
    Length,
}

/// The fingerprint of a key for the lock: 32 characters, lower-case base32 of 20 bytes.
///
/// The same key has the same fingerprint in every spelling and, under one `salt` (16 bytes, the lock's header), in
/// every environment. For a key that is readable text it takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// If there is no memory for Argon2id, or the text has more than 4 GiB.
pub fn fingerprint(key: &KeyText, salt: &[u8; SALT_LEN]) -> Result<String, FingerprintError> {
    let prk = prk(&decode(key), salt)?;
    Ok(base32(&expand::<FINGERPRINT_LEN_BYTES>(&prk, LOCK_INFO)?))
}

/// The annotation of a pod template: another text as soon as a text, its spelling or the order changes, so that the
/// pods restart.
///
/// `context` (keyring, environment) makes it comparable only with itself: the same keys elsewhere give another
/// annotation.
///
/// # Errors
/// As [`fingerprint`].
pub fn annotation(texts: &[&KeyText], context: &[&str]) -> Result<String, FingerprintError> {
    let context = context.iter().fold(Wiped::default(), |so_far, part| joined(&so_far, part.as_bytes()));
    let salt = expand::<SALT_LEN>(&extract(ANNOTATION_LABEL, &context), ANNOTATION_SALT_INFO)?;
    let mut ring = Wiped::default();
    for text in texts {
        let decoded = decode(text);
        ring = joined(&ring, decoded.spelling.to_string().as_bytes());
        ring = joined(&ring, prk(&decoded, &salt)?.as_slice());
    }
    let info = [ANNOTATION_LABEL, &context[..]].concat();
    Ok(base32(&expand::<FINGERPRINT_LEN_BYTES>(&extract(ANNOTATION_LABEL, &ring), &info)?))
}

/// The annotation of a pod template where only the lock is known: another text as soon as one of `parts`, which say what
/// is locked, or their order changes. It tells no more than the lock does.
///
/// # Errors
/// If HKDF refuses a length.
pub fn annotation_of_lock(parts: &[&str], context: &[&str]) -> Result<String, FingerprintError> {
    let all = |parts: &[&str]| parts.iter().fold(Wiped::default(), |so_far, part| joined(&so_far, part.as_bytes()));
    let info = [LOCK_ANNOTATION_LABEL, &all(context)[..]].concat();
    Ok(base32(&expand::<FINGERPRINT_LEN_BYTES>(&extract(LOCK_ANNOTATION_LABEL, &all(parts)), &info)?))
}

/// `so_far`, then the length of `part` (8 bytes, big end first), then `part`.
fn joined(so_far: &[u8], part: &[u8]) -> Wiped {
    let mut whole = Zeroizing::new(Vec::with_capacity(so_far.len() + size_of::<u64>() + part.len()));
    whole.extend_from_slice(so_far);
    whole.extend_from_slice(&(part.len() as u64).to_be_bytes());
    whole.extend_from_slice(part);
    whole
}

fn prk(key: &Decoded, salt: &[u8; SALT_LEN]) -> Result<Prk, FingerprintError> {
    if is_printable(key.expose()) { argon2id(key.expose(), salt) } else { Ok(extract(FINGERPRINT_LABEL, key.expose())) }
}

fn argon2id(password: &[u8], salt: &[u8; SALT_LEN]) -> Result<Prk, FingerprintError> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, Some(PRK_LEN_BYTES))
        .map_err(FingerprintError::Argon2)?;
    let mut memory = blocks(params.block_count())?;
    let mut prk = Prk::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, prk.as_mut_slice(), &mut memory[..])
        .map_err(FingerprintError::Argon2)?;
    Ok(prk)
}

fn blocks(count: usize) -> Result<Zeroizing<Box<[Block]>>, FingerprintError> {
    let mut blocks = Vec::new();
    blocks.try_reserve_exact(count).map_err(|_| FingerprintError::OutOfMemory)?;
    blocks.resize(count, Block::new());
    Ok(Zeroizing::new(blocks.into_boxed_slice()))
}

/// HKDF-Extract of RFC 5869 with SHA-256.
fn extract(salt: &[u8], ikm: &[u8]) -> Prk {
    let (mut output, _) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    let prk = Prk::new(output.into());
    output.zeroize();
    prk
}

/// HKDF-Expand of RFC 5869 with SHA-256.
fn expand<const LEN: usize>(prk: &Prk, info: &[u8]) -> Result<[u8; LEN], FingerprintError> {
    let mut output = [0; LEN];
    Hkdf::<Sha256>::from_prk(prk.as_slice())
        .map_err(|_| FingerprintError::Length)?
        .expand(info, &mut output)
        .map_err(|_| FingerprintError::Length)?;
    Ok(output)
}

/// Base32 of RFC 4648 in small letters, without padding.
fn base32(bytes: &[u8]) -> String {
    bytes.chunks(5).flat_map(group).collect()
}

/// Up to 5 bytes as up to 8 characters of 5 bits.
fn group(bytes: &[u8]) -> impl Iterator<Item = char> + use<> {
    let bits = bytes.iter().chain(&[0; 5]).take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..8).take((bytes.len() * 8).div_ceil(5)).map(move |place| base32_digit(bits >> (35 - 5 * place) & 31))
}

fn base32_digit(value: u64) -> char {
    let letter = u8::try_from(value).unwrap_or_default();
    char::from(if letter < 26 { b'a' + letter } else { b'2' + letter - 26 })
}

#[cfg(test)]
mod tests {
    use super::super::spelling::{Form, Spelling, encode};
    use super::super::testing::key;
    use super::*;

    /// 00 01 … 1f.
    const COUNTING: &[u8; 32] = b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
    const SALT: [u8; SALT_LEN] = *b"0123456789abcdef";

    fn print(text: impl AsRef<[u8]>) -> String {
        fingerprint(&key(text), &SALT).unwrap()
    }

    #[test]
    fn the_vector_of_the_lock_format() {
        for form in [Form::Raw, Form::Base64, Form::HexLower, Form::HexUpper] {
            for salt in [SALT, [0; SALT_LEN]] {
                let text = encode(form.into(), COUNTING);
                assert_eq!(fingerprint(&text, &salt).unwrap(), "vcf746a5gsxqpgvvzbc2fb6c7uhjkp3f");
            }
        }
    }

    /// Recomputed independently with `argon2-cffi` and Python's `hmac`.
    #[test]
    fn vectors_of_another_implementation() {
        for (text, expected) in VECTORS {
            assert_eq!(print(text), expected, "{text}");
        }
        assert_eq!(annotation(&[&key(COUNTING)], &["app", "production"]).unwrap(), "3zxp3htnu5leglvjx2eulspxo4uru74j");
        let ring = [&key(COUNTING), &key("a passphrase"), &key("a passphrase\n")];
        assert_eq!(annotation(&ring, &["app", "production"]).unwrap(), "mwhnupsf5gsdun43psiyeaddio2ggm4i");
        assert_eq!(annotation(&[], &[]).unwrap(), "5s2ioynmcbtdv2gdjmuro2dnmvg4sv34");
    }

    const VECTORS: [(&str, &str); 5] = [
        ("", "wdyaacylxdean7w6gqys5u2saupzchzj"),
        ("a passphrase", "35mixbl6s72mwjz2nxlr7fheelu3b5uh"),
        ("Schlüssel", "ugajp7vfp2wdco7cs6bkjwcpvqviv2ki"),
        ("YSBwYXNzcGhyYXNlIG9mIHRoaXJ0eS10d28gYnl0ZXM=", "bbo4m3rn2vd4gmjass7gr4nddrylprap"),
        ("0123456789abcdef0123456789abcdef", "x3ccyzf3i7inlarrkd7nglt7s2jp536w"),
    ];

    #[test]
    fn a_passphrase_depends_on_the_salt_and_not_on_the_spelling() {
        let passphrase = "a passphrase of thirty-two bytes";
        let plain = print(passphrase);
        assert_ne!(plain, fingerprint(&key(passphrase), &[0; SALT_LEN]).unwrap());
        assert_eq!(plain, print(format!("{passphrase}\n")));
        assert_eq!(plain, fingerprint(&encode(Spelling::from(Form::Base64), passphrase.as_bytes()), &SALT).unwrap());
    }

    #[test]
    fn an_annotation_belongs_to_its_context() {
        let one = key(COUNTING);
        let two = key([9; 32]);
        let of = |texts: &[&KeyText], context: &[&str]| annotation(texts, context).unwrap();
        let here = of(&[&one, &two], &["app", "production"]);
        assert_eq!(here.len(), 32);
        assert_eq!(here, of(&[&one, &two], &["app", "production"]));
        for other in [
            of(&[&one, &two], &["app", "staging"]),
            of(&[&one, &two], &["ap", "pproduction"]),
            of(&[&one, &two], &["app", "production", ""]),
            of(&[&two, &one], &["app", "production"]),
            of(&[&one], &["app", "production"]),
            of(&[&one, &encode(Form::Base64.into(), two.expose())], &["app", "production"]),
            print(COUNTING),
        ] {
            assert_ne!(here, other);
        }
        let passphrase = key("a passphrase");
        assert_ne!(of(&[&passphrase], &["app", "production"]), of(&[&passphrase], &["app", "staging"]));
    }

    /// Recomputed independently with Python's `hmac`.
    #[test]
    fn an_annotation_of_the_lock_follows_its_words_and_its_context() {
        let of = |parts: &[&str], context: &[&str]| annotation_of_lock(parts, context).unwrap();
        let here = of(&["key-0", "0", "base64"], &["app", "production"]);
        assert_eq!(here, "fbgtstwtufgiyqvtdt7ueqt6atsezpfr");
        for other in [
            of(&["key-0", "0base64"], &["app", "production"]),
            of(&["0", "key-0", "base64"], &["app", "production"]),
            of(&["key-0", "0", "base64"], &["app", "staging"]),
            of(&["key-0", "0", "base64", "app"], &["production"]),
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn base32_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
