//! Go templates: any text is read to its end, and every call that is named stands where it is said to.

#![no_main]

use helm_keyring::unstable::generators;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for call in generators(text) {
        assert_eq!(text.get(call.start..call.end), Some(call.function));
    }
});
