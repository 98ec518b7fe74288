//! A usable key in a file that can be committed.

use super::{Key, Look, rule};
use crate::key;
use crate::report::{Finding, Place};

rule!("key-in-plaintext", Error, "A usable key, readable, in a file that can be committed.", Look::Key(look));

/// A master key of sealed files.
pub fn of_a_master_key(place: Place) -> Finding {
    Finding::refused("key-in-plaintext", "a master key of sealed files")
        .at(place)
        .found("whoever can read the repository can open every file that is sealed for it")
        .help("take it out, and seal the files for a new one: `helm-keyring sealed rekey`")
        .help("it belongs into the deploy's own secret store; files with one into .gitignore")
}

fn look(key: &Key<'_>) -> Option<Finding> {
    if !key.committed || !key.is_usable() || key::is_made_up(&key.text) {
        return None;
    }
    Some(
        Finding::refused("key-in-plaintext", format!("`{}` holds a usable key", key.name))
            .at(key.place.clone())
            .found(format!("in {}; whoever can read the repository can read what the key encrypts", key.stands))
            .help("keep it in a source: `helm-keyring adopt` takes over a key in use, `helm-keyring init` writes a keyring.yaml")
            .help("if it was ever pushed, rotate it afterwards (`helm-keyring rotate`): history keeps it"),
    )
}
