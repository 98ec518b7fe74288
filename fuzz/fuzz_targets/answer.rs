//! What a store answers: refused with a message that shows nothing of it, or read; then it is written and read again as
//! the same members, and what is set is found.

#![no_main]

use helm_keyring::source::json::Object;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let object = match Object::parse(bytes) {
        Ok(object) => object,
        Err(error) => {
            let message = error.to_string();
            let text = String::from_utf8_lossy(bytes);
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 12) {
                assert!(!message.contains(word), "{message}");
            }
            return;
        }
    };
    let again = Object::parse(object.to_json().as_bytes()).expect("what it wrote");
    assert!(object.names().eq(again.names()));
    for name in object.names() {
        assert_eq!(object.raw(name), again.raw(name));
    }
    let mut changed = again.clone();
    changed.set("key", "a\"\\\n\u{1}");
    let text = changed.text("key").expect("it is there").expect("a text");
    assert_eq!(text.expose(), "a\"\\\n\u{1}".as_bytes());
    let others = object.names().filter(|name| *name != "key");
    others.for_each(|name| assert_eq!(object.raw(name), changed.raw(name)));
});
