//! No key in words: known key texts go through every command and every failure, and every output is searched.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use common::{Run, documents, folder, json, keyring, lock_all};

const STREAM: &str = include_str!("../testdata/streams/lightrun-small.yaml");

/// Key texts of each kind that some check looks at: good ones, and ones that are refused.
const CANARIES: [&str; 10] = [
    "cAnArY+0/Zq3vWm8LkT5hYb1RxJ7sDfGpQeUwNiOaXc=",
    "cAnArY!raw:32 chars {q} 'x' #7&*",
    "cAnArYwords-that-are-long-enough-for-any-p0licy-here",
    "cAnArYtooshort",
    "ca0a1e00ffeeddccbbaa99887766554433221100a1b2c3d4e5f6071829304aff",
    "Y0FuQXJZKzAvWnEzdldtOExrVDVoWWIxUnhKN3NEZkdwUWVVd05pT2FYYz0K",
    "cAnArYcAnArYcAnArYcAnArYcAnArYcA",
    "ref+vault://cAnArY/path/to/a/secret#/key",
    "\"cAnArY\\quoted\\and\\escaped\\32ch\"",
    "cAnArY\u{e9}\u{e8}-not-ascii-in-it-at-all-32",
];

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      dir: {source: {dir: {path: keys}}}
      env: {source: {env: {encryption-key-0: CANARY}}}
      values: {source: {values: {}}}
      own: {emit: Secret, template: frame.yaml, source: {dir: {path: keys}}}
      external: {emit: ExternalSecret, secretStore: {name: s}, source: {vault: {path: secret/a}}}
      play: {mode: dev}
";

/// Every way in which a text could show itself, and every long part of it.
fn forms(key: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    let hex: String = key.bytes().map(|b| format!("{b:02x}")).collect();
    let url: String = key
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect();
    let json = serde_json::to_string(key).expect("JSON");
    for text in [
        key.to_owned(),
        hex.to_uppercase(),
        hex,
        url.to_lowercase(),
        url,
        json[1..json.len() - 1].to_owned(),
        format!("{key:?}"),
    ] {
        forms.insert(text);
    }
    for encoded in [STANDARD.encode(key), URL_SAFE.encode(key), STANDARD.encode(format!("{key}\n"))] {
        forms.insert(encoded.trim_end_matches('=').to_owned());
        // base64 of a part looks different at its ends
        forms.insert(encoded[4..encoded.len() - 4].to_owned());
    }
    let letters: Vec<char> = key.chars().collect();
    forms.extend(letters.windows(10).map(|part| part.iter().collect::<String>()));
    forms
}

/// Searches a run's outputs; only the Secrets of stdout may hold the key, and only in base64.
fn search(what: &str, run: &Run, key: &str) {
    for form in forms(key) {
        assert!(!run.stderr.contains(&form), "{what}: stderr holds a key:\n{}", run.stderr);
    }
    if run.stdout.is_empty() {
        return;
    }
    for document in documents(&run.stdout) {
        let is_secret = json(document)["kind"] == "Secret";
        let outside = if is_secret { document.replace(&STANDARD.encode(key), "") } else { document.to_owned() };
        for form in forms(key) {
            assert!(!outside.contains(&form), "{what}: stdout holds a key outside of a Secret's data:\n{document}");
        }
    }
}

fn yaml_quoted(key: &str) -> String {
    serde_json::to_string(key).expect("JSON")
}

