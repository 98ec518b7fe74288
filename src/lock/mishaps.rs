//! Everything that happens to keys and locks, each with its message: `testdata/lock/mishaps.txt`, in words that are
//! explained there. `UPDATE_GOLDEN=1` writes the messages as they are now, to be read before they are committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::testing::{SALT, key, keys, ring};
use super::{Checked, Held, Lock, Owner, Standing, verify};
use crate::key::KeyText;
use crate::profile::FieldSpec;
use crate::report::{Exit, Finding, Refusal, human};

const FILE: &str = "testdata/lock/mishaps.txt";

#[test]
fn every_mishap_has_its_message() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&path).expect("the mishaps");
    let (head, cases) = text.split_once("\n## ").expect("a case");
    let mut actual = head.to_owned();
    let mut count = 0;
    for case in cases.split("\n## ") {
        let (setting, _) = case.split_once("\n---\n").expect("a line of dashes");
        let _ = write!(actual, "\n## {setting}\n---\n{}", outcome(setting));
        count += 1;
    }
    assert!(count >= 30, "{count} mishaps");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("written");
        return;
    }
    for (expected, actual) in text.split("\n## ").zip(actual.split("\n## ")) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual, text);
}

/// What a case says was done, and what came of it.
fn outcome(setting: &str) -> String {
    let rings: BTreeMap<&str, FieldSpec> = [
        ("numbered", ring("encryption-key-{n}", None)),
        ("pair", ring("storage-key", Some("storage-key-previous"))),
        ("single", ring("token-key", None)),
        ("other", ring("cookie-key", None)),
    ]
    .into();
    let mut lock = Lock::new("keyring.lock", SALT);
    let mut edits = Vec::new();
    let mut source: Vec<(&FieldSpec, BTreeMap<u32, KeyText>)> = Vec::new();
    for line in setting.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["lock", owner, from, texts @ ..] => {
                let (ring, start) = from.split_once('+').unwrap_or((from, "0"));
                for (number, word) in (start.parse().expect("a number")..).zip(texts) {
                    lock.add(owner_of(owner), &rings[ring], number, &key(word)).expect("locked");
                }
            }
            ["source", ring, texts @ ..] => source.push((&rings[ring], keys(&texts.join(" ")))),
            ["edit", how @ ..] => edits.push(how.to_vec()),
            ["since"] => {}
            _ => panic!("what does this mean: {line}"),
        }
    }
    let before = lock.to_text();
    let after = edits.iter().fold(before.clone(), |text, edit| edited(&text, edit));
    let outcome = Lock::parse("keyring.lock", &after).and_then(|lock| {
        if setting.ends_with("\nsince") {
            let lost = lock.lost_since(&Lock::parse("keyring.lock@HEAD~1", &before)?);
            return if lost.is_empty() { Ok("nothing was lost\n".to_owned()) } else { Err(Refusal(lost)) };
        }
        let held: Vec<Held<'_>> = source.iter().map(|(spec, keys)| Held { spec, keys }).collect();
        let verified = verify(&lock, owner_of("production"), &held)?;
        let delivered = verified.rings.iter().zip(&held).map(|(keys, held)| delivered(held.spec, keys)).collect();
        Ok(said(&verified.findings, delivered))
    });
    outcome.unwrap_or_else(|refusal| {
        assert_eq!(refusal.exit(), Exit::Lock, "{refusal}");
        refusal.to_string()
    })
}

fn owner_of(name: &str) -> Owner<'_> {
    let (keyring, environment) = name.split_once('/').unwrap_or(("lightrun", name));
    Owner { keyring, environment }
}

fn said(findings: &[Finding], delivered: Vec<String>) -> String {
    human(findings) + &delivered.concat()
}

/// The keys that are delivered, with the length of their texts, which shows a newline.
fn delivered(spec: &FieldSpec, keys: &[Checked]) -> String {
    let word = |standing: Standing| match standing {
        Standing::Locked => "locked".to_owned(),
        Standing::New { number } => format!("new, to be locked as {number}"),
        Standing::Released => "released".to_owned(),
    };
    let key =
        |checked: &Checked| format!("{} of {} bytes ({})", checked.number, checked.key.len(), word(checked.standing));
    format!("delivered: {}: {}\n", spec.name, keys.iter().map(key).collect::<Vec<_>>().join(", "))
}

/// What hands and merges do to the text of a lock.
fn edited(text: &str, edit: &[&str]) -> String {
    let (how, words) = edit.split_first().expect("an edit");
    let words = words.join(" ");
    let each = |change: &dyn Fn(&str) -> String| text.split_inclusive('\n').map(change).collect::<String>();
    let change = |line: &str, new: String| if line.contains(&words) { new } else { line.to_owned() };
    match *how {
        "drop" => each(&|line| change(line, String::new())),
        "repeat" => each(&|line| change(line, line.repeat(2))),
        "conflict" => each(&|line| {
            let theirs = line.replace("fingerprint: ", "fingerprint: a").replacen("aa", "a", 1);
            change(line, format!("<<<<<<< HEAD\n{line}=======\n{theirs}>>>>>>> rotate-production\n"))
        }),
        "reverse" => text
            .lines()
            .take(5)
            .chain(text.lines().skip(5).collect::<Vec<_>>().into_iter().rev())
            .fold(String::new(), |text, line| text + line + "\n"),
        "replace" => {
            let (old, new) = words.split_once("=>").map(|(old, new)| (old.trim(), new.trim())).expect("an arrow");
            assert!(text.contains(old), "{old} is not there");
            text.replace(old, new)
        }
        "add" => format!("{text}{words}\n"),
        _ => panic!("no edit is called {how}"),
    }
}
