//! Findings for scripts.

use serde::Serialize;

use super::fingerprint::fingerprints;
use super::summary::count;
use super::{Finding, Level, Place};
use crate::yaml::Position;

/// All findings as one JSON object, indented, with a line break at its end.
///
/// ```json
/// {
///   "version": 1,
///   "tool": {"name": "helm-keyring", "version": "0.1.0"},
///   "summary": {"errors": 1, "warnings": 0, "notes": 0, "files": 41},
///   "findings": [
///     {
///       "id": "key-length",
///       "severity": "error",
///       "title": "secrets.keysEncryption.userEncryptionKey: 24 characters",
///       "places": [{"file": "values.yaml", "line": 4, "column": 24, "endLine": 4, "endColumn": 48}],
///       "notes": ["expected base64 of 32 bytes or 32 raw bytes"],
///       "help": ["make one: `helm-keyring keygen`"],
///       "fingerprint": "0123456789abcdef0123456789abcdef"
///     }
///   ]
/// }
/// ```
///
/// * `version` changes when a property is taken away or means something else; new properties may come any time.
/// * `summary.files` counts the files that were looked at.
/// * `severity` is `error`, `warning` or `note`.
/// * Lines and columns count from 1, columns in characters (Unicode scalar values); the end is the first character
///   behind the place. What is not known is `null`. A `file` in angle brackets is a stream, one that begins with
///   `--` is a flag.
/// * `fingerprint` stays the same when lines move.
pub fn json(findings: &[Finding], files: usize) -> String {
    let written = Written {
        version: 1,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        summary: Summary {
            errors: count(findings, Level::Error),
            warnings: count(findings, Level::Warning),
            notes: count(findings, Level::Note),
            files,
        },
        findings: findings.iter().zip(fingerprints(findings)).map(one).collect(),
    };
    pretty(&written)
}

/// Indented JSON with a line break at its end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    // Strings, numbers and lists cannot fail to be written.
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

#[derive(Serialize)]
struct Written<'f> {
    version: u32,
    tool: Tool,
    summary: Summary,
    findings: Vec<One<'f>>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
    files: usize,
}

#[derive(Serialize)]
struct One<'f> {
    id: &'f str,
    severity: Level,
    title: &'f str,
    places: Vec<Where<'f>>,
    notes: &'f [String],
    help: &'f [String],
    fingerprint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Where<'f> {
    file: &'f str,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

fn one((finding, fingerprint): (&Finding, String)) -> One<'_> {
    One {
        id: finding.id,
        severity: finding.level(),
        title: &finding.title,
        places: finding.places.iter().map(place).collect(),
        notes: &finding.notes,
        help: &finding.help,
        fingerprint,
    }
}

fn place(place: &Place) -> Where<'_> {
    let line = |position: Position| position.line;
    let column = |position: Position| position.column;
    Where {
        file: &place.file,
        line: place.position.map(line),
        column: place.position.map(column),
        end_line: place.end.map(line),
        end_column: place.end.map(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn findings_are_written_as_documented() {
        testing::golden("json.json", &json(&testing::findings(), 41));
    }
}
