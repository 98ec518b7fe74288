//! When are keys delivered: every row of the table in `docs/render.md`, and what must hold beside it.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use common::{KEYS, Run, folder, json, keyring, lock_numbered, object};

const STREAM: &str = include_str!("../testdata/streams/lightrun-small.yaml");

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {source: {dir: {path: keys}}}
      trial: {source: {values: {}}}
      injected: {source: {values: {injected: true}}}
      play: {mode: dev}
";

/// The small stream with this key in it, as the chart prints it.
fn stream(key: &str) -> String {
    STREAM.replace("@KEY@", key)
}

/// What is given to a run beside the stream.
#[derive(Default)]
struct Given<'g> {
    keys: &'g [&'g str],
    values: Option<&'g str>,
    args: &'g [&'g str],
    variables: &'g [(&'g str, &'g str)],
    stream: Option<String>,
    /// Whether there is no lock; else it has the first key, as it is.
    unlocked: bool,
}

fn run(environment: &str, given: &Given<'_>) -> Run {
    let folder = folder(&[("keyring.yaml", CONFIG), ("keys/other", "x")]);
    for (number, key) in given.keys.iter().enumerate() {
        std::fs::write(folder.path().join(format!("keys/encryption-key-{number}")), key).expect("a key");
    }
    if let Some(first) = given.keys.first().filter(|_| !given.unlocked) {
        lock_numbered(folder.path(), "lightrun/production", &[first]);
    }
    let mut args = vec!["render", "-e", environment];
    if let Some(values) = given.values {
        std::fs::write(folder.path().join("values.yaml"), values).expect("values");
        args.extend(["-f", "values.yaml"]);
    }
    args.extend(given.args);
    let input = given.stream.clone().unwrap_or_else(|| stream(KEYS[3]));
    keyring(folder.path(), &args, given.variables, &input)
}

fn user_key(key: &str) -> String {
    format!("secrets: {{keysEncryption: {{userEncryptionKey: {key}}}}}\n")
}

