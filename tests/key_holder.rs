//! The key-holder's commands, as a user types them: sealed, lock, rotate, adopt, copy, status, keygen.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::Cluster;
use common::{HELMS, KEYS, chart, ci, helm_template, json, kubectl_binary, object};
use home::{CONFIG, Home, PAIR, STREAM, keys_in, put, secret};

// --- the whole way ---

/// A chart that made its key up in the cluster, on its way to GitOps.
#[test]
fn from_a_generated_key_to_two_keys_that_the_lock_proves() {
    for helm in HELMS {
        let home = Home::new();
        home.run("sealed init -e production --deploy-key-file deploy.key --recovery-key-file recovery.key").done();
        // What the cluster has: a key that this chart once generated.
        let values = ci("lightrun", "values-empty.yaml");
        let render = || helm_template(helm, &["lr", &chart("lightrun"), "-n", "obs", "-f", &values]);
        let in_cluster = json(object(&render(), "Secret", "lr-backend"))["stringData"]["encryption-key-0"]
            .as_str()
            .expect("the chart's own key")
            .to_owned();
        let through = |args: &str| home.run_on(format!("render -e production {args}").trim_end(), &render());
        through("").refused(4, "no-lock");

        let adopted = home.run_on(
            "adopt -e production --from-file -",
            &secret(&[("encryption-key-0", &in_cluster), ("LICENSE_SIGNATURE", "x")]),
        );
        assert!(adopted.done().stdout.contains("adopted: encryption-key-0"), "{}", adopted.stdout);
        assert!(adopted.stdout.contains("Take secrets.keysEncryption.userEncryptionKey out of the values"));
        home.run("check -e production --with-source").done();
        home.run("status -e production").done();
        assert_eq!(
            keys_in(&through(&format!("-f {values}")).done().stdout),
            std::slice::from_ref(&in_cluster),
            "{helm}"
        );

        home.run("rotate -e production").done();
        let rotated = through("");
        let keys = keys_in(&rotated.done().stdout);
        assert_eq!((keys.len(), &keys[0]), (2, &in_cluster), "{helm}");
        for consumer in ["lr-backend", "lr-crons"] {
            let deployment = object(&rotated.stdout, "Deployment", consumer);
            assert_eq!(deployment.matches("- key: encryption-key-").count(), 2, "{helm} {consumer}");
        }
        assert_eq!(rotated.stderr, "");
        assert_eq!(home.lines(), 2);
        home.run("check -e production --with-source").done();

        // The lock proves it: of any other keys nothing is delivered.
        home.write("keys/encryption-key-0", &keys[1]);
        home.write("keys/encryption-key-1", &keys[0]);
        let swapped = through("--source dir=keys");
        swapped.refused(4, "lock-mismatch");
        assert!(swapped.stderr.contains("are swapped"), "{}", swapped.stderr);
    }
}

// --- sealed ---

