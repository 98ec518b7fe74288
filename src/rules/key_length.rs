//! A key of another size than the application needs.

use super::{Key, Look, rule};
use crate::key::{Misfit, Policy};
use crate::report::Finding;

rule!("key-length", Error, "A key that is not 32 bytes long, or a passphrase under 32 characters.", Look::Key(look));

/// A new key that does not fit.
pub fn finding(name: &str, policy: &Policy, misfit: &Misfit) -> Finding {
    Finding::refused("key-length", format!("`{name}`: {misfit}")).found(format!("expected {policy}")).help(
        "make one: `helm-keyring keygen`; a key that data is already encrypted with must be kept: `helm-keyring adopt`",
    )
}

/// A key that data is encrypted with, so it stays.
pub fn of_an_old_one(name: &str, policy: &Policy, misfit: &Misfit) -> Finding {
    Finding::warning("key-length", format!("`{name}`: {misfit}")).found(format!("expected {policy}"))
}

fn look(key: &Key<'_>) -> Option<Finding> {
    let misfit = key.misfit().filter(|_| key.reference().is_none())?;
    Some(finding(&key.name, &key.spec.policy, &misfit).at(key.place.clone()))
}
