//! The main job on what real Helm 3 and 4 render: the right keys, all mounted, the same bytes every time, and
//! nothing else touched.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{
    HELMS, KEYS, Run, chart, ci, documents, folder, helm_template, json, keyring, lock, lock_numbered, object,
};
use serde_json::Value;

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {namespace: obs, source: {dir: {path: keys}}}
";

/// Renders a chart with real Helm, and with the keys 0..n behind it, twice.
fn rendered(helm: &str, helm_args: &[&str], config: &str, keys: &[&str], args: &[&str]) -> (String, Run) {
    let folder = folder(&[("keyring.yaml", config), ("keys/other", "x")]);
    for (number, key) in keys.iter().enumerate() {
        std::fs::write(folder.path().join(format!("keys/encryption-key-{number}")), key).expect("a key");
    }
    lock_numbered(folder.path(), "lightrun/production", keys);
    let args = [&["render"], args].concat();
    let plain = helm_template(helm, helm_args);
    let first = keyring(folder.path(), &args, &[], &plain);
    let again = keyring(folder.path(), &args, &[], &helm_template(helm, helm_args));
    assert_eq!(first.stdout, again.stdout, "two renders differ");
    assert_eq!(
        keyring(folder.path(), &args, &[], &first.stdout).stdout,
        first.stdout,
        "rendering the output changes it"
    );
    (plain, first)
}

/// Documents by kind and name; hooks and comments too.
fn by_name(stream: &str) -> BTreeMap<String, &str> {
    let named = documents(stream).into_iter().map(|document| {
        let value = json(document);
        (
            format!(
                "{}/{}",
                value["kind"].as_str().unwrap_or(""),
                value["metadata"]["name"].as_str().unwrap_or(document)
            ),
            document,
        )
    });
    named.collect()
}

/// The names of the documents that changed; all others are byte-equal and in the same order.
fn changed(before: &str, after: &str) -> Vec<String> {
    let (old, new) = (by_name(before), by_name(after));
    assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>(), "documents came or went");
    old.into_iter().filter(|(name, text)| new[name] != *text).map(|(name, _)| name).collect()
}

fn decoded(secret: &Value) -> BTreeMap<String, String> {
    let data = secret["data"].as_object().expect("data");
    let text =
        |v: &Value| String::from_utf8(STANDARD.decode(v.as_str().expect("text")).expect("base64")).expect("UTF-8");
    data.iter().map(|(field, value)| (field.clone(), text(value))).collect()
}

fn expected(keys: &[&str]) -> BTreeMap<String, String> {
    keys.iter().enumerate().map(|(n, key)| (format!("encryption-key-{n}"), (*key).to_owned())).collect()
}

/// What the `encryption-keys` volume of a workload shows.
fn mounted(stream: &str, deployment: &str) -> Vec<String> {
    let value = json(object(stream, "Deployment", deployment));
    let volumes = value["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes").clone();
    let volume = volumes.into_iter().find(|v| v["name"] == "encryption-keys").expect("the volume");
    let items = volume["secret"]["items"].as_array().expect("items").clone();
    items
        .iter()
        .inspect(|i| assert_eq!(i["key"], i["path"]))
        .map(|i| i["key"].as_str().expect("a key").to_owned())
        .collect()
}

fn fingerprint(stream: &str, kind: &str, name: &str) -> Option<String> {
    let value = json(object(stream, kind, name));
    value["spec"]["template"]["metadata"]["annotations"]["helm-keyring/fingerprint"].as_str().map(str::to_owned)
}

