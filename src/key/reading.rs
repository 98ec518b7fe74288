//! All the ways in which a key text might be read, more generously than a policy reads it: for questions that must
//! not be evaded by spelling.

use super::encoding::{self, ANY_PADDING, URL, Wiped};
use super::text::KeyText;
use zeroize::Zeroizing;

/// Text that decodes to fewer bytes is too short to tell an encoding from chance.
const DECODED_LEN_MIN_BYTES: usize = 8;

/// Bytes that the text may stand for.
pub(super) struct Reading {
    /// Whether an encoding was taken off.
    pub(super) decoded: bool,
    pub(super) bytes: Wiped,
}

/// The text itself, the text without whitespace around it, what it decodes to as hexadecimal, base64 or base64url, and
/// what that decodes to again (a value copied out of a Secret's `data`).
pub(super) fn readings(key: &KeyText) -> Vec<Reading> {
    let text = key.expose();
    let line = text.trim_ascii();
    let plain = [Some(text), Some(line).filter(|line| line.len() < text.len())].into_iter().flatten();
    let once = decodings(line);
    let twice: Vec<Wiped> = once.iter().flat_map(|bytes| decodings(bytes.trim_ascii())).collect();
    plain
        .map(|text| Reading { decoded: false, bytes: Zeroizing::new(text.to_vec()) })
        .chain(once.into_iter().chain(twice).map(|bytes| Reading { decoded: true, bytes }))
        .collect()
}

fn decodings(line: &[u8]) -> Vec<Wiped> {
    let hex = encoding::hex(line).map(|(_, bytes)| bytes);
    let base64 = encoding::base64(&ANY_PADDING, line).or_else(|| encoding::base64(&URL, line));
    [hex, base64].into_iter().flatten().filter(|bytes| bytes.len() >= DECODED_LEN_MIN_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{key, noise};
    use super::*;
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};

    #[test]
    fn every_usual_encoding_is_seen_through() {
        let bytes = noise("reading", 0, 32);
        let hex = String::from_utf8(encoding::to_hex(&bytes, *b"0123456789ABCDEF").to_vec()).unwrap();
        let mut texts = vec![hex.to_lowercase(), hex];
        texts.extend(
            [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD]
                .map(|engine| engine.encode(&bytes)),
        );
        for text in texts {
            for written in [text.clone(), format!("{text}\n"), BASE64_STANDARD.encode(&text)] {
                assert!(readings(&key(written)).iter().any(|reading| reading.decoded && *reading.bytes == bytes));
            }
        }
    }

    #[test]
    fn short_text_stands_for_itself() {
        let readings = readings(&key("password"));
        assert_eq!(readings.len(), 1);
        assert_eq!(readings[0].bytes.as_slice(), b"password");
    }
}
