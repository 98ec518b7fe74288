//! One key in two places that should have their own.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::{Key, Look, rule};
use crate::key;
use crate::lock::{Line, Lock};
use crate::report::Finding;

rule!(
    "reused-key",
    Error,
    "The same key in two environments, components or files, in any spelling.",
    Look::AllKeys(look)
);

const OWN: &str = "give each environment and each component a key of its own: `helm-keyring keygen`";

fn look(keys: &[Key<'_>]) -> Vec<Finding> {
    // Digests, so that no copy of a key lies about.
    let mut first: HashMap<(bool, [u8; 32]), &Key<'_>> = HashMap::new();
    let mut found = Vec::new();
    let is_one = |key: &&Key<'_>| key.reference().is_none() && key.misfit().is_none();
    for key in keys.iter().filter(is_one) {
        let bytes: [u8; 32] = Sha256::digest(key::decode(&key.text).expose()).into();
        // A stream is what the files were rendered to.
        let of_stream = key.place.path().is_none();
        match first.get(&(of_stream, bytes)) {
            None => drop(first.insert((of_stream, bytes), key)),
            // One place, read in two ways.
            Some(one) if one.place == key.place => {}
            Some(one) => found.push(
                Finding::refused(
                    "reused-key",
                    format!("`{}` is the same key as `{}` in {}", key.name, one.name, one.place.file),
                )
                .at(key.place.clone())
                .at(one.place.clone())
                .found("who gets hold of one gets hold of both; nothing tells the two data sets apart")
                .help(OWN),
            ),
        }
    }
    found
}

/// What the lock tells of keys that stand in several lines.
pub fn in_lock(lock: &Lock) -> Vec<Finding> {
    let title = |line: &Line| format!("{} of {}", line.title(), line.owner());
    let mut found = Vec::new();
    for lines in lock.reused() {
        let Some((first, rest)) = lines.split_first() else { continue };
        for line in rest {
            found.push(
                Finding::refused("reused-key", format!("{} is the same key as {}", title(line), title(first)))
                    .at(lock.place_of(line))
                    .at(lock.place_of(first))
                    .found("their fingerprints are equal")
                    .help(OWN),
            );
        }
    }
    found
}

/// Two fields of one application that are delivered the same key.
pub fn in_one_application(name: &str, first: &str) -> Finding {
    Finding::warning("reused-key", format!("`{name}` is the same key as `{first}`")).help("give each its own key")
}