#[test]
fn lightrun_gets_exactly_its_keys_and_both_consumers_see_all_of_them() {
    for helm in HELMS {
        let (plain, run) = rendered(helm, &["lr", &chart("lightrun")], CONFIG, &KEYS, &[]);
        let out = &run.done().stdout;
        let secret = json(object(out, "Secret", "lr-backend"));
        assert_eq!(decoded(&secret), expected(&KEYS), "{helm}");
        let string_data = secret["stringData"].as_object().expect("stringData");
        assert!(
            string_data.len() >= 12 && !string_data.keys().any(|field| field.starts_with("encryption-key-")),
            "{helm}"
        );
        assert!(!out.contains(&generated_key(&plain)), "{helm}: the random key is still there");
        for consumer in ["lr-backend", "lr-crons"] {
            assert_eq!(mounted(out, consumer), expected(&KEYS).into_keys().collect::<Vec<_>>(), "{helm} {consumer}");
        }
        assert_eq!(
            changed(&plain, out),
            ["Deployment/lr-backend", "Deployment/lr-crons", "Secret/lr-backend"],
            "{helm}"
        );
        assert_eq!(fingerprint(out, "Deployment", "lr-backend"), fingerprint(out, "Deployment", "lr-crons"));
        assert_eq!(fingerprint(out, "Deployment", "lr-router"), None, "{helm}: the router restarts");
        assert_eq!(run.stderr, "", "{helm}");
    }
}

fn generated_key(plain: &str) -> String {
    let secret = json(object(plain, "Secret", "lr-backend"));
    secret["stringData"]["encryption-key-0"].as_str().expect("a generated key").to_owned()
}

#[test]
fn a_new_key_changes_the_fingerprint() {
    let print = |keys: &[&str]| {
        let (_, run) = rendered(HELMS[0], &["lr", &chart("lightrun")], CONFIG, keys, &[]);
        fingerprint(&run.done().stdout, "Deployment", "lr-backend").expect("a fingerprint")
    };
    assert_ne!(print(&KEYS[..2]), print(&KEYS[..3]));
}

#[test]
fn lightrun_that_renders_no_secret_has_its_consumers_completed() {
    for helm in HELMS {
        let values = ci("lightrun", "values-existing-secret.yaml");
        let helm_args = ["lr", &chart("lightrun"), "-f", &values];
        let (plain, run) = rendered(helm, &helm_args, CONFIG, &KEYS[..3], &["-f", &values]);
        let out = &run.done().stdout;
        assert_eq!(changed(&plain, out), ["Deployment/lr-backend", "Deployment/lr-crons"], "{helm}");
        assert_eq!(mounted(out, "lr-crons").len(), 3);
        // without the values nobody can tell whether the Secret is meant to be missing
        let folder = folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0])]);
        lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
        let unknown = keyring(folder.path(), &["render"], &[], &plain);
        unknown.refused(1, "no-target");
    }
}

#[test]
fn an_own_secret_is_made_under_its_own_name_and_consumers_are_pointed_at_it() {
    let config = CONFIG.replace("profile: lightrun\n", "profile: lightrun\n    emit: Secret\n");
    for helm in HELMS {
        let values = ci("lightrun", "values-existing-secret.yaml");
        let (plain, run) = rendered(helm, &["lr", &chart("lightrun"), "-f", &values], &config, &KEYS[..2], &[]);
        let out = &run.done().stdout;
        let existing = json(object(&plain, "Deployment", "lr-backend"))["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"].clone();
        let own = format!("{}-keyring", existing.as_str().expect("a name"));
        assert_eq!(decoded(&json(object(out, "Secret", &own))), expected(&KEYS[..2]), "{helm}");
        assert_eq!(
            out.matches(&format!("secretName: {own}")).count() + out.matches(&format!("secretName: \"{own}\"")).count(),
            2,
            "{helm}"
        );
        // the Secret comes before the pods that need it, and the other readers still read the other one
        assert!(out.find(&format!("name: \"{own}\"")) < out.find("kind: Deployment"), "{helm}");
        assert!(out.contains(&format!("name: {}", existing.as_str().expect("a name"))), "{helm}");
    }
}

