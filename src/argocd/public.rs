//! What is said on stderr: short, since Argo CD puts all of it into the Application's status, on one line.

use super::repository::Repository;
use crate::report::{Finding, Level, Place};

/// So many findings are told in full.
const TOLD_MAX: usize = 4;
/// And of each so many reasons, and things to do.
const NOTES_MAX: usize = 2;
const HELPS_MAX: usize = 3;
const LINE_LEN_MAX: usize = 400;

/// What refused a run: for each finding what, where, why, and what to do.
pub fn refusal(findings: &[Finding], repository: Option<&Repository>) -> String {
    told(findings, repository).lines().map(|line| cut(line) + "\n").collect()
}

fn told(findings: &[Finding], repository: Option<&Repository>) -> String {
    let errors: Vec<&Finding> = findings.iter().filter(|finding| finding.exit().is_some()).collect();
    let mut text = String::new();
    for finding in errors.iter().take(TOLD_MAX) {
        text += &format!("error[{}]: {}{}\n", finding.id, finding.title, places(finding, repository));
        let notes_max = if finding.id == HELM { usize::MAX } else { NOTES_MAX };
        finding.notes.iter().take(notes_max).for_each(|note| text += &format!("  {note}\n"));
        finding.help.iter().take(HELPS_MAX).for_each(|help| text += &format!("  help: {help}\n"));
    }
    match errors.len().saturating_sub(TOLD_MAX) {
        0 => {}
        more => text += &format!("and {more} more; `helm-keyring check` in the repository shows all\n"),
    }
    text
}

/// A line of what a user named may be of any length, and hold what a terminal obeys.
fn cut(line: &str) -> String {
    let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LINE_LEN_MAX + 1).collect();
    match plain.char_indices().nth(LINE_LEN_MAX) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

/// What Helm itself said is told as a whole: it was cut already.
const HELM: &str = "helm-failed";

/// What a run that succeeded has to say: one line at most, warnings first.
pub fn remark(findings: &[Finding], repository: &Repository) -> String {
    let warnings = findings.iter().filter(|finding| finding.level() == Level::Warning);
    let notes = findings.iter().filter(|finding| finding.level() == Level::Note);
    let all: Vec<&Finding> = warnings.chain(notes).collect();
    let Some(first) = all.first() else { return String::new() };
    let mut others: Vec<&str> = all.iter().skip(1).map(|finding| finding.id).collect();
    others.dedup();
    let more = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
    let title = first.title.lines().next().unwrap_or_default();
    cut(&format!("{}[{}]: {title}{}{more}", first.level().name(), first.id, places(first, Some(repository)))) + "\n"
}

/// ` (apps/obs/values.yaml:4:24)`
fn places(finding: &Finding, repository: Option<&Repository>) -> String {
    let name = |place: &Place| {
        let file = match (place.path(), repository) {
            (Some(path), Some(repository)) => repository.name(&path),
            _ => place.file.clone(),
        };
        Place { file, ..place.clone() }.to_string()
    };
    match finding.places.first() {
        Some(place) => format!(" ({})", name(place)),
        None => String::new(),
    }
}
