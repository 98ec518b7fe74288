//! Keys that the source has and the lock does not know.

use std::path::Path;

use super::{Look, rule};
use crate::lock::{Lock, Owner};
use crate::report::{Exit, Finding, Place, list};

rule!("lock-behind", Error, "Keys that the source has and the lock does not know.", Look::Reader);

/// A deploy goes on: every key is delivered, for data may be encrypted with it.
pub fn warning(lock: &Lock, owner: Owner<'_>, missing: &[String]) -> Finding {
    said(Finding::warning("lock-behind", title(owner, missing)), lock, owner)
}

/// Before a merge there is time to write the lines. `source`: the file that has the keys, if it is one.
pub fn finding(lock: &Lock, owner: Owner<'_>, missing: &[String], source: Option<&Path>) -> Finding {
    let finding = Finding::error(Exit::Lock, "lock-behind", title(owner, missing));
    let source = source.map(|file| Place::file(file.display().to_string()));
    said(finding, lock, owner).at(source)
}

fn title(owner: Owner<'_>, missing: &[String]) -> String {
    format!("the lock of {owner} lacks {}", list(missing))
}

fn said(finding: Finding, lock: &Lock, owner: Owner<'_>) -> Finding {
    finding
        .at(Place::file(lock.file()))
        .found("the source has more keys than the lock; all are delivered, for data may be encrypted with them")
        .help(format!(
            "run `helm-keyring lock -e {}` and commit {}, or take back the commit that reverted it",
            owner.environment,
            lock.file()
        ))
}