/// The key texts in the Secret's `data`, by field.
fn delivered(run: &Run) -> Vec<(String, String)> {
    let secret = json(object(&run.stdout, "Secret", "lr-backend"));
    assert!(secret["stringData"].get("encryption-key-0").is_none(), "the chart's own entry is still there");
    let data = secret["data"].as_object().expect("data").clone();
    let text =
        |value: &serde_json::Value| String::from_utf8(base64_decoded(value.as_str().expect("text"))).expect("UTF-8");
    data.iter().map(|(field, value)| (field.clone(), text(value))).collect()
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

fn numbered(keys: &[&str]) -> Vec<(String, String)> {
    keys.iter().enumerate().map(|(n, key)| (format!("encryption-key-{n}"), (*key).to_owned())).collect()
}

#[test]
fn values_known_and_fitting_are_delivered_as_they_are() {
    let values = user_key(KEYS[1]);
    let run = run("trial", &Given { values: Some(&values), stream: Some(stream(KEYS[1])), ..Given::default() });
    assert_eq!(delivered(run.done()), numbered(&[KEYS[1]]));
}

#[test]
fn values_known_and_empty_are_refused_with_file_and_line() {
    for values in [
        "secrets:\n  keysEncryption:\n    userEncryptionKey: \"\"\n",
        "secrets:\n  keysEncryption:\n    userEncryptionKey:\n",
        "a: 1\n",
    ] {
        let run = run("trial", &Given { values: Some(values), ..Given::default() });
        run.refused(1, "auto-generated-key");
        assert_eq!(run.stderr.contains("--> values.yaml:3:"), values.len() > 6, "{}", run.stderr);
    }
}

#[test]
fn an_injected_key_must_be_there_at_the_render() {
    run("injected", &Given { values: Some("a: 1\n"), ..Given::default() }).refused(1, "auto-generated-key");
}

#[test]
fn values_unknown_are_an_error_of_usage() {
    run("trial", &Given::default()).refused(2, "unknown-values");
    run("trial", &Given { args: &["-f", "https://example.invalid/values.yaml"], ..Given::default() })
        .refused(2, "unknown-values");
    run("trial", &Given { args: &["-f", "-"], ..Given::default() }).refused(2, "unknown-values");
}

#[test]
fn values_that_are_not_those_of_the_stream_are_refused() {
    let values = user_key(KEYS[1]);
    run("trial", &Given { values: Some(&values), ..Given::default() }).refused(1, "key-conflict");
}

#[test]
fn a_user_key_that_is_no_text_is_refused() {
    let cases =
        [("12345678901234567890123456789012", "unsafe-scalar"), ("yes", "unsafe-scalar"), ("[a]", "wrong-type")];
    for (value, id) in cases {
        let values = user_key(value);
        run("trial", &Given { values: Some(&values), ..Given::default() }).refused(1, id);
    }
}

#[test]
fn an_external_source_without_a_lock_is_refused() {
    let run = run("production", &Given { keys: &KEYS[..1], unlocked: true, ..Given::default() });
    run.refused(4, "no-lock");
    for words in ["new installation: `helm-keyring lock -e production`", "already running: `helm-keyring adopt"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn all_keys_of_the_source_are_delivered_and_mounted() {
    let run = run("production", &Given { keys: &KEYS[..3], ..Given::default() });
    assert_eq!(delivered(run.done()), numbered(&KEYS[..3]));
    let deployment = json(object(&run.stdout, "Deployment", "lr-backend"));
    let items = &deployment["spec"]["template"]["spec"]["volumes"][0]["secret"]["items"];
    let names: Vec<&str> =
        items.as_array().expect("items").iter().map(|item| item["path"].as_str().expect("a path")).collect();
    assert_eq!(names, ["encryption-key-0", "encryption-key-1", "encryption-key-2"]);
}

#[test]
fn a_key_in_the_values_that_the_source_lacks_is_refused() {
    let values = user_key(KEYS[3]);
    let refused = run("production", &Given { keys: &KEYS[..2], values: Some(&values), ..Given::default() });
    refused.refused(1, "key-conflict");
    assert!(refused.stderr.contains("--> values.yaml:1:"), "{}", refused.stderr);
    // the same bytes in another spelling are no conflict
    let hex: String = base64_decoded(KEYS[1]).iter().map(|b| format!("{b:02x}")).collect();
    let values = user_key(&format!("\"{hex}\""));
    run("production", &Given { keys: &KEYS[..2], values: Some(&values), ..Given::default() }).done();
}

#[test]
fn a_number_that_the_ring_lacks_is_refused_in_secret_and_consumer() {
    let in_secret = stream(KEYS[3]).replace("  LICENSE_SIGNATURE", "  encryption-key-7: abc\n  LICENSE_SIGNATURE");
    let in_items = stream(KEYS[3]).replace(
        "path: encryption-key-0",
        "path: encryption-key-0\n              - {key: encryption-key-5, path: five}",
    );
    for (input, field, line) in
        [(in_secret, "encryption-key-7", "<stdin>:16:"), (in_items, "encryption-key-5", "<stdin>:51:")]
    {
        let run = run("production", &Given { keys: &KEYS[..2], stream: Some(input), ..Given::default() });
        run.refused(1, "lost-key");
        assert!(run.stderr.contains(field) && run.stderr.contains(line), "{}", run.stderr);
    }
}

#[test]
fn rotate_key_is_refused_with_any_source() {
    for switch in ["true", "\"false\"", "1"] {
        let values =
            format!("secrets:\n  keysEncryption:\n    rotateKey: {switch}\n    userEncryptionKey: {}\n", KEYS[0]);
        for environment in ["production", "trial"] {
            let run = run(environment, &Given { keys: &KEYS[..1], values: Some(&values), ..Given::default() });
            run.refused(1, "rotate-in-gitops");
            assert!(run.stderr.contains("--> values.yaml:3:16"), "{}", run.stderr);
        }
    }
}

#[test]
fn an_unresolved_reference_is_refused_whatever_its_length() {
    for reference in [
        "ref+vault://secret/app#/key-that-is-long-enough",
        "<path:secret/data/app#k>",
        "ENC[AES256_GCM,data:x]",
        "$LIGHTRUN_KEY",
        "'{{ .Values.key }}'",
    ] {
        let values = user_key(&format!("\"{}\"", reference.trim_matches('\'')));
        let text = reference.trim_matches('\'');
        run(
            "trial",
            &Given { values: Some(&values), stream: Some(stream(&format!("\"{text}\""))), ..Given::default() },
        )
        .refused(1, "unresolved-reference");
        run("production", &Given { keys: &[text], ..Given::default() }).refused(1, "unresolved-reference");
    }
}

#[test]
fn a_new_key_must_fit_and_must_not_be_guessable() {
    let refused = run("production", &Given { keys: &[KEYS[0], "too short"], ..Given::default() });
    refused.refused(1, "key-length");
    assert!(refused.stderr.contains("`encryption-key-1`: 9 characters"), "{}", refused.stderr);
    run("production", &Given { keys: &[KEYS[0], "0123456789abcdef0123456789abcdef"], ..Given::default() })
        .refused(1, "weak-key");
}

#[test]
fn one_newline_at_the_end_of_a_new_key_is_taken_off() {
    let with_newline = format!("{}\n", KEYS[1]);
    let run = run("production", &Given { keys: &[KEYS[0], &with_newline], ..Given::default() });
    assert_eq!(delivered(run.done()), numbered(&KEYS[..2]));
}

#[test]
fn a_broken_source_is_an_error_of_the_source() {
    let empty = folder(&[("keyring.yaml", CONFIG), ("keys/other", "x")]);
    lock_numbered(empty.path(), "lightrun/production", &KEYS[..1]);
    keyring(empty.path(), &["render", "-e", "production"], &[], &stream(KEYS[3])).refused(3, "source-failed");
    let folder =
        folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0]), ("keys/encryption-key-2", KEYS[2])]);
    lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
    let run = keyring(folder.path(), &["render", "-e", "production"], &[], &stream(KEYS[3]));
    run.refused(3, "broken-keyring");
    assert!(run.stderr.contains("encryption-key-1 is missing, but encryption-key-2 is there"), "{}", run.stderr);
}

