//! What a finding is recognised by in the next run.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::Finding;

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 32;

/// One fingerprint a finding: of its id, its file, its title and its number among equal ones. Lines move, so they are
/// no part of it.
pub(super) fn fingerprints(findings: &[Finding]) -> Vec<String> {
    let mut numbers = HashMap::new();
    let mut fingerprint = |finding| {
        let said = said(finding);
        let number = numbers.entry(said.clone()).or_insert(0_usize);
        *number += 1;
        hex(&Sha256::digest(format!("{said}\0{number}")))
    };
    findings.iter().map(&mut fingerprint).collect()
}

fn said(finding: &Finding) -> String {
    let file = finding.places.first().map(|place| place.path().unwrap_or_else(|| place.file.clone()));
    let file = file.unwrap_or_default();
    format!("{}\0{file}\0{}", finding.id, finding.title)
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes.iter().take(DIGITS / 2) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Place;

    fn at(offset: usize) -> Finding {
        Finding::refused("a", "b").at(Place::in_text("f", b"\n\n\n\n", offset))
    }

    #[test]
    fn moved_lines_keep_their_fingerprints() {
        let before = fingerprints(&[at(0), at(1)]);
        assert_eq!(before, fingerprints(&[at(2), at(3)]));
        assert!(before.iter().all(|digits| digits.len() == DIGITS));
    }

    #[test]
    fn other_findings_have_others() {
        let other = [at(0), at(1), at(0).at(Place::file("g")), Finding::refused("a", "c"), Finding::refused("b", "b")];
        let mut all = fingerprints(&other);
        assert_eq!(all.get(2), fingerprints(&[at(0), at(0), at(0)]).get(2), "only the first place counts");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), other.len());
    }
}