#[test]
fn no_output_of_any_run_holds_a_key() {
    let mut ids = BTreeSet::new();
    let mut runs = 0;
    for key in CANARIES {
        let quoted = yaml_quoted(key);
        let values = format!("secrets:\n  keysEncryption:\n    userEncryptionKey: {quoted}\n");
        let broken_values = format!("secrets:\n  keysEncryption: [{quoted}\n");
        let plain_values = format!("secrets:\n  keysEncryption:\n    userEncryptionKey: *{key}\n");
        let list_values = format!("secrets: {{keysEncryption: {{userEncryptionKey: [{quoted}]}}}}\n");
        let files = [
            ("keyring.yaml", CONFIG),
            ("frame.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: \"{{ nam }}\"}\n"),
            (
                "bad.yaml",
                &format!(
                    "apiVersion: helm-keyring/v1\nkeyrings: {{x: {{profile: {quoted}, environments: {{a: {quoted}}}}}}}\n"
                ),
            ),
            ("keys/encryption-key-0", key),
            ("values.yaml", &values),
            ("broken.yaml", &broken_values),
            ("plain.yaml", &plain_values),
            ("list.yaml", &list_values),
            ("empty.yaml", "a: 1\n"),
        ];
        let folder = folder(&files);
        let owners = ["lightrun/dir", "lightrun/env", "lightrun/own", "lightrun/external"];
        lock_all(folder.path(), "lightrun", &owners.map(|owner| (owner, "encryption-key-0", 0, key)));
        let with = |text: &str| STREAM.replace("@KEY@", text);
        let streams = [
            ("same", with(&quoted)),
            ("other", with("iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=")),
            ("unquoted", with(key)),
            ("truncated", with(&quoted)[..STREAM.find("@KEY@").expect("the place") + quoted.len() - 1].to_owned()),
            ("number", with(&quoted).replace("encryption-key-0:", "encryption-key-4:")),
            ("immutable", with(&quoted).replace("type: Opaque", "immutable: true")),
            ("no secret", with(&quoted).replace("kind: Secret", "kind: ConfigMap")),
            ("twice", with(&quoted) + &with(&quoted)),
            ("anchored", with(&format!("&k {quoted}")).replace("LICENSE_SIGNATURE: \"\"", "LICENSE_SIGNATURE: *k")),
            ("empty", String::new()),
        ];
        let set = format!("secrets.keysEncryption.userEncryptionKey={key}");
        let bad_set = format!("secrets.keysEncryption[=x,{key}");
        // These look at the stream; the others behind them end before.
        let on_every_stream = 6;
        let commands: [&[&str]; 19] = [
            &["render", "-e", "dir"],
            &["render", "-e", "env"],
            &["render", "-e", "own"],
            &["render", "-e", "values", "-f", "values.yaml"],
            &["render", "-e", "play"],
            &["render", "-e", "external"],
            &["render", "-e", "external", "-f", "values.yaml"],
            &["render", "-e", "dir", "--lock", "none.lock"],
            &["render", "-e", "values"],
            &["render", "-e", "values", "-f", "empty.yaml"],
            &["render", "-e", "dir", "-f", "values.yaml"],
            &["render", "-e", "values", "--set", &set],
            &["render", "-e", "values", "--set-string", &set],
            &["render", "-e", "values", "--set", &bad_set],
            &["render", "-e", "values", "-f", "broken.yaml"],
            &["render", "-e", "values", "-f", "plain.yaml"],
            &["render", "-e", "values", "-f", "list.yaml"],
            &["render", "--config", "bad.yaml"],
            &["init"],
        ];
        for (name, stream) in &streams {
            let commands = if *name == "same" { &commands[..] } else { &commands[..on_every_stream] };
            for command in commands {
                let run = keyring(folder.path(), command, &[("CANARY", key)], stream);
                // In dev the chart's own documents may hold the key elsewhere than in a Secret: then it is theirs.
                if !(run.code == 0 && *name == "no secret") {
                    search(&format!("{} on {name}", command.join(" ")), &run, key);
                }
                ids.extend(run.ids());
                runs += 1;
            }
        }
    }
    assert_eq!(runs, 10 * (9 * 6 + 19));
    // The failures that were really taken: a new one belongs in here.
    let expected = [
        "auto-generated-key",
        "bad-template",
        "cannot-edit",
        "duplicate-secret",
        "empty-input",
        "immutable-secret",
        "key-conflict",
        "key-length",
        "lost-key",
        "no-lock",
        "no-target",
        "unreadable",
        "unresolved-reference",
        "values",
        "weak-key",
        "wrong-type",
    ];
    for id in expected {
        assert!(ids.contains(id), "no run ended in {id}: {ids:?}");
    }
}

