//! A Secret as `kubectl` prints it: refused with a message that shows nothing like a key, or read; then every field of
//! the ring is a key, unchanged.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use helm_keyring::profile::{self, Profile};
use helm_keyring::source::{Live, Source};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

static PROFILE: LazyLock<Profile> = LazyLock::new(|| profile::shipped("lightrun").expect("shipped").expect("valid"));

fuzz_target!(|text: &str| {
    let live = Live::printed(Path::new("secret.json"), Zeroizing::new(text.to_owned()));
    match live.fetch(&[&PROFILE.secrets[0].fields[0]]) {
        Ok(rings) => assert!(rings[0].values().all(|key| !key.is_empty())),
        Err(error) => {
            let message = format!("{} {}", error.message, error.help);
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 32) {
                assert!(!message.contains(word), "{message}");
            }
        }
    }
});
