//! What must not slip through the key-holder's commands: each was found by trying to lose or show a key.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "common/cluster.rs"]
mod cluster;
mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cluster::Cluster;
use common::{KEYS, kubectl_binary, lock_all, program};
use home::{CONFIG, Home, PAIR, STREAM, put, secret};

/// A folder with the fixed ring `storage-key`, which has a `previous` field, and files in it.
fn pair(files: &[(&str, &str)]) -> Home {
    let profile = PAIR.split("      - name: cookie-key").next().expect("one ring");
    let home = Home::with(&CONFIG.replace("profile: lightrun", "profile: store.yaml"), &[("store.yaml", profile)]);
    for (file, key) in files {
        home.write(file, key);
    }
    home
}

fn rotated() -> Home {
    let home = pair(&[("backup/storage-key", KEYS[0])]);
    home.run("lock -e backup").done();
    home.run_on("rotate -e backup --key-file -", KEYS[1]).done();
    home
}

#[test]
fn two_configurations_with_one_store_do_not_write_over_each_other() {
    let config = |file: &str| CONFIG.replace("keys/production.sealed", file).replace("deploy.key", "../deploy.key");
    let home = Home::with(
        CONFIG,
        &[("a/keyring.yaml", &config("../s/p.sealed")), ("b/keyring.yaml", &config("../s/p.sealed"))],
    );
    home.run("sealed init -e production --config a/keyring.yaml --deploy-key-file deploy.key").done();
    home.run("sealed add -e production --config a/keyring.yaml").done();
    home.run("lock -e production --config a/keyring.yaml").done();
    fs::copy(home.path().join("a/keyring.lock"), home.path().join("b/keyring.lock")).expect("a copy");
    // Whoever holds the store's folder holds it for all.
    let held =
        helm_keyring::files::Exclusive::take(&[&home.path().join("s")]).unwrap_or_else(|error| panic!("{error}"));
    for folder in ["a", "b"] {
        home.run(&format!("rotate -e production --config {folder}/keyring.yaml")).refused(5, "files");
    }
    drop(held);
    home.run("rotate -e production --config a/keyring.yaml").done();
}

#[test]
fn a_profile_that_loses_a_field_is_refused_and_not_passed_over() {
    let home = rotated();
    let profile = home.read("store.yaml");
    home.write("store.yaml", &profile.replace("        previous: storage-key-previous\n", ""));
    for command in ["status -e backup", "lock -e backup", "rotate -e backup", "copy -e backup --to dir=staging"] {
        home.write("staging/note", "x");
        let run = home.run(command);
        assert_eq!(run.code, 4, "{command}: {}", run.stderr);
        assert!(run.stderr.contains("did the profile lose the `previous` field"), "{command}: {}", run.stderr);
    }
    home.write("store.yaml", &profile);
    home.run("status -e backup").done();
}

#[test]
fn a_fixed_ring_gets_no_more_keys_than_it_has_fields() {
    let home = pair(&[]);
    home.run("sealed init -e production --deploy-key-file deploy.key").done();
    for key in &KEYS[..2] {
        home.run_on("sealed add -e production --key-file -", key).done();
    }
    home.run_on("sealed add -e production --key-file -", KEYS[2]).refused(1, "no-field");
    home.run("lock -e production").done();
    assert_eq!(home.lines(), 2);
}

#[test]
fn a_previous_file_that_nobody_knows_is_not_written_over() {
    let both = secret(&[("storage-key-previous", KEYS[0]), ("storage-key", KEYS[1])]);
    let home = pair(&[("backup/storage-key-previous", KEYS[3])]);
    home.run_on("adopt -e backup --from-file -", &both).refused(1, "occupied");
    assert_eq!(home.read("backup/storage-key-previous"), KEYS[3]);
    // What a killed run left is completed.
    home.write("backup/storage-key-previous", KEYS[0]);
    home.run_on("adopt -e backup --from-file -", &both).done();

    let home = pair(&[("backup/storage-key", KEYS[1])]);
    home.run("lock -e backup").done();
    home.write("backup/storage-key-previous", KEYS[0]);
    let run = home.run("rotate -e backup");
    run.refused(1, "previous-in-use");
    assert_eq!(home.read("backup/storage-key-previous"), KEYS[0]);
    // The way out that the message names locks both.
    home.run("lock -e backup --keyring lightrun --forget storage-key").done();
    assert_eq!(home.lines(), 2);
}