/// Puts a key into every kind of file that `check` reads, broken ones too, and reads every format.
#[test]
fn no_report_of_check_holds_a_key() {
    let mut ids = BTreeSet::new();
    for key in CANARIES {
        let quoted = yaml_quoted(key);
        let base64 = STANDARD.encode(key);
        let values = format!("secrets:\n  keysEncryption:\n    userEncryptionKey: {quoted}\n");
        let inside: String = values.lines().map(|line| format!("        {line}\n")).collect();
        let application = |helm: &str| {
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source:\n    chart: lightrun\n    helm:\n{helm}"
            )
        };
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: c\n      env:\n";
        let files = [
            ("keyring.yaml", "apiVersion: helm-keyring/v1\nkeyrings:\n  lightrun:\n    profile: lightrun\n    environments: {a: {values: [values.yaml]}}\n".to_owned()),
            ("values.yaml", values.clone()),
            ("flow.yaml", format!("secrets: {{keysEncryption: {{rotateKey: true, userEncryptionKey: {quoted}}}}}\n")),
            ("list.yaml", format!("secrets: {{keysEncryption: {{userEncryptionKey: [{quoted}]}}}}\n")),
            ("name.yaml", format!("secrets: {{keysEncryption: {{{quoted}: 1, userEncryptionkey: {quoted}}}}}\n")),
            ("block.yaml", format!("secrets:\n  keysEncryption:\n    userEncryptionKey: |\n      {key}\n    userEncryptionKey: >-\n      {key}\n")),
            ("comment.yaml", format!("secrets:\n  keysEncryption:\n    # {key}\n    rotateKey: true  # {key}\n")),
            ("broken.yaml", format!("secrets:\n  keysEncryption: [{quoted}\n")),
            ("plain.yaml", format!("secrets:\n  keysEncryption:\n    userEncryptionKey: *{key}\n")),
            ("second.yaml", format!("{values}---\n{quoted}: {{a: 1}}\n")),
            ("app.yaml", application(&format!("      values: |\n{inside}"))),
            ("folded.yaml", application(&format!("      values: >\n{inside}\n"))),
            ("object.yaml", application(&format!("      valuesObject:\n{inside}"))),
            ("parameter.yaml", application(&format!("      parameters:\n        - {{name: secrets.keysEncryption.userEncryptionKey, value: {quoted}}}\n"))),
            ("secret.yaml", format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{encryption-key-0: {quoted}}}\ndata: {{encryption-key-1: {base64}}}\n")),
            ("twice.yaml", format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: t}}\ndata: {{encryption-key-0: {base64}}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: t}}\ndata: {{encryption-key-0: '{key}'}}\n")),
            ("map.yaml", format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{DEVMESH_ENCRYPTION_KEY: {quoted}}}\n")),
            ("pod.yaml", format!("{pod}        - {{name: DEVMESH_ENCRYPTION_KEY, value: {quoted}}}\n")),
            ("compose.yaml", format!("services:\n  a:\n    environment:\n      - DEVMESH_ENCRYPTION_KEY={key}\n")),
            (".env", format!("DEVMESH_ENCRYPTION_KEY={key}\nexport ENCRYPTION_MASTER_KEY='{key}' # {key}\n")),
            ("ignored.yaml", format!("secrets:\n  keysEncryption:\n    rotateKey: true  # helm-keyring: ignore[{key}] {key}\n")),
            ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n".to_owned()),
            ("c/templates/a.yaml", format!("a: {{{{ randAlphaNum 5 | default {quoted} }}}} # {key}\nb: {key} {{{{ now }}}}\n")),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let folder = folder(&files);
        for format in ["human", "json", "sarif", "github"] {
            for paths in [&["."][..], &["-"]] {
                let args = [&["check", "--format", format][..], paths].concat();
                let mut run = keyring(folder.path(), &args, &[], &values);
                if let Ok(mut report) = serde_json::from_str::<serde_json::Value>(&run.stdout) {
                    // The pages of the rules are the same for every key.
                    if let Some(tool) = report.pointer_mut("/runs/0/tool") {
                        tool.take();
                    }
                    run.stdout = report.to_string();
                }
                for form in forms(key) {
                    let (out, err) = (&run.stdout, &run.stderr);
                    assert!(!out.contains(&form) && !err.contains(&form), "check {args:?}: a key in:\n{out}{err}");
                }
                ids.extend(
                    run.stdout.lines().filter_map(|line| Some(line.split_once('[')?.1.split_once("]: ")?.0.to_owned())),
                );
            }
        }
    }
    let expected = [
        "duplicate-field",
        "duplicate-secret",
        "ignored-document",
        "key-in-plaintext",
        "key-in-string-data",
        "key-length",
        "random-template",
        "reused-key",
        "rotate-in-gitops",
        "unknown-field",
        "unreadable",
        "unresolved-reference",
        "unsafe-scalar",
        "useless-ignore",
        "weak-key",
        "wrong-type",
    ];
    let missing: Vec<_> = expected.iter().filter(|id| !ids.contains(**id)).collect();
    assert!(missing.is_empty(), "nothing found by {missing:?}; by {ids:?}");
}

