//! Which key texts an application takes.

use super::diagnosis;
use super::encoding::{self, CANONICAL, HexCase, is_printable};
use super::misfit::Misfit;
use super::seen::{Note, Seen, Shape};
use super::text::KeyText;
use std::fmt;

/// Which key texts a field takes. Its words say what is needed: `base64 of 32 bytes or 32 raw bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A key of exactly so many bytes, as for AES-256.
    Bytes {
        /// Bytes of the key.
        len: usize,
        /// How the text may write them.
        spellings: SpellingSet,
    },
    /// A passphrase of at least so many characters (Unicode scalar values).
    MinCharacters(usize),
    /// Anything that is not empty.
    Any,
}

/// The spellings that a profile accepts for a key of a fixed number of bytes. Raw and base64 if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpellingSet {
    /// The bytes themselves.
    pub raw: bool,
    /// Canonical padded base64.
    pub base64: bool,
    /// Hexadecimal, all small or all capital letters.
    pub hex: bool,
}

impl Default for SpellingSet {
    fn default() -> Self {
        Self { raw: true, base64: true, hex: false }
    }
}

impl SpellingSet {
    const fn accepts(self, shape: Shape) -> bool {
        match shape {
            Shape::Characters { .. } | Shape::Bytes(_) => self.raw,
            Shape::Base64 { .. } => self.base64,
            Shape::Hex { .. } => self.hex,
        }
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.base64, "base64"), (self.hex, "hexadecimal"), (self.raw, "raw")]
            .into_iter()
            .filter_map(|(accepted, name)| accepted.then_some(name))
    }
}

/// `base64 or raw`.
impl fmt::Display for SpellingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(" or "))
    }
}

/// What was seen, or why it does not fit.
pub type Verdict = Result<Seen, Misfit>;

impl Policy {
    /// A key of exactly `len` bytes, raw or in base64.
    #[must_use]
    pub fn bytes(len: usize) -> Self {
        Self::Bytes { len, spellings: SpellingSet::default() }
    }

    /// Whether the key text fits.
    ///
    /// Where it could be read in two ways, the text as it is comes first: 32 characters are 32 raw bytes, although
    /// they may be base64 of 24 bytes. A newline at the end of readable text never fits (except in
    /// [`Any`](Self::Any)); see [`Misfit::is_only_a_newline`].
    ///
    /// # Errors
    /// What the text is instead, without any part of it.
    pub fn judge(&self, key: &KeyText) -> Verdict {
        let text = key.expose();
        match self.fit(text) {
            Some(seen) => Ok(seen),
            None => Err(diagnosis::diagnose(self, text)),
        }
    }

    pub(super) fn fit(&self, text: &[u8]) -> Option<Seen> {
        match *self {
            Self::Bytes { len, spellings } => fit_of_bytes(text, len, spellings),
            Self::MinCharacters(min) => fit_of_characters(text, min),
            Self::Any => (!text.is_empty()).then(|| Seen { shape: Shape::of(text), note: Note::around(text) }),
        }
    }
}

fn fit_of_bytes(text: &[u8], len: usize, spellings: SpellingSet) -> Option<Seen> {
    let shape = reading_of(text, len).filter(|shape| spellings.accepts(*shape))?;
    let raw = matches!(shape, Shape::Characters { .. } | Shape::Bytes(_));
    Some(Seen { shape, note: if raw { Note::about(text) } else { None } })
}

fn fit_of_characters(text: &[u8], min: usize) -> Option<Seen> {
    let shape = Shape::of(text);
    let enough = matches!(shape, Shape::Characters { characters, .. } if characters >= min);
    (enough && !text.is_empty() && !text.ends_with(b"\n")).then(|| Seen { shape, note: Note::around(text) })
}

/// How the text writes exactly `len` bytes, whether that spelling is accepted or not. At most one way does: the
/// others differ in length.
pub(super) fn reading_of(text: &[u8], len: usize) -> Option<Shape> {
    let a_line = is_printable(text) && text.ends_with(b"\n");
    let raw = (text.len() == len && len > 0 && !a_line).then(|| Shape::of(text));
    raw.or_else(|| hex_of(text, len)).or_else(|| base64_of(text, len))
}

fn hex_of(text: &[u8], len: usize) -> Option<Shape> {
    let (case, bytes) = encoding::hex(text)?;
    (case != HexCase::Mixed && bytes.len() == len).then_some(Shape::Hex { digits: text.len(), bytes: len })
}

fn base64_of(text: &[u8], len: usize) -> Option<Shape> {
    let bytes = encoding::base64(&CANONICAL, text)?;
    (!bytes.is_empty() && bytes.len() == len).then_some(Shape::Base64 { characters: text.len(), bytes: len })
}

/// What is needed.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { len, spellings } => {
                let ways: Vec<_> = spellings
                    .names()
                    .map(
                        |name| {
                            if name == "raw" { format!("{len} raw bytes") } else { format!("{name} of {len} bytes") }
                        },
                    )
                    .collect();
                f.write_str(&ways.join(" or "))
            }
            Self::MinCharacters(min) => write!(f, "at least {min} characters"),
            Self::Any => f.write_str("any text that is not empty"),
        }
    }
}
