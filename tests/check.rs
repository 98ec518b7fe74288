//! `helm-keyring check`: the examples of every rule's page, a GitOps repository with planted faults, formats and settings.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{keyring, root};
use helm_keyring::check::{Request, check};
use helm_keyring::report::{Finding, Place};
use helm_keyring::rules::RULES;

/// Findings in a folder as `FILE:LINE id`; one without a place is `id` alone.
fn found(folder: &Path) -> BTreeSet<String> {
    let request = Request { paths: vec![folder.to_owned()], ..Request::default() };
    let checked = check(&request, &|_, _| {}).unwrap_or_else(|refusal| panic!("{refusal}"));
    checked.findings.iter().map(|finding| format!("{} {}", place(finding, folder), finding.id)).collect()
}

fn place(finding: &Finding, folder: &Path) -> String {
    let Some(Place { file, position, .. }) = finding.places.first() else { return String::new() };
    let file = file.strip_prefix(&format!("{}/", folder.display())).unwrap_or(file);
    position.map_or_else(|| file.to_owned(), |position| format!("{file}:{}", position.line))
}

/// A folder that git takes for a repository.
fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    dir
}

fn put(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copied(&entry, &target);
        } else {
            fs::copy(&entry, target).unwrap();
        }
    }
}

/// One example of a page: files, and what is to be found in them.
#[derive(Default)]
struct Example {
    title: String,
    files: Vec<(String, String)>,
    expected: BTreeSet<String>,
}

/// The examples below a heading. Blocks whose first line is "```LANG PATH" are files; a `### ` heading begins anew.
fn examples(page: &str, heading: &str) -> Vec<Example> {
    let Some((_, behind)) = page.split_once(&format!("\n## {heading}\n")) else { return Vec::new() };
    let section = behind.split("\n## ").next().unwrap();
    let mut all = vec![Example::default()];
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("### ") {
            all.push(Example { title: title.to_owned(), ..Example::default() });
        } else if let Some(info) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let (Some((_, path)), Some(example)) = (info.split_once(' '), all.last_mut()) {
                example.add(path, &block);
            }
        }
    }
    all.retain(|example| !example.files.is_empty());
    all
}

impl Example {
    fn add(&mut self, path: &str, block: &[&str]) {
        let mut text = String::new();
        for (number, line) in block.iter().enumerate() {
            let (line, marks) = line.split_once("# <-- ").unwrap_or((line, ""));
            text += &format!("{}\n", if marks.is_empty() { line } else { line.trim_end() });
            let ids = marks.split(',').map(str::trim).filter(|id| !id.is_empty());
            self.expected.extend(ids.map(|id| format!("{path}:{} {id}", number + 1)));
        }
        self.files.push((path.to_owned(), text));
    }

    fn found(&self) -> BTreeSet<String> {
        let dir = repository();
        self.files.iter().for_each(|(file, text)| put(dir.path(), file, text));
        found(dir.path())
    }
}

/// Rules that need more than a folder of files: a lock with fingerprints of its own, a source, helm.
const NOT_IN_A_FOLDER: [&str; 4] = ["key-conflict", "lock-behind", "lock-mismatch", "unstable-render"];

#[test]
fn bad_examples_give_just_the_findings_that_are_marked() {
    for rule in &RULES {
        let examples = examples(rule.info.page, "Bad");
        assert_eq!(examples.is_empty(), NOT_IN_A_FOLDER.contains(&rule.info.id), "{}", rule.info.id);
        for example in &examples {
            assert_eq!(example.found(), example.expected, "{}: {}", rule.info.id, example.title);
        }
        let names_it = |example: &Example| example.expected.iter().any(|e| e.ends_with(&format!(" {}", rule.info.id)));
        assert!(examples.is_empty() || examples.iter().any(names_it), "{}: no example of its own", rule.info.id);
    }
}

#[test]
fn good_examples_give_nothing() {
    for rule in &RULES {
        let examples = examples(rule.info.page, "Good");
        assert!(!examples.is_empty() || NOT_IN_A_FOLDER.contains(&rule.info.id), "{}", rule.info.id);
        for example in &examples {
            assert_eq!(example.found(), BTreeSet::new(), "{}: {}", rule.info.id, example.title);
        }
    }
}

#[test]
fn planted_faults_are_found_at_the_right_lines() {
    let dir = repository();
    copied(&root().join("testdata/gitops/faulty"), dir.path());
    let expected = fs::read_to_string(root().join("testdata/gitops/expected.txt")).unwrap();
    let run = keyring(dir.path(), &["check", "--format", "json"], &[], "");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let line = |finding: &serde_json::Value| {
        let place = &finding["places"][0];
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        format!("{}:{} {} {}", word(&place["file"]), place["line"], word(&finding["id"]), word(&finding["severity"]))
    };
    let found: BTreeSet<String> = report["findings"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(found, expected.lines().map(str::to_owned).collect());
}

#[test]
fn the_healthy_twin_gives_nothing() {
    let dir = repository();
    copied(&root().join("testdata/gitops/healthy"), dir.path());
    let run = keyring(dir.path(), &["check", "--fail-on", "note"], &[], "");
    assert_eq!((run.code, run.stdout.as_str()), (0, "no findings; 40 files checked\n"), "{}", run.stderr);
}
