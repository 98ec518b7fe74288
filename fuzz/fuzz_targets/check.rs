//! `check` on any text: no panic, no hang, and no piece of a key in any report. `@K@` stands for a key.

#![no_main]

use helm_keyring::check::{Request, check};
use helm_keyring::report::{Format, Report, sorted, written};
use helm_keyring::rules;
use libfuzzer_sys::fuzz_target;

const KEY: &str = "DLHHULz7fcE/eGwUW+iS/BfRbEd0TPHoXLvzl0U4pws=";
/// So many characters of a key in a row are no chance.
const PIECE: usize = 12;

fuzz_target!(|text: &str| {
    let text = text.replace("@K@", KEY);
    let request = Request { stdin: Some(("<stdin>".to_owned(), text)), ..Request::default() };
    let checked = check(&request, &|_, _| {}).expect("nothing is read but the text");
    assert_eq!(checked.findings, sorted(checked.findings.clone()));
    // The pages of the rules are the same whatever was found.
    let report = Report { findings: &checked.findings, files: checked.files, rules: &[] };
    let rules = rules::infos();
    for format in [Format::Human, Format::Json, Format::Sarif, Format::Github] {
        let text = written(format, &report);
        let shown = (0..KEY.len() - PIECE).any(|at| text.contains(&KEY[at..at + PIECE]));
        assert!(!shown, "{format:?} shows a piece of a key");
    }
    let _ = written(Format::Sarif, &Report { rules: &rules, ..report });
});