#[test]
fn a_backup_keeps_what_it_has() {
    let home = rotated();
    home.write("staging/note", "x");
    home.run("copy -e backup --to dir=staging").done();
    home.run("lock -e backup --forget storage-key-previous").done();
    home.run_on("rotate -e backup --key-file -", KEYS[2]).done();
    home.run("copy -e backup --to dir=staging").refused(1, "occupied");
    assert_eq!(home.read("staging/storage-key-previous"), KEYS[0]);
}

#[test]
fn a_ring_that_the_profile_lost_is_not_left_out() {
    let home = Home::with(
        &CONFIG.replace("profile: lightrun", "profile: store.yaml"),
        &[("store.yaml", PAIR), ("backup/storage-key", KEYS[0]), ("backup/cookie-key", KEYS[3]), ("media/note", "x")],
    );
    home.run("lock -e backup").done();
    home.write("store.yaml", PAIR.split("      - name: cookie-key").next().expect("one ring"));
    home.run("copy -e backup --to dir=media").refused(4, "lock-mismatch");
    let live = secret(&[("storage-key", KEYS[0])]);
    home.run_on("adopt -e backup --from-file -", &live).refused(4, "lock-mismatch");
}

#[test]
fn a_copy_that_would_leave_a_key_out_is_refused_in_the_dry_run_too() {
    let home = rotated();
    home.write("staging/storage-key", KEYS[1]);
    for dry in ["", " --dry-run"] {
        home.run(&format!("copy -e backup --to dir=staging{dry}")).refused(1, "occupied");
    }
}

#[test]
fn a_released_key_cannot_come_back_as_the_active_one() {
    let home = rotated();
    home.write("backup/storage-key", KEYS[0]);
    home.write("backup/storage-key-previous", KEYS[1]);
    let before = home.read("keyring.lock");
    home.run("lock -e backup --forget storage-key-previous").refused(4, "still-in-source");
    assert_eq!(home.read("keyring.lock"), before);
}

#[test]
fn a_key_that_the_source_still_has_is_not_forgotten_in_any_order() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("backup/encryption-key-1", KEYS[1])]);
    home.run("lock -e backup").done();
    home.run("lock -e backup --forget encryption-key-1").refused(4, "still-in-source");
    let home = rotated();
    for flags in
        ["--forget storage-key --forget storage-key-previous", "--forget storage-key-previous --forget storage-key"]
    {
        let before = home.read("keyring.lock");
        home.run(&format!("lock -e backup {flags}")).refused(4, "still-in-source");
        assert_eq!(home.read("keyring.lock"), before, "{flags}");
    }
}

#[test]
fn adopt_fits_what_is_locked_already() {
    let home = rotated();
    home.run("lock -e backup --forget storage-key-previous").done();
    home.run_on("rotate -e backup --key-file -", KEYS[2]).done();
    let live = secret(&[("storage-key-previous", KEYS[1]), ("storage-key", KEYS[2])]);
    assert!(home.run_on("adopt -e backup --from-file -", &live).done().stdout.contains("nothing to write"));
    // The store is lost, and the running Secret is the only copy.
    for file in ["backup/storage-key", "backup/storage-key-previous"] {
        fs::remove_file(home.path().join(file)).expect("removed");
    }
    let before = home.read("keyring.lock");
    home.run_on("adopt -e backup --from-file -", &live).done();
    assert_eq!(home.read("keyring.lock"), before);
    home.run("status -e backup").done();
}