#[test]
fn master_keys_are_shown_once_or_written_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let shown = home.run("sealed init -e production");
    let lines: Vec<&str> = shown.done().stdout.lines().collect();
    assert!(lines[0].starts_with("deploy    hkm1_") && lines[1].starts_with("recovery  hkm1_"), "{}", shown.stdout);
    assert!(!shown.stderr.contains("hkm1_"));
    let file = home.read("keys/production.sealed");
    home.run("sealed init -e production").refused(2, "already-there");
    assert_eq!(home.read("keys/production.sealed"), file);

    let home = Home::sealed();
    for name in ["deploy.key", "recovery.key", "keys/production.sealed", "keyring.lock"] {
        let mode = fs::metadata(home.path().join(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    // each opens it, and neither a third nor a passphrase does
    let with = |key: &str| home.run(&format!("status -e production --master-key-file {key}"));
    with("deploy.key").done();
    with("recovery.key").done();
    home.write("passphrase", "correct horse battery staple");
    with("passphrase").refused(3, "source-failed");
    home.run("sealed recipient add -e production ci --recipient-key-file passphrase").refused(3, "sealed-file");
}

#[test]
fn adding_a_key_leaves_every_other_line_but_the_end() {
    let home = Home::sealed();
    let before = home.read("keys/production.sealed");
    home.run("rotate -e production").done();
    let after = home.read("keys/production.sealed");
    let kept = before.lines().count() - 1;
    assert!(before.lines().take(kept).eq(after.lines().take(kept)));
    assert_eq!(after.lines().count(), kept + 2);
}

#[test]
fn the_variable_opens_it_too_and_a_wrong_master_key_is_told() {
    let mut home = Home::sealed();
    let master = home.read("deploy.key");
    fs::remove_file(home.path().join("deploy.key")).expect("removed");
    assert!(home.run("status -e production").refused(3, "source-failed").stderr.contains("deploy.key cannot be read"));
    home.variables.push(("HELM_KEYRING_MASTER_KEY".to_owned(), master));
    home.run("status -e production").done();
    let other = Home::sealed();
    home.variables[0].1 = other.read("deploy.key");
    let run = home.run("status -e production");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("wrong master key") && !run.stderr.contains("hkm1_"), "{}", run.stderr);
    let changed = home.read("keys/production.sealed").replace("env production", "env staging");
    home.write("keys/production.sealed", &changed);
    assert!(home.run("status -e production").stderr.contains("sealed for environment staging, not for production"));
}

#[test]
fn recipients_come_and_go_and_rekey_changes_every_line() {
    let home = Home::sealed();
    let keys = home.delivered();
    let shown = home.run("sealed recipient add -e production ci");
    let master =
        shown.done().stdout.lines().next().expect("a line").split_whitespace().nth(1).expect("a key").to_owned();
    home.write("ci.key", &master);
    home.run("status -e production --master-key-file ci.key").done();
    home.run("sealed recipient add -e production ci").refused(3, "sealed-file");
    assert!(home.run("sealed recipient remove -e production ci").done().stderr.contains("warning[still-readable]"));
    home.run("status -e production --master-key-file ci.key").refused(3, "source-failed");

    let before = home.read("keys/production.sealed");
    home.run("sealed rekey -e production").refused(3, "sealed-file");
    assert_eq!(home.read("keys/production.sealed"), before);
    let run = home.run("sealed rekey -e production --recipient-key-file recovery.key");
    assert!(run.done().stderr.contains("does not un-leak"), "{}", run.stderr);
    let after = home.read("keys/production.sealed");
    assert!(before.lines().skip(1).zip(after.lines().skip(1)).all(|(old, new)| old != new));
    assert_eq!(home.delivered(), keys);
}

#[test]
fn known_keys_are_sealed_in_their_order_before_anything_is_locked() {
    let home = Home::new();
    home.run("sealed init -e production --deploy-key-file deploy.key").done();
    for key in &KEYS[..2] {
        let add = "sealed add -e production --field encryption-key-0 --key-file -";
        home.run_on(add, &format!("{key}\n")).done();
    }
    home.run_on("sealed add -e production --field encryption-key-0 --key-file -", KEYS[0]).refused(1, "reused-key");
    home.run_on("sealed add -e production --field encryption-key-0 --key-file -", "short").refused(1, "key-length");
    home.run("lock -e production").done();
    assert_eq!(home.delivered(), &KEYS[..2]);
    home.run("sealed add -e production --field encryption-key-0").refused(4, "has-keys");
    home.run("sealed add -e production").refused(1, "has-keys");
}

// --- lock ---

#[test]
fn lock_only_ever_adds_lines() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    let first = home.run("lock -e backup");
    assert!(first.done().stdout.contains("lightrun/backup: locked encryption-key-0 base64"), "{}", first.stdout);
    let text = home.read("keyring.lock");
    assert!(home.run("lock -e backup").done().stdout.contains("1 key in folder backup, nothing to add"));
    assert_eq!(home.read("keyring.lock"), text);
    home.write("backup/encryption-key-1", KEYS[1]);
    home.run("lock -e backup").done();
    assert!(text.lines().all(|line| home.read("keyring.lock").contains(line)));
    home.write("backup/encryption-key-0", KEYS[2]);
    let before = home.read("keyring.lock");
    home.run("lock -e backup").refused(4, "lock-mismatch");
    home.write("backup/encryption-key-0", "0123456789abcdef0123456789abcdef");
    home.run("lock -e backup").refused(4, "lock-mismatch");
    assert_eq!(home.read("keyring.lock"), before);
}

#[test]
fn a_new_key_must_be_fit_to_be_locked_and_reuse_shows() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", "too short"), ("staging/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").refused(1, "key-length");
    assert!(!home.path().join("keyring.lock").exists());
    home.run("lock -e staging").done();
    home.write("backup/encryption-key-0", KEYS[0]);
    let run = home.run("lock -e backup");
    assert!(run.done().stderr.contains("warning[reused-key]: `encryption-key-0` of lightrun/backup is the same key as `encryption-key-0` of lightrun/staging"), "{}", run.stderr);
}

