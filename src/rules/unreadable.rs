//! A file that should hold keys or values, and cannot be read.

use super::{Look, rule};
use crate::report::{Finding, Place};

rule!(
    "unreadable",
    Error,
    "A file that is broken, too large or no text, where keys or values are expected.",
    Look::Reader
);

/// A file, and why it cannot be read, in words that quote nothing of it.
pub fn finding(place: Place, why: &str) -> Finding {
    Finding::refused("unreadable", format!("this file cannot be read: {why}"))
        .at(place)
        .found("it names a key, or is named where values are read, so it cannot pass unseen")
        .help("mend it, or leave it out with `check: {exclude: […]}` in keyring.yaml")
}
