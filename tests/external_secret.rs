//! `emit: ExternalSecret`: another program takes the keys from the store, and nobody reads them here.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{KEYS, Run, folder, json, keyring, lock, lock_numbered, object, root};
use serde_json::Value;

const STREAM: &str = include_str!("../testdata/streams/lightrun-small.yaml");
const VAULT: &str = "{vault: {path: secret/obs/keys, address: 'https://nowhere.invalid:8200'}}";
const PASSPHRASE: &str = "tidal-copper-9-orchard-lantern-quietly-87";
/// What the chart made up.
const MADE_UP: &str = "generated-by-the-chart-1234567890";

const DEVMESH: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: encryption-keys}
type: Opaque
data:
  devmesh-encryption-key: Z2VuZXJhdGVkLWJ5LXRoZS1jaGFydC0xMjM0NTY3ODkw
  encryption-master-key: \"Z2VuZXJhdGVkLWJ5LXRoZS1jaGFydC0xMjM0NTY3ODkw\"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: rest-api
spec:
  template:
    metadata:
      labels: {app: rest-api}
    spec:
      containers:
        - name: rest-api
          env:
            - name: DEVMESH_ENCRYPTION_KEY
              valueFrom: {secretKeyRef: {name: encryption-keys, key: devmesh-encryption-key}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: seed}
spec:
  template:
    spec:
      containers:
        - name: seed
          env:
            - name: ENCRYPTION_MASTER_KEY
              valueFrom:
                secretKeyRef:
                  name: encryption-keys
                  key: encryption-master-key
";

const LEDGER: &str = "\
apiVersion: v1
kind: Secret
metadata:
    name: l-ledger-db
    namespace: books
data:
    username: bGVkZ2Vy
    storage-key: Z2VuZXJhdGVkLWJ5LXRoZS1jaGFydC0xMjM0NTY3ODkw
    storage-key-previous: \"\"
    # the chart's own words
    password: bm90LWEta2V5
---
apiVersion: v1
kind: Secret
metadata: {name: \"l-ledger-web\", namespace: books}
stringData:
  cookie-secret: 'generated-by-the-chart-1234567890'
  token-key: \"generated-by-the-chart-1234567890\"
type: Opaque
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: l-ledger-storage
  namespace: books
spec:
  template:
    metadata:
      labels:
        app: storage
    spec:
      containers:
        - name: storage
          env:
            - name: STORAGE_USER
              valueFrom:
                secretKeyRef:
                  name: l-ledger-db
                  key: username
            - name: STORAGE_KEY
              valueFrom:
                secretKeyRef:
                  name: l-ledger-db
                  key: storage-key
            - name: STORAGE_KEY_PREVIOUS
              valueFrom:
                secretKeyRef:
                  name: l-ledger-db
                  key: storage-key-previous
                  optional: true
            - name: COOKIE_SECRET
              valueFrom: {secretKeyRef: {name: l-ledger-web, key: cookie-secret, optional: true}}
      volumes:
        - name: identity
          projected:
            sources:
              - serviceAccountToken: {path: token}
              - secret: {name: l-ledger-web, items: [{key: token-key, path: token.key, mode: 0400}]}
";

fn stream() -> String {
    STREAM.replace("@KEY@", MADE_UP)
}

/// A keyring `app` with one environment `p`, whose keys a store called `store` has.
fn config(profile: &str, source: &str, more: &str) -> String {
    format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: {profile}\n    emit: ExternalSecret\n    \
         secretStore: {{name: store, kind: ClusterSecretStore}}\n    environments:\n      p:\n        source: {source}\n{more}"
    )
}

/// Renders with the profile `lightrun` and two locked keys.
fn lightrun(stream: &str, args: &[&str]) -> Run {
    lightrun_from(VAULT, "", stream, args)
}

fn lightrun_from(source: &str, values: &str, stream: &str, args: &[&str]) -> Run {
    let folder = folder(&[("keyring.yaml", &config("lightrun", source, "")), ("values.yaml", values)]);
    lock_numbered(folder.path(), "app/p", &KEYS[..2]);
    keyring(folder.path(), &[&["render"], args].concat(), &[], stream)
}

