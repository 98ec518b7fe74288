//! A source that does not deliver what is locked.

use super::{Deployed, Look, rule};
use crate::report::{Exit, Finding, Place, list};

rule!("lock-mismatch", Error, "A source, or values, that do not deliver what is locked.", Look::Deployed(look));

/// Keys in the values, against the lock alone; whoever opens a source compares that.
fn look(deployed: &Deployed<'_>) -> Vec<Finding> {
    let Some((lock, owner)) = deployed.lock.filter(|_| !deployed.external) else { return Vec::new() };
    let finding = |other: super::subject::NotLocked| {
        Finding::error(Exit::Lock, "lock-mismatch", format!("the key in the values of {owner} is not the locked one"))
            .at(other.place)
            .at(Place::file(lock.file()))
            .found(format!("the lock has {}, and this is another text", list(&other.locked)))
            .help("bring the locked key back exactly as it was: from the history, or from a backup")
            .help("a new key never takes an old one's place")
    };
    deployed.not_locked().into_iter().map(finding).collect()
}
