//! `verify`: which key opens a ciphertext.
//!
//! The ciphertexts were made by Python's `cryptography` and `hashlib`, with nothing of ours:
//! ```python
//! nonce, salt, plain = bytes(range(12)), bytes(range(32)), b"the plaintext, never shown"
//! def gcm(key): return nonce + AESGCM(key).encrypt(nonce, plain, None)
//! def derived(text, context):
//!     kdf = PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=salt, iterations=10_000)
//!     return salt + gcm(kdf.derive(hashlib.sha256(text).digest() + context))
//! ```
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{KEYS, Run, folder, keyring, keyring_bytes, root};

/// `gcm(base64.b64decode(KEYS[0]))`
const UNDER_KEY_0: &str = "AAECAwQFBgcICQoLfhAbN79VnOA8C6Y0QIL3/MM6Sh0YFxudXrcGX3w2TY4ZJQjej0RFu0aP";
/// `gcm(base64.b64decode(KEYS[1]))`
const UNDER_KEY_1: &str = "AAECAwQFBgcICQoLQMyzpB4mNqcFMe39d05KnU2ByipAX/7RfTpmfaGNOFmjOMcMVDnDysEH";
/// `gcm(RAW_KEY)`
const UNDER_RAW_KEY: &str = "AAECAwQFBgcICQoLvPtHHNsqQoCjxcCGx5OL1y8lUg8EqefZf97rORk7ReMyVk9dxZ6GW35y";
const RAW_KEY: &str = "0123456789abcdefghijklmnopqrstuv";
/// `gcm(base64.b64decode(KEYS[0]))` with `plain = b""`
const NOTHING_UNDER_KEY_0: &str = "AAECAwQFBgcICQoLv03W/LN6vdODPj+mdHelNw==";
/// `gcm(bytes(32))`
const UNDER_ANOTHER: &str = "AAECAwQFBgcICQoL/KNWcnCR7pCsDDediS/+YjEazeif7ueZuKXq/0m5KWmM2GNzd9BwqroK";
const PASSPHRASE: &str = "a passphrase that is long enough for it";
/// `derived(PASSPHRASE, b"")`
const DERIVED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgtt/4WijaJbFL/5z4kXLg2d3fwElaPlcUg10Mzc5qkjng+1MZceuYoWfiQ=";
/// `derived(PASSPHRASE, "cr\u{e9}dentials".encode())`
const DERIVED_WITH_CONTEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsuqp3XQtkDi4ROaRL4DNUwwI3S6YlmKRTTqJpzn8Kb/q0GuJ6wTAqO6sE=";
const CONTEXT: &str = "cr\u{e9}dentials";

const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production: {source: {dir: {path: keys}}}
      derived: {source: {values: {}}}
  devmesh:
    profile: devmesh
    environments:
      derived: {source: {env: {}}}
";