#[test]
fn nothing_is_written_before_the_lock_is_known_to_fit() {
    let home = Home::with(CONFIG, &[("backup/note", "x")]);
    lock_all(
        home.path(),
        "lightrun",
        &[("lightrun/backup", "encryption-key-0", 0, KEYS[0]), ("lightrun/backup", "encryption-key-0", 1, KEYS[1])],
    );
    for (live, dry) in [(KEYS[3], ""), (KEYS[3], " --dry-run"), (KEYS[0], ""), (KEYS[0], " --dry-run")] {
        let command = format!("adopt -e backup --from-file -{dry}");
        home.run_on(&command, &secret(&[("encryption-key-0", live)])).refused(4, "lock-mismatch");
        assert!(!home.path().join("backup/encryption-key-0").exists());
    }
    // A Secret that is only behind is no trouble.
    home.write("backup/encryption-key-0", KEYS[0]);
    home.write("backup/encryption-key-1", KEYS[1]);
    let behind = home.run_on("adopt -e backup --from-file -", &secret(&[("encryption-key-0", KEYS[0])]));
    assert!(behind.done().stdout.contains("nothing to write"), "{}", behind.stdout);
}

#[test]
fn copy_wants_all_keys_locked_first() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("staging/note", "x")]);
    home.run("lock -e backup").done();
    home.write("backup/encryption-key-1", KEYS[1]);
    for dry in ["", " --dry-run"] {
        home.run(&format!("copy -e backup --to dir=staging{dry}")).refused(4, "lock-behind");
    }
    assert!(!home.path().join("staging/encryption-key-0").exists());
}

#[test]
fn a_copy_leaves_the_lock_byte_for_byte() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("staging/note", "x")]);
    home.run("lock -e backup").done();
    let text = home.read("keyring.lock").replace('\n', "\r\n");
    home.write("keyring.lock", &text);
    home.run("copy -e backup --to dir=staging").done();
    assert_eq!(home.read("keyring.lock"), text);
}

#[test]
fn a_given_key_is_recognised_after_a_crash_with_its_newline() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").done();
    home.write("backup/encryption-key-1", KEYS[1]);
    home.run_on("rotate -e backup --key-file -", &format!("{}\n", KEYS[1])).done();
    assert_eq!(home.lines(), 2);
}

#[test]
fn a_newline_of_a_shell_is_no_part_of_a_new_key_whatever_the_policy() {
    let profile = PAIR.replace("        policy: {bytes: 32}\n", "");
    let home = pair(&[("backup/storage-key", "Zebra.sings+under/two=moons%at&dawn#4711")]);
    home.write("store.yaml", profile.split("      - name: cookie-key").next().expect("one ring"));
    home.run("lock -e backup").done();
    home.run_on("rotate -e backup --key-file -", "tidal-copper-9-orchard-lantern-quietly-87\n").done();
    assert_eq!(home.read("backup/storage-key"), "tidal-copper-9-orchard-lantern-quietly-87");
}

#[test]
fn sealed_init_leaves_nothing_half_done() {
    let home = Home::with(CONFIG, &[("there", "x")]);
    home.run("sealed init -e production --deploy-key-file new --recovery-key-file there").refused(5, "io");
    home.run("sealed init -e production --deploy-key-file same --recovery-key-file same").refused(5, "io");
    for file in ["new", "same", "keys/production.sealed"] {
        assert!(!home.path().join(file).exists(), "{file}");
    }
    assert_eq!(home.read("there"), "x");
}

#[test]
fn an_absurd_number_in_the_lock_is_refused() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").done();
    let text = home
        .read("keyring.lock")
        .replace("encryption-key-0", "encryption-key-4294967295")
        .replace("number: 0", "number: 4294967295");
    home.write("keyring.lock", &text);
    for command in ["status -e backup", "rotate -e backup", "lock -e backup"] {
        let run = home.run(command);
        assert!(run.code == 4 && !run.stderr.contains("error[bug]"), "{command}: {}", run.stderr);
    }
}

