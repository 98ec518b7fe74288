//! Findings for code scanning: SARIF 2.1.0. It may be uploaded anywhere, so it holds no snippet of any file.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html>

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::fingerprint::fingerprints;
use super::json::pretty;
use super::{Finding, Level, Place, RuleInfo};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where the project lives, if Cargo.toml says it.
const HOME: Option<&str> = match option_env!("CARGO_PKG_REPOSITORY") {
    Some(home) if !home.is_empty() => Some(home),
    _ => None,
};

/// All findings as one SARIF log with one run. `rules` are those that looked; a finding of another one brings its own.
pub fn sarif(findings: &[Finding], rules: &[RuleInfo]) -> String {
    let mut rules: Vec<Rule> = rules.iter().map(Rule::of).collect();
    let results = findings.iter().zip(fingerprints(findings)).map(|(finding, fingerprint)| {
        let index = rules.iter().position(|rule| rule.id == finding.id).unwrap_or_else(|| {
            rules.push(Rule::unknown(finding));
            rules.len() - 1
        });
        Result::of(finding, index, fingerprint)
    });
    let results = results.collect();
    let driver = Driver {
        name: env!("CARGO_PKG_NAME"),
        version: VERSION,
        semantic_version: VERSION,
        information_uri: HOME,
        rules,
    };
    let run = Run {
        tool: Tool { driver },
        invocations: [Invocation { execution_successful: true }],
        column_kind: "unicodeCodePoints",
        results,
    };
    pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

#[derive(Serialize)]
struct Log<'f> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'f>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'f> {
    tool: Tool,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Result<'f>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    information_uri: Option<&'static str>,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    short_description: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Help>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
}

impl Rule {
    fn of(rule: &RuleInfo) -> Self {
        Self {
            id: rule.id,
            short_description: Some(Message { text: rule.finds.to_owned() }),
            help: Some(Help { text: rule.page, markdown: rule.page }),
            help_uri: HOME.map(|home| format!("{home}/blob/main/docs/rules/{}.md", rule.id)),
            default_configuration: Configuration { level: rule.level },
        }
    }

    /// What is known of a rule from its finding.
    fn unknown(finding: &Finding) -> Self {
        let default_configuration = Configuration { level: finding.level() };
        Self { id: finding.id, short_description: None, help: None, help_uri: None, default_configuration }
    }
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    level: Level,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result<'f> {
    rule_id: &'static str,
    rule_index: usize,
    level: Level,
    message: Message,
    locations: Vec<Location<'f>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'f>>,
    partial_fingerprints: BTreeMap<&'static str, String>,
}

impl<'f> Result<'f> {
    fn of(finding: &'f Finding, rule_index: usize, fingerprint: String) -> Self {
        let mut locations = finding.places.iter().map(Location::of);
        Self {
            rule_id: finding.id,
            rule_index,
            level: finding.level(),
            message: Message { text: message(finding) },
            locations: locations.next().into_iter().collect(),
            related_locations: locations.collect(),
            partial_fingerprints: BTreeMap::from([("helmKeyring/v1", fingerprint)]),
        }
    }
}

fn message(finding: &Finding) -> String {
    let notes = finding.notes.iter().map(|note| format!("\nnote: {note}"));
    let help = finding.help.iter().map(|help| format!("\nhelp: {help}"));
    std::iter::once(finding.title.clone()).chain(notes).chain(help).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'f> {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation<'f>>,
}

impl<'f> Location<'f> {
    fn of(place: &'f Place) -> Self {
        let Some(path) = place.path() else {
            // A stream or a flag: nothing that anybody could open.
            let name = LogicalLocation { name: &place.file, fully_qualified_name: place.to_string() };
            return Self { physical_location: None, logical_locations: vec![name] };
        };
        let artifact_location = Artifact::of(&path);
        let physical_location = PhysicalLocation { artifact_location, region: Region::of(place) };
        Self { physical_location: Some(physical_location), logical_locations: Vec::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'f> {
    name: &'f str,
    fully_qualified_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

impl Artifact {
    fn of(path: &str) -> Self {
        match path.starts_with('/') {
            true => Self { uri: format!("file://{}", percent_encoded(path)), uri_base_id: None },
            false => Self { uri: percent_encoded(path), uri_base_id: Some("%SRCROOT%") },
        }
    }
}

/// RFC 3986: what is neither unreserved nor a slash.
fn percent_encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
}

impl Region {
    fn of(place: &Place) -> Option<Self> {
        let start = place.position?;
        Some(Self {
            start_line: start.line,
            start_column: start.column,
            end_line: place.end.map(|end| end.line),
            end_column: place.end.map(|end| end.column),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;
    use serde_json::{Value, json};

    fn schema() -> jsonschema::Validator {
        // A stray `]` keeps this pattern from being a regular expression; no language is written here.
        let text = include_str!("../../testdata/sarif/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}$");
        let schema = serde_json::from_str(&text).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    }

    /// Holds a log against the schema of OASIS.
    fn checked(log: &str) -> Value {
        let validator = schema();
        let log = serde_json::from_str(log).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        log
    }

    #[test]
    fn findings_are_a_valid_log() {
        let log = sarif(&testing::findings(), testing::RULES);
        testing::golden("sarif.json", &log);
        checked(&log);
        checked(&sarif(&[], &[]));
    }

    #[test]
    fn the_schema_refuses_what_is_wrong() {
        let mut log: Value = serde_json::from_str(&sarif(&testing::findings(), testing::RULES)).unwrap();
        log["runs"][0]["results"][0]["level"] = json!("fatal");
        assert!(!schema().is_valid(&log));
    }

    #[test]
    fn a_finding_of_an_unknown_rule_brings_it_once() {
        let finding = Finding::warning("new", "a");
        let log = checked(&sarif(&[finding.clone(), finding], testing::RULES));
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), testing::RULES.len() + 1);
        assert_eq!(
            run["tool"]["driver"]["rules"][2],
            json!({"id": "new", "defaultConfiguration": {"level": "warning"}})
        );
        assert_eq!(run["results"][1]["ruleIndex"], 2);
    }

    #[test]
    fn any_file_has_an_address() {
        let names = ["./a b.yaml", "../é#?.yaml", "origin/main:keyring.lock", "/tmp/a%.yaml", "<stdin>", "--set a.b"];
        let findings: Vec<Finding> = names.iter().map(|name| Finding::note("a", "b").at(Place::file(*name))).collect();
        let log = checked(&sarif(&findings, &[]));
        let locations = log["runs"][0]["results"].as_array().unwrap().iter().map(|result| &result["locations"][0]);
        let uris: Vec<&Value> =
            locations.clone().map(|location| &location["physicalLocation"]["artifactLocation"]["uri"]).collect();
        let expected = ["a%20b.yaml", "../%C3%A9%23%3F.yaml", "origin/main%3Akeyring.lock", "file:///tmp/a%25.yaml"];
        assert_eq!(uris[..4], expected);
        assert_eq!(uris[4..], [&Value::Null; 2]);
        let names: Vec<&Value> = locations.map(|location| &location["logicalLocations"][0]["name"]).skip(4).collect();
        assert_eq!(names, ["<stdin>", "--set a.b"]);
    }

    #[test]
    fn no_line_of_a_file_is_in_it() {
        let log = sarif(&testing::findings(), testing::RULES);
        assert!(!log.contains("snippet") && !log.contains("MDEyMzQ1") && !log.contains('…'));
    }
}