#[test]
fn a_line_goes_only_if_its_field_is_typed_out() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("backup/encryption-key-1", KEYS[1])]);
    home.run("lock -e backup").done();
    home.write("backup/encryption-key-0", KEYS[2]);
    home.run("lock -e backup").refused(4, "lock-mismatch");
    let run = home.run("lock -e backup --forget encryption-key-0");
    assert!(run.done().stdout.contains("forgot encryption-key-0") && run.stdout.contains("locked encryption-key-0"));
    assert_eq!(home.lines(), 2);
    assert!(
        home.run("lock -e backup --forget encryption-key-7")
            .refused(2, "no-such-field")
            .stderr
            .contains("the lock has")
    );
    // a locked key in the middle cannot be forgotten while the source lacks it
    fs::remove_file(home.path().join("backup/encryption-key-0")).expect("removed");
    let before = home.read("keyring.lock");
    let run = home.run("lock -e backup --forget encryption-key-0");
    assert_eq!((run.code, run.stdout.as_str(), home.read("keyring.lock")), (4, "", before), "{}", run.stderr);
}

/// Runs git in a user's folder, with no settings but these.
fn git(home: &Home, command: &str) {
    let settings = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"];
    let mut git = std::process::Command::new("git");
    git.args(settings).args(command.split(' ')).current_dir(home.path());
    // Not the user's own: neither its settings, nor the repository that a hook runs for.
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    git.env("HOME", home.path()).env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn check_sees_what_the_lock_lost_since_a_commit() {
    let mut home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.variables.push(("PATH".to_owned(), std::env::var("PATH").expect("PATH")));
    home.run("check --since main").refused(2, "no-revision");
    git(&home, "init -q");
    git(&home, "add keyring.yaml");
    git(&home, "commit -q -m none");
    home.run("lock -e backup").done();
    home.run("check --since main").done();
    git(&home, "add keyring.lock");
    git(&home, "commit -q -m one");
    home.run("rotate -e backup").done();
    assert!(home.run("check --since main").done().stdout.contains("since main: 1 more"));
    home.run("check --since nothing").refused(2, "no-revision");
    home.run("check --since --all").refused(2, "usage");
    let text = home.read("keyring.lock");
    home.write("keyring.lock", &text.replace("spelling: base64", "spelling: hex-lower"));
    home.run("check --since main").reported(4, "lock-line-changed");
    home.write("keyring.lock", &text.replace("salt: ", "salt: \"0").replacen("0\n", "\"\n", 1));
    assert_eq!(home.run("check --since main").code, 4);
    fs::remove_file(home.path().join("keyring.lock")).expect("removed");
    home.run("check --since main").reported(4, "lock-line-lost");
}

#[test]
fn check_with_the_source_wants_every_key_locked() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("check").done();
    home.run("check -e backup --with-source").reported(4, "no-lock");
    home.run("lock -e backup").done();
    assert!(home.run("check -e backup --with-source").done().stdout.contains("compared with folder backup"));
    home.write("backup/encryption-key-1", KEYS[1]);
    home.run("check -e backup --with-source").reported(4, "lock-behind");
    home.write("backup/encryption-key-0", KEYS[2]);
    home.run("check -e backup --with-source").reported(4, "lock-mismatch");
}

// --- rotate ---

#[test]
fn rotate_shows_what_it_does_and_a_dry_run_does_nothing() {
    let home = Home::sealed();
    let files = ["keys/production.sealed", "keyring.lock"];
    let before = files.map(|file| home.read(file));
    let dry = home.run("rotate -e production --dry-run");
    assert!(dry.done().stdout.contains("encryption-key-1  base64    (made then)"), "{}", dry.stdout);
    assert_eq!(files.map(|file| home.read(file)), before);
    let run = home.run("rotate -e production");
    for words in [
        "stays; was active",
        "new: active as soon as",
        "cannot read what the new ones write",
        "argocd app get APP --hard-refresh",
    ] {
        assert!(run.done().stdout.contains(words), "{words} not in:\n{}", run.stdout);
    }
    assert_eq!(home.delivered().len(), 2);
}

