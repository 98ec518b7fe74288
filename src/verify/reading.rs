//! What an application may take a key text for.

use zeroize::Zeroizing;

use crate::key::{self, KeyText};

/// A way to get from the text to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Canonical base64 or hexadecimal is decoded.
    Decoded,
    /// The text stands for itself.
    Text,
    /// As `Decoded`, after the one line end that the text ends in is taken off.
    DecodedWithoutNewline,
    /// As `Text`, without the one line end that the text ends in.
    TextWithoutNewline,
}

impl Reading {
    /// What could be the key itself.
    pub(super) const fn of_key_bytes() -> &'static [Self] {
        &[Self::Decoded, Self::Text, Self::DecodedWithoutNewline, Self::TextWithoutNewline]
    }

    /// What could be the text that a key is derived from.
    pub(super) const fn of_text() -> &'static [Self] {
        &[Self::Text, Self::TextWithoutNewline]
    }

    /// Whether the text opens only after a change that an application may not make.
    #[must_use]
    pub fn drops_newline(self) -> bool {
        matches!(self, Self::DecodedWithoutNewline | Self::TextWithoutNewline)
    }

    /// The bytes; `None` where the text cannot be read so.
    pub(super) fn bytes(self, key: &KeyText) -> Option<Zeroizing<Vec<u8>>> {
        let text = || Zeroizing::new(key.expose().to_vec());
        match self {
            Self::Text => Some(text()),
            Self::Decoded => {
                let decoded = key::decode(key);
                let is_encoded = !matches!(decoded.spelling.form, key::Form::Raw | key::Form::Text);
                (is_encoded && !decoded.spelling.newline).then(|| Zeroizing::new(decoded.expose().to_vec()))
            }
            Self::TextWithoutNewline => Self::Text.bytes(&key.without_one_newline()?),
            Self::DecodedWithoutNewline => Self::Decoded.bytes(&key.without_one_newline()?),
        }
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Decoded => "decoded",
            Self::Text => "as it stands",
            Self::DecodedWithoutNewline => "decoded, without its last line end",
            Self::TextWithoutNewline => "as it stands, without its last line end",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_every_way_that_an_application_may_read_it() {
        let lengths = |text: &[u8]| -> Vec<Option<usize>> {
            let key = KeyText::from(text.to_vec());
            Reading::of_key_bytes().iter().map(|reading| reading.bytes(&key).map(|bytes| bytes.len())).collect()
        };
        let base64 = "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=";
        assert_eq!(lengths(base64.as_bytes()), [Some(32), Some(44), None, None]);
        assert_eq!(lengths(format!("{base64}\n").as_bytes()), [None, Some(45), Some(32), Some(44)]);
        assert_eq!(lengths(&[0xff; 32]), [None, Some(32), None, None]);
        assert_eq!(lengths(&[&[0xff; 32][..], b"\r\n"].concat()), [None, Some(34), None, Some(32)]);
        assert_eq!(lengths("0123456789abcdef".repeat(4).as_bytes()), [Some(32), Some(64), None, None]);
    }
}