// --- dev mode ---

#[test]
fn dev_keeps_the_key_that_the_stream_holds() {
    let run = run("play", &Given::default());
    assert_eq!(delivered(run.done()), numbered(&[KEYS[3]]));
}

#[test]
fn dev_makes_a_missing_key_up_and_says_so_and_nothing_else_takes_it() {
    let empty = stream("\"\"");
    let made = run("play", &Given { stream: Some(empty), ..Given::default() });
    assert!(
        made.done()
            .stderr
            .contains("encryption-key-0 not set - using randomly generated key. This is not suitable for production!"),
        "{}",
        made.stderr
    );
    let key = delivered(&made).remove(0).1;
    let kept = run("play", &Given { stream: Some(made.stdout.clone()), ..Given::default() });
    assert_eq!(kept.done().stdout, made.stdout, "a made-up key is kept");
    run("production", &Given { keys: &[&key], ..Given::default() }).refused(1, "made-up-key");
    let values = user_key(&key);
    run("trial", &Given { values: Some(&values), stream: Some(stream(&key)), ..Given::default() })
        .refused(1, "made-up-key");
}

#[test]
fn dev_is_refused_where_keys_must_come_from_outside() {
    let dev: &[&str] = &["--mode", "dev"];
    run("production", &Given { keys: &KEYS[..1], args: dev, ..Given::default() }).refused(2, "dev-refused");
    run("play", &Given { variables: &[("CI", "true")], ..Given::default() }).refused(2, "dev-refused");
    run("play", &Given { variables: &[("ARGOCD_APP_NAME", "app")], ..Given::default() }).refused(2, "dev-refused");
    // no variable can turn it on
    let variables: &[(&str, &str)] = &[("HELM_KEYRING_MODE", "dev")];
    run("trial", &Given { variables, values: Some("a: 1\n"), ..Given::default() }).refused(1, "auto-generated-key");
}

// --- what leaves ---

