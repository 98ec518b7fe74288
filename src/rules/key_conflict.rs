//! A key in the values that is not the one that the source or the lock has.

use super::subject::NotLocked;
use super::{Deployed, Look, rule};
use crate::report::{Finding, Place, list};

rule!(
    "key-conflict",
    Error,
    "A key in the values that is none of the keyring: what encrypted the data would be replaced.",
    Look::Deployed(look)
);

/// The user's key is not in the keyring of `owner`.
pub fn finding(owner: &str, place: Place) -> Finding {
    Finding::refused("key-conflict", format!("the key in the values is not in the keyring of {owner}"))
        .at(place)
        .found("data may be encrypted with it, and it would be replaced")
        .help("bring this key into the source under its number first, then take it out of the values")
}

/// The stream was not rendered with these values.
pub fn with_the_stream(field: &str, values: Place, stream: Place) -> Finding {
    Finding::refused("key-conflict", format!("the stream's `{field}` is not the key in the values"))
        .at(values)
        .at(stream)
        .found("these are not the values that the stream was rendered with, or the chart does not use the key")
        .found("a chart that prints the key without quotes also changes one with `: `, ` #` or a leading sign in it")
        .help("pass the same `-f` and `--set` to helm and to helm-keyring")
}

/// Against the lock alone: no source is read.
fn look(deployed: &Deployed<'_>) -> Vec<Finding> {
    let Some((lock, owner)) = deployed.lock.filter(|_| deployed.external) else { return Vec::new() };
    let conflict = |other: NotLocked| {
        let found = finding(&owner.to_string(), other.place)
            .at(Place::file(lock.file()))
            .found(format!("the lock has {}, and this is another text", list(&other.locked)));
        match other.may_be_spelled_otherwise {
            true => found.found("it may be a locked key in another spelling"),
            false => found,
        }
    };
    deployed.not_locked().into_iter().map(conflict).collect()
}