fn devmesh(stream: &str) -> Run {
    let folder = folder(&[("keyring.yaml", &config("devmesh", "{kubernetes: {secret: master, namespace: keys}}", ""))]);
    let lines = [("devmesh-encryption-key", 0, PASSPHRASE), ("encryption-master-key", 4, KEYS[1])];
    lock(folder.path(), "app/p", "devmesh", &lines);
    keyring(folder.path(), &["render"], &[], stream)
}

/// Renders with three fixed fields; `storage` are the generations of the first.
fn ledger(stream: &str, storage: &[&str], source: &str) -> Run {
    let profile = include_str!("../testdata/profiles/ledger.yaml");
    let folder = folder(&[("ledger.yaml", profile), ("keyring.yaml", &config("ledger.yaml", source, ""))]);
    let mut lines: Vec<(&str, u32, &str)> = (2..).zip(storage).map(|(n, key)| ("storage-key", n, *key)).collect();
    lines.extend([("cookie-secret", 0, PASSPHRASE), ("token-key", 1, KEYS[1])]);
    lock(folder.path(), "app/p", "ledger.yaml", &lines);
    keyring(folder.path(), &["render"], &[], stream)
}

const AWS: &str = "{aws-secrets-manager: {secret: books/keys, stage: LIVE, encoding: base64, fields: {storage-key-previous: storage-key.old}}}";

/// Compares with a file in `testdata/external-secret/`. With `UPDATE_GOLDEN` set, writes it.
fn assert_golden(name: &str, text: &str) {
    let file = root().join("testdata/external-secret").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(&file, text).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, expected, "{} differs; is that better? then UPDATE_GOLDEN=1", file.display());
}

