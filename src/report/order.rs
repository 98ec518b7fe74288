//! The order in which findings are printed.

use super::Finding;

/// By file, line, column and id; a finding without a place comes last. What is said twice of the same places is said
/// once.
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    findings.dedup_by(|a, b| key(a) == key(b));
    findings
}

fn key(finding: &Finding) -> impl Ord {
    let first = finding.places.first().map(|place| (place.file.as_str(), place.position));
    (first.is_none(), first, finding.id, &finding.title, &finding.places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Place;

    #[test]
    fn places_order_findings_and_duplicates_go() {
        let at = |id, file: &str, offset| Finding::warning(id, "t").at(Place::in_text(file, b"a\nb c\n", offset));
        let everywhere = Finding::refused("a", "t");
        let whole = Finding::note("z", "t").at(Place::file("b"));
        let findings = vec![
            everywhere.clone(),
            at("b", "b", 4),
            at("b", "b", 2),
            at("a", "b", 4),
            at("b", "b", 4),
            whole.clone(),
            at("z", "a", 4),
        ];
        let expected = vec![at("z", "a", 4), whole, at("b", "b", 2), at("a", "b", 4), at("b", "b", 4), everywhere];
        assert_eq!(sorted(findings), expected);
    }
}
