//! No key in words: known key texts go through every command and every failure, and every output is searched.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use common::{Run, documents, folder, json, keyring};

const STREAM: &str = include_str!("../testdata/streams/lightrun-small.yaml");

/// Key texts of each kind that some check looks at: good ones, and ones that are refused.
const CANARIES: [&str; 10] = [
    "cAnArY+0/Zq3vWm8LkT5hYb1RxJ7sDfGpQeUwNiOaXc=",
    "cAnArY!raw:32 chars {q} 'x' #7&*",
    "cAnArYpassphrase-that-is-long-enough-for-any-policy",
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
        let on_every_stream = 5;
        let commands: [&[&str]; 17] = [
            &["render", "-e", "dir", "--no-lock"],
            &["render", "-e", "env", "--no-lock"],
            &["render", "-e", "own", "--no-lock"],
            &["render", "-e", "values", "-f", "values.yaml"],
            &["render", "-e", "play"],
            &["render", "-e", "dir"],
            &["render", "-e", "values"],
            &["render", "-e", "values", "-f", "empty.yaml"],
            &["render", "-e", "dir", "--no-lock", "-f", "values.yaml"],
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
    assert_eq!(runs, 10 * (9 * 5 + 17));
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
        "unsafe-scalar",
        "values",
        "weak-key",
    ];
    for id in expected {
        assert!(ids.contains(id), "no run ended in {id}: {ids:?}");
    }
}

#[test]
fn help_and_completions_say_nothing_of_the_environment() {
    let folder = folder(&[]);
    for command in [
        &["--help"][..],
        &["render", "--help"],
        &["init", "--help"],
        &["completions", "bash"],
        &["render", "--no-such-flag"],
    ] {
        let run = keyring(folder.path(), command, &[("HELM_KEYRING_ENVIRONMENT", CANARIES[2])], "");
        for form in forms(CANARIES[2]) {
            assert!(!run.stdout.contains(&form) && !run.stderr.contains(&form), "{command:?}");
        }
    }
}
