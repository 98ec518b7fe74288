//! Base64 and hexadecimal, decoded into memory that is wiped.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use base64::engine::{Engine, general_purpose};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub(super) type Wiped = Zeroizing<Vec<u8>>;

/// Canonical base64: padded, no stray bits at the end, `+` and `/`.
pub(super) const CANONICAL: GeneralPurpose = general_purpose::STANDARD;
/// Base64 without `=`, otherwise canonical.
pub(super) const UNPADDED: GeneralPurpose = general_purpose::STANDARD_NO_PAD;
/// Padded base64 that may have stray bits at the end.
pub(super) const STRAY_BITS: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));
/// Base64 with or without `=`.
pub(super) const ANY_PADDING: GeneralPurpose = general_purpose::STANDARD_PAD_INDIFFERENT;
/// Base64url (`-` and `_`) with or without `=`.
pub(super) const URL: GeneralPurpose = general_purpose::URL_SAFE_PAD_INDIFFERENT;

/// What `text` decodes to, or `None` if it is not base64 of that kind.
pub(super) fn base64(engine: &GeneralPurpose, text: &[u8]) -> Option<Wiped> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let written = engine.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(written);
    Some(bytes)
}

/// How the letters of a hexadecimal text are written. A text of digits only counts as `Lower`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HexCase {
    Lower,
    Upper,
    Mixed,
}

/// What `text` decodes to, or `None` if it is empty, of an odd length, or holds anything but hexadecimal digits.
pub(super) fn hex(text: &[u8]) -> Option<(HexCase, Wiped)> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks_exact(2) {
        let &[high, low] = pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some((case(text), bytes))
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

fn case(text: &[u8]) -> HexCase {
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let upper = text.iter().any(u8::is_ascii_uppercase);
    match (lower, upper) {
        (true, true) => HexCase::Mixed,
        (false, true) => HexCase::Upper,
        (_, false) => HexCase::Lower,
    }
}

/// `bytes` in hexadecimal, with the letters of `digits` (16 of them).
pub(super) fn to_hex(bytes: &[u8], digits: [u8; 16]) -> Wiped {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() * 2));
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|nibble| digits.get(usize::from(nibble)).copied().unwrap_or(b'0')));
    }
    text
}

/// `bytes` in canonical base64.
pub(super) fn to_base64(bytes: &[u8]) -> Wiped {
    Zeroizing::new(CANONICAL.encode(bytes).into_bytes())
}

/// Whether the bytes are text that a person can read: UTF-8 without control characters other than tab, line feed and
/// carriage return.
///
/// Control characters are Unicode's category Cc, which never changes.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn printable_is_text_without_control_characters() {
        for text in ["", "passphrase", "two words\n", "Schlüssel", "\t\r\n", "\u{a0}\u{2028}"] {
            assert!(is_printable(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"\0"[..], b"a\x1b", b"\x7f", "\u{85}".as_bytes(), b"\xff", b"\xc3", b"\xed\xa0\x80"] {
            assert!(!is_printable(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn the_case_of_hexadecimal() {
        let case = |text: &str| hex(text.as_bytes()).map(|(case, _)| case);
        assert!(case("00ff") == Some(HexCase::Lower));
        assert!(case("00FF") == Some(HexCase::Upper));
        assert!(case("0fFF") == Some(HexCase::Mixed));
        assert!(case("0011") == Some(HexCase::Lower));
        assert!(case("001").is_none());
        assert!(case("00g0").is_none());
        assert!(case("").is_none());
    }

    #[test]
    fn canonical_base64_is_the_only_kind_taken() {
        assert!(base64(&CANONICAL, b"aGk=").is_some());
        for text in ["aGk", "aGl=", "aGk==", "aGk=\n", " aGk=", "aG k=", "_-8="] {
            assert!(base64(&CANONICAL, text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn base64_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(&base64(&CANONICAL, &to_base64(&bytes)).unwrap()[..], &bytes[..]);
        }

        #[test]
        fn hexadecimal_comes_back(bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
            let text = to_hex(&bytes, *b"0123456789abcdef");
            prop_assert_eq!(&hex(&text).unwrap().1[..], &bytes[..]);
        }

        #[test]
        fn no_text_breaks_a_decoder(text: Vec<u8>) {
            for engine in [&CANONICAL, &UNPADDED, &STRAY_BITS, &ANY_PADDING, &URL] {
                let _ = base64(engine, &text);
            }
            let _ = hex(&text);
        }
    }
}
