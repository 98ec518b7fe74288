//! The bytes that reach the application, held so that they cannot be shown by accident.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A key text: 44 characters of base64, 32 raw bytes, a passphrase, anything.
///
/// It is wiped when dropped. It has no `Debug`, `Display`, `Serialize`, `PartialEq` or `Clone`; a second copy has to
/// be asked for with [`duplicate`](Self::duplicate).
///
/// ```
/// use helm_keyring::key::KeyText;
/// let key = KeyText::from(String::from("a key"));
/// assert_eq!(key.len(), 5);
/// ```
///
/// It cannot be formatted:
/// ```compile_fail
/// use helm_keyring::key::KeyText;
/// let key = KeyText::from(String::from("a key"));
/// let _ = format!("{:?}", key);
/// ```
/// ```compile_fail
/// use helm_keyring::key::KeyText;
/// let key = KeyText::from(String::from("a key"));
/// let _ = format!("{}", key);
/// ```
///
/// Nor serialised, although what stands beside it can be:
/// ```
/// let _ = serde_json::to_string("a key");
/// ```
/// ```compile_fail
/// use helm_keyring::key::KeyText;
/// let key = KeyText::from(String::from("a key"));
/// let _ = serde_json::to_string(&key);
/// ```
pub struct KeyText(Zeroizing<Vec<u8>>);

impl KeyText {
    /// The bytes themselves: the one way out.
    ///
    /// Only for the edit of the manifest, for what a source writes, and for the questions asked in this module. Never
    /// for a message.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes the text has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A second copy, wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::copied(self.expose())
    }

    /// Whether both texts have the same bytes. The time depends on the length only.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }

    /// The text without the one `\n` or `\r\n` it ends in, or `None` if it ends in neither.
    #[must_use]
    pub fn without_one_newline(&self) -> Option<Self> {
        let rest = self.expose().strip_suffix(b"\n")?;
        Some(Self::copied(rest.strip_suffix(b"\r").unwrap_or(rest)))
    }

    pub(super) fn copied(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

/// Takes the buffer itself; no copy stays behind.
impl From<Vec<u8>> for KeyText {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// Takes the buffer itself; no copy stays behind.
impl From<String> for KeyText {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

/// Takes the buffer itself; no copy stays behind.
impl From<Zeroizing<Vec<u8>>> for KeyText {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{key, must_not_be};
    use super::*;

    must_not_be!(KeyText: std::fmt::Debug);
    must_not_be!(KeyText: std::fmt::Display);
    must_not_be!(KeyText: Clone);
    must_not_be!(KeyText: PartialEq);
    must_not_be!(KeyText: serde::Serialize);
    must_not_be!(KeyText: AsRef<[u8]>);
    must_not_be!(KeyText: std::ops::Deref);

    #[test]
    fn takes_the_buffer_without_a_copy() {
        let bytes = vec![7_u8; 32];
        let address = bytes.as_ptr();
        assert_eq!(KeyText::from(bytes).expose().as_ptr(), address);

        let text = String::from("a passphrase");
        let address = text.as_ptr();
        assert_eq!(KeyText::from(text).expose().as_ptr(), address);
    }

    #[test]
    fn a_duplicate_is_the_same_in_another_place() {
        let first = key("one");
        let second = first.duplicate();
        assert!(first.same_as(&second));
        assert_ne!(first.expose().as_ptr(), second.expose().as_ptr());
    }

    #[test]
    fn other_bytes_and_other_lengths_differ() {
        assert!(!key("one").same_as(&key("two")));
        assert!(!key("one").same_as(&key("one\n")));
        assert!(key("").same_as(&key("")));
        assert!(key("").is_empty());
    }

    #[test]
    fn one_newline_goes_and_no_more() {
        for (text, rest) in [
            ("a\n", Some("a")),
            ("a\r\n", Some("a")),
            ("a\n\n", Some("a\n")),
            ("\n", Some("")),
            ("a", None),
            ("a\r", None),
            ("a\n ", None),
            ("", None),
        ] {
            let trimmed = key(text).without_one_newline();
            assert_eq!(trimmed.as_ref().map(KeyText::expose), rest.map(str::as_bytes), "{text:?}");
        }
    }
}
