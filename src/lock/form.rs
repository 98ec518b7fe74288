//! In which form a source's text is the locked key: as it is, or with one newline more or less at its end.

use super::Line;
use crate::key::{self, FingerprintError, KeyText, SALT_LEN, Spelling};

/// A key text with what the lock may know of it, computed once.
pub(super) struct Print<'k> {
    pub(super) key: &'k KeyText,
    pub(super) spelling: Spelling,
    pub(super) fingerprint: String,
}

impl<'k> Print<'k> {
    pub(super) fn new(key: &'k KeyText, salt: &[u8; SALT_LEN]) -> Result<Self, FingerprintError> {
        Ok(Self { key, spelling: key::decode(key).spelling, fingerprint: key::fingerprint(key, salt)? })
    }

    /// The form that `line` locks, if any does.
    pub(super) fn form(&self, line: &Line, salt: &[u8; SALT_LEN]) -> Result<Option<KeyText>, FingerprintError> {
        if self.spelling == line.spelling && self.fingerprint == line.fingerprint {
            return Ok(Some(self.key.duplicate()));
        }
        let own = key::decode(self.key);
        for form in other_forms(self.key) {
            let decoded = key::decode(&form);
            if decoded.spelling != line.spelling {
                continue;
            }
            let same_bytes = decoded.expose() == own.expose();
            let fits = match same_bytes {
                true => self.fingerprint == line.fingerprint,
                false => key::fingerprint(&form, salt)? == line.fingerprint,
            };
            if fits {
                return Ok(Some(form));
            }
        }
        Ok(None)
    }
}

/// The text with one line end less, and with one more.
fn other_forms(key: &KeyText) -> impl Iterator<Item = KeyText> {
    let text = key.expose();
    let less = [&b"\n"[..], b"\r\n"].into_iter().filter_map(|end| text.strip_suffix(end)).map(<[u8]>::to_vec);
    let more = [&b"\n"[..], b"\r\n"].into_iter().map(move |end| [text, end].concat());
    less.chain(more).map(KeyText::from)
}
