//! Findings: what is wrong, where, and what to do. Data first; each way to print them is a file of its own.
//!
//! A line of the source is shown by [`Place::shown_in_text`] alone, which masks it: see `mask.rs`.

mod colours;
mod context;
mod fingerprint;
mod github;
mod human;
mod json;
mod line;
mod lines;
mod mask;
mod order;
mod place;
mod sarif;
mod summary;
#[cfg(test)]
mod testing;
mod word;

use std::fmt::Write as _;

pub use github::github;
pub use human::{human, human_styled};
pub use json::json;
pub use lines::Lines;
pub use order::sorted;
pub use place::{Place, Shown};
pub use sarif::sarif;
pub use summary::summary;

/// Exit codes of the program, beside 0. When several apply the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// A rule refuses what was given.
    Refused = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A source of keys failed, or holds no keyring.
    Source = 3,
    /// The lock does not match, or is missing.
    Lock = 4,
    /// Input or output failed.
    Io = 5,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Ends the run with this exit code, and nothing is printed to stdout.
    Error(Exit),
    /// Worth a look; the run goes on.
    Warning,
    /// Said for the record.
    Note,
}

/// A [`Severity`] without its exit code: what a reader is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something must change.
    Error,
    /// Something may be wrong.
    Warning,
    /// Said for the record.
    Note,
}

impl Level {
    /// Its name, as every format but GitHub's spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What reports say about a rule itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo {
    /// The `id` of its findings.
    pub id: &'static str,
    /// What its findings weigh, unless somebody configured it otherwise.
    pub level: Level,
    /// What it finds, in one line.
    pub finds: &'static str,
    /// What it finds, why that is bad and what to do, in Markdown.
    pub page: &'static str,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: [`human()`] and [`summary()`].
    Human,
    /// For scripts: [`json()`].
    Json,
    /// For code scanning: [`sarif()`].
    Sarif,
    /// For the log of a GitHub workflow: [`github()`].
    Github,
}

/// Everything that a check has to say.
#[derive(Debug, Clone, Copy)]
pub struct Report<'r> {
    /// What was found, in the order in which it is printed: see [`sorted`].
    pub findings: &'r [Finding],
    /// How many files were looked at.
    pub files: usize,
    /// The rules that looked.
    pub rules: &'r [RuleInfo],
}

/// The report as text without colours, with a line break at its end unless it is empty.
pub fn written(format: Format, report: &Report<'_>) -> String {
    match format {
        Format::Human => with_summary(human(report.findings), report),
        Format::Json => json(report.findings, report.files),
        Format::Sarif => sarif(report.findings, report.rules),
        Format::Github => github(report.findings),
    }
}

/// [`Format::Human`] in the colours of a terminal; whoever prints it takes them out where there is none.
pub fn styled(report: &Report<'_>) -> String {
    with_summary(human_styled(report.findings), report)
}

fn with_summary(text: String, report: &Report<'_>) -> String {
    let gap = if text.is_empty() { "" } else { "\n" };
    format!("{text}{gap}{}\n", summary(report.findings, report.files))
}

/// One thing that a rule, the configuration or a source reports. Holds no key text, ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Kebab-case name of the rule.
    pub id: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// Where.
    pub places: Vec<Place>,
    /// What was found, what was expected.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Vec<String>,
}

impl Finding {
    /// An error that ends the run with `exit`.
    pub fn error(exit: Exit, id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Error(exit), id, title)
    }

    /// A refusal by a rule (exit code 1).
    pub fn refused(id: &'static str, title: impl Into<String>) -> Self {
        Self::error(Exit::Refused, id, title)
    }

    /// Wrong usage or configuration (exit code 2).
    pub fn usage(id: &'static str, title: impl Into<String>) -> Self {
        Self::error(Exit::Usage, id, title)
    }

    /// A warning.
    pub fn warning(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, title)
    }

    /// A note.
    pub fn note(id: &'static str, title: impl Into<String>) -> Self {
        Self::new(Severity::Note, id, title)
    }

    fn new(severity: Severity, id: &'static str, title: impl Into<String>) -> Self {
        Self { id, severity, title: title.into(), places: Vec::new(), notes: Vec::new(), help: Vec::new() }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.places.extend(place.into());
        self
    }

    /// Adds what was found or expected.
    #[must_use]
    pub fn found(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// How much it weighs, for a reader.
    pub fn level(&self) -> Level {
        match self.severity {
            Severity::Error(_) => Level::Error,
            Severity::Warning => Level::Warning,
            Severity::Note => Level::Note,
        }
    }

    /// Without the lines that its places show.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.places.iter_mut().for_each(|place| place.shown = None);
        self
    }

    /// The exit code it asks for, if it is an error.
    pub fn exit(&self) -> Option<Exit> {
        match self.severity {
            Severity::Error(exit) => Some(exit),
            Severity::Warning | Severity::Note => None,
        }
    }
}

/// The findings that ended a run: at least one is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Vec<Finding>);

impl Refusal {
    /// The highest exit code of its findings.
    pub fn exit(&self) -> Exit {
        self.0.iter().filter_map(Finding::exit).max().unwrap_or(Exit::Refused)
    }
}

impl From<Finding> for Refusal {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&human(&self.0))
    }
}

impl std::error::Error for Refusal {}

/// `a, b and c`
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let mut text = String::new();
    for (i, item) in items.iter().enumerate() {
        let separator = match i {
            0 => "",
            _ if i + 1 == items.len() => " and ",
            _ => ", ",
        };
        let _ = write!(text, "{separator}{}", item.as_ref());
    }
    text
}

/// The candidate that a mistyped word most likely means: at most a third of its letters differ.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_exit_code_wins() {
        let refusal =
            Refusal(vec![Finding::error(Exit::Lock, "a", ""), Finding::refused("b", ""), Finding::warning("c", "")]);
        assert_eq!(refusal.exit(), Exit::Lock);
    }

    #[test]
    fn lists_read_as_a_person_writes_them() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("enviroments", ["environments", "profile"]), Some("environments"));
        assert_eq!(nearest("userencryptionkey", ["userEncryptionKey"]), Some("userEncryptionKey"));
        assert_eq!(nearest("foo", ["environments", "profile"]), None);
    }
}
