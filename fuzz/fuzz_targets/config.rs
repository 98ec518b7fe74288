//! The files that people write for us: read or refused with a message that shows nothing like a key.

#![no_main]

use std::path::Path;

use helm_keyring::config::Config;
use helm_keyring::profile::{self, Profile};
use helm_keyring::report::Refusal;
use helm_keyring::schema::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(refusal) = Config::parse(Path::new("keyring.yaml"), text.to_owned()) {
        check(text, &refusal);
    }
    let document = Document::parse("profile.yaml", text.to_owned());
    match document.and_then(|document| document.checked::<Profile>(profile::SCHEMA)) {
        Err(refusal) => check(text, &refusal),
        Ok(profile) => {
            for (_, ring) in profile.rings() {
                assert!(ring.markers().iter().all(|marker| !marker.is_empty()), "every document would be parsed");
            }
        }
    }
});

fn check(text: &str, refusal: &Refusal) {
    assert!(!refusal.0.is_empty());
    let message = refusal.to_string();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 32) {
        assert!(!message.contains(word), "{message}");
    }
}
