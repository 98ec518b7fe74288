//! `helm-keyring check`: the examples of every rule's page, a GitOps repository with planted faults, formats and settings.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{KEYS, Run, folder, keyring, lock_all, root};
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

/// Runs `check` in a folder with these files.
fn run(files: &[(&str, &str)], args: &str) -> Run {
    let dir = folder(files);
    fs::create_dir(dir.path().join(".git")).unwrap();
    keyring(dir.path(), &[&["check"][..], &args.split_whitespace().collect::<Vec<_>>()].concat(), &[], "")
}

const ROTATES: &str = "secrets:\n  keysEncryption:\n    rotateKey: true\n";
const EMPTY: &str = "secrets:\n  keysEncryption:\n    userEncryptionKey: \"\"\n";

fn with_key(key: &str) -> String {
    format!("secrets:\n  keysEncryption:\n    userEncryptionKey: {key}\n")
}

#[test]
fn several_formats_go_to_their_files() {
    let dir = folder(&[("values.yaml", ROTATES)]);
    let args = "check --format github --format sarif --output a.sarif --format json --output a.json";
    let args: Vec<&str> = args.split(' ').collect();
    let run = keyring(dir.path(), &args, &[], "");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.starts_with("::error file=values.yaml,line=3,"), "{}", run.stdout);
    let read = |file: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(dir.path().join(file)).unwrap()).unwrap()
    };
    assert_eq!(read("a.sarif")["runs"][0]["results"][0]["ruleId"], "rotate-in-gitops");
    assert_eq!(read("a.json")["findings"][0]["id"], "rotate-in-gitops");
    // A stray `]` keeps this pattern of the official schema from being a regular expression.
    let schema = include_str!("../testdata/sarif/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}$");
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(schema.is_valid(&read("a.sarif")));
    let too_many = keyring(dir.path(), &["check", "--format", "json", "--format", "sarif"], &[], "");
    too_many.refused(2, "usage");
}

#[test]
fn a_weight_in_keyring_yaml_and_fail_on_decide_the_exit_code() {
    let config = |rules: &str| {
        format!(
            "apiVersion: helm-keyring/v1\ncheck: {{rules: {rules}}}\nkeyrings: {{app: {{profile: lightrun, environments: {{a: {{}}}}}}}}\n"
        )
    };
    let code = |rules: &str, args: &str| run(&[("values.yaml", ROTATES), ("keyring.yaml", &config(rules))], args).code;
    assert_eq!(code("{}", ""), 1);
    assert_eq!(code("{}", "--fail-on never"), 0);
    assert_eq!(code("{rotate-in-gitops: warning}", ""), 0);
    assert_eq!(code("{rotate-in-gitops: warning}", "--fail-on warning"), 1);
    assert_eq!(code("{rotate-in-gitops: {severity: note}}", "--fail-on warning"), 0);
    assert_eq!(code("{rotate-in-gitops: note}", "--fail-on note"), 1);
    assert_eq!(code("{rotate-in-gitops: \"off\"}", "--fail-on note"), 0);
    assert_eq!(code("{rotate-in-gitops: {exclude: [\"val*.yaml\"]}}", ""), 0);
    assert_eq!(code("{rotate-in-gitops: {exclude: [\"other/**\"]}}", ""), 1);
    assert_eq!(code("{rotate-in-gitop: note}", "--fail-on never"), 2, "a name that is no rule's");
}

#[test]
fn the_nearest_keyring_yaml_counts() {
    let config = |weight: &str| {
        format!(
            "apiVersion: helm-keyring/v1\ncheck: {{rules: {{rotate-in-gitops: {weight}}}}}\nkeyrings: {{app: {{profile: lightrun, environments: {{a: {{}}}}}}}}\n"
        )
    };
    let (outer, inner) = (config("error"), config("note"));
    let files = [
        ("keyring.yaml", outer.as_str()),
        ("values.yaml", ROTATES),
        ("in/keyring.yaml", &inner),
        ("in/values.yaml", ROTATES),
    ];
    let run = run(&files, "");
    assert_eq!(run.ids_of_stdout(), ["note in/values.yaml:3:16", "error values.yaml:3:16"]);
}

#[test]
fn what_git_ignores_is_left_out_unless_it_is_named() {
    let key = with_key(KEYS[0]);
    let files = [(".gitignore", "local.yaml\n"), ("local.yaml", key.as_str()), ("short.yaml", EMPTY)];
    assert!(!run(&files, "").stdout.contains("local.yaml"));
    // Named, it is looked at; what git does not take cannot be committed.
    let named = run(&files, "local.yaml");
    assert_eq!((named.code, named.stdout.as_str()), (0, "no findings; 1 file checked\n"));
}

#[test]
fn files_are_merged_as_they_are_given() {
    let key = with_key(KEYS[0]);
    let files = [("empty.yaml", EMPTY), ("key.yaml", key.as_str()), ("other.yaml", "a: 1\n")];
    let ids = |args: &str| run(&files, args).ids_of_stdout();
    assert_eq!(ids("-f empty.yaml"), ["error empty.yaml:3:24"]);
    assert_eq!(ids("-f key.yaml -f empty.yaml"), ["error empty.yaml:3:24", "error key.yaml:3:24"]);
    assert_eq!(ids("-f empty.yaml -f key.yaml"), ["error key.yaml:3:24"], "only the plaintext is wrong");
    let config = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments: {a: {}, b: {source: {env: {}}}}\n";
    let files = [&files[..], &[("keyring.yaml", config)]].concat();
    assert_eq!(run(&files, "-f other.yaml -e a").ids_of_stdout(), ["error other.yaml"], "missing, for this keyring");
    assert_eq!(run(&files, "-f other.yaml -e b").code, 0, "its keys come from elsewhere");
}