/// Puts a key through every command of the key-holder, from a file, from stdin and from a Secret.
#[test]
fn the_key_holder_s_commands_show_no_key() {
    let mut ids = BTreeSet::new();
    for key in CANARIES {
        let folder = folder(&[("keyring.yaml", HOLDER), ("keys/encryption-key-0", key), ("given", key)]);
        let run = |command: &str, stdin: &str| {
            let run = keyring(folder.path(), &command.split(' ').collect::<Vec<_>>(), &[], stdin);
            for form in forms(key) {
                let what = format!("{command}: a key in stdout or stderr");
                assert!(
                    !run.stdout.contains(&form) && !run.stderr.contains(&form),
                    "{what}\n{}{}",
                    run.stdout,
                    run.stderr
                );
            }
            run
        };
        let secret = format!("kind: Secret\ndata: {{encryption-key-0: {}}}\n", STANDARD.encode(key));
        let odd =
            format!("kind: Secret\nstringData: {{encryption-key-0: {}, encryption-key-01: x}}\n", yaml_quoted(key));
        run("sealed init -e sealed --deploy-key-file deploy.key --recovery-key-file recovery.key", "").done();
        for (command, stdin) in [
            ("lock -e dir", ""),
            ("sealed add -e sealed --field encryption-key-0 --key-file given", ""),
            ("adopt -e sealed --from-file -", &secret),
            ("adopt -e sealed --from-file -", &odd),
            ("adopt -e dir --from-file -", &secret),
            ("lock -e sealed", ""),
            ("status -e dir", ""),
            ("status -e sealed --format json", ""),
            ("rotate -e sealed --key-file -", key),
            ("rotate -e sealed", ""),
            ("copy -e sealed --to dir=keys", ""),
            ("copy -e dir --to sealed=keys/p.sealed", ""),
            ("lock -e dir --forget encryption-key-0", ""),
            ("verify -e dir --ciphertext given", ""),
            ("sealed rekey -e sealed --recipient-key-file recovery.key", ""),
            ("sealed rekey -e sealed --recipient-key-file given", ""),
            ("sealed recipient add -e sealed ci --recipient-key-file given", ""),
            ("status -e sealed --master-key-file given", ""),
            ("guard -e dir", ""),
        ] {
            ids.extend(run(command, stdin).ids());
        }
        for file in ["keyring.lock", "keys/p.sealed"] {
            let text = std::fs::read_to_string(folder.path().join(file)).unwrap_or_default();
            assert!(forms(key).iter().all(|form| !text.contains(form)), "{file} holds a key");
        }
    }
    for id in [
        "key-length",
        "weak-key",
        "still-in-source",
        "reused-key",
        "sealed-file",
        "source-failed",
        "unresolved-reference",
    ] {
        assert!(ids.contains(id), "no run ended in {id}: {ids:?}");
    }
}

const HOLDER: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      dir: {source: {dir: {path: keys}}}
      sealed: {source: {sealed: {file: keys/p.sealed, masterKeyFile: deploy.key}}}
";

#[test]
fn help_and_completions_say_nothing_of_the_environment() {
    let folder = folder(&[]);
    for command in [
        &["--help"][..],
        &["render", "--help"],
        &["init", "--help"],
        &["lock", "--help"],
        &["rotate", "--help"],
        &["adopt", "--help"],
        &["copy", "--help"],
        &["status", "--help"],
        &["sealed", "init", "--help"],
        &["completions", "bash"],
        &["render", "--no-such-flag"],
    ] {
        let run = keyring(folder.path(), command, &[("HELM_KEYRING_ENVIRONMENT", CANARIES[2])], "");
        for form in forms(CANARIES[2]) {
            assert!(!run.stdout.contains(&form) && !run.stderr.contains(&form), "{command:?}");
        }
    }
}
