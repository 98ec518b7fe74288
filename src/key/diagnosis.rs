//! What a key text that does not fit probably is.

use super::encoding::{self, CANONICAL, HexCase, STRAY_BITS, UNPADDED, URL, Wiped, is_printable};
use super::misfit::{Misfit, Wrapping};
use super::policy::{Policy, SpellingSet, reading_of};
use super::seen::{Shape, unquoted};
use zeroize::Zeroizing;

/// From this many characters on, text in the alphabet of base64 or hexadecimal is called so even where nothing else
/// shows it.
const LOOKS_ENCODED_CHARACTERS: usize = 40;
/// Text that decodes to fewer bytes is not looked at for a second encoding.
const ENCODED_TWICE_LEN_MIN_BYTES: usize = 8;

/// Why `text` does not fit `policy`. Only for a text that does not.
pub(super) fn diagnose(policy: &Policy, text: &[u8]) -> Misfit {
    if text.is_empty() { Misfit::Empty } else { wrapped(policy, text).unwrap_or_else(|| bare(policy, text)) }
}

fn wrapped(policy: &Policy, text: &[u8]) -> Option<Misfit> {
    let (around, inner) = peeled(policy, text);
    if around.is_empty() {
        return None;
    }
    let inside = policy.fit(inner).ok_or_else(|| if inner.is_empty() { Misfit::Empty } else { bare(policy, inner) });
    Some(Misfit::Wrapped { around, inside: Box::new(inside) })
}

/// Takes off each kind of wrapping once, from the outside in, and stops where the rest fits. Bytes that are no text
/// only lose a newline, and only if the rest fits.
fn peeled<'t>(policy: &Policy, text: &'t [u8]) -> (Vec<Wrapping>, &'t [u8]) {
    let mut around = Vec::new();
    let mut rest = text;
    for (wrapping, peel) in PEELERS {
        if policy.fit(rest).is_some() {
            break;
        }
        let inner = peel(rest);
        let wanted = is_printable(rest) || wrapping == Wrapping::Newline && policy.fit(inner).is_some();
        if wanted && inner.len() < rest.len() {
            around.push(wrapping);
            rest = inner;
        }
    }
    (around, rest)
}

type Peeler = fn(&[u8]) -> &[u8];

const PEELERS: [(Wrapping, Peeler); 3] = [
    (Wrapping::Newline, without_newline),
    (Wrapping::Whitespace, <[u8]>::trim_ascii),
    (Wrapping::Quotes, |text| unquoted(text).unwrap_or(text)),
];

fn without_newline(text: &[u8]) -> &[u8] {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    if line.len() < text.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { text }
}

fn bare(policy: &Policy, text: &[u8]) -> Misfit {
    match *policy {
        Policy::Bytes { len, spellings } => bare_bytes(text, len, spellings),
        Policy::MinCharacters(_) | Policy::Any => bare_characters(text),
    }
}

fn bare_characters(text: &[u8]) -> Misfit {
    match Shape::of(text) {
        Shape::Bytes(bytes) => Misfit::NotText { bytes },
        shape => Misfit::TooShort(shape),
    }
}

fn bare_bytes(text: &[u8], len: usize, spellings: SpellingSet) -> Misfit {
    refused_spelling(text, len, spellings)
        .or_else(|| hexadecimal(text, len))
        .or_else(|| base64(text, len))
        .or_else(|| base64url(text, len))
        .or_else(|| padding(text, len))
        .or_else(|| stray_bits(text))
        .or_else(|| whitespace_inside(text, len))
        .unwrap_or_else(|| Misfit::Length(Shape::of(text)))
}

fn refused_spelling(text: &[u8], len: usize, accepted: SpellingSet) -> Option<Misfit> {
    reading_of(text, len).map(|shape| Misfit::Spelling { shape, accepted })
}

fn hexadecimal(text: &[u8], len: usize) -> Option<Misfit> {
    let (case, bytes) = encoding::hex(text)?;
    let shape = Shape::Hex { digits: text.len(), bytes: bytes.len() };
    if bytes.len() == len && case == HexCase::Mixed {
        Some(Misfit::MixedCase(shape))
    } else {
        (text.len() >= LOOKS_ENCODED_CHARACTERS).then_some(Misfit::Length(shape))
    }
}

