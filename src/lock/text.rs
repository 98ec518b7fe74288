//! How the lock is read and written. Reading takes any YAML that means the same; writing gives the same bytes always.

use std::fmt::Write as _;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Entry, Line, Lock};
use crate::key::{SALT_LEN, Spelling};
use crate::report::{Exit, Finding, Place, Refusal, Severity};
use crate::schema::{self, Document, shown};
use crate::yaml::is_plain_string;

/// The JSON Schema of a lock.
pub const SCHEMA: &str = include_str!("../../schema/lock.schema.json");

const VERSION: &str = "helm-keyring/v1";
const FIRST_LINE: &str =
    "# Fingerprints of the keys in use, never a key. Commit this file. helm-keyring adds lines; none is ever changed.";

const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

const NAME_LEN_MAX: usize = 63;
const FIELD_LEN_MAX: usize = 263;

pub(super) fn read(path: &Path) -> Result<Option<Lock>, Refusal> {
    match path.try_exists() {
        Ok(false) => Ok(None),
        _ => parse(path.display().to_string(), &schema::read_text(path)?).map(Some),
    }
}

pub(super) fn parse(file: String, text: &str) -> Result<Lock, Refusal> {
    refuse_conflict(&file, text)?;
    let document = Document::parse(&*file, text.to_owned()).map_err(|refusal| broken(refusal, &file))?;
    refuse_other_version(&document)?;
    let written: Written = document.checked(SCHEMA).map_err(|refusal| broken(refusal, &file))?;
    let place = |index: usize| document.find(&format!("/keys/{index}"));
    let mut entries: Vec<Entry> =
        (0..).zip(written.keys).map(|(index, line)| Entry { line: line.into(), place: place(index) }).collect();
    entries.sort_by(|a, b| a.line.order(&b.line));
    refuse_duplicates(&entries)?;
    Ok(Lock { file, salt: written.salt, entries })
}

/// The lock's own exit code, and the one way out that always works.
fn broken(Refusal(mut findings): Refusal, file: &str) -> Refusal {
    for finding in &mut findings {
        if finding.severity == Severity::Error(Exit::Usage) {
            finding.severity = Severity::Error(Exit::Lock);
        }
    }
    let last = findings.pop().map(|finding| {
        finding.help(format!("the lock is not written by hand: look for a good state in `git log -p {file}`"))
    });
    findings.extend(last);
    Refusal(findings)
}

fn refuse_conflict(file: &str, text: &str) -> Result<(), Refusal> {
    let is_marker = |line: &str| {
        let rest = MARKERS.iter().find_map(|marker| line.strip_prefix(marker));
        rest.is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with(' '))
    };
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if is_marker(line) {
            return Err(Finding::error(Exit::Lock, "lock-conflict", "the lock has a merge conflict")
                .at(Place::in_text(file, text.as_bytes(), offset))
                .found("two branches changed the same place of the lock")
                .help("keep the lines of both sides, and take out the markers; the order of the lines is free")
                .help("where both sides lock the same field: keep the line whose key was delivered first, and add the other key under the next number")
                .help("where the salts differ: keep one side whole, then run `helm-keyring lock` for what the other side added")
                .into());
        }
        offset += line.len();
    }
    Ok(())
}

fn refuse_other_version(document: &Document) -> Result<(), Refusal> {
    let version = document.value().get("apiVersion").and_then(|version| Some((version.text()?, version.span)));
    match version {
        Some((text, span)) if text != VERSION && text.starts_with("helm-keyring/") => {
            let written = shown(text).unwrap_or_else(|| "another one".into());
            Err(Finding::error(
                Exit::Lock,
                "unknown-version",
                "this lock has a version that this program does not know",
            )
            .at(document.place(span))
            .found(format!("the file is {written}, and this program reads `{VERSION}`"))
            .help("use the helm-keyring that wrote it, or a newer one")
            .into())
        }
        _ => Ok(()),
    }
}

