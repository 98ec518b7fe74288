//! Whether somebody could guess a key: patterns, documentation's sample keys, placeholders.
//!
//! Shannon entropy is of no use here: a sequence scores above every random key. So known keys and patterns are looked
//! for, in the text and in what it decodes to.

mod known;
mod pattern;
mod placeholder;

use super::encoding::is_printable;
use super::reading::{Reading, readings};
use super::spelling::decode;
use super::text::KeyText;
use std::fmt;

/// Why a key is too weak to be a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weakness {
    /// What was found.
    pub kind: WeaknessKind,
    /// Whether it was found in the decoded bytes and not in the text itself.
    pub decoded: bool,
}

/// What makes a key easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeaknessKind {
    /// A key of a public standard, test vector or manual.
    KnownSample,
    /// Words that ask to be replaced, or that say what a key is for instead of being one.
    Placeholder,
    /// The same part over and over.
    Repeat {
        /// Characters (or bytes, if decoded) of the part.
        period: usize,
    },
    /// Hardly any different characters.
    FewDistinct {
        /// Different characters (or bytes, if decoded).
        distinct: usize,
    },
    /// Characters or bytes in an order that everybody knows: alphabet, digits, keyboard rows, equal steps; at least
    /// half of the key.
    Sequence,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thing = if self.decoded { "byte" } else { "character" };
        f.write_str(if self.decoded { "decoded, it is " } else { "it is " })?;
        match self.kind {
            WeaknessKind::KnownSample => f.write_str("a sample key that is published"),
            WeaknessKind::Placeholder => f.write_str("a placeholder made of words, not a key"),
            WeaknessKind::Repeat { period: 1 } => write!(f, "one {thing} repeated"),
            WeaknessKind::Repeat { period } => write!(f, "{period} {thing}s repeated"),
            WeaknessKind::FewDistinct { distinct } => write!(f, "made of only {distinct} different {thing}s"),
            WeaknessKind::Sequence => write!(f, "a sequence of {thing}s"),
        }
    }
}

/// Why the key must not be used as a new one, or `None` if nothing speaks against it. Judges the text and what it
/// decodes to.
#[must_use]
pub fn weakness(key: &KeyText) -> Option<Weakness> {
    let readings = readings(key);
    let found = |check: &Check| {
        readings.iter().find_map(|Reading { decoded, bytes }| Some(Weakness { kind: check(bytes)?, decoded: *decoded }))
    };
    CHECKS.iter().find_map(found)
}

type Check = fn(&[u8]) -> Option<WeaknessKind>;

/// The most telling first.
const CHECKS: [Check; 5] = [
    |bytes| known::is_known(bytes).then_some(WeaknessKind::KnownSample),
    |bytes| pattern::period(bytes).map(|period| WeaknessKind::Repeat { period }),
    |bytes| placeholder::is_placeholder(bytes).then_some(WeaknessKind::Placeholder),
    |bytes| pattern::few_distinct(bytes).map(|distinct| WeaknessKind::FewDistinct { distinct }),
    |bytes| pattern::is_sequence(bytes).then_some(WeaknessKind::Sequence),
];

/// The most bits that a key so spelled can hold if every character was chosen at random: 8 a raw byte, less for
/// digits or letters.
///
/// An upper bound for `status` (32 hexadecimal characters hold 128 bits, not 256), and no proof of strength.
#[must_use]
pub fn bits_at_most(key: &KeyText) -> usize {
    let decoded = decode(key);
    let bytes = decoded.expose();
    if is_printable(bytes) { characters(bytes) * hundredths_of_bits(bytes) / 100 } else { bytes.len() * 8 }
}

fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| (**byte).cast_signed() >= -64).count()
}

type Alphabet = fn(&u8) -> bool;