fn base64(text: &[u8], len: usize) -> Option<Misfit> {
    let bytes = encoding::base64(&CANONICAL, text)?;
    let shape = Shape::Base64 { characters: text.len(), bytes: bytes.len() };
    if let Some(inner) = encoded_inside(&bytes) {
        Some(Misfit::Twice { outer: shape, inner })
    } else if bytes.len() == len + 1 && bytes.ends_with(b"\n") {
        Some(Misfit::EncodedNewline(shape))
    } else {
        looks_like_base64(text).then_some(Misfit::Length(shape))
    }
}

fn looks_like_base64(text: &[u8]) -> bool {
    text.len() >= LOOKS_ENCODED_CHARACTERS || text.iter().any(|c| matches!(c, b'=' | b'+' | b'/'))
}

fn encoded_inside(bytes: &[u8]) -> Option<Shape> {
    let inner = without_newline(bytes);
    Shape::of_hex(inner)
        .or_else(|| Shape::of_base64(inner))
        .filter(|shape| shape.key_bytes() >= ENCODED_TWICE_LEN_MIN_BYTES)
}

fn base64url(text: &[u8], len: usize) -> Option<Misfit> {
    let bytes = encoding::base64(&URL, text)?.len();
    let alphabet = text.iter().any(|c| matches!(c, b'-' | b'_'));
    (alphabet && (bytes == len || text.ends_with(b"="))).then_some(Misfit::Base64Url { characters: text.len(), bytes })
}

fn padding(text: &[u8], len: usize) -> Option<Misfit> {
    let digits = text.iter().rposition(|c| *c != b'=').map_or(0, |last| last + 1);
    let bytes = encoding::base64(&UNPADDED, text.get(..digits)?)?.len();
    let needed = digits.next_multiple_of(4) - digits;
    let found = text.len() - digits;
    (bytes == len && found != needed).then_some(Misfit::Padding { characters: text.len(), bytes, found, needed })
}

fn stray_bits(text: &[u8]) -> Option<Misfit> {
    let bytes = encoding::base64(&STRAY_BITS, text)?.len();
    Some(Misfit::StrayBits(Shape::Base64 { characters: text.len(), bytes }))
}

fn whitespace_inside(text: &[u8], len: usize) -> Option<Misfit> {
    let condensed = condensed(text);
    let encoded = condensed.len() < text.len() && condensed.len() > len;
    reading_of(&condensed, len).filter(|_| encoded).map(Misfit::WhitespaceInside)
}

fn condensed(text: &[u8]) -> Wiped {
    let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
    rest.extend(text.iter().filter(|c| !c.is_ascii_whitespace()));
    rest
}

#[cfg(test)]
mod tests {
    use super::super::seen::Note;
    use super::super::testing::{every_kind_of_random_key, key, noise};
    use super::*;
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    const BYTES_32: fn() -> Policy = || Policy::bytes(32);

    fn base64_of(len: usize) -> String {
        BASE64_STANDARD.encode(noise("misfit", 0, len))
    }

    fn words(policy: Policy, text: impl AsRef<[u8]>) -> String {
        match policy.judge(&key(text)) {
            Ok(seen) => format!("ok: {seen}"),
            Err(misfit) => misfit.to_string(),
        }
    }