#[test]
fn status_names_the_key_that_is_really_active_while_a_rotation_is_pending() {
    let home = rotated();
    home.run("lock -e backup --forget storage-key-previous").done();
    home.write("backup/storage-key-previous", KEYS[1]);
    home.write("backup/storage-key", KEYS[2]);
    let run = home.run("status -e backup");
    let active = run.stdout.lines().find(|line| line.ends_with("active")).expect("an active key").to_owned();
    assert!(active.trim_start().starts_with("storage-key ") && active.contains(" 2 "), "{}", run.stdout);
}

#[test]
fn keyrings_that_share_a_source_are_told() {
    let config = CONFIG.replace(
        "keyrings:\n",
        "keyrings:\n  other: {profile: lightrun, environments: {backup: {source: {dir: {path: backup}}}}}\n",
    );
    let home = Home::with(&config, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup --keyring lightrun").done();
    let run = home.run("rotate -e backup --keyring lightrun");
    assert!(
        run.done().stderr.contains("warning[shared-source]: other/backup has the same source and fields"),
        "{}",
        run.stderr
    );
    home.run("rotate -e backup").refused(2, "keyring-not-chosen");
}

#[test]
fn a_field_that_another_ring_claims_is_not_almost_one_of_this() {
    let profile = "\
apiVersion: helm-keyring/v1
kind: Profile
name: store
secrets:
  - fields:
      - name: key-{n}
      - name: key-{n}-iv
";
    let home = pair(&[("backup/key-0", KEYS[0]), ("backup/key-0-iv", KEYS[1]), ("backup/2026-readme", "x")]);
    home.write("store.yaml", profile);
    home.run("lock -e backup").done();
    home.write("backup/key-1.bak", KEYS[2]);
    home.run("lock -e backup").refused(3, "source-failed");
}

#[test]
fn a_key_in_place_of_a_path_is_not_repeated() {
    let home = Home::sealed();
    let master = home.read("deploy.key");
    for command in [
        format!("rotate -e production --key-file {}", KEYS[0]),
        format!("status -e production --source sealed={master}"),
        format!("copy -e production --to sealed={master}"),
        format!("status -e production --master-key-file {master}"),
    ] {
        let run = home.run(&command);
        assert_ne!(run.code, 0);
        assert!(!run.stderr.contains(KEYS[0]) && !run.stderr.contains(&master), "{}", run.stderr);
    }
}

#[test]
fn a_master_key_that_others_may_read_is_warned_about() {
    let home = Home::sealed();
    fs::set_permissions(home.path().join("deploy.key"), fs::Permissions::from_mode(0o644)).expect("set");
    for command in ["status -e production", "lock -e production", "rotate -e production"] {
        let run = home.run(command);
        assert!(run.done().stderr.contains("warning[master-key-permissions]"), "{command}: {}", run.stderr);
    }
    let stream = STREAM.replace("@KEY@", "made-up-by-the-chart");
    assert!(home.run_on("render -e production", &stream).done().stderr.contains("warning[master-key-permissions]"));
}

#[test]
fn a_dry_run_writes_nothing_not_even_where_it_may_not() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").done();
    let names = || {
        let all = fs::read_dir(home.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        all.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    let held = helm_keyring::files::Exclusive::take(&[home.path()]).unwrap_or_else(|error| panic!("{error}"));
    home.run("rotate -e backup --dry-run").done();
    home.run("rotate -e backup").refused(5, "files");
    drop(held);
    assert_eq!(names(), before);
}

#[test]
fn a_key_that_stands_twice_in_a_ring_is_not_locked() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0]), ("backup/encryption-key-1", KEYS[0])]);
    home.run("lock -e backup").refused(1, "reused-key");
}

#[test]
fn a_copy_that_waits_to_be_locked_is_not_locked_by_rotate_either() {
    let home = Home::with(CONFIG, &[("backup/encryption-key-0", KEYS[0])]);
    home.run("lock -e backup").done();
    let before = home.read("keyring.lock");
    home.write("backup/encryption-key-1", KEYS[0]);
    home.run("rotate -e backup").refused(1, "reused-key");
    assert_eq!(home.read("keyring.lock"), before);
}

