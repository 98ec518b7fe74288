//! What is delivered of a ring: its keys, or what the lock says of keys that another program delivers.

use crate::key::{self, FingerprintError, KeyText};
use crate::keyring::Ring;
use crate::lock::{Line, Lock, LockedRing};
use crate::profile::FieldSpec;
use crate::report::Refusal;

/// A ring for which it is decided what is delivered.
pub enum Decided<'p> {
    /// Its keys.
    Held(Ring<'p>),
    /// The lines of the lock: nobody has read the keys.
    Locked(LockedRing<'p>),
}

/// What stands for a key of a ring.
pub enum Content<'d> {
    /// Itself.
    Key(&'d KeyText),
    /// Its line in the lock.
    Line(&'d Line),
}

/// How much a text is like a key of a ring.
#[derive(PartialEq, Eq)]
pub enum Likeness {
    /// It is one.
    Same,
    /// It is one in another spelling.
    OtherSpelling,
    /// It is none.
    None,
}

impl<'p> Decided<'p> {
    /// How the chart spells this ring.
    pub fn spec(&self) -> &'p FieldSpec {
        match self {
            Self::Held(ring) => ring.spec(),
            Self::Locked(ring) => ring.spec,
        }
    }

    /// Every field that is delivered, and what stands for its key.
    pub fn delivered(&self) -> Vec<(String, Content<'_>)> {
        match self {
            Self::Held(ring) => ring.delivered().into_iter().map(|(name, key)| (name, Content::Key(key))).collect(),
            Self::Locked(ring) => {
                ring.delivered().into_iter().map(|(name, line)| (name, Content::Line(line))).collect()
            }
        }
    }

    /// The names of these fields.
    pub fn fields(&self) -> Vec<String> {
        self.delivered().into_iter().map(|(name, _)| name).collect()
    }

    /// The keys with the names of their fields; none where nobody has read them.
    pub fn keys(&self) -> Vec<(String, &KeyText)> {
        match self {
            Self::Held(ring) => ring.delivered(),
            Self::Locked(_) => Vec::new(),
        }
    }

    /// Whether a text is one of the keys. `lock` has the lines of a locked ring.
    ///
    /// # Errors
    /// No memory for a fingerprint.
    pub fn likeness(&self, text: &KeyText, lock: Option<&Lock>) -> Result<Likeness, Refusal> {
        let decoded = key::decode(text);
        let (is_same, is_other_spelling) = match (self, lock) {
            (Self::Held(ring), _) => {
                let same_bytes = |known: &KeyText| key::decode(known).expose() == decoded.expose();
                (ring.keys().iter().any(|known| known.same_as(text)), ring.keys().iter().any(same_bytes))
            }
            (Self::Locked(ring), Some(lock)) => {
                let fingerprint = lock.fingerprint(text)?;
                let alike = || ring.lines.iter().filter(|line| line.fingerprint == fingerprint);
                (alike().any(|line| line.spelling == decoded.spelling), alike().next().is_some())
            }
            (Self::Locked(_), None) => (false, false),
        };
        Ok(match (is_same, is_other_spelling) {
            (true, _) => Likeness::Same,
            (false, true) => Likeness::OtherSpelling,
            (false, false) => Likeness::None,
        })
    }
}

impl Content<'_> {
    /// Whether both are one key in one spelling.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(a), Self::Key(b)) => a.same_as(b),
            (Self::Line(a), Self::Line(b)) => a.fingerprint == b.fingerprint && a.spelling == b.spelling,
            _ => false,
        }
    }
}

/// The annotation of pods that read these rings: another text as soon as one of their keys is another.
///
/// # Errors
/// No memory for a fingerprint.
pub fn annotation(rings: &[&Decided<'_>], context: &[&str]) -> Result<String, FingerprintError> {
    let names: Vec<String> = rings.iter().map(|ring| ring.spec().name.to_string()).collect();
    let context: Vec<&str> = context.iter().copied().chain(names.iter().map(String::as_str)).collect();
    let (mut keys, mut lines) = (Vec::new(), Vec::new());
    for ring in rings {
        match ring {
            Decided::Held(ring) => keys.extend(ring.keys()),
            Decided::Locked(ring) => lines.extend(&ring.lines),
        }
    }
    if lines.is_empty() {
        return key::annotation(&keys, &context);
    }
    let words = |line: &&Line| {
        let Line { field, number, spelling, fingerprint, .. } = line;
        [field.clone(), number.to_string(), spelling.to_string(), fingerprint.clone()]
    };
    let words: Vec<String> = lines.iter().flat_map(words).collect();
    key::annotation_of_lock(&words.iter().map(String::as_str).collect::<Vec<_>>(), &context)
}