/// Entries in their order: lines about the same key stand side by side.
fn refuse_duplicates(entries: &[Entry]) -> Result<(), Refusal> {
    let pairs = entries.array_windows().filter(|[first, second]| first.line.is_about_the_same(&second.line));
    let findings: Vec<Finding> = pairs.map(|[first, second]| duplicate(first, second)).collect();
    if findings.is_empty() { Ok(()) } else { Err(Refusal(findings)) }
}

fn duplicate(first: &Entry, second: &Entry) -> Finding {
    let line = &second.line;
    let finding = Finding::error(
        Exit::Lock,
        "duplicate-lock-line",
        format!("{} of {} is locked twice", line.title(), line.owner()),
    )
    .at(second.place.clone())
    .at(first.place.clone());
    if first.line == *line {
        return finding.found("both lines say the same").help("take one of the two out");
    }
    if first.line.fingerprint == line.fingerprint {
        return finding
            .found("the two lines lock the same key in two spellings")
            .help("keep the line with the spelling that was delivered first");
    }
    finding
        .found("the two lines lock different keys: two branches added a key under the same number")
        .help("keep the line whose key was delivered first, and add the other key under the next number")
}

#[derive(Deserialize)]
struct Written {
    #[serde(deserialize_with = "salt")]
    salt: [u8; SALT_LEN],
    keys: Vec<WrittenLine>,
}

#[derive(Deserialize)]
struct WrittenLine {
    keyring: String,
    environment: String,
    field: String,
    number: u32,
    #[serde(deserialize_with = "spelling")]
    spelling: Spelling,
    fingerprint: String,
}

impl From<WrittenLine> for Line {
    fn from(line: WrittenLine) -> Self {
        let WrittenLine { keyring, environment, field, number, spelling, fingerprint } = line;
        Self { keyring, environment, field, number, spelling, fingerprint }
    }
}

fn salt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; SALT_LEN], D::Error> {
    let text = String::deserialize(deserializer)?;
    let bad = || D::Error::custom("no salt");
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)
}

fn spelling<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spelling, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

pub(super) fn written(lock: &Lock) -> String {
    let salt: String = lock.salt.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut text = format!("{FIRST_LINE}\napiVersion: {VERSION}\nkind: Lock\nsalt: {}\n", scalar(&salt));
    text.push_str(if lock.entries.is_empty() { "keys: []\n" } else { "keys:\n" });
    for Line { keyring, environment, field, number, spelling, fingerprint } in lock.lines() {
        let [keyring, environment, field, fingerprint] =
            [keyring, environment, field, fingerprint].map(|text| scalar(text));
        let _ = writeln!(
            text,
            "- {{keyring: {keyring}, environment: {environment}, field: {field}, number: {number}, spelling: {spelling}, fingerprint: {fingerprint}}}"
        );
    }
    text
}

/// Quoted where a reader could take it for something else. Names hold nothing that would need an escape.
fn scalar(text: &str) -> String {
    if is_plain_string(text) { text.to_owned() } else { format!("\"{text}\"") }
}

/// Names that the schema would refuse when the lock is read.
pub(super) fn refuse_names(line: &Line) -> Result<(), Refusal> {
    let safe = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let ends = |text: &str| [text.bytes().next(), text.bytes().last()];
    let alphanumeric = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_name = |text: &str| safe(text) && ends(text).into_iter().all(alphanumeric) && text.len() <= NAME_LEN_MAX;
    let is_field = safe(&line.field) && (1..=FIELD_LEN_MAX).contains(&line.field.len());
    if is_field && is_name(&line.keyring) && is_name(&line.environment) {
        return Ok(());
    }
    Err(Finding::usage("wrong-name", "a lock cannot hold these names of keyring, environment and field")
        .found("a name has at most 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends")
        .help("rename it in keyring.yaml or in the profile")
        .into())
}
