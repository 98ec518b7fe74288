//! A key that `--mode dev` made up.

use super::{Key, Look, rule};
use crate::key;
use crate::report::Finding;

rule!("made-up-key", Error, "A key that dev mode made up, outside of dev.", Look::Key(look));

/// The key carries the mark.
pub fn finding(name: &str) -> Finding {
    Finding::refused("made-up-key", format!("`{name}` was made up in dev mode"))
        .found("it carries the mark of a made-up key; outside dev no such key is delivered")
        .help("make a real one: `helm-keyring keygen`")
}

fn look(key: &Key<'_>) -> Option<Finding> {
    key::is_made_up(&key.text).then(|| finding(&key.name).at(key.place.clone()))
}
