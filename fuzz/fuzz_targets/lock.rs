//! `keyring.lock`: refused with a place and exit code 4, or read; written and read again it says the same. What is
//! verified against it is delivered or refused, and no key is in the words.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use helm_keyring::key::KeyText;
use helm_keyring::lock::{self, Held, Lock, Owner};
use helm_keyring::profile::{self, Profile};
use helm_keyring::report::Exit;
use libfuzzer_sys::fuzz_target;

/// Base64 of 32 random bytes each.
const KEYS: [&str; 2] =
    ["DLHHULz7fcE/eGwUW+iS/BfRbEd0TPHoXLvzl0U4pws=", "MdQUmN9a9ZxzgkO45SIHlpP+DVI+lRbOBp7+KIH3OOM="];
const OWNER: Owner<'_> = Owner { keyring: "lightrun", environment: "production" };

static PROFILE: LazyLock<Profile> = LazyLock::new(|| profile::shipped("lightrun").expect("shipped").expect("valid"));

fuzz_target!(|text: &str| {
    let lock = match Lock::parse("keyring.lock", text) {
        Ok(lock) => lock,
        Err(refusal) => {
            assert_eq!(refusal.exit(), Exit::Lock);
            return;
        }
    };
    let written = lock.to_text();
    let again = Lock::parse("keyring.lock", &written).unwrap_or_else(|refusal| panic!("{written}{refusal}"));
    assert!(again == lock && again.to_text() == written);
    assert!(again.lost_since(&lock).is_empty());

    let spec = &PROFILE.secrets[0].fields[0];
    let keys: BTreeMap<u32, KeyText> = (0..).zip(KEYS.map(|key| KeyText::from(key.to_owned()))).collect();
    match lock::verify(&lock, OWNER, &[Held { spec, keys: &keys }]) {
        Ok(verified) => assert_eq!(verified.rings[0].len(), KEYS.len(), "never fewer keys than the source has"),
        Err(refusal) => assert!(!KEYS.iter().any(|key| refusal.to_string().contains(key))),
    }
});
