//! Findings for people, in the layout of rustc. Never a line of the source: it may hold a key.

use std::fmt::Write as _;

use super::{Finding, Severity};

/// All findings as text, each followed by an empty line between them, the last by a line break.
pub fn human(findings: &[Finding]) -> String {
    findings.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error(_) => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = format!("{level}[{}]: {}\n", finding.id, finding.title);
    for place in &finding.places {
        let _ = writeln!(text, "  --> {place}");
    }
    for note in &finding.notes {
        let _ = writeln!(text, "   = note: {note}");
    }
    for help in &finding.help {
        let _ = writeln!(text, "   = help: {help}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Place;

    #[test]
    fn a_finding_names_place_reason_and_way_out() {
        let finding = Finding::refused("auto-generated-key", "the key is empty")
            .at(Place::in_text("values.yaml", b"a:\n  b: 1\n", 5))
            .found("found nothing")
            .help("make one");
        assert_eq!(
            human(&[finding]),
            "error[auto-generated-key]: the key is empty\n  --> values.yaml:2:3\n   = note: found nothing\n   = help: make one\n"
        );
    }
}
