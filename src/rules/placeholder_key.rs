//! Words that stand where a key belongs, and keys that everybody knows.

use super::{Key, Look, rule, weak_key};
use crate::key::Weakness;
use crate::report::Finding;

rule!(
    "placeholder-key",
    Error,
    "A placeholder made of words, or a key that documentation has published.",
    Look::Key(look)
);

/// A new key that is none.
pub fn finding(name: &str, weakness: &Weakness) -> Finding {
    Finding::refused("placeholder-key", format!("`{name}` is no secret: {weakness}"))
        .found("everybody who has seen the documentation can read what it encrypts")
        .help("make a random one: `helm-keyring keygen`")
}

/// A key that data is encrypted with.
pub fn of_an_old_one(name: &str, weakness: &Weakness) -> Finding {
    Finding::warning("placeholder-key", format!("`{name}` is no secret: {weakness}"))
}

fn look(key: &Key<'_>) -> Option<Finding> {
    if key.reference().is_some() || key.misfit().is_some() {
        return None;
    }
    let weakness = key.weakness().filter(weak_key::is_placeholder)?;
    Some(finding(&key.name, &weakness).at(key.place.clone()))
}