#[test]
fn what_is_already_right_leaves_byte_for_byte() {
    let given = |stream: Option<String>| run("production", &Given { keys: &KEYS[..3], stream, ..Given::default() });
    let once = given(None);
    let twice = given(Some(once.done().stdout.clone()));
    assert_eq!(twice.done().stdout, once.stdout);
}

#[test]
fn only_the_lines_of_the_keys_differ() {
    let run = run("production", &Given { keys: &KEYS[..2], ..Given::default() });
    let before = stream(KEYS[3]);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&before), lines(&run.done().stdout));
    let removed: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    assert_eq!(
        removed,
        [&format!("            {}", KEYS[3]), "  encryption-key-0: "]
            .iter()
            .rev()
            .map(|s| s.to_string())
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    let added: Vec<_> = after
        .iter()
        .filter(|line| !before.contains(line))
        .map(|line| line.split(':').next().unwrap_or_default().trim())
        .collect();
    let expected = [
        "annotations",
        "helm.sh/resource-policy",
        "argocd.argoproj.io/sync-options",
        "data",
        "encryption-key-0",
        "encryption-key-1",
        "metadata",
        "annotations",
        "helm-keyring/fingerprint",
        "- key",
        "path",
    ];
    assert_eq!(added, expected);
}

#[test]
fn empty_input_and_a_stream_without_a_target_are_refused_unless_allowed() {
    let foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n".to_owned();
    let given = |text: &str, args: &[&str]| {
        let folder = folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0])]);
        lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
        keyring(folder.path(), &[&["render", "-e", "production"], args].concat(), &[], text)
    };
    for empty in ["", "\n", "---\n# Source: a\n---\n"] {
        given(empty, &[]).refused(1, "empty-input");
        assert!(given(empty, &["--allow-empty"]).done().stdout.contains('#'));
    }
    given(&foreign, &[]).refused(1, "no-target");
    assert_eq!(given(&foreign, &["--allow-no-target"]).done().stdout, foreign);
}

#[test]
fn doubt_about_the_target_is_refused_with_names_and_lines() {
    let second_secret = stream(KEYS[3]) + "---\nkind: Secret\nmetadata: {name: lr-backend}\n";
    let other_consumer = stream(KEYS[3]) + &stream(KEYS[3]).replace("lr-backend", "b-backend");
    let truncated = stream(KEYS[3]).replace("  LICENSE_SIGNATURE: \"\"", "  LICENSE_SIGNATURE: \"");
    let immutable = stream(KEYS[3]).replace("type: Opaque", "type: Opaque\nimmutable: true");
    let shared = stream(KEYS[3]).replace("stringData:", "stringData: &s") + "\n";
    let shared = shared.replacen(
        "---\n# Source: lightrun/templates/other.yaml",
        "copy: *s\n---\n# Source: lightrun/templates/other.yaml",
        1,
    );
    let cases = [
        (second_secret, "duplicate-secret", "<stdin>:54:1"),
        (other_consumer, "two-targets", "`b-backend` and `lr-backend`"),
        (truncated, "unreadable", "document 1 cannot be parsed"),
        (immutable, "immutable-secret", "`lr-backend` is immutable"),
        (shared, "cannot-edit", "shared through an anchor"),
    ];
    for (input, id, words) in cases {
        let run = run("production", &Given { keys: &KEYS[..2], stream: Some(input), ..Given::default() });
        run.refused(1, id);
        assert!(run.stderr.contains(words), "{words} not in:\n{}", run.stderr);
    }
}

#[test]
fn a_second_instance_that_no_keyring_sees_to_is_refused() {
    let both = stream(KEYS[3]) + &stream(KEYS[2]).replace("lr-backend", "b-backend");
    let files = [(
        "keyring.yaml",
        CONFIG.replace("profile: lightrun\n", "profile: lightrun\n    instance: {secret: lr-backend}\n"),
    )];
    let folder = folder(&[("keyring.yaml", &files[0].1), ("keys/encryption-key-0", KEYS[0])]);
    lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
    let run = keyring(folder.path(), &["render", "-e", "production"], &[], &both);
    run.refused(1, "unclaimed-secret");
    let one = keyring(folder.path(), &["render", "-e", "production"], &[], &stream(KEYS[3]));
    assert_eq!(delivered(one.done()), numbered(&KEYS[..1]));
}

