//! The last line of a report.

use std::collections::BTreeSet;

use super::{Finding, Level};

/// `3 errors, 1 warning in 2 files; 41 files checked`, without a line break.
pub fn summary(findings: &[Finding], files: usize) -> String {
    let counts: Vec<String> = [Level::Error, Level::Warning, Level::Note]
        .into_iter()
        .map(|level| (count(findings, level), level.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| counted(count, name))
        .collect();
    let found = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
    let paths: BTreeSet<_> = findings.iter().filter_map(|finding| finding.places.first()?.path()).collect();
    let places = match paths.len() {
        0 => String::new(),
        paths => format!(" in {}", counted(paths, "file")),
    };
    format!("{found}{places}; {} checked", counted(files, "file"))
}

/// How many findings are of a level.
pub(super) fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level() == level).count()
}

fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Place;

    #[test]
    fn numbers_agree_with_their_words() {
        assert_eq!(summary(&[], 41), "no findings; 41 files checked");
        let error = |file: &str| Finding::refused("a", "b").at(Place::file(file));
        let findings = [error("a"), error("a"), error("b"), Finding::warning("c", "d")];
        assert_eq!(summary(&findings, 41), "3 errors, 1 warning in 2 files; 41 files checked");
        assert_eq!(summary(&[error("a")], 1), "1 error in 1 file; 1 file checked");
        assert_eq!(summary(&[Finding::note("c", "d"), Finding::note("c", "d")], 0), "2 notes; 0 files checked");
    }
}