#[test]
fn what_runs_is_compared_by_field_and_by_spelling() {
    let mut home = Home::with(CONFIG, &[("staging/encryption-key-0", KEYS[0]), ("staging/encryption-key-1", KEYS[1])]);
    home.run("lock -e staging").done();
    let api = Cluster::start();
    put(&api, "default/lr", &[]);
    home.write("kubeconfig", &api.kubeconfig());
    home.variables =
        cluster::variables(home.path(), &kubectl_binary()).map(|(name, text)| (name.to_owned(), text)).to_vec();
    let hex = "88b2c9dd71dbd480ccf0f1f81d8c9341f2a84f34693ec158b6bcd23cbee7e55c";
    for (live, code) in [
        (vec![("encryption-key-0", KEYS[0]), ("encryption-key-1", KEYS[1])], 0),
        (vec![("encryption-key-0", KEYS[0])], 0),
        (vec![("encryption-key-0", hex), ("encryption-key-1", KEYS[1])], 1),
        (vec![("encryption-key-0", KEYS[1]), ("encryption-key-1", KEYS[0])], 1),
        (vec![("encryption-key-0", KEYS[0]), ("encryption-key-1", KEYS[1]), ("encryption-key-2", KEYS[2])], 1),
    ] {
        put(&api, "default/lr", &live);
        let run = home.run("status -e staging --live --secret lr");
        assert_eq!(run.code, code, "{live:?}: {}", run.stderr);
    }
    // From what runs, only keys that the lock knows are delivered.
    let stream = STREAM.replace("@KEY@", "made-up-by-the-chart").replace("lr-backend", "lr");
    let run = home.run_on("render -e staging --source live", &stream);
    run.refused(4, "lock-behind");
}

/// What kubectl leaves running may hold its pipes open. The kubectl is one of ours here: no real one does that at will.
#[test]
fn kubectl_that_leaves_something_running_does_not_hang_the_run() {
    let mut home = Home::with(CONFIG, &[("staging/encryption-key-0", KEYS[0])]);
    home.run("lock -e staging").done();
    let live = secret(&[("encryption-key-0", KEYS[0])]);
    let kubectl = home.path().join("bin/kubectl");
    program(&kubectl, &format!("#!/bin/sh\nsleep 300 >/dev/null 2>&1 &\nprintf '%s' '{live}'\n"));
    home.variables.push(("PATH".to_owned(), format!("{}:/usr/bin:/bin", home.path().join("bin").display())));
    home.run("status -e staging --live --secret lr").done();
    program(&kubectl, &format!("#!/bin/sh\nsleep 300 &\nprintf '%s' '{live}'\n"));
    home.run("status -e staging --live --secret lr").done();
    // What has left its group cannot be ended, and is not waited for.
    let left = "setsid sh -c 'echo >left; exec sleep 15' &\nwhile ! [ -e left ]; do sleep 0.02; done";
    program(&kubectl, &format!("#!/bin/sh\n{left}\nprintf '%s' '{live}'\n"));
    let run = home.run("status -e staging --live --secret lr");
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains("kubectl ended, but something that it started keeps its output open"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_was_done_is_said_even_if_stdout_is_full() {
    let home = Home::sealed();
    let run = |command: &str| {
        let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let mut tool = std::process::Command::new(env!("CARGO_BIN_EXE_helm-keyring"));
        let output =
            tool.args(command.split(' ')).current_dir(home.path()).env_clear().stdout(full).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, words) = run("rotate -e production");
    assert_eq!(code, Some(5));
    assert!(words.contains("keys/production.sealed and keyring.lock written, all is done"), "{words}");
    assert_eq!(home.lines(), 2);
    // A master key that nobody saw opens nothing.
    let before = home.read("keys/production.sealed");
    assert_eq!(run("sealed recipient add -e production ci").0, Some(5));
    assert_eq!(home.read("keys/production.sealed"), before);
}
