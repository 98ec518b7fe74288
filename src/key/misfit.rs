//! Why a key text does not fit, in words that hold counts and never a part of the text.

use super::policy::{SpellingSet, Verdict};
use super::seen::{Shape, counted};
use std::fmt;

/// Why a key text does not fit the policy. Its words say what the text is; [`Policy`](super::Policy) says what is
/// needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// No bytes at all.
    #[error("empty")]
    Empty,
    /// Another number of bytes than needed.
    #[error("{}", length(*.0))]
    Length(Shape),
    /// Fewer characters than needed.
    #[error("{0}")]
    TooShort(Shape),
    /// A passphrase has to be readable text.
    #[error("{} that are not readable text", counted(*bytes, "byte"))]
    NotText {
        /// Bytes of the text.
        bytes: usize,
    },
    /// One byte more than needed, and the last one is a line feed.
    #[error("{}; was a newline encoded?", length(*.0))]
    EncodedNewline(Shape),
    /// The right number of bytes in a spelling that the profile does not accept.
    #[error("{}: {}, but this profile accepts {accepted}", shape.written(), counted(shape.key_bytes(), "byte"))]
    Spelling {
        /// What was seen.
        shape: Shape,
        /// What the profile accepts.
        accepted: SpellingSet,
    },
    /// Hexadecimal with both small and capital letters.
    #[error("{0} that mix small and capital letters")]
    MixedCase(Shape),
    /// Encoded two times.
    #[error("base64 twice: {} decode to {}", outer.written(), inner_words(*inner))]
    Twice {
        /// The text.
        outer: Shape,
        /// What the text decodes to.
        inner: Shape,
    },
    /// The alphabet for addresses, with `-` and `_`.
    #[error("base64url: {characters} characters with `-` or `_` ({}), where base64 has `+` and `/`", counted(*bytes, "byte"))]
    Base64Url {
        /// Characters of the text, padding included.
        characters: usize,
        /// Bytes that it decodes to.
        bytes: usize,
    },
    /// The wrong number of `=` at the end of base64.
    #[error("base64 of {} in {characters} characters, with {found} `=` at the end where {needed} must be", counted(*bytes, "byte"))]
    Padding {
        /// Characters of the text, padding included.
        characters: usize,
        /// Bytes that it decodes to.
        bytes: usize,
        /// `=` at the end.
        found: usize,
        /// `=` that must be at the end.
        needed: usize,
    },
    /// The last character of base64 holds bits that do not count.
    #[error("{0} with stray bits in the last character: not canonical, mistyped or cut?")]
    StrayBits(Shape),
    /// Base64 or hexadecimal, once the whitespace is taken out.
    #[error("{0} with whitespace inside")]
    WhitespaceInside(Shape),
    /// Something stands around the text that does not belong to it.
    #[error("{}, with {}", inside_words(inside), around_words(around))]
    Wrapped {
        /// What stands around it, from the outside in.
        around: Vec<Wrapping>,
        /// What is inside.
        inside: Box<Verdict>,
    },
}

impl Misfit {
    /// Whether the text would fit if [`without_one_newline`](super::KeyText::without_one_newline) were taken.
    #[must_use]
    pub fn is_only_a_newline(&self) -> bool {
        matches!(self, Self::Wrapped { around, inside } if around[..] == [Wrapping::Newline] && inside.is_ok())
    }
}

/// What may stand around a key text without belonging to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// One `\n` or `\r\n` at the end.
    Newline,
    /// Other ASCII whitespace before or after.
    Whitespace,
    /// A pair of quotes.
    Quotes,
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newline => "a newline at the end",
            Self::Whitespace => "whitespace around it",
            Self::Quotes => "quotes around it",
        })
    }
}

fn length(shape: Shape) -> String {
    match shape {
        Shape::Characters { characters, bytes } if characters == bytes => counted(characters, "character"),
        Shape::Characters { characters, bytes } => {
            format!("{} but {}", counted(characters, "character"), counted(bytes, "byte"))
        }
        Shape::Bytes(bytes) => counted(bytes, "byte"),
        Shape::Base64 { bytes, .. } | Shape::Hex { bytes, .. } => {
            format!("{} decode to {}", shape.written(), counted(bytes, "byte"))
        }
    }
}

fn inner_words(inner: Shape) -> String {
    format!("{}, and these to {}", inner.written(), counted(inner.key_bytes(), "byte"))
}

fn inside_words(inside: &Verdict) -> String {
    match inside {
        Ok(seen) => seen.to_string(),
        Err(misfit) => misfit.to_string(),
    }
}

fn around_words(around: &[Wrapping]) -> String {
    around.iter().map(Wrapping::to_string).collect::<Vec<_>>().join(" and ")
}