#[test]
fn a_foreign_document_may_be_anything() {
    let input = stream(KEYS[3]) + "---\n\tnot: [yaml\n---\r\nx: \u{1}\r\n--- |\n  text";
    let run = run("production", &Given { keys: &KEYS[..2], stream: Some(input), ..Given::default() });
    assert!(run.done().stdout.ends_with("---\n\tnot: [yaml\n---\r\nx: \u{1}\r\n--- |\n  text"));
}

#[test]
fn the_secret_is_marked_to_stay_unless_that_is_switched_off() {
    let marks = ["helm.sh/resource-policy: keep", "argocd.argoproj.io/sync-options: Prune=false"];
    let given = |args| Given { keys: &KEYS[..1], args, ..Given::default() };
    let kept = run("production", &given(&[]));
    assert!(marks.iter().all(|mark| object(&kept.done().stdout, "Secret", "lr-backend").contains(mark)));
    let own = run("production", &Given { stream: Some(without_secret()), ..given(&["--emit", "Secret"]) });
    assert!(marks.iter().all(|mark| object(&own.done().stdout, "Secret", "lr-backend-keyring").contains(mark)));
    for run in [run("production", &given(&["--no-keep"])), run("play", &Given::default())] {
        assert!(!marks.iter().any(|mark| run.done().stdout.contains(mark)));
    }
}

/// The small stream without its Secret.
fn without_secret() -> String {
    let stream = stream(KEYS[3]);
    stream.split("---\n").filter(|document| !document.contains("kind: Secret")).collect::<Vec<_>>().join("---\n")
}

#[test]
fn a_locked_key_that_is_gone_or_another_is_refused() {
    let config = CONFIG.replace("production: {source", "staging: {source: {env: {}}}\n      production: {source");
    let locked = |keys: &[&str], held: &[&str]| {
        let folder = folder(&[("keyring.yaml", &config), ("keys/other", "x")]);
        for (number, key) in held.iter().enumerate() {
            std::fs::write(folder.path().join(format!("keys/encryption-key-{number}")), key).expect("a key");
        }
        lock_numbered(folder.path(), "lightrun/production", keys);
        keyring(folder.path(), &["render", "-e", "production"], &[], &stream(KEYS[3]))
    };
    for (keys, held, words) in [
        (&KEYS[..2], &KEYS[..1], "the source of lightrun/production ends at 0: `encryption-key-1` is gone"),
        (&KEYS[..1], &KEYS[1..2], "`encryption-key-0` of lightrun/production is another key than the locked one"),
        (
            &KEYS[..2],
            &[KEYS[1], KEYS[0]],
            "`encryption-key-0` and `encryption-key-1` of lightrun/production are swapped",
        ),
    ] {
        let run = locked(keys, held);
        run.refused(4, "lock-mismatch");
        assert!(run.stderr.contains(words), "{words} not in:\n{}", run.stderr);
    }
    // the whole file went, or only its lines
    locked(&[], &KEYS[..1]).refused(4, "no-lock");
}

#[test]
fn a_key_at_the_end_that_the_lock_lacks_is_delivered_with_a_warning() {
    let run = run("production", &Given { keys: &KEYS[..2], ..Given::default() });
    assert_eq!(delivered(run.done()), numbered(&KEYS[..2]));
    assert!(run.stderr.contains("warning[lock-behind]: the lock of lightrun/production lacks `encryption-key-1`"));
}

#[test]
fn a_locked_key_is_delivered_as_it_is_whatever_it_is_like() {
    for odd in ["too short", "0123456789abcdef0123456789abcdef", "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=\n"] {
        let run = run("production", &Given { keys: &[odd], ..Given::default() });
        assert_eq!(delivered(run.done()), numbered(&[odd]));
        assert!(run.stderr.contains("warning["), "{}", run.stderr);
    }
}