    #[test]
    fn thirty_two_bytes_in_words() {
        let raw = "correct horse battery staple 123";
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let base64 = base64_of(32);
        let with_newline = [&noise("misfit", 0, 32)[..], b"\n"].concat();
        let (left, right) = base64.split_at(20);
        for (text, expected) in [
            (raw.into(), "ok: 32 characters"),
            (base64.clone(), "ok: 44 base64 characters (32 bytes)"),
            ("ä".repeat(16), "ok: 16 characters (32 bytes)"),
            (String::new(), "empty"),
            ("\n".into(), "empty, with a newline at the end"),
            ("  ".into(), "empty, with whitespace around it"),
            (raw[1..].into(), "31 characters"),
            (format!("{raw}1"), "33 characters"),
            ("x".into(), "1 character"),
            ("ä".repeat(16) + &raw[..16], "32 characters but 48 bytes"),
            (hex.into(), "64 hexadecimal digits: 32 bytes, but this profile accepts base64 or raw"),
            (hex.to_uppercase(), "64 hexadecimal digits: 32 bytes, but this profile accepts base64 or raw"),
            (hex.replacen('a', "A", 1), "64 hexadecimal digits (32 bytes) that mix small and capital letters"),
            (hex[..62].into(), "62 hexadecimal digits decode to 31 bytes"),
            (hex[..63].into(), "63 characters"),
            (base64_of(33), "44 base64 characters decode to 33 bytes"),
            (BASE64_STANDARD.encode(&with_newline), "44 base64 characters decode to 33 bytes; was a newline encoded?"),
            (base64_of(31), "44 base64 characters decode to 31 bytes"),
            (base64_of(16), "24 base64 characters decode to 16 bytes"),
            (base64_of(24), "ok: 32 characters"),
            (
                BASE64_STANDARD.encode(&base64),
                "base64 twice: 60 base64 characters decode to 44 base64 characters, and these to 32 bytes",
            ),
            (
                BASE64_STANDARD.encode(format!("{base64}\n")),
                "base64 twice: 60 base64 characters decode to 44 base64 characters, and these to 32 bytes",
            ),
            (
                BASE64_STANDARD.encode(hex),
                "base64 twice: 88 base64 characters decode to 64 hexadecimal digits, and these to 32 bytes",
            ),
            (
                BASE64_URL_SAFE.encode([0xfb; 32]),
                "base64url: 44 characters with `-` or `_` (32 bytes), where base64 has `+` and `/`",
            ),
            (
                BASE64_URL_SAFE_NO_PAD.encode([0xfb; 32]),
                "base64url: 43 characters with `-` or `_` (32 bytes), where base64 has `+` and `/`",
            ),
            (base64[..43].into(), "base64 of 32 bytes in 43 characters, with 0 `=` at the end where 1 must be"),
            (format!("{base64}="), "base64 of 32 bytes in 45 characters, with 2 `=` at the end where 1 must be"),
            (
                stray(&base64),
                "44 base64 characters (32 bytes) with stray bits in the last character: not canonical, mistyped or cut?",
            ),
            (format!("{left} {right}"), "44 base64 characters (32 bytes) with whitespace inside"),
            (
                format!("{left}\n{right}\n"),
                "44 base64 characters (32 bytes) with whitespace inside, with a newline at the end",
            ),
            (format!("{base64}\n"), "44 base64 characters (32 bytes), with a newline at the end"),
            (format!("{base64}\r\n"), "44 base64 characters (32 bytes), with a newline at the end"),
            (
                format!("{base64}\n\n"),
                "44 base64 characters (32 bytes), with a newline at the end and whitespace around it",
            ),
            (format!(" {base64}"), "44 base64 characters (32 bytes), with whitespace around it"),
            (format!("\"{base64}\""), "44 base64 characters (32 bytes), with quotes around it"),
            (
                format!("'{base64}'\n"),
                "44 base64 characters (32 bytes), with a newline at the end and quotes around it",
            ),
            (format!("{raw}\n"), "32 characters, with a newline at the end"),
            (format!("{}\n", &raw[1..]), "31 characters, with a newline at the end"),
            (
                format!("{hex}\n"),
                "64 hexadecimal digits: 32 bytes, but this profile accepts base64 or raw, with a newline at the end",
            ),
        ] {
            assert_eq!(words(BYTES_32(), text), expected);
        }
        assert_eq!(words(BYTES_32(), noise("raw", 0, 32)), "ok: 32 bytes");
        assert_eq!(words(BYTES_32(), noise("raw", 0, 31)), "31 bytes");
        assert_eq!(words(BYTES_32(), with_newline), "32 bytes, with a newline at the end");
    }

    fn stray(base64: &str) -> String {
        let at = 42;
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let value = alphabet.iter().position(|c| *c == base64.as_bytes()[at]).unwrap();
        format!("{}{}=", &base64[..at], char::from(alphabet[value + 1]))
    }

    #[test]
    fn a_raw_key_may_end_in_a_newline_byte() {
        let mut bytes = noise("raw", 0, 32);
        bytes[31] = b'\n';
        assert_eq!(words(BYTES_32(), bytes), "ok: 32 bytes");
    }

    #[test]
    fn other_spellings_of_a_profile() {
        let hex = "00112233445566778899aabbccddeeff";
        let base64 = BASE64_STANDARD.encode(noise("misfit", 0, 16));
        let only = |raw, base64, hex| Policy::Bytes { len: 16, spellings: SpellingSet { raw, base64, hex } };
        assert_eq!(words(only(false, false, true), hex), "ok: 32 hexadecimal digits (16 bytes)");
        assert_eq!(
            words(only(true, false, true), &base64),
            "24 base64 characters: 16 bytes, but this profile accepts hexadecimal or raw"
        );
        assert_eq!(
            words(only(false, true, false), &hex[..16]),
            "16 characters: 16 bytes, but this profile accepts base64"
        );
        assert_eq!(
            words(only(false, true, false), hex),
            "32 hexadecimal digits: 16 bytes, but this profile accepts base64"
        );
        assert_eq!(only(true, true, true).to_string(), "base64 of 16 bytes or hexadecimal of 16 bytes or 16 raw bytes");
    }

