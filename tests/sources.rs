//! The sources `sops`, `exec`, `kubernetes` and `byField`, and `source test`: real sops, real kubectl, real commands.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use cluster::Cluster;
use common::{KEYS, Run, kubectl_binary, lock_numbered, program, root, sops_binary};
use home::{Home, PAIR, put};

fn with_source(source: &str) -> Home {
    Home::with(
        &format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  lightrun:\n    profile: lightrun\n    environments:\n      production:\n        namespace: obs\n        source: {source}\n"
        ),
        &[],
    )
}

fn locked(source: &str, keys: &[&str]) -> Home {
    let home = with_source(source);
    lock_numbered(home.path(), "lightrun/production", keys);
    home
}

fn render(home: &Home) -> Run {
    home.run_on("render -e production", &home::STREAM.replace("@KEY@", "made-up-by-the-chart"))
}

// --- sops ---

const RECIPIENT: &str = include_str!("../testdata/sops/age.recipient");

/// A home that has real sops and the key for it on its way.
fn with_sops(source: &str, keys: &[&str]) -> Home {
    let mut home = locked(source, keys);
    let key = root().join("testdata/sops/age.key").display().to_string();
    let path = format!("{}:/usr/bin:/bin", sops_binary().parent().unwrap().display());
    home.variables = vec![("PATH".to_owned(), path), ("SOPS_AGE_KEY_FILE".to_owned(), key)];
    home
}

/// Writes a file that sops has encrypted.
fn encrypt(home: &Home, file: &str, text: &str) {
    let mut child = Command::new(sops_binary())
        .args(["encrypt", "--age", RECIPIENT.trim(), "--filename-override", file])
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    home.write(file, std::str::from_utf8(&output.stdout).unwrap());
}

#[test]
fn a_sops_file_is_opened_by_sops_itself() {
    let yaml = |keys: &[&str]| -> String {
        keys.iter().enumerate().map(|(n, key)| format!("encryption-key-{n}: {key}\n")).collect()
    };
    let home = with_sops("{sops: {file: keys.enc.yaml}}", &KEYS[..2]);
    encrypt(&home, "keys.enc.yaml", &format!("# kept\n{}other: {{n: 1}}\n", yaml(&KEYS[..2])));
    assert_eq!(home.delivered(), KEYS[..2]);
    // Deeper, as values files of helm-secrets have it.
    let home = with_sops("{sops: {file: values.yaml, under: lr.keys}}", &KEYS[..1]);
    encrypt(&home, "values.yaml", &format!("lr:\n  keys:\n    encryption-key-0: {}\n", KEYS[0]));
    assert_eq!(home.delivered(), KEYS[..1]);
    // Another format, which its name does not say.
    let home =
        with_sops("{sops: {file: keys, format: dotenv, fields: {\"encryption-key-{n}\": \"LR_KEY_{n}\"}}}", &KEYS[..1]);
    encrypt(&home, "keys.env", &format!("LR_KEY_0={}\n", KEYS[0]));
    fs::rename(home.path().join("keys.env"), home.path().join("keys")).unwrap();
    assert_eq!(home.delivered(), KEYS[..1]);
}

#[test]
fn sops_takes_a_new_key_from_stdin_and_all_else_stays() {
    let home = with_sops("{sops: {file: keys/keys.enc.yaml, under: lr}}", &KEYS[..1]);
    encrypt(&home, "keys/keys.enc.yaml", &format!("# kept\nlr:\n  encryption-key-0: {}\nother: x\n", KEYS[0]));
    let run = home.run("rotate -e production");
    assert!(run.done().stdout.contains("written and read back: keys/keys.enc.yaml and keyring.lock"), "{}", run.stdout);
    let delivered = home.delivered();
    assert_eq!((delivered.len(), delivered[0].as_str()), (2, KEYS[0]));
    let file = home.read("keys/keys.enc.yaml");
    assert!(file.contains("other: ENC[") && !file.contains(&delivered[1]), "{file}");
    assert_eq!(fs::read_dir(home.path().join("keys")).unwrap().count(), 1, "something was left behind");
    // An empty file takes keys that run.
    let home = with_sops("{sops: {file: new.json}}", &[]);
    fs::remove_file(home.path().join("keyring.lock")).unwrap();
    encrypt(&home, "new.json", "{}");
    let secret = home::secret(&[("encryption-key-0", KEYS[0]), ("encryption-key-1", KEYS[1])]);
    home.run_on("adopt -e production --from-file -", &secret).done();
    assert_eq!(home.delivered(), KEYS[..2]);
}

