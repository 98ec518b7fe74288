//! A key that can be guessed.

use super::{Key, Look, rule};
use crate::key::{self, KeyText, Weakness, WeaknessKind};
use crate::report::Finding;

rule!(
    "weak-key",
    Error,
    "A key that can be guessed: a sequence, a repeat, few different characters, a small alphabet.",
    Look::Key(look)
);

/// Fewer bits are a warning: AES-128 has so many.
const BITS_MIN: usize = 128;

/// A new key that can be guessed.
pub fn finding(name: &str, weakness: &Weakness) -> Finding {
    Finding::refused("weak-key", title(name, weakness)).help("make a random one: `helm-keyring keygen`")
}

/// A key that data is encrypted with.
pub fn of_an_old_one(name: &str, weakness: &Weakness) -> Finding {
    Finding::warning("weak-key", title(name, weakness))
}

fn title(name: &str, weakness: &Weakness) -> String {
    format!("`{name}` can be guessed: {weakness}")
}

/// What a small alphabet takes away, even if every character was chosen at random.
pub fn few_bits(name: &str, key: &KeyText) -> Option<Finding> {
    let bits = Some(key::bits_at_most(key)).filter(|bits| *bits < BITS_MIN)?;
    Some(
        Finding::warning("weak-key", format!("`{name}` has at most {bits} bits"))
            .found("its characters come from a small alphabet; a random key of 32 bytes has 256 bits")
            .help("make the next one with `helm-keyring keygen`"),
    )
}

fn look(key: &Key<'_>) -> Option<Finding> {
    if key.reference().is_some() || key.misfit().is_some() {
        return None;
    }
    let found = match key.weakness() {
        Some(weakness) if is_placeholder(&weakness) => None,
        Some(weakness) => Some(finding(&key.name, &weakness)),
        None => few_bits(&key.name, &key.text),
    };
    Some(found?.at(key.place.clone()))
}

/// Whether the other rule speaks of it.
pub fn is_placeholder(weakness: &Weakness) -> bool {
    matches!(weakness.kind, WeaknessKind::Placeholder | WeaknessKind::KnownSample)
}