    #[test]
    fn at_least_32_characters_in_words() {
        let policy = Policy::MinCharacters(32);
        let long = "a passphrase that is long enough!";
        for (text, expected) in [
            (long.into(), "ok: 33 characters"),
            (base64_of(32), "ok: 44 characters"),
            ("ä".repeat(32), "ok: 32 characters (64 bytes)"),
            ("ä".repeat(31), "31 characters (62 bytes)"),
            (long[2..].into(), "31 characters"),
            (String::new(), "empty"),
            (format!("{long}\n"), "33 characters, with a newline at the end"),
            (format!("{}\n", &long[2..]), "31 characters, with a newline at the end"),
        ] {
            assert_eq!(words(policy, text), expected);
        }
        assert_eq!(words(policy, [0xff; 40]), "40 bytes that are not readable text");
        assert_eq!(words(policy, [0; 40]), "40 bytes that are not readable text");
        assert_eq!(policy.to_string(), "at least 32 characters");
    }

    #[test]
    fn anything_but_nothing() {
        assert_eq!(words(Policy::Any, "x\n"), "ok: 2 characters");
        assert_eq!(words(Policy::Any, [0]), "ok: 1 byte");
        assert_eq!(words(Policy::Any, ""), "empty");
        assert_eq!(words(Policy::MinCharacters(0), ""), "empty");
        assert_eq!(words(Policy::bytes(0), ""), "empty");
    }

    #[test]
    fn notes_say_what_may_not_be_meant() {
        let note = |text: &str| BYTES_32().judge(&key(text)).unwrap().note;
        assert_eq!(note(&base64_of(24)), Some(Note::AlsoBase64 { bytes: 24 }));
        assert_eq!(note("00112233445566778899aabbccddeeff"), Some(Note::AlsoHex { bytes: 16 }));
        assert_eq!(note("\"a passphrase of 32 characters.\""), Some(Note::QuotesAround));
        assert_eq!(note(" a passphrase of 32 characters. "), Some(Note::WhitespaceAround));
        assert_eq!(note(&base64_of(32)), None);
    }

    #[test]
    fn only_a_newline_can_be_taken_off() {
        let misfit = |text: String| BYTES_32().judge(&key(text)).unwrap_err();
        let base64 = base64_of(32);
        for line in [format!("{base64}\n"), format!("{base64}\r\n")] {
            assert!(misfit(line.clone()).is_only_a_newline());
            assert!(BYTES_32().judge(&key(line).without_one_newline().unwrap()).is_ok());
        }
        for text in
            [format!("{base64}\n\n"), format!("\"{base64}\"\n"), format!("{}\n", &base64[1..]), format!(" {base64}")]
        {
            assert!(!misfit(text).is_only_a_newline());
        }
    }

    #[test]
    fn a_megabyte_of_quotes_is_told_at_once() {
        assert_eq!(words(BYTES_32(), "\"".repeat(1 << 20)), "1048574 characters, with quotes around it");
    }

    #[test]
    fn random_keys_fit() {
        for random in every_kind_of_random_key() {
            let verdict = BYTES_32().judge(&random);
            if random.len() == 64 {
                assert!(matches!(verdict, Err(Misfit::Spelling { .. })));
            } else {
                assert!(verdict.is_ok(), "{verdict:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn words_depend_on_counts_only(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            for policy in [BYTES_32(), Policy::MinCharacters(32), Policy::Any] {
                let said = words(policy, &bytes);
                if let Ok(text) = std::str::from_utf8(&bytes) && text.len() > 8 {
                    prop_assert!(!said.contains(text));
                }
            }
        }

        #[test]
        fn a_newline_is_only_a_newline(text in "[ -~]{1,64}") {
            let line = key(format!("{text}\n"));
            for policy in [BYTES_32(), Policy::MinCharacters(32)] {
                let fits = policy.judge(&key(&text)).is_ok();
                let only = policy.judge(&line).is_err_and(|misfit| misfit.is_only_a_newline());
                prop_assert_eq!(fits, only);
            }
        }
    }
}