#[test]
fn sops_says_why_it_failed() {
    let mut home = with_sops("{sops: {file: keys.enc.yaml}}", &KEYS[..1]);
    let run = render(&home);
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("sops file keys.enc.yaml: cannot be read (No such file"), "{}", run.stderr);
    encrypt(&home, "keys.enc.yaml", "encryption-key-0: 12345\n");
    let run = render(&home);
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("`encryption-key-0` is a number, where a text was expected"), "{}", run.stderr);
    let file = home.read("keys.enc.yaml").replace("ENC[", "ENC[x");
    home.write("keys.enc.yaml", &file);
    render(&home).refused(3, "source-failed");
    home.variables.retain(|(name, _)| name == "PATH");
    encrypt(&home, "keys.enc.yaml", &format!("encryption-key-0: {}\n", KEYS[0]));
    let run = render(&home);
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("sops failed with exit code 128: "), "{}", run.stderr);
    home.variables[0].1 = "/nonexistent".to_owned();
    let run = render(&home);
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("install sops, and check that it is on the PATH"), "{}", run.stderr);
    // One that is too old for a value from stdin is not given a key another way.
    let old = "#!/bin/sh\ncase \"$1\" in decrypt) echo '{\"encryption-key-0\": \"KEY\"}';; set) echo \"$@\" > seen; echo 'flag provided but not defined: -value-stdin' >&2; exit 1;; esac\n";
    program(&home.path().join("bin/sops"), &old.replace("KEY", KEYS[0]));
    home.variables[0].1 = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
    let run = home.run("rotate -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("flag provided but not defined: -value-stdin"), "{}", run.stderr);
    assert!(run.stderr.contains("sops must be 3.11 or newer"), "{}", run.stderr);
    assert!(home.read("seen").ends_with("[\"encryption-key-1\"]\n"), "{}", home.read("seen"));
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_written_over() {
    let mut home = with_sops("{sops: {file: keys.enc.json}}", &KEYS[..1]);
    encrypt(&home, "keys.enc.json", &format!("{{\"encryption-key-0\": \"{}\"}}", KEYS[0]));
    // Somebody else is faster, between our look and our write.
    let other = format!(
        "#!/bin/sh\n{0} \"$@\" || exit 1\nif [ \"$1\" = decrypt ] && [ ! -e done ]; then touch done; printf '\"{1}\"' | {0} set --value-stdin keys.enc.json '[\"encryption-key-1\"]'; fi\n",
        sops_binary().display(),
        KEYS[3]
    );
    program(&home.path().join("bin/sops"), &other);
    home.variables[0].1 = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
    let run = home.run("rotate -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("was changed since it was read"), "{}", run.stderr);
    home.run("rotate -e production").done();
    assert_eq!(home.delivered()[1], KEYS[3]);
}

#[test]
fn a_key_is_not_left_in_the_clear_by_what_a_file_is_told_to_encrypt() {
    let home = with_sops("{sops: {file: keys.enc.yaml}}", &KEYS[..1]);
    let mut child = Command::new(sops_binary())
        .args(["encrypt", "--age", RECIPIENT.trim(), "--encrypted-regex", "^(encryption-key-0|password)$"])
        .args(["--filename-override", "keys.enc.yaml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("encryption-key-0: {}\n", KEYS[0]).as_bytes()).unwrap();
    home.write("keys.enc.yaml", std::str::from_utf8(&child.wait_with_output().unwrap().stdout).unwrap());
    let before = home.read("keys.enc.yaml");
    let run = home.run("rotate -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("sops would leave `encryption-key-1` in the clear"), "{}", run.stderr);
    assert_eq!((home.read("keys.enc.yaml"), home.lines()), (before, 1));
}

#[test]
fn a_file_keeps_the_format_that_its_name_does_not_say() {
    let fields = "fields: {\"encryption-key-{n}\": \"LR_KEY_{n}\"}";
    let home = with_sops(&format!("{{sops: {{file: keys, format: dotenv, {fields}}}}}"), &KEYS[..1]);
    encrypt(&home, "keys.env", &format!("LR_KEY_0={}\nOTHER=x\n", KEYS[0]));
    fs::rename(home.path().join("keys.env"), home.path().join("keys")).unwrap();
    home.run("rotate -e production").done();
    assert!(home.read("keys").contains("LR_KEY_1=ENC["), "{}", home.read("keys"));
    assert_eq!(home.delivered().len(), 2);
}

/// Somebody else writes while sops is at work on our copy, which takes seconds with a cloud's key service.
#[test]
fn what_was_written_while_sops_was_at_work_stays() {
    for (under, index) in [("", "[\"colleague\"]"), (", under: lr.keys", "[\"lr\"]")] {
        let mut home = with_sops(&format!("{{sops: {{file: keys.enc.json{under}}}}}"), &[]);
        fs::remove_file(home.path().join("keyring.lock")).unwrap();
        encrypt(&home, "keys.enc.json", "{}");
        let other = format!(
            "#!/bin/sh\nif [ \"$1\" = set ] && [ ! -e done ]; then touch done; printf '{{\"keys\": {{\"encryption-key-0\": \"{1}\"}}}}' | {0} set --value-stdin keys.enc.json '{index}' || exit 1; fi\nexec {0} \"$@\"\n",
            sops_binary().display(),
            KEYS[3]
        );
        program(&home.path().join("bin/sops"), &other);
        home.variables[0].1 = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
        let secret = home::secret(&[("encryption-key-0", KEYS[0])]);
        let run = home.run_on("adopt -e production --from-file -", &secret);
        run.refused(3, "not-written");
        assert!(run.stderr.contains("was changed since it was read; nothing of ours was written"), "{}", run.stderr);
        let held = home.read("keys.enc.json");
        assert!(held.contains("colleague") || held.contains("\"lr\""), "{held}");
        assert!(!home.path().join("keyring.lock").exists());
    }
}

// --- exec ---

const ANSWER: &str =
    r#"{"apiVersion": "helm-keyring/v1", "kind": "Keys", "version": "v7", "keys": {"encryption-key-0": "@KEY@"}}"#;

fn script(home: &Home, name: &str, text: &str) {
    program(&home.path().join(name), &format!("#!/bin/sh\n{text}\n"));
}

#[test]
fn a_command_prints_keys_and_knows_what_it_is_asked_for() {
    let mut home = locked("{exec: {command: [./keys.sh, \"with space\"], variables: [STORE_TOKEN]}}", &KEYS[..1]);
    let answer = ANSWER.replace("@KEY@", KEYS[0]);
    script(
        &home,
        "keys.sh",
        &format!(
            "printf '%s' \"$HELM_KEYRING_EXEC_INFO\" > asked\necho \"$1|$STORE_TOKEN|$OTHER\" >> seen\necho '{answer}'"
        ),
    );
    for (name, value) in [("PATH", "/usr/bin:/bin"), ("STORE_TOKEN", "t0ken-of-the-store"), ("OTHER", "x")] {
        home.variables.push((name.to_owned(), value.to_owned()));
    }
    assert_eq!(home.delivered(), KEYS[..1]);
    assert_eq!(home.read("seen"), "with space|t0ken-of-the-store|\n");
    let asked: serde_json::Value = serde_json::from_str(&home.read("asked")).unwrap();
    assert_eq!(
        asked,
        serde_json::json!({
            "apiVersion": "helm-keyring/v1", "kind": "KeysRequest", "keyring": "lightrun",
            "environment": "production", "fields": ["encryption-key-{n}"],
        })
    );
    // It runs in the folder of keyring.yaml, wherever it was called from.
    fs::create_dir(home.path().join("below")).unwrap();
    fs::create_dir(home.path().join(".git")).unwrap();
    let variables: Vec<(&str, &str)> = home.variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    common::keyring(&home.path().join("below"), &["source", "test", "-e", "production"], &variables, "").done();
    assert_eq!(home.read("seen").lines().count(), 2);
    // Nothing can be written to it.
    home.run("rotate -e production").refused(2, "read-only-source");
}

// --- kubernetes ---

fn with_kubectl(home: &mut Home, cluster: &Cluster) {
    let config = home.path().join("kubeconfig");
    fs::write(&config, cluster.kubeconfig()).unwrap();
    let path = format!("{}:/usr/bin:/bin", kubectl_binary().parent().unwrap().display());
    let folder = home.path().display().to_string();
    home.variables.extend(
        [("PATH", path), ("KUBECONFIG", config.display().to_string()), ("HOME", folder)]
            .map(|(n, v)| (n.to_owned(), v)),
    );
}

#[test]
fn a_secret_of_a_cluster_is_read_through_kubectl() {
    let cluster = Cluster::start();
    put(&cluster, "obs/master-keys", &[("encryption-key-0", KEYS[0]), ("other", "\u{1}")]);
    put(&cluster, "vault/master-keys", &[("encryption-key-0", KEYS[1])]);
    let mut home = locked("{kubernetes: {secret: master-keys}}", &KEYS[..1]);
    with_kubectl(&mut home, &cluster);
    assert_eq!(home.delivered(), KEYS[..1]);
    let mut other = locked("{kubernetes: {secret: master-keys, namespace: vault}}", &KEYS[1..2]);
    with_kubectl(&mut other, &cluster);
    assert_eq!(other.delivered(), KEYS[1..2]);
    let mut missing = locked("{kubernetes: {secret: none}}", &KEYS[..1]);
    with_kubectl(&mut missing, &cluster);
    let run = render(&missing);
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("Secret none in namespace obs: kubectl failed with exit code 1: "), "{}", run.stderr);
    assert!(run.stderr.contains("(NotFound)"), "{}", run.stderr);
    home.run("rotate -e production").refused(2, "read-only-source");
}

#[test]
fn a_chart_s_own_secret_is_no_source_for_it() {
    let cluster = Cluster::start();
    put(&cluster, "obs/lr-backend", &[("encryption-key-0", KEYS[0])]);
    let mut home = locked("{kubernetes: {secret: lr-backend}}", &KEYS[..1]);
    with_kubectl(&mut home, &cluster);
    let run = render(&home);
    run.refused(2, "source-is-target");
}

// --- several ---

#[test]
fn each_field_has_a_source_of_its_own() {
    let config = "apiVersion: helm-keyring/v1\nkeyrings:\n  store:\n    profile: store.yaml\n    environments:\n      production:\n        source:\n          byField:\n            storage-key: {sops: {file: keys.enc.yaml, fields: {storage-key: now, storage-key-previous: before}}}\n            cookie-key: {env: {}}\n";
    let mut home = Home::with(config, &[("store.yaml", PAIR)]);
    home.variables = with_sops("{values: {}}", &[]).variables;
    home.variables.push(("COOKIE_KEY".to_owned(), KEYS[2].to_owned()));
    encrypt(&home, "keys.enc.yaml", &format!("now: {}\n", KEYS[0]));
    home.run("lock -e production").done();
    let status = |home: &Home| home.run("status -e production").done().stdout.clone();
    assert!(status(&home).contains("environment variables and sops file keys.enc.yaml"), "{}", status(&home));
    // A rotation goes to the store that has the field.
    home.run("rotate -e production --field storage-key").done();
    assert_eq!(home.lines(), 3);
    assert!(home.read("keys.enc.yaml").contains("before: ENC["));
    let (config, lock) = (home.read("keyring.yaml"), home.read("keyring.lock"));
    home.write(
        "keyring.yaml",
        &config
            .replace("storage-key: {sops", "cookie-key: {sops")
            .replace("cookie-key: {env", "storage-key: {env")
            .replace(", fields: {storage-key: now, storage-key-previous: before}", ", fields: {cookie-key: now}"),
    );
    fs::remove_file(home.path().join("keyring.lock")).unwrap();
    home.variables.push(("STORAGE_KEY".to_owned(), KEYS[3].to_owned()));
    home.run("lock -e production").done();
    let run = home.run("rotate -e production --field storage-key");
    run.refused(3, "source-failed");
    assert!(
        run.stderr.contains("helm-keyring cannot write to environment variables, where `storage-key` is"),
        "{}",
        run.stderr
    );
    home.write("keyring.yaml", &config);
    home.write("keyring.lock", &lock);
    home.variables.pop();
    // A failure names the field and the source.
    home.variables.pop();
    let run = home.run("source test -e production");
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("for `cookie-key`: "), "{}", run.stderr);
    // Every field has exactly one.
    let config = home.read("keyring.yaml");
    home.write("keyring.yaml", &config.replace("            cookie-key: {env: {}}\n", ""));
    let run = home.run("status -e production");
    run.refused(2, "field-without-source");
    assert!(run.stderr.contains("`byField` names no source for `cookie-key`"), "{}", run.stderr);
    home.write("keyring.yaml", &config.replace("cookie-key: {env", "cookie-kye: {env"));
    home.run("status -e production").refused(2, "no-such-field");
}

// --- source test ---

#[test]
fn an_operator_sees_where_how_fast_and_what_but_no_key() {
    let home = with_source("{exec: {command: [./keys.sh]}}");
    let answer =
        ANSWER.replace("@KEY@", KEYS[0]).replace("}}", &format!(", \"encryption-key-1\": \"{}\"}}}}", &KEYS[1][..31]));
    script(&home, "keys.sh", &format!("echo '{answer}'"));
    let run = home.run("source test -e production");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.ids(), ["no-lock", "key-length"]);
    let shown: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(shown[0], "lightrun/production");
    assert_eq!(shown[1], "  source   command ./keys.sh");
    assert_eq!(shown[2], "  version  v7");
    assert!(shown[3].starts_with("  time     ") && shown[3].ends_with(" ms"), "{}", shown[3]);
    assert!(shown[5].starts_with("  field             what it is"), "{}", shown[5]);
    assert!(shown[6].contains("44 base64 characters (32 bytes)") && shown[6].ends_with("-       ok"), "{}", shown[6]);
    assert!(shown[7].contains("31 characters") && shown[7].ends_with("refused"), "{}", shown[7]);
    for key in [&KEYS[0][4..20], &KEYS[1][4..20]] {
        assert!(!run.stdout.contains(key) && !run.stderr.contains(key));
    }
    // What is locked is known by its fingerprint.
    lock_numbered(home.path(), "lightrun/production", &KEYS[..1]);
    let run = home.run("source test -e production --stats");
    assert!(run.stdout.contains("yes     ok"), "{}", run.stdout);
    assert!(run.stderr.contains("note[stats]: 1 place fetched with 1 request"), "{}", run.stderr);
    script(&home, "keys.sh", "echo 'no such vault' >&2; exit 3");
    let run = home.run("source test -e production");
    assert_eq!(run.code, 3);
    assert!(run.stdout.ends_with("  failed\n\n"), "{}", run.stdout);
    assert!(run.stderr.contains("./keys.sh failed with exit code 3: no such vault"), "{}", run.stderr);
}

#[test]
fn a_source_can_be_given_by_hand() {
    let home = with_sops("{env: {}}", &KEYS[..1]);
    encrypt(&home, "keys.enc.yaml", &format!("encryption-key-0: {}\n", KEYS[0]));
    home.run("source test -e production --source sops=keys.enc.yaml").done();
    let run = home.run("source test -e production --source sosp=keys.enc.yaml");
    assert_eq!(run.code, 2);
}