#[test]
fn rotate_takes_a_given_key_and_refuses_one_that_is_known_or_weak() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("staging/encryption-key-0", KEYS[3])]);
    home.run("lock -e backup").done();
    home.run("lock -e staging").done();
    let hex: String = STANDARD.decode(KEYS[0]).expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
    let raw = "rotate -e backup --key-file -";
    for (key, id) in [
        (KEYS[0], "reused-key"),
        (KEYS[3], "reused-key"),
        ("0123456789abcdef0123456789abcdef", "weak-key"),
        ("ref+vault://secret/app#/key", "unresolved-reference"),
        (hex.as_str(), "key-length"),
        ("", "key-length"),
    ] {
        let run = home.run_on(raw, key);
        run.refused(1, id);
        assert!(!run.stderr.contains(key) || key.is_empty());
    }
    assert!(!home.path().join("backup/encryption-key-1").exists());
    home.run_on(raw, &format!("{}\n", KEYS[1])).done();
    assert_eq!(home.read("backup/encryption-key-1"), KEYS[1]);
}

#[test]
fn rotate_refuses_what_it_cannot_do_safely() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("rotate -e backup").refused(4, "no-lock");
    home.run("lock -e backup").done();
    home.write("backup/encryption-key-0", KEYS[1]);
    home.run("rotate -e backup").refused(4, "lock-mismatch");
    home.write("backup/encryption-key-0", KEYS[0]);
    home.write("backup/encryption-key-2", KEYS[2]);
    home.run("rotate -e backup").refused(3, "broken-keyring");
    let mut home = Home::new();
    home.variables.push(("ENCRYPTION_KEY_0".to_owned(), KEYS[0].to_owned()));
    home.run("lock -e elsewhere").done();
    let run = home.run("rotate -e elsewhere");
    run.refused(2, "read-only-source");
    assert!(run.stderr.contains("helm-keyring keygen"), "{}", run.stderr);
}

#[test]
fn a_rotation_that_was_ended_before_the_lock_is_completed_with_the_same_key() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").done();
    home.write("backup/encryption-key-1", KEYS[1]);
    home.run_on("rotate -e backup --key-file -", KEYS[2]).refused(4, "pending-key");
    let run = home.run("rotate -e backup");
    assert!(run.done().stdout.contains("Only this is locked; no other key is added."), "{}", run.stdout);
    assert!(!home.path().join("backup/encryption-key-2").exists());
    assert_eq!(home.lines(), 2);
}

#[test]
fn a_fixed_field_keeps_its_old_key_in_previous_and_is_not_rotated_twice() {
    let dir = CONFIG.replace("profile: lightrun", "profile: store.yaml");
    let files = [("store.yaml", PAIR), ("backup/storage-key", KEYS[0]), ("backup/cookie-key", KEYS[3])];
    let home = Home::with(&dir, &files);
    home.run("lock -e backup").done();
    home.run("rotate -e backup").refused(2, "ring-not-chosen");
    home.run("rotate -e backup --field cookie-key").refused(1, "no-previous");
    home.run_on("rotate -e backup --field storage-key --key-file -", KEYS[1]).done();
    assert_eq!(
        (home.read("backup/storage-key-previous").as_str(), home.read("backup/storage-key").as_str()),
        (KEYS[0], KEYS[1])
    );
    let twice = home.run_on("rotate -e backup --field storage-key --key-file -", KEYS[2]);
    twice.refused(1, "previous-in-use");
    assert!(
        twice.stderr.contains("lock -e backup --keyring lightrun --forget storage-key-previous"),
        "{}",
        twice.stderr
    );
    home.run("lock -e backup --forget storage-key-previous").done();
    home.run_on("rotate -e backup --field storage-key --key-file -", KEYS[2]).done();
    assert_eq!(
        (home.read("backup/storage-key-previous").as_str(), home.read("backup/storage-key").as_str()),
        (KEYS[1], KEYS[2])
    );
    home.run("status -e backup").done();
}

// --- adopt ---

#[test]
fn adopt_takes_keys_exactly_as_they_are_and_warns() {
    let home = Home::new();
    home.run("sealed init -e production --deploy-key-file deploy.key").done();
    let odd = ["short", "line\n", "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw"];
    let live = secret(&[("encryption-key-0", odd[0]), ("encryption-key-1", odd[1]), ("encryption-key-2", odd[2])]);
    let dry = home.run_on("adopt -e production --from-file - --dry-run", &live);
    assert!(dry.done().stdout.contains("dry run") && !home.path().join("keyring.lock").exists());
    let run = home.run_on("adopt -e production --from-file -", &live);
    assert_eq!(run.done().stderr.matches("warning[key-length]").count(), 3, "{}", run.stderr);
    assert!(home.read("keyring.lock").contains("spelling: text+newline"));
    assert_eq!(home.delivered(), odd);
    // once more changes nothing
    let files = [home.read("keyring.lock"), home.read("keys/production.sealed")];
    assert!(home.run_on("adopt -e production --from-file -", &live).done().stdout.contains("nothing to write"));
    assert_eq!([home.read("keyring.lock"), home.read("keys/production.sealed")], files);
}