#[test]
fn the_lock_is_compared_with_values_and_a_sealed_file() {
    let (one, two) = (with_key(KEYS[0]), with_key(KEYS[1]));
    let config = |source: &str| {
        format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments: {{a: {{values: [values.yaml], source: {source}}}}}\n"
        )
    };
    for (values, source, expected) in [
        (&one, "{values: {}}", None),
        (&two, "{values: {}}", Some((4, "lock-mismatch"))),
        (&one, "{env: {}}", None),
        (&two, "{env: {}}", Some((1, "key-conflict"))),
    ] {
        let config = config(source);
        let dir = folder(&[("keyring.yaml", config.as_str()), ("values.yaml", values.as_str()), (".git/HEAD", "")]);
        lock_all(dir.path(), "lightrun", &[("app/a", "encryption-key-0", 0, KEYS[0])]);
        let run = keyring(dir.path(), &["check"], &[], "");
        match expected {
            Some((code, id)) => drop(run.reported(code, id)),
            None => assert!(!run.stdout.contains("error[lock") && !run.stdout.contains("conflict"), "{}", run.stdout),
        }
    }
}

#[test]
fn a_sealed_file_with_more_keys_than_the_lock_is_seen_without_a_master_key() {
    let config = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments: {a: {source: {sealed: {file: a.sealed, masterKeyFile: deploy.key}}}}\n";
    let dir = folder(&[("keyring.yaml", config), (".gitignore", "*.key\n"), (".git/HEAD", "")]);
    let run = |args: &str| keyring(dir.path(), &args.split(' ').collect::<Vec<_>>(), &[], "");
    run("sealed init -e a --deploy-key-file deploy.key --recovery-key-file recovery.key").done();
    run("sealed add -e a").done();
    run("lock -e a").done();
    run("check").done();
    let lock = fs::read_to_string(dir.path().join("keyring.lock")).unwrap();
    run("rotate -e a").done();
    fs::write(dir.path().join("keyring.lock"), lock).unwrap();
    fs::remove_file(dir.path().join("deploy.key")).unwrap();
    run("check").reported(4, "lock-behind");
}

#[test]
fn master_keys_and_files_of_keys_do_not_belong_into_a_repository() {
    let config = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: lightrun\n    environments:\n      a: {source: {sealed: {file: a.sealed}}}\n      b: {source: {dir: {path: keys}}}\n";
    let dir = folder(&[("keyring.yaml", config), ("keys/encryption-key-0", KEYS[0]), (".git/HEAD", "")]);
    let run = |args: &str| keyring(dir.path(), &args.split(' ').collect::<Vec<_>>(), &[], "");
    run("sealed init -e a --deploy-key-file deploy.key --recovery-key-file recovery.key").done();
    let seen = run("check");
    assert_eq!(seen.ids_of_stdout(), ["error deploy.key:1:1", "error keys/encryption-key-0", "error recovery.key:1:1"]);
    fs::write(dir.path().join(".gitignore"), "*.key\nkeys/\n").unwrap();
    run("check").done();
}

#[test]
fn a_stream_is_judged_before_and_after_render() {
    let stream = include_str!("../testdata/streams/lightrun-small.yaml").replace("@KEY@", KEYS[0]);
    let dir = folder(&[("values.yaml", &with_key(KEYS[0]))]);
    let before = keyring(dir.path(), &["check", "-"], &[], &stream);
    assert!(before.stdout.contains("warning[key-in-string-data]"), "{}", before.stdout);
    assert!(!before.stdout.contains("key-in-plaintext"), "a stream is no file: {}", before.stdout);
    let rendered = keyring(dir.path(), &["render", "-f", "values.yaml"], &[], &stream);
    let after = keyring(dir.path(), &["check", "-"], &[], &rendered.done().stdout);
    assert_eq!(after.done().stdout, "no findings; 1 file checked\n");
}

#[test]
fn a_chart_is_only_read_where_there_is_no_helm() {
    let chart = root().join("testdata/charts/unstable/password");
    let dir = folder(&[]);
    let run = keyring(dir.path(), &["check", "--chart", &chart.display().to_string()], &[("HELM_BIN", "/none")], "");
    assert!(run.stdout.contains("warning[helm-not-there]"), "{}", run.stdout);
    assert!(run.stdout.contains("warning[random-template]"), "{}", run.stdout);
}

#[test]
fn every_finding_can_be_explained() {
    let dir = folder(&[]);
    let explain = |id: &str| keyring(dir.path(), &["explain", id], &[], "");
    for rule in &RULES {
        assert_eq!(explain(rule.info.id).done().stdout, rule.info.page, "{}", rule.info.id);
    }
    assert!(explain("no-lock").done().stdout.starts_with("# `no-lock`\n\n"));
    explain("key-lenght").refused(2, "unknown-rule");
    let all = keyring(dir.path(), &["explain"], &[], "");
    assert!(RULES.iter().all(|rule| all.done().stdout.contains(rule.info.id)));
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    run(&[], "nowhere").refused(5, "unreadable-file");
}
