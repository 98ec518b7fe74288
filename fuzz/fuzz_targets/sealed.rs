//! The sealed file: any text is refused, or read and written as the same bytes; and it opens only if it is one of the
//! three that were really sealed.

#![no_main]

use std::sync::LazyLock;

use helm_keyring::key::KeyText;
use helm_keyring::sealed::{MasterKey, SealedFile};
use libfuzzer_sys::fuzz_target;

const SEALED: [&[u8]; 3] = [
    include_bytes!("../../testdata/sealed/production.sealed"),
    include_bytes!("../../testdata/sealed/rekeyed.sealed"),
    include_bytes!("../../testdata/sealed/without-keys.sealed"),
];

static MASTERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let vectors: serde_json::Value = serde_json::from_slice(include_bytes!("../../testdata/sealed/vectors.json")).expect("JSON");
    let keys = vectors["masterKeys"].as_object().expect("keys").values();
    keys.map(|key| key["text"].as_str().expect("text").to_owned()).collect()
});

fuzz_target!(|text: &[u8]| {
    let Ok(file) = SealedFile::parse(text) else { return };
    assert_eq!(file.to_text().as_bytes(), text);
    for master in MASTERS.iter() {
        let master = MasterKey::parse(&KeyText::from(master.clone()), "the test").unwrap_or_else(|e| panic!("{e}"));
        if file.clone().open(&master).is_ok() {
            assert!(SEALED.contains(&text), "a file that nobody sealed opens");
        }
    }
});
