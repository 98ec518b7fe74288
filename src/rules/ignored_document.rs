//! A second document in a values file.

use super::{Look, rule};
use crate::report::{Finding, Place};

rule!(
    "ignored-document",
    Error,
    "A second YAML document in a values file, of which Helm 3 reads only the first.",
    Look::Reader
);

/// The place of the document that is ignored.
pub fn finding(place: Place) -> Finding {
    Finding::refused("ignored-document", "a second document in a values file")
        .at(place)
        .found("Helm 3 reads only the first document, Helm 4 lays the second over it: one of the two is not meant")
        .help("make it one document, or two files")
}
