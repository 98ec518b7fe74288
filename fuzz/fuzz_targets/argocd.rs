//! What Argo CD hands over: parameters are read or refused without their values being told; what is put into them is
//! what Go would put in; a stream is refused or certainly read whole.

#![no_main]

use std::collections::BTreeMap;

use helm_keyring::argocd::{Parameters, refuse_unreadable, substitute};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = refuse_unreadable(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(refusal) = Parameters::parse(text) {
        let message = refusal.to_string();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 32) {
            assert!(!message.contains(word), "{message}");
        }
    }
    let variables = BTreeMap::from([("A".to_owned(), "$A".to_owned())]);
    let once = substitute(text, &variables);
    if !text.contains('$') {
        assert_eq!(once, text);
    }
    let escaped = text.replace('$', "$$");
    assert_eq!(substitute(&escaped, &variables), text);
});
