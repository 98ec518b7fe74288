//! What must not slip through: odd streams, odd sources and odd configurations, each found by trying to lose a key.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{KEYS, Run, folder, json, keyring, lock, lock_numbered, object};

const STREAM: &str = include_str!("../testdata/streams/lightrun-small.yaml");
const LEDGER: &str = include_str!("../testdata/profiles/ledger.yaml");

/// A keyring `app` with one environment `p`.
fn config(profile: &str) -> String {
    format!("apiVersion: helm-keyring/v1\nkeyrings: {{app: {{profile: {profile}, environments: {{p: {{}}}}}}}}\n")
}

fn stream() -> String {
    STREAM.replace("@KEY@", KEYS[3])
}

/// Renders with the profile `lightrun`, keys 0 and 1 from a folder.
fn lightrun(stream: &str, args: &[&str]) -> Run {
    let folder = folder(&[
        ("keyring.yaml", &config("lightrun")),
        ("keys/encryption-key-0", KEYS[0]),
        ("keys/encryption-key-1", KEYS[1]),
    ]);
    lock_numbered(folder.path(), "app/p", &KEYS[..2]);
    let args = [&["render", "--source", "dir=keys"], args].concat();
    keyring(folder.path(), &args, &[], stream)
}

/// What the volume of a document shows, wherever it lies.
fn mounted(run: &Run) -> usize {
    run.done().stdout.matches("- key: encryption-key-").count()
}

#[test]
fn a_second_object_without_a_marker_between_is_refused() {
    let secret = r#"{"kind": "Secret", "metadata": {"name": "lr-backend"}, "stringData": {"encryption-key-0": "x"}}"#;
    lightrun(&format!("{secret}\n{secret}\n"), &[]).refused(1, "unreadable");
}

#[test]
fn a_second_instance_cannot_hide_behind_a_merge_key_or_a_list() {
    let merged = "---\nkind: Secret\nmetadata: {name: b-backend}\nx: &k {encryption-key-0: made-up}\nstringData: {<<: *k, a: b}\n";
    let listed =
        "---\nkind: SecretList\nitems:\n  - metadata: {name: b-backend}\n    stringData: {encryption-key-0: made-up}\n";
    for other in [merged, listed] {
        lightrun(&(stream() + other), &[]).refused(1, "two-targets");
    }
}

/// Argo CD hides what Kubernetes' own Secrets hold, and shows what others hold that are called so.
#[test]
fn a_secret_of_another_api_group_gets_no_key() {
    let other =
        "---\napiVersion: example.com/v1\nkind: Secret\nmetadata: {name: NAME}\nstringData: {encryption-key-0: x}\n";
    let beside = other.replace("NAME", "other-backend");
    let run = lightrun(&(stream() + &beside), &[]);
    assert!(run.done().stdout.ends_with(&beside), "{}", run.stdout);
    lightrun(&other.replace("NAME", "lr-backend"), &[]).refused(1, "no-target");
    let instead = stream().replace("kind: Secret\napiVersion: v1", "kind: Secret\napiVersion: example.com/v1");
    assert_ne!(instead, stream());
    lightrun(&instead, &[]).refused(1, "no-target");
    // A list may say it for its items.
    let list = "---\napiVersion: example.com/v1\nkind: SecretList\nitems:\n- metadata: {name: lr-backend}\n  stringData: {encryption-key-0: x}\n";
    lightrun(list, &[]).refused(1, "no-target");
}

#[test]
fn custom_workloads_have_their_volumes_completed() {
    let workflow = stream().replace("kind: Deployment", "kind: CronWorkflow").replace(
        "  template:\n    spec:\n      containers:\n        - name: backend\n",
        "  workflowSpec:\n    spec:\n      templates:\n        - container: {name: x}\n      other:\n        - name: backend\n",
    );
    assert_eq!(mounted(&lightrun(&workflow, &[])), 2, "{workflow}");
}

#[test]
fn items_of_others_in_the_same_list_stay_where_they_are() {
    let mixed = stream().replace(
        "                path: encryption-key-0\n",
        "                path: encryption-key-0\n              - key: LICENSE_SIGNATURE\n                path: licence\n",
    );
    let run = lightrun(&mixed, &[]);
    let deployment = json(object(&run.done().stdout, "Deployment", "lr-backend"));
    let items =
        deployment["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"].as_array().expect("items").clone();
    let paths: Vec<&str> = items.iter().map(|item| item["path"].as_str().expect("a path")).collect();
    assert_eq!(paths, ["encryption-key-0", "encryption-key-1", "licence"]);
}