/// The ExternalSecret of a stream: `secretKey` and what is called `part` in its `remoteRef`, in order.
fn refs(stdout: &str, name: &str, part: &str) -> Vec<(String, String)> {
    let secret = json(object(stdout, "ExternalSecret", name));
    let data = secret["spec"]["data"].as_array().expect("data").clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    data.iter().map(|one| (text(&one["secretKey"]), text(&one["remoteRef"][part]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// The bytes of a key in base64, in hexadecimal.
fn hex(key: &str) -> String {
    STANDARD.decode(key).expect("base64").iter().map(|b| format!("{b:02x}")).collect()
}

// --- what is emitted ---

#[test]
fn streams_of_three_charts_as_a_person_reads_them() {
    assert_golden("lightrun.yaml", &lightrun(&stream(), &[]).done().stdout);
    assert_golden("devmesh.yaml", &devmesh(DEVMESH).done().stdout);
    assert_golden("ledger.yaml", &ledger(LEDGER, &[KEYS[2], KEYS[0]], AWS).done().stdout);
}

#[test]
fn no_key_is_read_and_none_is_in_the_output() {
    let runs = [lightrun(&stream(), &[]), devmesh(DEVMESH), ledger(LEDGER, &[KEYS[2], KEYS[0]], AWS)];
    for run in runs {
        let (out, err) = (&run.done().stdout, &run.stderr);
        for key in KEYS.iter().copied().chain([PASSPHRASE, MADE_UP]) {
            let base64 = STANDARD.encode(key);
            let parts = (0..key.len() - 12).map(|at| &key[at..at + 12]);
            for form in parts.chain([base64.trim_end_matches('=')]) {
                assert!(!out.contains(form) && !err.contains(form), "a key in:\n{out}{err}");
            }
        }
    }
}

#[test]
fn rendering_again_changes_nothing() {
    let twice = |once: &Run, again: Run| assert_eq!(again.done().stdout, once.done().stdout);
    let once = lightrun(&stream(), &[]);
    twice(&once, lightrun(&once.stdout, &[]));
    let once = devmesh(DEVMESH);
    twice(&once, devmesh(&once.stdout));
    for storage in [&[KEYS[2], KEYS[0]][..], &[KEYS[0]]] {
        let once = ledger(LEDGER, storage, AWS);
        twice(&once, ledger(&once.stdout, storage, AWS));
    }
    let crlf = lightrun(&stream().replace('\n', "\r\n"), &[]);
    twice(&crlf, lightrun(&crlf.stdout, &[]));
}

#[test]
fn each_locked_key_is_named_by_itself() {
    let run = lightrun(&stream(), &[]);
    let name = "lr-backend-keyring";
    let fields = [("encryption-key-0", "encryption-key-0"), ("encryption-key-1", "encryption-key-1")];
    assert_eq!(refs(&run.done().stdout, name, "property"), pairs(&fields));
    let secret = json(object(&run.stdout, "ExternalSecret", name));
    assert!(secret["spec"].get("dataFrom").is_none());
    assert_eq!(secret["spec"]["refreshPolicy"], "OnChange");
}

/// The previous field only where the lock has an older line.
#[test]
fn a_fixed_ring_has_its_previous_key_where_one_is_locked() {
    let two = ledger(LEDGER, &[KEYS[2], KEYS[0]], AWS);
    let both = [("storage-key", "storage-key"), ("storage-key-previous", "storage-key.old")];
    assert_eq!(refs(&two.done().stdout, "l-ledger-db-keyring", "property"), pairs(&both));
    let one = ledger(LEDGER, &[KEYS[0]], AWS);
    assert_eq!(refs(&one.done().stdout, "l-ledger-db-keyring", "property"), pairs(&both[..1]));
    // In the order of the profile.
    let web = [("cookie-secret", "cookie-secret"), ("token-key", "token-key")];
    assert_eq!(refs(&one.stdout, "l-ledger-web-keyring", "property"), pairs(&web));
    assert_eq!(refs(&one.stdout, "l-ledger-web-keyring", "version"), pairs(&web.map(|(field, _)| (field, "LIVE"))));
    assert_eq!(json(object(&one.stdout, "ExternalSecret", "l-ledger-web-keyring"))["metadata"]["namespace"], "books");
}

#[test]
fn a_pod_does_not_start_without_a_locked_key() {
    let optional = |run: &Run| run.done().stdout.matches("optional: true").count();
    assert_eq!(optional(&lightrun(&stream(), &[])), 0);
    // Only the previous key, and only where none is locked, may be missing.
    assert_eq!(optional(&ledger(LEDGER, &[KEYS[2], KEYS[0]], AWS)), 0);
    assert_eq!(optional(&ledger(LEDGER, &[KEYS[0]], AWS)), 1);
}

#[test]
fn nothing_else_of_the_charts_secret_is_touched() {
    let run = lightrun(&stream(), &[]);
    let secret = object(&run.done().stdout, "Secret", "lr-backend");
    let before = stream();
    let without: String =
        object(&before, "Secret", "lr-backend").replace(&format!("  encryption-key-0: \n            {MADE_UP}\n"), "");
    assert_eq!(secret, without);
}

#[test]
fn the_marks_follow_keep() {
    let marks = ["helm.sh/resource-policy: keep", "argocd.argoproj.io/sync-options: Prune=false"];
    let count = |run: &Run| marks.map(|mark| run.done().stdout.matches(mark).count());
    // On the ExternalSecret and, by its template, on the Secret; the chart's own Secret has no key any more.
    assert_eq!(count(&lightrun(&stream(), &[])), [2, 2]);
    let unkept = lightrun(&stream(), &["--no-keep"]);
    assert_eq!(count(&unkept), [0, 0]);
    let secret = json(object(&unkept.stdout, "ExternalSecret", "lr-backend-keyring"));
    assert_eq!(secret["spec"]["target"]["template"], serde_json::json!({"engineVersion": "v2"}));
    assert_eq!(secret["metadata"]["annotations"], serde_json::json!({"argocd.argoproj.io/sync-wave": "-1"}));
}

#[test]
fn helm_4_gets_a_files_name() {
    let helm4 = stream().replace(
        "  name: lr-backend\ntype",
        "  name: lr-backend\n  annotations: {postrenderer.helm.sh/postrender-filename: a.yaml}\ntype",
    );
    let run = lightrun(&helm4, &[]);
    let secret = json(object(&run.done().stdout, "ExternalSecret", "lr-backend-keyring"));
    let file = &secret["metadata"]["annotations"]["postrenderer.helm.sh/postrender-filename"];
    assert_eq!(file, "helm-keyring/lr-backend-keyring.yaml");
    assert_eq!(lightrun(&run.stdout, &[]).done().stdout, run.stdout);
}

#[test]
fn the_chart_may_render_no_secret() {
    let only_pod = stream().rsplit("---\n").next().expect("the last").to_owned();
    let run = lightrun(&only_pod, &[]);
    assert!(run.done().stdout.contains("secretName: \"lr-backend-keyring\""), "{}", run.stdout);
    assert_eq!(lightrun(&run.stdout, &[]).done().stdout, run.stdout);
}

#[test]
fn the_annotation_follows_the_lock_and_nothing_else() {
    let of = |keys: &[&str], source: &str| {
        let folder = folder(&[("keyring.yaml", &config("lightrun", source, ""))]);
        lock_numbered(folder.path(), "app/p", keys);
        let run = keyring(folder.path(), &["render"], &[], &stream());
        let deployment = json(object(&run.done().stdout, "Deployment", "lr-backend"));
        deployment["spec"]["template"]["metadata"]["annotations"]["helm-keyring/fingerprint"].clone()
    };
    let one = of(&KEYS[..1], VAULT);
    assert_eq!(one.as_str().map(str::len), Some(32));
    assert_eq!(one, of(&KEYS[..1], "{kubernetes: {secret: master}}"));
    assert_ne!(one, of(&KEYS[..2], VAULT));
    assert_ne!(of(&[KEYS[0], KEYS[1]], VAULT), of(&[KEYS[1], KEYS[0]], VAULT));
    // another spelling of the same bytes
    let hex = hex(KEYS[0]);
    assert_ne!(of(&[&hex], VAULT), one);
}

// --- what is refused ---

#[test]
fn without_a_lock_nothing_tells_which_keys_there_are() {
    let folder = folder(&[("keyring.yaml", &config("lightrun", VAULT, ""))]);
    keyring(folder.path(), &["render"], &[], &stream()).refused(4, "no-lock");
    // a ring of several
    let config = config("devmesh", VAULT, "");
    std::fs::write(folder.path().join("keyring.yaml"), config).expect("written");
    lock(folder.path(), "app/p", "devmesh", &[("devmesh-encryption-key", 0, PASSPHRASE)]);
    keyring(folder.path(), &["render"], &[], DEVMESH).refused(4, "no-lock");
}

#[test]
fn lines_that_cannot_belong_together_are_refused() {
    let folder = folder(&[("keyring.yaml", &config("lightrun", VAULT, ""))]);
    lock_numbered(folder.path(), "app/p", &KEYS[..3]);
    let path = folder.path().join("keyring.lock");
    let text = std::fs::read_to_string(&path).expect("a lock");
    let without: String =
        text.lines().filter(|line| !line.contains("encryption-key-1")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, without).expect("written");
    keyring(folder.path(), &["render"], &[], &stream()).refused(4, "lock-gap");
}

#[test]
fn a_number_that_the_lock_lacks_is_refused() {
    let in_secret = stream().replace("  LICENSE_SIGNATURE", "  encryption-key-7: abc\n  LICENSE_SIGNATURE");
    let run = lightrun(&in_secret, &[]);
    run.refused(1, "lost-key");
    assert!(run.stderr.contains("`encryption-key-7`") && run.stderr.contains("helm-keyring lock"), "{}", run.stderr);
    let in_items = stream().replace(
        "path: encryption-key-0",
        "path: encryption-key-0\n              - {key: encryption-key-5, path: five}",
    );
    lightrun(&in_items, &[]).refused(1, "lost-key");
    // a previous key that is no empty text, and not locked
    let previous = LEDGER.replace("storage-key-previous: \"\"", "storage-key-previous: b2xk");
    ledger(&previous, &[KEYS[0]], AWS).refused(1, "lost-key");
    ledger(&previous, &[KEYS[2], KEYS[0]], AWS).done();
}

#[test]
fn the_values_are_judged_as_ever() {
    let values = |text: &str| {
        let values = format!("secrets:\n  keysEncryption:\n    {text}\n");
        lightrun_from(VAULT, &values, &stream(), &["-f", "values.yaml"])
    };
    values("rotateKey: true").refused(1, "rotate-in-gitops");
    values("userEncryptionKey: ref+vault://secret/app#/key").refused(1, "unresolved-reference");
    let other = values(&format!("userEncryptionKey: {}", KEYS[3]));
    other.refused(1, "key-conflict");
    assert!(other.stderr.contains("--> values.yaml:3:"), "{}", other.stderr);
    let locked = values(&format!("userEncryptionKey: {}", KEYS[1]));
    assert!(locked.done().stderr.contains("note[key-in-values]"), "{}", locked.stderr);
    let spelled = values(&format!("userEncryptionKey: \"{}\"", hex(KEYS[1])));
    assert!(spelled.done().stderr.contains("warning[key-spelling]"), "{}", spelled.stderr);
}

#[test]
fn another_spelling_is_another_key_where_the_text_is_the_key() {
    let profile = include_str!("../testdata/profiles/ledger.yaml");
    let hex: String = PASSPHRASE.bytes().map(|b| format!("{b:02x}")).collect();
    let values = format!("web: {{cookieSecret: {hex}}}\n");
    let config = config("ledger.yaml", AWS, "");
    let folder = folder(&[("ledger.yaml", profile), ("keyring.yaml", &config), ("values.yaml", &values)]);
    let lines = [("storage-key", 0, KEYS[0]), ("cookie-secret", 0, PASSPHRASE), ("token-key", 0, KEYS[1])];
    lock(folder.path(), "app/p", "ledger.yaml", &lines);
    keyring(folder.path(), &["render", "-f", "values.yaml"], &[], LEDGER).refused(1, "key-conflict");
}

#[test]
fn another_external_secret_is_refused_with_what_to_do() {
    let once = lightrun(&stream(), &[]).done().stdout.clone();
    let changed = once.replace("refreshPolicy: OnChange", "refreshPolicy: Periodic");
    let run = lightrun(&changed, &[]);
    run.refused(1, "other-external-secret");
    assert!(run.stderr.contains("ExternalSecret/lr-backend-keyring"), "{}", run.stderr);
    // A second one for the same Secret.
    let second = "---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: {target: {name: lr-backend-keyring}}\n";
    lightrun(&(stream() + second), &[]).refused(1, "other-external-secret");
    // One that makes another Secret is nobody's business.
    let foreign = second.replace("target: {name: lr-backend-keyring}", "target: {name: lr-backend-keyring-x}");
    assert!(lightrun(&(stream() + &foreign), &[]).done().stdout.ends_with(&foreign));
}

#[test]
fn the_target_must_be_free_and_in_one_namespace() {
    let taken = stream() + "---\nkind: Secret\nmetadata: {name: lr-backend-keyring}\n";
    lightrun(&taken, &[]).refused(1, "duplicate-secret");
    let consumer = |name: &str, namespace: &str| {
        let deployment = stream().rsplit("---\n").next().expect("the last").to_owned();
        deployment.replacen("name: lr-backend", &format!("name: {name}\n  namespace: {namespace}"), 1)
    };
    let two = format!("{}---\n{}", consumer("a", "one"), consumer("b", "two"));
    lightrun(&two, &[]).refused(1, "two-namespaces");
}

#[test]
fn an_immutable_secret_is_refused() {
    let immutable = stream().replace("type: Opaque", "type: Opaque\nimmutable: true");
    lightrun(&immutable, &[]).refused(1, "immutable-secret");
}

#[test]
fn a_reader_that_would_be_left_behind_is_refused() {
    let all = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, envFrom: [{secretRef: {name: NAME}}]}]}\n";
    let devmesh_stream = DEVMESH.to_owned() + &all.replace("NAME", "encryption-keys");
    let run = devmesh(&devmesh_stream);
    run.refused(1, "left-behind");
    assert!(run.stderr.contains("Pod/p reads `devmesh-encryption-key` with the whole Secret, through `envFrom`"));
    ledger(&(LEDGER.to_owned() + &all.replace("NAME", "l-ledger-db")), &[KEYS[0]], AWS).refused(1, "left-behind");
    // Who reads all variables does not read what the profile has for volumes alone.
    lightrun(&(stream() + &all.replace("NAME", "lr-backend")), &[]).done();
    let volume = "---\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c}]\n  volumes:\n    - {name: v, secret: {secretName: lr-backend}}\n";
    lightrun(&(stream() + volume), &[]).refused(1, "left-behind");
    let variable = "---\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: c\n      env: [{name: K, valueFrom: {secretKeyRef: {name: lr-backend, key: encryption-key-0}}}]\n";
    lightrun(&(stream() + variable), &[]).refused(1, "left-behind");
    let items = "---\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c}]\n  volumes:\n    - {name: v, secret: {secretName: l-ledger-db, items: [{key: storage-key, path: k}]}}\n";
    ledger(&(LEDGER.to_owned() + items), &[KEYS[0]], AWS).refused(1, "left-behind");
}

#[test]
fn a_volume_with_other_fields_is_refused() {
    let mixed = stream().replace(
        "                path: encryption-key-0\n",
        "                path: encryption-key-0\n              - key: LICENSE_SIGNATURE\n                path: licence\n",
    );
    let run = lightrun(&mixed, &[]);
    run.refused(1, "cannot-edit");
    assert!(run.stderr.contains("other fields of the Secret beside the keys"), "{}", run.stderr);
}

#[test]
fn a_secret_that_nobody_in_the_stream_reads_is_refused() {
    let only_secret = stream().split("---\n").nth(1).expect("the Secret").to_owned();
    lightrun(&only_secret, &[]).refused(1, "no-target");
}

#[test]
fn a_source_that_is_the_target_is_refused() {
    for secret in ["lr-backend", "lr-backend-keyring"] {
        lightrun_from(&format!("{{kubernetes: {{secret: {secret}}}}}"), "", &stream(), &[])
            .refused(2, "source-is-target");
    }
    lightrun_from("{kubernetes: {secret: lr-backend-master}}", "", &stream(), &[]).done();
}

#[test]
fn a_locked_key_whose_place_is_not_known_is_refused() {
    let by_secret = "{aws-secrets-manager: {secrets: {storage-key: a, cookie-secret: b, token-key: c}}}";
    ledger(LEDGER, &[KEYS[0]], by_secret).done();
    ledger(LEDGER, &[KEYS[2], KEYS[0]], by_secret).refused(2, "not-a-store");
}

#[test]
fn the_flag_needs_a_store_and_a_source_that_is_one() {
    let plain =
        "apiVersion: helm-keyring/v1\nkeyrings: {app: {profile: lightrun, environments: {p: {source: {env: {}}}}}}\n";
    let folder = folder(&[("keyring.yaml", plain)]);
    let args = ["render", "--emit", "ExternalSecret"];
    keyring(folder.path(), &args, &[], &stream()).refused(2, "no-secret-store");
    keyring(folder.path(), &[&args[..], &["--source", "vault=secret/a"]].concat(), &[], &stream())
        .refused(2, "no-secret-store");
    lightrun(&stream(), &["--source", "dir=keys"]).refused(2, "not-a-store");
    lightrun(&stream(), &["--source", "vault=secret/other"]).done();
    // The key-holder may take the keys from elsewhere.
    let files = [("keyring.yaml", &*config("lightrun", VAULT, "")), ("keys/encryption-key-0", KEYS[0])];
    let folder = common::folder(&files);
    keyring(folder.path(), &["lock", "-e", "p", "--source", "dir=keys"], &[], "").done();
    keyring(folder.path(), &["render"], &[], &stream()).done();
    lightrun(&stream(), &["--mode", "dev"]).refused(2, "dev-refused");
}

#[test]
fn it_comes_before_the_earliest_of_its_readers() {
    let wave = |stream: &str| {
        let run = devmesh(stream);
        run.done();
        json(object(&run.stdout, "ExternalSecret", "encryption-keys-keyring"))["metadata"]["annotations"]
            ["argocd.argoproj.io/sync-wave"]
            .clone()
    };
    let in_wave = |wave: &str| {
        DEVMESH.replace(
            "metadata: {name: seed}",
            &format!("metadata: {{name: seed, annotations: {{argocd.argoproj.io/sync-wave: \"{wave}\"}}}}"),
        )
    };
    assert_eq!(wave(DEVMESH), "-1");
    assert_eq!(wave(&in_wave("5")), "-1");
    assert_eq!(wave(&in_wave("-3")), "-4");
    assert_eq!(wave(&in_wave("soon")), "-1");
}