#[test]
fn the_form_with_or_without_a_newline_that_the_lock_has_is_delivered() {
    let with = format!("{}\n", KEYS[0]);
    for (locked, held) in [(KEYS[0], with.as_str()), (with.as_str(), KEYS[0])] {
        let folder = folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", held)]);
        lock_numbered(folder.path(), "lightrun/production", &[locked]);
        let run = keyring(folder.path(), &["render", "-e", "production"], &[], &stream(KEYS[3]));
        assert_eq!(delivered(run.done()), numbered(&[locked]));
    }
}

#[test]
fn keys_in_the_values_must_match_the_lock_too_where_it_has_lines() {
    let locked = |key: &str| {
        let values = user_key(KEYS[1]);
        let folder = folder(&[("keyring.yaml", CONFIG), ("values.yaml", &values)]);
        lock_numbered(folder.path(), "lightrun/trial", &[key]);
        keyring(folder.path(), &["render", "-e", "trial", "-f", "values.yaml"], &[], &stream(KEYS[1]))
    };
    locked(KEYS[1]).done();
    locked(KEYS[0]).refused(4, "lock-mismatch");
}

#[test]
fn dev_is_refused_where_the_lock_has_lines() {
    let folder = folder(&[("keyring.yaml", CONFIG)]);
    lock_numbered(folder.path(), "lightrun/play", &KEYS[..1]);
    let run = keyring(folder.path(), &["render", "-e", "play"], &[], &stream(KEYS[0]));
    run.refused(2, "dev-refused");
    assert!(run.stderr.contains("the lock has lines of lightrun/play"), "{}", run.stderr);
}

#[test]
fn annotations_can_be_switched_off() {
    let run = run("production", &Given { keys: &KEYS[..2], args: &["--no-annotation"], ..Given::default() });
    assert!(!run.done().stdout.contains("helm-keyring/fingerprint"));
}

#[test]
fn crlf_streams_stay_crlf() {
    let input = stream(KEYS[3]).replace('\n', "\r\n");
    let run = run("production", &Given { keys: &KEYS[..2], stream: Some(input), ..Given::default() });
    assert_eq!(run.done().stdout.matches('\n').count(), run.stdout.matches("\r\n").count());
}

#[test]
fn a_key_that_no_pod_reads_is_a_warning() {
    let only_secret = stream(KEYS[3]).split("---\n").nth(1).expect("the Secret").to_owned();
    let given = Given { keys: &KEYS[..1], stream: Some(only_secret), ..Given::default() };
    let run = run("production", &given);
    assert!(run.done().stderr.contains("warning[unmounted-key]: no pod in the stream reads `encryption-key-{n}`"));
}

#[test]
fn emit_none_beside_a_rendered_secret_is_refused() {
    let given = Given { keys: &KEYS[..1], args: &["--emit", "none"], ..Given::default() };
    run("production", &given).refused(1, "emit-conflict");
}

/// Runs on a terminal of Python's making: nobody's screen may show a key by accident.
#[test]
fn a_terminal_sees_placeholders_unless_asked() {
    let folder =
        folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0]), ("stream.yaml", &stream(KEYS[3]))]);
    lock_numbered(folder.path(), "lightrun/production", &KEYS[..1]);
    let on_terminal = |flags: &str| {
        let tool = env!("CARGO_BIN_EXE_helm-keyring");
        let script = format!(
            "import pty, sys; sys.exit(pty.spawn(['sh', '-c', '{tool} render -e production {flags} <stream.yaml']) >> 8)"
        );
        let mut python = std::process::Command::new("python3");
        let output =
            python.args(["-c", &script]).current_dir(folder.path()).env_remove("CI").output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    use base64::Engine as _;
    let written = base64::engine::general_purpose::STANDARD.encode(KEYS[0]);
    let hidden = on_terminal("");
    assert!(
        !hidden.contains(&written) && hidden.contains("<encryption-key-0: 44 bytes, hidden; --show-keys shows it>"),
        "{hidden}"
    );
    assert!(on_terminal("--show-keys").contains(&written));
}
