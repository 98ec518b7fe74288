//! Which bytes stand behind a key text, and how the text writes them, so that the text can be rebuilt exactly.

use super::encoding::{self, CANONICAL, HexCase, Wiped, is_printable};
use super::text::KeyText;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// From this many bytes on, base64 and hexadecimal text is taken for an encoded key; shorter text stands for itself.
const ENCODED_LEN_MIN_BYTES: usize = 32;

/// How a key text writes its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// The bytes themselves, which are not readable text.
    Raw,
    /// The bytes themselves, which are readable text: UTF-8 without control characters other than tab and line ends.
    Text,
    /// Canonical padded base64 of at least 32 bytes.
    Base64,
    /// Hexadecimal with small letters (or digits only), at least 32 bytes.
    HexLower,
    /// Hexadecimal with capital letters, at least 32 bytes.
    HexUpper,
}

impl Form {
    const ALL: [Self; 5] = [Self::Raw, Self::Text, Self::Base64, Self::HexLower, Self::HexUpper];

    const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Text => "text",
            Self::Base64 => "base64",
            Self::HexLower => "hex-lower",
            Self::HexUpper => "hex-upper",
        }
    }
}

/// A form, and whether a line feed follows. Written `base64`, `text+newline` and so on, in the lock too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spelling {
    /// How the bytes are written.
    pub form: Form,
    /// Whether one line feed follows that is not part of the bytes. Never set for [`Form::Raw`], whose last byte may
    /// be 10 by chance.
    pub newline: bool,
}

impl From<Form> for Spelling {
    fn from(form: Form) -> Self {
        Self { form, newline: false }
    }
}

const NEWLINE_SUFFIX: &str = "+newline";

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form.name())?;
        if self.newline { f.write_str(NEWLINE_SUFFIX) } else { Ok(()) }
    }
}

/// The word is not one of the spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a spelling is raw, or one of text, base64, hex-lower and hex-upper with or without +newline")]
pub struct UnknownSpelling;

impl FromStr for Spelling {
    type Err = UnknownSpelling;

    fn from_str(word: &str) -> Result<Self, UnknownSpelling> {
        let (name, newline) = match word.strip_suffix(NEWLINE_SUFFIX) {
            Some(name) => (name, true),
            None => (word, false),
        };
        let form = Form::ALL.into_iter().find(|form| form.name() == name).ok_or(UnknownSpelling)?;
        if newline && form == Form::Raw { Err(UnknownSpelling) } else { Ok(Self { form, newline }) }
    }
}

/// A key text taken apart: its spelling and the bytes behind it, wiped when dropped and not printable.
pub struct Decoded {
    /// How the text wrote the bytes.
    pub spelling: Spelling,
    bytes: Wiped,
}

