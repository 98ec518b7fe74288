//! `guard`: what it prints, and what an API server would say under it. The CEL is judged by a real engine.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Run, documents, folder, json, keyring, root};
use serde::Deserialize;
use serde_json::{Value, json};

const CASES: &str = include_str!("../testdata/guard/cases.yaml");

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Group {
    guard: Vec<String>,
    #[serde(default)]
    without_config: bool,
    secret: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    secret: Option<String>,
    old: Option<Value>,
    new: Option<Value>,
    namespace: Option<Value>,
    #[serde(default)]
    collection: bool,
    #[serde(default)]
    terminating: bool,
    answer: String,
    says: Option<String>,
}

/// What a policy engine said to one request.
#[derive(Deserialize)]
struct Answer {
    matched: Vec<String>,
    denied: Vec<String>,
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Answers {
    answers: Vec<Answer>,
    values: Vec<Value>,
}

fn here() -> PathBuf {
    root().join("testdata/guard")
}

fn guard(args: &[&str]) -> Run {
    keyring(&here(), &[&["guard"], args].concat(), &[], "")
}

fn ask_engine(question: &Value) -> Answers {
    let mut child = Command::new("python3")
        .arg("-B")
        .arg(root().join("tests/cel/admit.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    child.stdin.take().expect("a pipe").write_all(question.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "tests/cel/admit.py failed");
    serde_json::from_slice(&output.stdout).expect("answers")
}

impl Case {
    fn request(&self, secret: &str) -> Value {
        if let Some(namespace) = &self.namespace {
            let name = namespace["metadata"]["name"].clone();
            return json!({
                "operation": "DELETE", "resource": "namespaces", "name": name, "namespace": name, "oldObject": namespace
            });
        }
        let (namespace, name) = self.secret.as_deref().unwrap_or(secret).split_once('/').expect("namespace/name");
        let whole = |part: &Value| {
            let mut object = part.clone();
            object["metadata"]["namespace"] = namespace.into();
            object["metadata"]["name"] = name.into();
            object
        };
        let mut metadata = json!({"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}});
        if self.terminating {
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        json!({
            "operation": if self.new.is_some() { "UPDATE" } else { "DELETE" },
            "resource": "secrets",
            "name": if self.collection { "" } else { name },
            "namespace": namespace,
            "object": self.new.as_ref().map(whole),
            "oldObject": self.old.as_ref().map(whole),
            "namespaceObject": {"metadata": metadata},
        })
    }
}

impl Answer {
    fn word(&self) -> &str {
        match (self.matched.is_empty(), self.denied.is_empty()) {
            (true, _) => "no match",
            (false, true) => "allowed",
            (false, false) => "refused",
        }
    }
}

#[test]
fn a_cel_engine_allows_and_refuses_what_it_should() {
    let groups: Vec<Group> = serde_yaml::from_str(CASES).expect("cases");
    let elsewhere = folder(&[]);
    let mut judged = 0;
    for group in &groups {
        let args: Vec<&str> = ["guard"].into_iter().chain(group.guard.iter().map(String::as_str)).collect();
        let place = if group.without_config { elsewhere.path().to_owned() } else { here() };
        let run = keyring(&place, &args, &[], "");
        run.done();
        let manifests: Vec<Value> = documents(&run.stdout).into_iter().map(json).collect();
        let requests: Vec<Value> = group.cases.iter().map(|case| case.request(&group.secret)).collect();
        let answers = ask_engine(&json!({"manifests": manifests, "requests": requests})).answers;
        assert_eq!(answers.len(), group.cases.len());
        for (case, answer) in group.cases.iter().zip(&answers) {
            let name = format!("{}: {}", args.join(" "), case.case);
            assert_eq!(answer.errors, [""; 0], "{name}");
            assert_eq!(answer.word(), case.answer, "{name}: {:?}", answer.denied);
            if let Some(says) = &case.says {
                assert!(answer.denied.iter().any(|message| message.contains(says)), "{name}: {:?}", answer.denied);
            }
            judged += 1;
        }
    }
    assert!(judged >= 80, "{judged} cases");
}

#[test]
fn no_text_leaves_its_literal() {
    let texts = [
        "encryption-key-0",
        "",
        "\"",
        "'",
        "\\",
        "\\\"",
        "\" || true || \"",
        "a\nb\r\t\u{0}\u{7f}",
        "Schl\u{fc}ssel \u{1f511}",
        "\\u0041\\x41\\n",
        "{n} {{ x }} ${y} %s",
    ];
    let expressions: Vec<String> = texts.iter().map(|text| helm_keyring::guard::literal(text)).collect();
    assert_eq!(ask_engine(&json!({"expressions": expressions})).values, texts.map(Value::from));
}

#[test]
fn what_is_printed() {
    for (args, file) in [
        (&["-e", "production", "--keyring", "lightrun", "--deny-delete"][..], "lightrun-deny-delete.yaml"),
        (&["-e", "production", "--keyring", "ledger"], "ledger.yaml"),
    ] {
        let run = guard(args);
        run.done();
        assert_eq!(run.stderr, "");
        assert_eq!(run.stdout, guard(args).stdout);
        let expected = std::fs::read_to_string(here().join(file)).unwrap_or_default();
        assert_eq!(run.stdout, expected, "{file} is printed by: helm-keyring guard {}", args.join(" "));
    }
}

#[test]
fn flags_win_over_the_configuration() {
    let run = guard(&["-e", "production", "--keyring", "lightrun", "--namespace", "other", "--secret", "mine"]);
    let manifests: Vec<Value> = documents(&run.done().stdout).into_iter().map(json).collect();
    let [policy, binding] = &manifests[..] else { panic!("{manifests:?}") };
    assert_eq!(policy["spec"]["matchConditions"][0]["expression"], "oldObject.metadata.name == \"mine\"");
    let labels = &binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"];
    assert_eq!(labels["kubernetes.io/metadata.name"], "other");
}

#[test]
fn every_keyring_of_an_environment_has_its_policies() {
    let names: Vec<String> = documents(&guard(&["-e", "production", "--deny-delete"]).done().stdout)
        .into_iter()
        .map(json)
        .filter(|manifest| manifest["kind"] == "ValidatingAdmissionPolicy")
        .map(|manifest| manifest["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "helm-keyring.devmesh.production.encryption-keys",
            "helm-keyring.ledger.production.db",
            "helm-keyring.ledger.production.web",
            "helm-keyring.lightrun.production.backend",
            "helm-keyring.odd.production",
            "helm-keyring-namespace.devmesh.production",
            "helm-keyring-namespace.ledger.production",
            "helm-keyring-namespace.lightrun.production",
            "helm-keyring-namespace.odd.production",
        ]
    );
}

#[test]
fn a_guard_without_names_says_how_wide_it_is() {
    let elsewhere = folder(&[]);
    let run = keyring(elsewhere.path(), &["guard", "--profile", "lightrun"], &[], "");
    assert!(run.done().stderr.contains("every Secret of the cluster that holds such fields"), "{}", run.stderr);
    assert_eq!(guard(&["-e", "production", "--keyring", "devmesh"]).done().stderr, "");
}

#[test]
fn what_is_not_known_is_refused() {
    let elsewhere = folder(&[]);
    let without = |args: &[&str]| keyring(elsewhere.path(), &[&["guard"], args].concat(), &[], "");
    without(&[]).refused(2, "no-config");
    without(&["--profile", "lightrun", "-e", "production"]).refused(2, "no-config");
    without(&["--profile", "lightrun", "--deny-delete"]).refused(2, "no-namespace");
    guard(&["--keyring", "lightrun"]).refused(2, "environment-not-chosen");
    guard(&["-e", "production", "--secret", "mine"]).refused(2, "secret-id");
    for name in ["-x", "A", "a\"b", "a*", ""] {
        let flag = format!("--secret={name}");
        guard(&["-e", "production", "--keyring", "lightrun", &flag]).refused(2, "bad-name");
    }
    guard(&["-e", "production", "--keyring", "lightrun", "--namespace", "a.b"]).refused(2, "bad-name");
}