#[test]
fn yaml_1_1_booleans_count() {
    lightrun(&stream().replace("type: Opaque", "immutable: yes"), &[]).refused(1, "immutable-secret");
}

#[test]
fn comments_of_the_chart_stay_although_all_entries_go() {
    let only_ours =
        "kind: Secret\nmetadata: {name: lr-backend}\nstringData:\n  # the chart's words\n  encryption-key-0: x\n";
    let run = lightrun(only_ours, &[]);
    assert!(run.done().stdout.contains("  # the chart's words\n"), "{}", run.stdout);
}

#[test]
fn an_own_secret_needs_one_namespace_and_a_free_name() {
    let consumer = |name: &str, namespace: &str| {
        let deployment = stream().rsplit("---\n").next().expect("the last").to_owned();
        deployment.replacen("name: lr-backend", &format!("name: {name}\n  namespace: {namespace}"), 1)
    };
    let two = format!("{}---\n{}", consumer("a", "one"), consumer("b", "two"));
    lightrun(&two, &["--emit", "Secret"]).refused(1, "two-namespaces");
    let taken = format!("{}---\nkind: Secret\nmetadata: {{name: lr-backend-keyring}}\n", consumer("a", "one"));
    lightrun(&taken, &["--emit", "Secret"]).refused(1, "duplicate-secret");
}

#[test]
fn keyrings_outside_of_the_environment_leave_nothing_to_the_chart() {
    let config = "\
apiVersion: helm-keyring/v1
keyrings:
  a: {profile: lightrun, instance: {secret: lr-backend}, environments: {p: {source: {dir: {path: keys}}}}}
  b: {profile: lightrun, instance: {secret: b-backend}, environments: {staging: {source: {dir: {path: keys}}}}}
";
    let folder = folder(&[("keyring.yaml", config), ("keys/encryption-key-0", KEYS[0])]);
    lock_numbered(folder.path(), "a/p", &KEYS[..1]);
    let both = stream() + &stream().replace("lr-backend", "b-backend");
    keyring(folder.path(), &["render", "-e", "p"], &[], &both).refused(1, "unclaimed-secret");
    // b has no such environment, so naming a does not make anybody see to it
    keyring(folder.path(), &["render", "-e", "p", "--keyring", "a"], &[], &both).refused(1, "unclaimed-secret");
}

fn ledger(stream: &str, args: &[&str], keys: &[(&str, &str)]) -> Run {
    // Every field may be read in either way here.
    let profile: String =
        LEDGER.lines().filter(|line| !line.contains("consumers:")).map(|line| format!("{line}\n")).collect();
    let config = config("ledger.yaml");
    let mut files = vec![("ledger.yaml", profile.as_str()), ("keyring.yaml", &config)];
    let names: Vec<String> = keys.iter().map(|(name, _)| format!("keys/{name}")).collect();
    files.extend(names.iter().zip(keys).map(|(name, (_, key))| (name.as_str(), *key)));
    let folder = folder(&files);
    std::fs::write(folder.path().join("values.yaml"), format!("storage: {{encryptionKey: {}}}\n", KEYS[0]))
        .expect("values");
    let lines: Vec<(&str, u32, &str)> = keys.iter().map(|(field, key)| (*field, 0, *key)).collect();
    lock(folder.path(), "app/p", "ledger.yaml", &lines);
    keyring(folder.path(), &[&["render"], args].concat(), &[], stream)
}

const WEB: &str = "\
kind: Secret
metadata: {name: l-ledger-web}
stringData: {cookie-secret: a, token-key: b}
---
";
const PASSPHRASE: &str = "tidal-copper-9-orchard-lantern-quietly-87";

#[test]
fn half_a_profile_is_refused_where_its_other_field_lies_elsewhere() {
    let input = format!("{WEB}kind: Secret\nmetadata: {{name: l-db}}\nstringData: {{storage-key: made-up}}\n");
    let keys = [("storage-key", KEYS[0]), ("cookie-secret", PASSPHRASE), ("token-key", KEYS[1])];
    let run = ledger(&input, &["--source", "dir=keys"], &keys);
    run.refused(1, "no-target");
    assert!(run.stderr.contains("Secret/l-db has `storage-key`"), "{}", run.stderr);
}

#[test]
fn a_reference_to_a_field_that_a_secret_of_ours_will_not_have_is_refused() {
    let pod = |key: &str| {
        format!(
            "kind: Pod\nspec:\n  containers:\n    - env:\n        - name: A\n          valueFrom: {{secretKeyRef: {{name: l-ledger-web, key: {key}}}}}\n"
        )
    };
    let keys = [("cookie-secret", PASSPHRASE), ("token-key", KEYS[1])];
    let render = |key: &str| ledger(&format!("{WEB}{}", pod(key)), &["--source", "dir=keys"], &keys);
    render("token-key").done();
    let run = render("tokn-key");
    run.refused(1, "dangling-key-ref");
    assert!(run.stderr.contains("did the chart mean `token-key`?"), "{}", run.stderr);
}

