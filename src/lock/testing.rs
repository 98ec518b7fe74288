//! What the tests of this folder share.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Lock, Owner};
use crate::key::{Form, KeyText, Policy, SALT_LEN, encode};
use crate::profile::FieldSpec;
use crate::report::Refusal;

pub const SALT: [u8; SALT_LEN] = *b"0123456789abcdef";

pub const PRODUCTION: Owner<'_> = Owner { keyring: "lightrun", environment: "production" };
pub const STAGING: Owner<'_> = Owner { keyring: "lightrun", environment: "staging" };

/// `encryption-key-{n}`
pub fn numbered() -> FieldSpec {
    ring("encryption-key-{n}", None)
}

pub fn ring(name: &str, previous: Option<&str>) -> FieldSpec {
    FieldSpec {
        name: name.to_owned().into(),
        previous: previous.map(Into::into),
        variable: None,
        policy: Policy::Any,
        values: None,
        consumers: Vec::new(),
    }
}

/// A key by its name: `A` is 32 random bytes in base64, `a` a passphrase. Behind a dot, what was done to the text.
pub fn key(word: &str) -> KeyText {
    let (name, changes) = word.split_once('.').unwrap_or((word, ""));
    let bytes: [u8; 32] = Sha256::digest(name).into();
    let text = match name.chars().all(char::is_uppercase) {
        true => encode(Form::Base64.into(), &bytes),
        false => KeyText::from(format!("the passphrase named {name}")),
    };
    changes.split('.').fold(text, |text, change| changed(&text, &bytes, change))
}

fn changed(text: &KeyText, bytes: &[u8], change: &str) -> KeyText {
    let text = text.expose();
    KeyText::from(match change {
        "" => text.to_vec(),
        "hex" => encode(Form::HexLower.into(), bytes).expose().to_vec(),
        "HEX" => encode(Form::HexUpper.into(), bytes).expose().to_vec(),
        "raw" => bytes.to_vec(),
        "newline" => [text, b"\n"].concat(),
        "crlf" => [text, b"\r\n"].concat(),
        "space" => [b" ", text].concat(),
        "quotes" => [b"\"", text, b"\""].concat(),
        "twice" => STANDARD.encode(text).into_bytes(),
        "cut" => text[..text.len() - 8].to_vec(),
        _ => panic!("no change is called {change}"),
    })
}

/// Keys by number; `-` leaves a number out.
pub fn keys(words: &str) -> BTreeMap<u32, KeyText> {
    let words = (0..).zip(words.split_whitespace());
    words.filter(|(_, word)| *word != "-").map(|(number, word)| (number, key(word))).collect()
}

/// Locks keys, then reads the lock as a file, so that every line has its place.
pub fn locked(rings: &[(Owner<'_>, &FieldSpec, &str)]) -> Lock {
    let mut lock = Lock::new("keyring.lock", SALT);
    for (owner, spec, words) in rings {
        for (number, key) in keys(words) {
            lock.add(*owner, spec, number, &key).unwrap_or_else(|refusal| panic!("{refusal}"));
        }
    }
    Lock::parse("keyring.lock", &lock.to_text()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The message of what must be refused, as a user sees it.
pub fn refused<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => panic!("not refused"),
        Err(refusal) => refusal.to_string(),
    }
}