/// A ring of two keys in base64, the ciphertext as a file, and these arguments.
fn verify_with(files: &[(&str, &str)], ciphertext: &[u8], args: &[&str], variables: &[(&str, &str)]) -> Run {
    let base = [("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0]), ("keys/encryption-key-1", KEYS[1])];
    let folder = folder(&[&base, files].concat());
    std::fs::write(folder.path().join("record"), ciphertext).expect("a file");
    let run = keyring(folder.path(), &[&["verify", "--ciphertext", "record"], args].concat(), variables, "");
    for secret in KEYS.into_iter().chain([RAW_KEY, PASSPHRASE, "the plaintext"]) {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "something secret was said");
    }
    run
}

fn verify(ciphertext: &[u8], args: &[&str]) -> Run {
    verify_with(&[], ciphertext, &[&["-e", "production"], args].concat(), &[])
}

fn bytes(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

fn hex(base64: &str) -> String {
    bytes(base64).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_key_that_opens_it_is_named() {
    let active = verify(&bytes(UNDER_KEY_1), &[]);
    assert_eq!(
        active.done().stdout,
        "encryption-key-1 opens it: the active key of lightrun in production (folder keys), decoded; nonce, ciphertext, tag\n"
    );
    let older = verify(&bytes(UNDER_KEY_0), &[]);
    assert_eq!(
        older.done().stdout,
        "encryption-key-0 opens it: an older key of lightrun in production (folder keys), decoded; nonce, ciphertext, tag\n"
    );
    assert_eq!(older.stderr, "");
    assert!(verify(&bytes(NOTHING_UNDER_KEY_0), &[]).done().stdout.starts_with("encryption-key-0 "));
}

#[test]
fn a_key_is_read_in_every_spelling() {
    let with_key_2 = |text: &str, ciphertext: &str| {
        verify_with(&[("keys/encryption-key-2", text)], &bytes(ciphertext), &["-e", "production"], &[])
    };
    let raw = with_key_2(RAW_KEY, UNDER_RAW_KEY);
    assert!(raw.done().stdout.starts_with("encryption-key-2 opens it: the active key"), "{}", raw.stdout);
    assert!(raw.stdout.contains("as it stands"), "{}", raw.stdout);
    for text in [hex(KEYS[1]), hex(KEYS[1]).to_uppercase()] {
        let run = with_key_2(&text, UNDER_KEY_1);
        assert_eq!(run.done().stdout.lines().count(), 2, "two keys open it: {}", run.stdout);
    }
}

#[test]
fn a_line_end_behind_the_key_is_said() {
    for (text, ciphertext) in [(format!("{}\n", KEYS[1]), UNDER_KEY_1), (format!("{RAW_KEY}\r\n"), UNDER_RAW_KEY)] {
        let run = verify_with(
            &[("keys/encryption-key-1", "x"), ("keys/encryption-key-2", &text)],
            &bytes(ciphertext),
            &["-e", "production"],
            &[],
        );
        assert!(run.done().stdout.starts_with("encryption-key-2 opens it"), "{}", run.stdout);
        assert!(run.stderr.contains("warning[newline]: encryption-key-2"), "{}", run.stderr);
    }
}

#[test]
fn a_key_is_derived_from_the_text_the_salt_and_the_context() {
    let variables =
        [("DEVMESH_ENCRYPTION_KEY", PASSPHRASE), ("ENCRYPTION_MASTER_KEY", "another one, long enough for it")];
    let verify = |ciphertext: &str, args: &[&str]| {
        let args = [&["-e", "derived", "--keyring", "devmesh"], args].concat();
        verify_with(&[], &bytes(ciphertext), &args, &variables)
    };
    let line = "devmesh-encryption-key opens it: the active key of devmesh in derived (environment variables), as it stands; \
                salt, nonce, ciphertext, tag (PBKDF2)\n";
    assert_eq!(verify(DERIVED, &[]).done().stdout, line);
    assert_eq!(verify(DERIVED, &["--layout", "pbkdf2"]).done().stdout, line);
    assert_eq!(verify(DERIVED_WITH_CONTEXT, &["--context", CONTEXT]).done().stdout, line);
    verify(DERIVED, &["--layout", "key"]).refused(1, "no-key-opens");
    verify(DERIVED, &["--context", "other"]).refused(1, "no-key-opens");
    let without = verify(DERIVED_WITH_CONTEXT, &[]);
    without.refused(1, "no-key-opens");
    assert!(without.stderr.contains("give it with `--context`"), "{}", without.stderr);
}

#[test]
fn that_no_key_opens_it_is_said_with_what_was_tried() {
    let run = verify(&bytes(UNDER_ANOTHER), &[]);
    run.refused(1, "no-key-opens");
    assert_eq!(
        run.stderr,
        "error[no-key-opens]: none of the 2 keys opens it\n\
         \x20  = note: decryption failures: verify you are using the correct key\n\
         \x20  = note: tried encryption-key-0 and encryption-key-1 of lightrun in production (folder keys)\n\
         \x20  = note: in \"nonce, ciphertext, tag\" and \"salt, nonce, ciphertext, tag (PBKDF2)\", on 54 bytes read as raw\n\
         \x20  = help: try another environment with `-e`, and what was there before: a backup with `--source dir=PATH`\n\
         \x20  = help: if the application adds a context to the key, give it with `--context`\n\
         \x20  = help: try another record: one that was cut or changed opens under no key\n"
    );
    let short = verify_with(&[("keys/encryption-key-1", "too short")], &bytes(UNDER_KEY_1), &["-e", "production"], &[]);
    assert!(short.refused(1, "no-key-opens").stderr.contains("no reading of encryption-key-1 has the 32 bytes"));
}

#[test]
fn one_changed_byte_opens_under_no_key() {
    let whole = bytes(UNDER_KEY_0);
    for i in [0, 11, 12, 30, whole.len() - 16, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[i] ^= 1;
        verify(&changed, &["--layout", "key"]).refused(1, "no-key-opens");
    }
    verify(&whole[..whole.len() - 1], &[]).refused(1, "no-key-opens");
}

#[test]
fn text_is_recognised_or_asked_for() {
    let hex = hex(UNDER_KEY_0);
    let lines = format!("{}\n{}\n", &UNDER_KEY_0[..40], &UNDER_KEY_0[40..]);
    for text in [UNDER_KEY_0, &lines, &hex, &hex.to_uppercase()] {
        assert!(verify(text.as_bytes(), &[]).done().stdout.starts_with("encryption-key-0 "), "{text}");
    }
    let mixed = format!("{}{}", &hex[..54], hex[54..].to_uppercase());
    verify(mixed.as_bytes(), &[]).refused(1, "no-ciphertext");
    verify(mixed.as_bytes(), &["--encoding", "hex"]).done();
    verify(mixed.as_bytes(), &["--encoding", "base64"]).refused(1, "no-key-opens");
    let json = format!("{{\"secret\": \"{UNDER_KEY_0}\"}}");
    verify(json.as_bytes(), &[]).refused(1, "no-ciphertext");
    verify(json.as_bytes(), &["--encoding", "hex"]).refused(1, "no-ciphertext");
    verify(b"", &[]).refused(1, "no-ciphertext");
    verify(&[0xff; 27], &[]).refused(1, "no-ciphertext");
    verify(&[0xff; 59], &["--layout", "pbkdf2"]).refused(1, "no-ciphertext");
}

#[test]
fn stdin_is_read_and_bounded() {
    let folder = folder(&[("keyring.yaml", CONFIG), ("keys/encryption-key-0", KEYS[0])]);
    let args = ["verify", "-e", "production", "--ciphertext", "-"];
    let run = keyring_bytes(folder.path(), &args, &[], &bytes(UNDER_KEY_0));
    assert!(run.done().stdout.starts_with("encryption-key-0 "));
    let long = vec![0xff; (16 << 20) + 1];
    keyring_bytes(folder.path(), &args, &[], &long).refused(1, "no-ciphertext");
    keyring(folder.path(), &["verify", "-e", "production", "--ciphertext", "nowhere"], &[], "").refused(5, "io");
}

#[test]
fn without_a_configuration_a_profile_and_a_source_do() {
    let folder = folder(&[("old/encryption-key-0", KEYS[0]), ("record", UNDER_KEY_0)]);
    let verify =
        |args: &[&str]| keyring(folder.path(), &[&["verify", "--ciphertext", "record"], args].concat(), &[], "");
    let run = verify(&["--profile", "lightrun", "--source", "dir=old"]);
    assert!(run.done().stdout.contains("the active key of lightrun (folder old)"), "{}", run.stdout);
    verify(&[]).refused(2, "no-config");
    verify(&["--profile", "lightrun"]).refused(2, "no-source");
    verify(&["--profile", "lightrun", "--source", "dir=new"]).refused(3, "source-failed");
}

#[test]
fn the_key_before_a_fixed_one_has_its_own_field() {
    let folder = folder(&[
        ("keys/storage-key", KEYS[1]),
        ("keys/storage-key-previous", KEYS[0]),
        ("keys/cookie-secret", PASSPHRASE),
        ("keys/token-key", KEYS[2]),
        ("record", UNDER_KEY_0),
        ("derived", DERIVED),
    ]);
    let profile = root().join("testdata/profiles/ledger.yaml").display().to_string();
    let opener = |file: &str| {
        let args = ["verify", "--profile", &profile, "--source", "dir=keys", "--ciphertext", file];
        keyring(folder.path(), &args, &[], "").done().stdout.split(':').next().map(str::to_owned)
    };
    assert_eq!(opener("record").as_deref(), Some("storage-key-previous opens it"));
    assert_eq!(opener("derived").as_deref(), Some("cookie-secret opens it"));
}

#[test]
fn keys_of_the_values_are_asked_for_as_files() {
    let run = verify_with(&[], &bytes(DERIVED), &["-e", "derived", "--keyring", "lightrun"], &[]);
    assert!(run.refused(2, "no-source").stderr.contains("--source dir=PATH"), "{}", run.stderr);
}
