//! `--set` and its relatives: a line of the input is a flag. Read or refused, twice the same, nothing like a key in a
//! message. `--set-file` is left out: it reads files.

#![no_main]

use helm_keyring::values::{Known, Request, Set, SetKind, read};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

const FLAGS: [(&str, SetKind); 4] = [
    ("--set ", SetKind::Typed),
    ("--set-string ", SetKind::String),
    ("--set-json ", SetKind::Json),
    ("--set-literal ", SetKind::Literal),
];

fuzz_target!(|lines: &str| {
    let flag = |line: &str| {
        let (text, kind) = FLAGS.iter().find_map(|(flag, kind)| Some((line.strip_prefix(flag)?, *kind)))?;
        Some(Set { kind, text: Zeroizing::new(text.to_owned()), place: None })
    };
    let request = Request { set: lines.split('\n').filter_map(flag).collect(), ..Request::default() };
    match (read(&request), read(&request)) {
        (Ok(Known::Values(one)), Ok(Known::Values(two))) => {
            assert!(one.value.map().is_some());
            assert!(one.value == two.value);
            one.value.to_json();
        }
        (Err(one), Err(two)) => {
            let message = one.to_string();
            assert_eq!(message, two.to_string());
            let words = lines.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 32);
            words.for_each(|word| assert!(!message.contains(word), "{message}"));
        }
        _ => panic!("one of two equal requests was refused, or something was not known"),
    }
});
