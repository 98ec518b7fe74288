//! What a key text looks like, in counts: the words that a message may use.

use super::encoding::{self, CANONICAL, is_printable};
use std::fmt;

/// What was counted in a key text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Readable text, taken as it is.
    Characters {
        /// Unicode scalar values.
        characters: usize,
        /// Bytes of UTF-8.
        bytes: usize,
    },
    /// Bytes that are not readable text, taken as they are.
    Bytes(usize),
    /// Base64.
    Base64 {
        /// Characters of the text, padding included.
        characters: usize,
        /// Bytes that it decodes to.
        bytes: usize,
    },
    /// Hexadecimal.
    Hex {
        /// Digits of the text.
        digits: usize,
        /// Bytes that it decodes to.
        bytes: usize,
    },
}

impl Shape {
    /// The text taken as it is.
    pub(super) fn of(text: &[u8]) -> Self {
        match std::str::from_utf8(text) {
            Ok(line) if is_printable(text) => Self::Characters { characters: line.chars().count(), bytes: text.len() },
            _ => Self::Bytes(text.len()),
        }
    }

    /// The text as canonical base64.
    pub(super) fn of_base64(text: &[u8]) -> Option<Self> {
        let bytes = encoding::base64(&CANONICAL, text)?.len();
        Some(Self::Base64 { characters: text.len(), bytes })
    }

    /// The text as hexadecimal, small or capital letters.
    pub(super) fn of_hex(text: &[u8]) -> Option<Self> {
        let bytes = encoding::hex(text)?.1.len();
        Some(Self::Hex { digits: text.len(), bytes })
    }

    /// Bytes of the key that the text stands for.
    pub(super) const fn key_bytes(self) -> usize {
        match self {
            Self::Characters { bytes, .. }
            | Self::Bytes(bytes)
            | Self::Base64 { bytes, .. }
            | Self::Hex { bytes, .. } => bytes,
        }
    }

    /// The counts of the text alone: `44 base64 characters`.
    pub(super) fn written(self) -> String {
        match self {
            Self::Characters { characters, .. } => counted(characters, "character"),
            Self::Bytes(bytes) => counted(bytes, "byte"),
            Self::Base64 { characters, .. } => counted(characters, "base64 character"),
            Self::Hex { digits, .. } => counted(digits, "hexadecimal digit"),
        }
    }

    const fn is_plain(self) -> bool {
        match self {
            Self::Characters { characters, bytes } => characters == bytes,
            Self::Bytes(_) => true,
            Self::Base64 { .. } | Self::Hex { .. } => false,
        }
    }
}

/// `44 base64 characters (32 bytes)`, `32 characters`, `16 characters (32 bytes)`, `32 bytes`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written())?;
        if self.is_plain() { Ok(()) } else { write!(f, " ({})", counted(self.key_bytes(), "byte")) }
    }
}

/// `1 byte`, `2 bytes`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// A key text that fits, and what is worth knowing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What was counted.
    pub shape: Shape,
    /// Something that is allowed but may not be meant.
    pub note: Option<Note>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shape.fmt(f)
    }
}

/// Something that is allowed in a key text but may not be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Taken as it is, although it could be base64.
    AlsoBase64 {
        /// Bytes that it would decode to.
        bytes: usize,
    },
    /// Taken as it is, although it could be hexadecimal.
    AlsoHex {
        /// Bytes that it would decode to.
        bytes: usize,
    },
    /// Quotes around the text are part of the key.
    QuotesAround,
    /// Spaces, tabs or line ends around the text are part of the key.
    WhitespaceAround,
}

impl Note {
    /// What there is to say about a text that is taken as it is.
    pub(super) fn about(text: &[u8]) -> Option<Self> {
        Self::around(text).or_else(|| Self::also(text))
    }

    /// What there is to say about the two ends of a readable text.
    pub(super) fn around(text: &[u8]) -> Option<Self> {
        if !is_printable(text) {
            None
        } else if text.trim_ascii().len() < text.len() {
            Some(Self::WhitespaceAround)
        } else {
            unquoted(text).map(|_| Self::QuotesAround)
        }
    }

    fn also(text: &[u8]) -> Option<Self> {
        let bytes = Shape::key_bytes;
        let hex = Shape::of_hex(text).map(|shape| Self::AlsoHex { bytes: bytes(shape) });
        hex.or_else(|| Shape::of_base64(text).map(|shape| Self::AlsoBase64 { bytes: bytes(shape) }))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlsoBase64 { bytes } => write!(f, "taken as raw; it is also base64 of {}", counted(*bytes, "byte")),
            Self::AlsoHex { bytes } => write!(f, "taken as raw; it is also hexadecimal of {}", counted(*bytes, "byte")),
            Self::QuotesAround => f.write_str("the quotes around it are part of the key"),
            Self::WhitespaceAround => f.write_str("the whitespace around it is part of the key"),
        }
    }
}

/// The text inside one pair of quotes.
pub(super) fn unquoted(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] | [b'`', inner @ .., b'`'] => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_in_words() {
        for (shape, words) in [
            (Shape::of(b"abc"), "3 characters"),
            (Shape::of(b"a"), "1 character"),
            (Shape::of("äöü".as_bytes()), "3 characters (6 bytes)"),
            (Shape::of(&[0xff; 32]), "32 bytes"),
            (Shape::of_base64(b"AAAA").unwrap(), "4 base64 characters (3 bytes)"),
            (Shape::of_hex(b"00ff").unwrap(), "4 hexadecimal digits (2 bytes)"),
        ] {
            assert_eq!(shape.to_string(), words);
        }
    }

    #[test]
    fn notes_in_words() {
        let note = |text: &str| Note::about(text.as_bytes()).map(|note| note.to_string());
        assert_eq!(note("abcdefghijklmnopqrstuvwxyz012345").unwrap(), "taken as raw; it is also base64 of 24 bytes");
        assert_eq!(
            note("00112233445566778899aabbccddeeff").unwrap(),
            "taken as raw; it is also hexadecimal of 16 bytes"
        );
        assert_eq!(note("'in quotes'").unwrap(), "the quotes around it are part of the key");
        assert_eq!(note(" in spaces ").unwrap(), "the whitespace around it is part of the key");
        assert_eq!(note("no more, no less"), None);
    }
}