#[test]
fn adopt_never_writes_over_a_key_and_never_leaves_one_out() {
    let home = Home::sealed();
    let files = || [home.read("keyring.lock"), home.read("keys/production.sealed")];
    let before = files();
    let adopt = |live: &str| home.run_on("adopt -e production --from-file -", live);
    adopt(&secret(&[("encryption-key-0", "a"), ("encryption-key-2", "b")])).refused(4, "lock-mismatch");
    let other = adopt(&secret(&[("encryption-key-0", KEYS[0])]));
    other.refused(4, "lock-mismatch");
    assert!(other.stderr.contains("does not hold the locked keys") && !other.stderr.contains("--forget"));
    adopt(&secret(&[("encryption-key-1", KEYS[0])])).refused(4, "lock-mismatch");
    adopt(&secret(&[("encryption-key-0", KEYS[0]), ("encryption-key-01", KEYS[1])])).refused(3, "source-failed");
    adopt(&secret(&[("other", "x")])).refused(1, "no-keys");
    adopt("kind: [").refused(3, "source-failed");
    assert_eq!(files(), before);
    // nothing is locked yet, but the store has another key
    fs::remove_file(home.path().join("keyring.lock")).expect("removed");
    home.run_on("adopt -e production --from-file -", &secret(&[("encryption-key-0", KEYS[0])])).refused(1, "occupied");
    assert_eq!(home.read("keys/production.sealed"), before[1]);
}

#[test]
fn adopt_and_status_read_the_running_secret_through_kubectl() {
    let mut home = Home::new();
    let api = Cluster::start();
    put(&api, "obs/lr-backend", &[("encryption-key-0", KEYS[0]), ("LICENSE_SIGNATURE", "x")]);
    home.write("kubeconfig", &api.kubeconfig());
    home.variables =
        cluster::variables(home.path(), &kubectl_binary()).map(|(name, text)| (name.to_owned(), text)).to_vec();
    home.run("sealed init -e production --deploy-key-file deploy.key").done();
    home.run("adopt -e production").refused(2, "no-secret-name");
    let missing = home.run("adopt -e production --secret lr-backnd");
    missing.refused(3, "source-failed");
    assert!(missing.stderr.contains("secrets \"lr-backnd\" not found"), "{}", missing.stderr);
    home.run("adopt -e production --secret lr-backend").done();
    let status = home.run("status -e production --live --secret lr-backend");
    assert!(status.done().stdout.contains("encryption-key-0  0       base64    256 bits"), "{}", status.stdout);
    home.run("rotate -e production").done();
    assert!(home.run("status -e production --live --secret lr-backend").done().stderr.contains("note[live-behind]"));

    // The store is down: what runs, and only if the lock knows it.
    let stream = STREAM.replace("@KEY@", "made-up-by-the-chart");
    let both = home.delivered();
    home.run_on("render -e production --source live", &stream).refused(4, "lock-mismatch");
    put(&api, "obs/lr-backend", &[("encryption-key-0", &both[0]), ("encryption-key-1", &both[1])]);
    assert_eq!(keys_in(&home.run_on("render -e production --source live", &stream).done().stdout), both);
    home.variables.push(("HELM_KEYRING_SOURCE".to_owned(), "live".to_owned()));
    home.run_on("render -e production", &stream).refused(2, "live-by-habit");
    home.variables.pop();

    put(&api, "obs/lr-backend", &[("encryption-key-0", KEYS[1])]);
    let other = home.run("status -e production --live --secret lr-backend");
    assert_eq!(other.code, 1, "{}", other.stderr);
    assert!(other.stderr.contains("error[live-differs]"), "{}", other.stderr);
}

#[test]
fn without_kubectl_it_says_so() {
    let mut home = Home::sealed();
    home.variables.push(("PATH".to_owned(), "/nonexistent".to_owned()));
    let run = home.run("status -e production --live --secret lr-backend");
    run.refused(3, "source-failed");
    assert!(run.stderr.contains("kubectl cannot be run"), "{}", run.stderr);
}

