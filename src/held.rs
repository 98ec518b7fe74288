//! The keys that a Kubernetes Secret holds, as a chart renders it or as a cluster has it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key::KeyText;
use crate::keyring::Numbered;
use crate::manifest::{Cursor, Object};
use crate::profile::{FieldName, FieldSpec, Slot};

/// One field of a ring in a Secret.
pub struct HeldField<'t, 'a> {
    /// Which ring of the profile's Secret.
    pub ring: usize,
    /// What the field is to the ring.
    pub slot: Slot,
    /// The field's name.
    pub name: &'t str,
    /// Whether it lies in `data` (base64) rather than `stringData`.
    pub encoded: bool,
    /// Its value.
    pub value: Cursor<'t, 'a>,
}

impl HeldField<'_, '_> {
    /// The key text, decoded; `None` if it is not base64 in `data`, or no text at all.
    pub fn text(&self) -> Option<KeyText> {
        let text = self.value.text()?;
        if !self.encoded {
            return Some(KeyText::from(text.as_bytes().to_vec()));
        }
        let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
        STANDARD.decode(&compact).ok().map(KeyText::from)
    }
}

/// The fields of the rings in a Secret, merged ones included. `slot` knows a field's ring and what it is to it.
pub fn fields<'t, 'a>(secret: &Object<'t, 'a>, slot: impl Fn(&str) -> Option<(usize, Slot)>) -> Vec<HeldField<'t, 'a>> {
    let mut found = Vec::new();
    for (place, encoded) in [("data", true), ("stringData", false)] {
        let Some(map) = secret.root.get(place) else { continue };
        for (name, value) in map.values_with_merged() {
            if let Some((ring, slot)) = slot(name) {
                found.push(HeldField { ring, slot, name, encoded, value });
            }
        }
    }
    found
}

/// The keys of the ring that has this index in its Secret; empty texts are none. `stringData` wins over `data`, as in
/// the API.
///
/// # Errors
/// The field that is not base64 in `data`.
pub fn ring<'h, 't, 'a>(
    held: &'h [HeldField<'t, 'a>],
    index: usize,
    spec: &FieldSpec,
) -> Result<Numbered, &'h HeldField<'t, 'a>> {
    let mut by_slot = BTreeMap::new();
    for field in held.iter().filter(|field| field.ring == index && !field.value.is_blank()) {
        let key = field.text().ok_or(field)?;
        if !key.is_empty() {
            by_slot.insert(field.slot, key);
        }
    }
    if let FieldName::Numbered(..) = spec.name {
        let number = |(slot, key)| if let Slot::Number(n) = slot { Some((n, key)) } else { None };
        return Ok(by_slot.into_iter().filter_map(number).collect());
    }
    let (previous, active) = (by_slot.remove(&Slot::Previous), by_slot.remove(&Slot::Active));
    Ok(crate::keyring::fixed(previous, active))
}