/// Hundredths of a bit in a character of the smallest usual alphabet that the text fits in.
fn hundredths_of_bits(text: &[u8]) -> usize {
    let alphabets: [(Alphabet, usize); 6] = [
        (u8::is_ascii_digit, 332),
        (|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'), 400),
        (|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'), 400),
        (u8::is_ascii_lowercase, 470),
        (|c| c.is_ascii_digit() || c.is_ascii_lowercase(), 516),
        (u8::is_ascii_alphanumeric, 595),
    ];
    let fitting = alphabets.iter().find(|(holds, _)| text.iter().all(holds));
    fitting.map_or(656, |(_, bits)| *bits)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{every_kind_of_random_key, key, noise};
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    fn words(text: impl AsRef<[u8]>) -> String {
        weakness(&key(text)).map_or_else(|| "fine".into(), |weakness| weakness.to_string())
    }

    #[test]
    fn weaknesses_in_words() {
        let count = |from: u8, len: u8| (from..from + len).collect::<Vec<u8>>();
        for (text, expected) in [
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into(), "it is one character repeated"),
            ("abc1abc1abc1abc1abc1abc1abc1abc1".into(), "it is 4 characters repeated"),
            ("01101001011101100110000111101101".into(), "it is made of only 2 different characters"),
            ("abcdefghijklmnopqrstuvwxyz012345".into(), "it is a sequence of characters"),
            ("zyxwvutsrqponmlkjihgfedcba987654".into(), "it is a sequence of characters"),
            ("qwertyuiopasdfghjklzxcvbnm123456".into(), "it is a sequence of characters"),
            ("01234567890123456789012345678901".into(), "it is 10 characters repeated"),
            ("0123456789abcdef0123456789abcdef".into(), "it is 16 characters repeated"),
            ("0123456789abcdefghijklmnopqrstuv".into(), "it is a sequence of characters"),
            ("a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6".into(), "it is a sequence of characters"),
            ("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,".into(), "it is a sequence of characters"),
            ("local_dev_master_key_32_chars_ok".into(), "it is a placeholder made of words, not a key"),
            ("2b7e151628aed2a6abf7158809cf4f3c".into(), "decoded, it is a sample key that is published"),
            (BASE64_STANDARD.encode([0; 32]), "decoded, it is one byte repeated"),
            (BASE64_STANDARD.encode([0xa5; 32]), "decoded, it is one byte repeated"),
            (BASE64_STANDARD.encode(count(0, 32)), "decoded, it is a sequence of bytes"),
            (BASE64_STANDARD.encode(count(0x80, 32)), "decoded, it is a sequence of bytes"),
            (
                BASE64_STANDARD.encode("dev_master_key_32_chars_long123"),
                "decoded, it is a placeholder made of words, not a key",
            ),
            (
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".into(),
                "it is a sequence of characters",
            ),
            (BASE64_STANDARD.encode(noise("good", 0, 32)), "fine"),
        ] {
            assert_eq!(words(&text), expected, "{text}");
            let line = words(format!("{text}\n"));
            assert_ne!(line == "fine", expected != "fine", "a newline hides nothing: {text}");
        }
        assert_eq!(words(count(0, 32)), "it is a sequence of characters");
        assert_eq!(words([0; 32]), "it is one character repeated");
        assert_eq!(words(noise("good", 0, 32)), "fine");
        assert_eq!(words(""), "fine");
    }

    #[test]
    fn no_false_alarm_on_random_keys() {
        for (number, random) in every_kind_of_random_key().enumerate() {
            let found = weakness(&random);
            assert_eq!(found, None, "key {number}: {}", random.expose().escape_ascii());
        }
    }

    #[test]
    fn bits_of_every_kind() {
        let bits = |text: &[u8]| bits_at_most(&key(text));
        assert_eq!(bits(&noise("bits", 0, 32)), 256);
        assert_eq!(bits(BASE64_STANDARD.encode(noise("bits", 0, 32)).as_bytes()), 256);
        assert_eq!(bits(b"00112233445566778899aabbccddeeff"), 128);
        assert_eq!(bits(b"91827364509182736450918273645091"), 106);
        assert_eq!(bits(b"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFi"), 190);
        assert_eq!(bits("ää".as_bytes()), 13);
        assert_eq!(bits(b""), 0);
    }
}
