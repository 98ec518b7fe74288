//! The vectors in `testdata/sealed`, which `tests/vectors/sealed.py` recomputes on its own.

use super::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sealed")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn masters() -> [(&'static str, MasterKey); 3] {
    [("deploy", deploy()), ("recovery", recovery()), ("other", other())]
}

/// The files, made anew with fixed salts, nonces and data keys.
fn files() -> [(&'static str, Opened); 3] {
    let mut production = new("production", "vector production");
    let hexadecimal = hex(&counting(0x60));
    let texts: [(&str, u32, &[u8]); 5] = [
        (RING, 0, b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        (RING, 1, &counting(0xe0)),
        (FIXED, 0, b"a passphrase of more than 32 characters\n"),
        (RING, 2, hexadecimal.as_bytes()),
        (FIXED, 1, b"an old one\twith 1 space, 1 tab"),
    ];
    for (field, number, text) in texts {
        production.add(field, number, &key(text)).unwrap();
    }
    let mut rekeyed = reopened(&production, "vector rekeyed");
    rekeyed.remove_recipient("recovery").unwrap();
    rekeyed.rekey(&[&deploy()]).unwrap();
    [
        ("production.sealed", production),
        ("rekeyed.sealed", rekeyed),
        ("without-keys.sealed", new("staging", "vector staging")),
    ]
}

#[test]
fn the_files_are_made_byte_for_byte() {
    for (name, opened) in files() {
        let text = opened.file().to_text();
        let there = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert_eq!(there, text, "{name}");
    }
}

#[test]
fn the_files_hold_what_the_vectors_say() {
    let vectors = std::fs::read_to_string(folder().join("vectors.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    for (name, master) in masters() {
        let vector = &vectors["masterKeys"][name];
        assert_eq!(vector["id"], master.id().unwrap().to_string());
        assert_eq!(vector["text"], String::from_utf8(master.into_text().expose().to_vec()).unwrap());
    }
    let listed = vectors["files"].as_array().unwrap();
    assert_eq!(listed.len(), files().len());
    for vector in listed {
        let text = std::fs::read(folder().join(vector["file"].as_str().unwrap())).unwrap();
        let recipients: Vec<&str> = vector["recipients"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        for (name, master) in masters() {
            let opened = open(&text, &master);
            assert_eq!(opened.is_ok(), recipients.contains(&name));
            let Ok(opened) = opened else { continue };
            assert_eq!(vector["environment"], opened.file().environment());
            let found: Vec<Value> = opened
                .keys()
                .map(|key| {
                    let text = hex(key.text.expose());
                    serde_json::json!({
                        "field": key.field, "number": key.number, "spelling": key.spelling.to_string(), "text": text,
                    })
                })
                .collect();
            assert_eq!(vector["keys"], Value::from(found));
        }
    }
}
