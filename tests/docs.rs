//! Code and documentation in step: every message has a section, every link leads somewhere.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::root;
use helm_keyring::report::RuleInfo;
use helm_keyring::rules::RULES;

const MESSAGES: [&str; 9] = [
    "docs/render.md",
    "docs/configuration.md",
    "docs/keys.md",
    "docs/guard.md",
    "docs/verify.md",
    "docs/helm.md",
    "docs/check.md",
    "docs/sources.md",
    "docs/argocd.md",
];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files with this ending in a folder, and in those below it if `deep`.
fn files(folder: &Path, ending: &str, deep: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| match path.is_dir() {
        true if deep => files(&path, ending, deep),
        true => Vec::new(),
        false => vec![path],
    };
    paths.flat_map(below).filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}

/// Headings of a page, without their marks; a `#` in a block of code is none.
fn headings(page: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in page.lines() {
        in_code ^= line.starts_with("```");
        found.extend(line.strip_prefix('#').filter(|_| !in_code).map(|rest| rest.trim_start_matches('#').trim()));
    }
    found
}

/// The ids of all findings that the program can report: the first text in each `Finding::…(…)`, tests left out.
fn ids() -> BTreeSet<String> {
    let constructors = ["refused", "usage", "error", "warning", "note"].map(|name| format!("Finding::{name}("));
    let only_tests = |file: &PathBuf| file.ends_with("testing.rs") || file.ends_with("tests.rs");
    let mut found = BTreeSet::from(["bug".to_owned()]);
    for file in files(&root().join("src"), "rs", true).into_iter().filter(|file| !only_tests(file)) {
        let text = read(&file);
        let code = text.split("#[cfg(test)]\nmod tests {").next().expect("code");
        for call in constructors.iter().flat_map(|constructor| code.split(constructor.as_str()).skip(1)) {
            let id = call.split('"').nth(1).expect("an id");
            let is_id = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(is_id, "{}: `{id}` is no id; write it as the first text of the call", file.display());
            found.insert(id.to_owned());
        }
    }
    found
}

/// The ids that have a section, with a heading like "### `no-lock`", or a rule's page. Each is one or the other.
fn documented() -> BTreeSet<String> {
    let pages = MESSAGES.map(|page| read(&root().join(page)));
    let headings = pages.iter().flat_map(|page| headings(page));
    let sections = headings.filter_map(|heading| Some(heading.strip_prefix('`')?.strip_suffix('`')?.to_owned()));
    let mut all = BTreeSet::new();
    for id in sections.chain(RULES.iter().map(|rule| rule.info.id.to_owned())) {
        assert!(all.insert(id.clone()), "`{id}` is documented twice");
    }
    all
}

#[test]
fn the_table_of_rules_the_pages_and_the_schema_are_in_step() {
    let folder = root().join("docs/rules");
    let table = read(&folder.join("README.md"));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| [")).collect();
    let row = |info: &RuleInfo| {
        let RuleInfo { id, level, finds, .. } = info;
        format!("| [`{id}`]({id}.md) | {} | {finds} |", level.name())
    };
    assert_eq!(rows, RULES.iter().map(|rule| row(&rule.info)).collect::<Vec<_>>());
    for RuleInfo { id, level, page, .. } in RULES.iter().map(|rule| rule.info) {
        let head = format!("# `{id}`\n\n**{}** · ", level.name());
        assert!(page.starts_with(&head), "{id}: the page begins with its name and its weight");
        assert!(page.contains("\n## What to do\n"), "{id}: what to do?");
    }
    let pages: BTreeSet<String> = files(&folder, "md", false)
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let ids: BTreeSet<String> = RULES.iter().map(|rule| rule.info.id.to_owned()).collect();
    assert_eq!(&pages - &ids, BTreeSet::from(["README".to_owned()]));
    let schema: serde_json::Value = serde_json::from_str(helm_keyring::config::SCHEMA).unwrap();
    let settings = schema["properties"]["check"]["properties"]["rules"]["properties"].as_object().unwrap();
    assert_eq!(settings.keys().cloned().collect::<BTreeSet<_>>(), ids);
}

#[test]
fn every_message_has_a_section() {
    let missing: Vec<String> = ids().difference(&documented()).cloned().collect();
    assert!(missing.is_empty(), "no section in {} for: {}", MESSAGES.join(" or "), missing.join(", "));
}

#[test]
fn every_section_has_a_message() {
    let gone: Vec<String> = documented().difference(&ids()).cloned().collect();
    assert!(gone.is_empty(), "sections for messages that do not exist: {}", gone.join(", "));
}

#[test]
fn the_frame_in_the_documentation_is_the_default_one() {
    let frame = read(&root().join("src/render/frame.yaml"));
    let page = read(&root().join("docs/render.md"));
    assert!(page.contains(&format!("```yaml\n{}\n```", frame.trim_end())));
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

/// The targets of a page's links, those within blocks and pieces of code left out.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    let targets = prose.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages = [files(root(), "md", false), files(&root().join("docs"), "md", true)].concat();
    for page in pages {
        for link in links(&read(&page)) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !fragment.is_empty() {
                let found = headings(&read(&target)).into_iter().any(|heading| anchor(heading) == fragment);
                assert!(found, "{}: {link} names no heading", page.display());
            }
        }
    }
}