impl Decoded {
    /// The bytes of the key itself; the same care as for [`KeyText::expose`].
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes behind a key text: the decoded ones if it is canonical padded base64 or hexadecimal of at least 32
/// bytes, else the text itself. A text that is both (64 hexadecimal digits are always base64 as well) is taken as
/// hexadecimal. One line feed at the end of readable text goes to the spelling.
#[must_use]
pub fn decode(key: &KeyText) -> Decoded {
    let text = key.expose();
    let line = text.strip_suffix(b"\n").filter(|_| is_printable(text));
    let (form, bytes) = taken_apart(line.unwrap_or(text));
    Decoded { spelling: Spelling { form, newline: line.is_some() }, bytes }
}

fn taken_apart(text: &[u8]) -> (Form, Wiped) {
    encoded(text).unwrap_or_else(|| {
        let form = if is_printable(text) { Form::Text } else { Form::Raw };
        (form, Zeroizing::new(text.to_vec()))
    })
}

fn encoded(text: &[u8]) -> Option<(Form, Wiped)> {
    let hex = match encoding::hex(text) {
        Some((HexCase::Lower, bytes)) => Some((Form::HexLower, bytes)),
        Some((HexCase::Upper, bytes)) => Some((Form::HexUpper, bytes)),
        Some((HexCase::Mixed, _)) | None => None,
    };
    hex.or_else(|| Some((Form::Base64, encoding::base64(&CANONICAL, text)?)))
        .filter(|(_, bytes)| bytes.len() >= ENCODED_LEN_MIN_BYTES)
}

/// The key text that writes `bytes` so: the exact inverse of [`decode`].
#[must_use]
pub fn encode(spelling: Spelling, bytes: &[u8]) -> KeyText {
    let text = match spelling.form {
        Form::Raw | Form::Text => Zeroizing::new(bytes.to_vec()),
        Form::Base64 => encoding::to_base64(bytes),
        Form::HexLower => encoding::to_hex(bytes, *b"0123456789abcdef"),
        Form::HexUpper => encoding::to_hex(bytes, *b"0123456789ABCDEF"),
    };
    if spelling.newline { with_newline(&text) } else { KeyText::from(text) }
}

fn with_newline(text: &[u8]) -> KeyText {
    let mut line = Vec::with_capacity(text.len() + 1);
    line.extend_from_slice(text);
    line.push(b'\n');
    KeyText::from(line)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{key, must_not_be, noise};
    use super::*;
    use proptest::prelude::*;

    must_not_be!(Decoded: std::fmt::Debug);
    must_not_be!(Decoded: Clone);
    must_not_be!(Decoded: serde::Serialize);

    fn spelled(text: impl AsRef<[u8]>) -> String {
        decode(&key(text)).spelling.to_string()
    }

    #[test]
    fn every_form_is_recognised() {
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        assert_eq!(spelled([0xff; 32]), "raw");
        assert_eq!(spelled("a passphrase"), "text");
        assert_eq!(spelled("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), "base64");
        assert_eq!(spelled(hex), "hex-lower");
        assert_eq!(spelled(hex.to_uppercase()), "hex-upper");
        assert_eq!(spelled("0".repeat(64)), "hex-lower");
        assert_eq!(spelled(format!("{hex}\n")), "hex-lower+newline");
        assert_eq!(spelled("a passphrase\n"), "text+newline");
        assert_eq!(spelled(""), "text");
        assert_eq!(spelled("\n"), "text+newline");
    }

    #[test]
    fn short_or_odd_encodings_stand_for_themselves() {
        assert_eq!(spelled("0123456789abcdef0123456789abcdef"), "text", "16 bytes of hexadecimal");
        assert_eq!(spelled("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="), "text", "31 bytes of base64");
        assert_eq!(spelled("0".repeat(65)), "text", "an odd number of digits");
        assert_eq!(spelled("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), "text", "no padding");
        assert_eq!(spelled("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="), "text", "stray bits");
        assert_eq!(spelled("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"), "text+newline");
    }

    #[test]
    fn a_raw_key_keeps_its_last_byte() {
        let mut bytes = noise("raw", 0, 32);
        bytes[31] = b'\n';
        let decoded = decode(&key(&bytes));
        assert_eq!(decoded.spelling, Spelling::from(Form::Raw));
        assert_eq!(decoded.expose(), bytes);
    }

    #[test]
    fn the_same_bytes_in_every_spelling() {
        let bytes = noise("same", 0, 32);
        for form in [Form::Raw, Form::Base64, Form::HexLower, Form::HexUpper] {
            let decoded = decode(&encode(form.into(), &bytes));
            assert_eq!(decoded.spelling.form, form);
            assert_eq!(decoded.expose(), bytes);
        }
    }

    #[test]
    fn names_are_read_back() {
        for form in Form::ALL {
            for newline in [false, true].into_iter().filter(|newline| !(*newline && form == Form::Raw)) {
                let spelling = Spelling { form, newline };
                assert_eq!(spelling.to_string().parse(), Ok(spelling));
            }
        }
        for word in ["", "hex", "Base64", "raw+newline", "text+", "text+newline+newline"] {
            assert_eq!(word.parse::<Spelling>(), Err(UnknownSpelling), "{word}");
        }
    }

    fn comes_back(text: &[u8]) -> bool {
        let decoded = decode(&key(text));
        encode(decoded.spelling, decoded.expose()).same_as(&key(text))
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(text: Vec<u8>) {
            prop_assert!(comes_back(&text));
        }

        #[test]
        fn text_comes_back(text in "[0-9a-fA-F=+/\\r\\n ]{0,100}") {
            prop_assert!(comes_back(text.as_bytes()));
        }

        #[test]
        fn every_spelling_comes_back(bytes in proptest::collection::vec(any::<u8>(), 32..100), newline: bool) {
            for form in [Form::Base64, Form::HexLower, Form::HexUpper] {
                let spelling = Spelling { form, newline };
                let text = encode(spelling, &bytes);
                let decoded = decode(&text);
                prop_assert_eq!(decoded.expose(), &bytes[..]);
                prop_assert!(encode(decoded.spelling, decoded.expose()).same_as(&text));
            }
        }
    }
}