#[test]
fn an_optional_volume_may_name_a_previous_key_that_is_not_there() {
    let database = "kind: Secret\nmetadata: {name: l-ledger-db}\nstringData: {storage-key: x}\n---\n";
    let pod = |optional: &str| {
        format!(
            "kind: Pod\nspec:\n  containers: [{{name: a}}]\n  volumes:\n    - name: k\n      secret:\n        secretName: l-ledger-db\n        optional: {optional}\n        items: [{{key: storage-key, path: a}}, {{key: storage-key-previous, path: b}}]\n"
        )
    };
    let render = |optional: &str| {
        ledger(&format!("{database}{}", pod(optional)), &["--source", "dir=keys"], &[("storage-key", KEYS[0])])
    };
    render("yes").done();
    render("false").refused(1, "lost-key");
}

/// A key that the chart holds already is what encrypted the data: not a byte of it may change.
#[test]
fn a_key_of_the_values_is_delivered_as_it_is_newline_and_all() {
    let written = STANDARD.encode(format!("{}\n", KEYS[0]));
    let input = format!("kind: Secret\nmetadata: {{name: l-ledger-db}}\ndata: {{storage-key: {written}}}\n");
    ledger(&input, &["-f", "values.yaml"], &[]).refused(1, "key-length");
    let dev = ledger(&input, &["--mode", "dev"], &[]);
    assert_eq!(json(&dev.done().stdout)["data"]["storage-key"], written.as_str());
}

#[test]
fn another_spelling_is_another_key_where_the_text_is_the_key() {
    let hex: String = PASSPHRASE.bytes().map(|b| format!("{b:02x}")).collect();
    let folder = folder(&[
        ("keyring.yaml", &config("ledger.yaml")),
        ("ledger.yaml", LEDGER),
        ("keys/cookie-secret", PASSPHRASE),
        ("keys/token-key", KEYS[1]),
        ("values.yaml", &format!("web: {{cookieSecret: {hex}, tokenKey: {}}}\n", KEYS[1])),
    ]);
    lock(folder.path(), "app/p", "ledger.yaml", &[("cookie-secret", 0, PASSPHRASE), ("token-key", 0, KEYS[1])]);
    let args = ["render", "--source", "dir=keys", "-f", "values.yaml"];
    keyring(folder.path(), &args, &[], WEB).refused(1, "key-conflict");
}

#[test]
fn dev_never_writes_over_what_it_cannot_read() {
    let folder = folder(&[]);
    let run = |data: &str| {
        let input = format!("kind: Secret\nmetadata: {{name: lr-backend}}\ndata: {{encryption-key-0: {data}}}\n");
        keyring(folder.path(), &["render", "--profile", "lightrun", "--mode", "dev"], &[], &input)
    };
    run("\"not base64!\"").refused(1, "unreadable");
    assert!(run("null").done().stderr.contains("randomly generated key"));
}

#[test]
fn a_made_up_key_is_known_in_the_form_of_a_secret_too() {
    let folder = folder(&[("keyring.yaml", &config("lightrun"))]);
    let empty = "kind: Secret\nmetadata: {name: lr-backend}\nstringData: {encryption-key-0: ''}\n";
    let made = keyring(folder.path(), &["render", "--profile", "lightrun", "--mode", "dev"], &[], empty);
    let copied = json(&made.done().stdout)["data"]["encryption-key-0"].as_str().expect("a key").to_owned();
    let variables = [("ENCRYPTION_KEY_0", KEYS[0]), ("ENCRYPTION_KEY_1", copied.as_str())];
    lock_numbered(folder.path(), "app/p", &KEYS[..1]);
    let args = ["render", "--source", "env"];
    keyring(folder.path(), &args, &variables, empty).refused(1, "made-up-key");
}

#[test]
fn a_word_of_a_passphrase_is_not_repeated() {
    let folder = folder(&[]);
    let run = keyring(folder.path(), &["render", "--set", "a=first", "secondword"], &[], "a: 1\n");
    run.refused(2, "usage");
    assert!(!run.stderr.contains("secondword"), "{}", run.stderr);
    let run = keyring(folder.path(), &["render", "--no-kep"], &[], "");
    run.refused(2, "usage");
    assert!(run.stderr.contains("there is no flag --no-kep") && run.stderr.contains("--no-keep"), "{}", run.stderr);
}