#[test]
fn an_umbrella_chart_is_found_under_its_alias() {
    let config =
        CONFIG.replace("profile: lightrun\n", "profile: lightrun\n    instance: {values: obs, secret: obs-backend}\n");
    for helm in HELMS {
        let values = ci("umbrella", "values-empty.yaml");
        let helm_args = ["um", &chart("umbrella"), "-f", &values];
        let (plain, run) = rendered(helm, &helm_args, &config, &KEYS, &["-f", &values, "--chart", &chart("umbrella")]);
        let out = &run.done().stdout;
        assert_eq!(decoded(&json(object(out, "Secret", "obs-backend"))), expected(&KEYS), "{helm}");
        assert_eq!(
            changed(&plain, out),
            ["Deployment/obs-backend", "Deployment/obs-crons", "Secret/obs-backend"],
            "{helm}"
        );
    }
}

#[test]
fn an_umbrella_chart_is_judged_by_the_values_of_its_alias() {
    let good = ci("umbrella", "values-good.yaml");
    let empty = ci("umbrella", "values-empty.yaml");
    let umbrella = chart("umbrella");
    let here = folder(&[]);
    let render = |values: &str| {
        let plain = helm_template(HELMS[0], &["um", &umbrella, "-f", values]);
        keyring(here.path(), &["render", "-f", values, "--chart", &umbrella], &[], &plain)
    };
    render(&good).done();
    render(&empty).refused(1, "auto-generated-key");
}

const DEVMESH: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  devmesh:
    profile: devmesh
    environments:
      production: {source: {env: {encryption-master-key: MASTER}}}
";

/// Passphrases of more than 32 characters.
const PASSPHRASES: [&str; 2] =
    ["tidal-copper-9-orchard-lantern-quietly-87", "Zebra.sings+under/two=moons%at&dawn#4711"];

#[test]
fn devmesh_gets_its_fields_and_each_component_restarts_for_its_own() {
    for helm in HELMS {
        let plain = helm_template(helm, &["dm", &chart("devmesh")]);
        let folder = folder(&[("keyring.yaml", DEVMESH)]);
        let render = |first: &str, second: &str, input: &str| {
            let variables = [("DEVMESH_ENCRYPTION_KEY", first), ("MASTER", second)];
            let lines = [("devmesh-encryption-key", 0, first), ("encryption-master-key", 0, second)];
            lock(folder.path(), "devmesh/production", "devmesh", &lines);
            keyring(folder.path(), &["render"], &variables, input)
        };
        let run = render(PASSPHRASES[0], PASSPHRASES[1], &plain);
        let out = &run.done().stdout;
        let fields = decoded(&json(object(out, "Secret", "encryption-keys")));
        assert_eq!(fields["devmesh-encryption-key"], PASSPHRASES[0], "{helm}");
        assert_eq!(fields["encryption-master-key"], PASSPHRASES[1], "{helm}");
        let touched = changed(&plain, out);
        assert_eq!(
            touched,
            ["CronJob/cleanup", "Deployment/mcp-server", "Deployment/rest-api", "Secret/encryption-keys"],
            "{helm}"
        );
        assert_eq!(render(PASSPHRASES[0], PASSPHRASES[1], out).done().stdout, *out, "{helm}: rendering again");
        // a new key of the one component leaves the pods of the other alone
        let rotated = render(&PASSPHRASES[0].to_uppercase(), PASSPHRASES[1], &plain).stdout;
        assert_ne!(fingerprint(out, "Deployment", "rest-api"), fingerprint(&rotated, "Deployment", "rest-api"));
        assert_eq!(fingerprint(out, "Deployment", "mcp-server"), fingerprint(&rotated, "Deployment", "mcp-server"));
    }
}

