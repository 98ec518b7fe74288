//! The bytes of a ciphertext in a file: raw, or written as base64 or hexadecimal text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};

/// How a file writes its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes themselves.
    Raw,
    /// Base64 or base64url, padded or not, over any number of lines.
    Base64,
    /// Hexadecimal, over any number of lines.
    Hex,
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Base64 => "base64",
            Self::Hex => "hexadecimal",
        })
    }
}

/// Why a file has no bytes to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// It is not what was said.
    #[error("it is not {0}")]
    Not(Encoding),
    /// It reads as both.
    #[error("it is text that reads as hexadecimal and as base64")]
    Ambiguous,
    /// It reads as neither.
    #[error("it is text, but neither base64 nor hexadecimal")]
    Unknown,
}

/// The bytes of a file. What is not said is recognised where there is no doubt: no ciphertext looks like text by
/// chance, and no base64 of its length has hexadecimal digits of one case only.
///
/// # Errors
/// [`EncodingError::Not`] what was said; in doubt the other two.
pub fn decode(file: &[u8], said: Option<Encoding>) -> Result<(Encoding, Vec<u8>), EncodingError> {
    let decoded = match said {
        Some(Encoding::Raw) => Some((Encoding::Raw, file.to_vec())),
        Some(Encoding::Hex) => hex(&dense(file)).map(|bytes| (Encoding::Hex, bytes)),
        Some(Encoding::Base64) => base64(&dense(file)).map(|bytes| (Encoding::Base64, bytes)),
        None if !is_ascii_text(file) => Some((Encoding::Raw, file.to_vec())),
        None => return recognised(&dense(file)),
    };
    decoded.ok_or(EncodingError::Not(said.unwrap_or(Encoding::Raw)))
}

fn recognised(text: &[u8]) -> Result<(Encoding, Vec<u8>), EncodingError> {
    let both_cases = text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase);
    match (hex(text), base64(text)) {
        (Some(_), Some(_)) if both_cases => Err(EncodingError::Ambiguous),
        (Some(bytes), _) => Ok((Encoding::Hex, bytes)),
        (None, Some(bytes)) => Ok((Encoding::Base64, bytes)),
        (None, None) => Err(EncodingError::Unknown),
    }
}

fn is_ascii_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

fn dense(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD_PAD_INDIFFERENT.decode(text).or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(text)).ok()
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(file: &str) -> Result<Encoding, EncodingError> {
        decode(file.as_bytes(), None).map(|(encoding, _)| encoding)
    }

    #[test]
    fn what_a_file_holds_is_recognised() {
        let bytes = [0xfb; 32];
        let base64 = STANDARD_PAD_INDIFFERENT.encode(bytes);
        let url = URL_SAFE_PAD_INDIFFERENT.encode(bytes);
        let lines = format!("{}\n  {}\r\n", &base64[..20], &base64[20..]);
        for text in [&base64, &url, base64.trim_end_matches('='), url.trim_end_matches('='), &lines] {
            assert_eq!(decode(text.as_bytes(), None), Ok((Encoding::Base64, bytes.to_vec())), "{text}");
        }
        for text in ["fb".repeat(32), "FB".repeat(32), format!("{}\n", "fb ".repeat(32))] {
            assert_eq!(decode(text.as_bytes(), None), Ok((Encoding::Hex, bytes.to_vec())), "{text}");
        }
        assert_eq!(decode(&bytes, None), Ok((Encoding::Raw, bytes.to_vec())));
    }

    #[test]
    fn doubt_is_said() {
        assert_eq!(recognise(&"fB".repeat(32)), Err(EncodingError::Ambiguous));
        assert_eq!(recognise("{\"data\": \"aGk=\"}"), Err(EncodingError::Unknown));
        assert_eq!(decode(b"xyz!", Some(Encoding::Hex)), Err(EncodingError::Not(Encoding::Hex)));
        assert_eq!(decode(b"abc", Some(Encoding::Hex)), Err(EncodingError::Not(Encoding::Hex)));
        assert_eq!(decode(b"xyz!", Some(Encoding::Base64)), Err(EncodingError::Not(Encoding::Base64)));
        assert_eq!(decode(b"xyz!", Some(Encoding::Raw)), Ok((Encoding::Raw, b"xyz!".to_vec())));
    }
}