// --- copy and status ---

#[test]
fn copy_moves_all_keys_and_a_restore_gives_the_same() {
    let home = Home::sealed();
    home.run("rotate -e production").done();
    let keys = home.delivered();
    home.write("media/note", "x");
    let copy = home.run("copy -e production --to dir=media");
    assert!(copy.done().stdout.contains("checked against keyring.lock"), "{}", copy.stdout);
    assert_eq!([home.read("media/encryption-key-0"), home.read("media/encryption-key-1")], keys[..]);
    assert!(home.run("copy -e production --to dir=media").done().stdout.contains("nothing to write"));

    // The drill: the sealed file is gone.
    fs::remove_file(home.path().join("keys/production.sealed")).expect("removed");
    home.run("sealed init -e production --master-key-file deploy.key --deploy-key-file new.key").done();
    let config = home.read("keyring.yaml").replace("deploy.key", "new.key");
    home.write("keyring.yaml", &config);
    home.run("copy -e production --from dir=media --to sealed=keys/production.sealed --master-key-file new.key").done();
    assert_eq!(home.delivered(), keys);

    home.write("media/encryption-key-1", KEYS[0]);
    let lock = home.read("keyring.lock");
    home.run("copy -e production --from dir=media --to dir=other").refused(5, "files");
    home.write("other/note", "x");
    home.run("copy -e production --from dir=media --to dir=other").refused(4, "lock-mismatch");
    home.run("copy -e production --to dir=media").refused(1, "occupied");
    assert_eq!((home.read("media/encryption-key-1").as_str(), home.read("keyring.lock")), (KEYS[0], lock));
}

#[test]
fn status_shows_where_every_key_is_and_what_is_wrong() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("backup/encryption-key-1", KEYS[1])]);
    let unlocked = home.run("status -e backup");
    assert_eq!((unlocked.code, unlocked.ids()), (4, vec!["no-lock".to_owned()]), "{}", unlocked.stderr);
    home.run("lock -e backup").done();
    let stream = STREAM.replace("@KEY@", "made-up-by-the-chart");
    let rendered = home.run_on("render -e backup", &stream).stdout;
    let table = home.run_on("status -e backup --manifests -", &rendered);
    let fingerprint = |field: &str| {
        let lock = home.read("keyring.lock");
        let line = lock.lines().find(|line| line.contains(field)).expect("a line").to_owned();
        line.split("fingerprint: ").nth(1).expect("a fingerprint")[..8].to_owned()
    };
    let expected = format!(
        "lightrun/backup, folder backup

  encryption-key-{{n}}
    field             number  spelling  strength  fingerprint  source  lock  mounted by
    encryption-key-0  0       base64    256 bits  {}     yes     yes   Deployment/lr-backend
    encryption-key-1  1       base64    256 bits  {}     yes     yes   Deployment/lr-backend  active

",
        fingerprint("encryption-key-0"),
        fingerprint("encryption-key-1")
    );
    assert_eq!(table.done().stdout, expected);

    fs::remove_file(home.path().join("backup/encryption-key-1")).expect("removed");
    let run = home.run("status -e backup --format json");
    assert_eq!(run.code, 4);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let key = &report["keyrings"][0]["rings"][0]["keys"][1];
    assert_eq!(
        (&key["field"], &key["source"], &key["lock"]),
        (&"encryption-key-1".into(), &false.into(), &true.into())
    );
    assert_eq!(report["findings"][0]["id"], "lock-mismatch");
}

// --- keygen ---

#[test]
fn keygen_makes_a_key_that_the_profile_takes() {
    let home = Home::new();
    let key = home.run("keygen").done().stdout.clone();
    assert_eq!((key.len(), STANDARD.decode(&key).expect("base64").len()), (44, 32));
    assert_ne!(home.run("keygen").stdout, key);
    assert_eq!(home.run("keygen --profile lightrun --spelling hex").refused(2, "no-new-key").stdout, "");
    assert_eq!(home.run("keygen --spelling hex").done().stdout.len(), 64);
    assert!(home.run("keygen --profile devmesh").done().stdout.len() >= 32);
    home.write("store.yaml", PAIR);
    home.run("keygen --profile store.yaml").refused(2, "ring-not-chosen");
    home.run("keygen --profile store.yaml --field storage-key").done();
}