#[test]
fn devmesh_without_a_secret_of_the_chart_gets_one_under_the_same_name() {
    let config = DEVMESH.replace("profile: devmesh\n", "profile: devmesh\n    emit: Secret\n");
    for helm in HELMS {
        let plain =
            helm_template(helm, &["dm", &chart("devmesh"), "-f", &ci("devmesh", "values-existing-secret.yaml")]);
        let folder = folder(&[("keyring.yaml", config.as_str())]);
        let variables = [("DEVMESH_ENCRYPTION_KEY", PASSPHRASES[0]), ("MASTER", PASSPHRASES[1])];
        let lines = [("devmesh-encryption-key", 0, PASSPHRASES[0]), ("encryption-master-key", 0, PASSPHRASES[1])];
        lock(folder.path(), "devmesh/production", "devmesh", &lines);
        let run = keyring(folder.path(), &["render"], &variables, &plain);
        let fields = decoded(&json(object(&run.done().stdout, "Secret", "encryption-keys")));
        assert_eq!(fields.len(), 2, "{helm}");
        assert!(!run.stdout.contains("encryption-keys-keyring"), "{helm}");
    }
}

#[test]
fn a_chart_of_ones_own_with_two_secrets_and_three_fields() {
    let config = "\
apiVersion: helm-keyring/v1
keyrings:
  ledger:
    profile: ledger.yaml
    environments:
      production: {source: {dir: {path: keys}}}
";
    let profile = include_str!("../testdata/profiles/ledger.yaml");
    for helm in HELMS {
        let files = [
            ("keyring.yaml", config),
            ("ledger.yaml", profile),
            ("keys/storage-key", KEYS[0]),
            ("keys/storage-key-previous", KEYS[1]),
            ("keys/cookie-secret", PASSPHRASES[0]),
            ("keys/token-key", KEYS[2]),
        ];
        let folder = folder(&files);
        let lines = [
            ("storage-key", 0, KEYS[1]),
            ("storage-key", 1, KEYS[0]),
            ("cookie-secret", 0, PASSPHRASES[0]),
            ("token-key", 0, KEYS[2]),
        ];
        lock(folder.path(), "ledger/production", "ledger.yaml", &lines);
        let plain = helm_template(helm, &["lg", &chart("ledger"), "--namespace", "books"]);
        let run = keyring(folder.path(), &["render"], &[], &plain);
        let out = &run.done().stdout;
        let database = decoded(&json(object(out, "Secret", "lg-ledger-db")));
        assert_eq!(database["storage-key"], KEYS[0], "{helm}");
        assert_eq!(database["storage-key-previous"], KEYS[1], "{helm}");
        assert!(database.contains_key("username") && database.contains_key("password"), "{helm}");
        let web = decoded(&json(object(out, "Secret", "lg-ledger-web")));
        assert_eq!(
            (web["cookie-secret"].as_str(), web["token-key"].as_str(), web.len()),
            (PASSPHRASES[0], KEYS[2], 2),
            "{helm}"
        );
        let touched = [
            "DaemonSet/lg-ledger-agent",
            "Deployment/lg-ledger-web",
            "Secret/lg-ledger-db",
            "Secret/lg-ledger-web",
            "StatefulSet/lg-ledger-storage",
        ];
        assert_eq!(changed(&plain, out), touched, "{helm}");
        assert_eq!(keyring(folder.path(), &["render"], &[], out).done().stdout, *out, "{helm}: rendering again");
    }
}

#[test]
fn the_user_s_own_key_is_delivered_and_an_empty_one_refused() {
    for helm in HELMS {
        for (file, fits) in [("values-good.yaml", true), ("values-raw-key.yaml", true), ("values-empty.yaml", false)] {
            let values = ci("lightrun", file);
            let plain = helm_template(helm, &["lr", &chart("lightrun"), "-f", &values]);
            let run = keyring(folder(&[]).path(), &["render", "-f", &values], &[], &plain);
            if fits {
                let secret = json(object(&run.done().stdout, "Secret", "lr-backend"));
                assert_eq!(decoded(&secret).len(), 1, "{helm} {file}");
            } else {
                run.refused(1, "auto-generated-key");
            }
        }
        let values = ci("lightrun", "values-rotate.yaml");
        let plain = helm_template(helm, &["lr", &chart("lightrun"), "-f", &values]);
        keyring(folder(&[]).path(), &["render", "-f", &values], &[], &plain).refused(1, "rotate-in-gitops");
    }
}
