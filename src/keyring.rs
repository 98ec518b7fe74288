//! The keyring: numbered keys, and the invariant that numbers run from 0 without a gap.

use std::collections::BTreeMap;

use crate::key::KeyText;
use crate::profile::{FieldName, FieldSpec, Slot};

/// Why what a source holds is no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key at all.
    #[error("there is no key for {0}")]
    Empty(String),
    /// A number is missing below the highest.
    #[error("{missing} is missing, but {highest} is there: a keyring runs from 0 without a gap")]
    Gap {
        /// The lowest missing field.
        missing: String,
        /// The highest field there is.
        highest: String,
    },
}

/// Key texts of one ring by number; a fixed ring's active key has the highest.
pub type Numbered = BTreeMap<u32, KeyText>;

/// The numbers of a fixed ring: the previous key, if there is one, comes before the active one. Without an
/// active key there is no ring, whatever came before it.
pub fn fixed(previous: Option<KeyText>, active: Option<KeyText>) -> Numbered {
    match active {
        Some(active) => (0..).zip(previous.into_iter().chain([active])).collect(),
        None => Numbered::new(),
    }
}

/// The keys of one ring, from number 0 upward; the last is active. Cannot be printed.
pub struct Ring<'p> {
    spec: &'p FieldSpec,
    keys: Vec<KeyText>,
}

impl<'p> Ring<'p> {
    /// Makes a ring of numbered keys.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::Gap`].
    pub fn new(spec: &'p FieldSpec, keys: BTreeMap<u32, KeyText>) -> Result<Self, Error> {
        let name = |n: u32| spec.field(Slot::Number(n)).unwrap_or_else(|| format!("key {n} of {}", spec.name));
        let Some(highest) = keys.keys().next_back().copied() else {
            return Err(Error::Empty(spec.name.to_string()));
        };
        if let Some(missing) = (0..=highest).find(|n| !keys.contains_key(n)) {
            return Err(Error::Gap { missing: name(missing), highest: name(highest) });
        }
        Ok(Self { spec, keys: keys.into_values().collect() })
    }

    /// How the chart spells this ring.
    pub fn spec(&self) -> &'p FieldSpec {
        self.spec
    }

    /// All keys, from number 0 upward.
    pub fn keys(&self) -> &[KeyText] {
        &self.keys
    }

    /// What goes into the Secret: field names and key texts, as [`delivered`] has them.
    pub fn delivered(&self) -> Vec<(String, &KeyText)> {
        delivered(self.spec, &self.keys)
    }
}

/// The fields of a ring that has these keys, whatever stands for a key: in the order of their numbers; for a fixed ring
/// the active field, then the previous one where the profile names it and there is one.
pub fn delivered<'k, K>(spec: &FieldSpec, keys: &'k [K]) -> Vec<(String, &'k K)> {
    let slots: Vec<(Slot, &K)> = match &spec.name {
        FieldName::Numbered(..) => (0..).map(Slot::Number).zip(keys).collect(),
        FieldName::Fixed(_) => [Slot::Active, Slot::Previous].into_iter().zip(keys.iter().rev()).collect(),
    };
    slots.into_iter().filter_map(|(slot, key)| Some((spec.field(slot)?, key))).collect()
}
