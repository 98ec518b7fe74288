//! Round trips, changes, and what the parser says.

use super::*;
use proptest::prelude::*;

#[test]
fn keys_come_back_for_every_recipient_and_for_no_other() {
    let mut opened = new("production", "round trip");
    opened.add(RING, 0, &key("first")).unwrap();
    opened.add(FIXED, 0, &key("a passphrase\n")).unwrap();
    opened.add(RING, 1, &key([0xff; 32])).unwrap();
    let expected = [
        (RING.to_owned(), 0, "text".to_owned(), b"first".to_vec()),
        (FIXED.to_owned(), 0, "text+newline".to_owned(), b"a passphrase\n".to_vec()),
        (RING.to_owned(), 1, "raw".to_owned(), vec![0xff; 32]),
    ];
    assert_eq!(keys(&opened), expected);
    let text = opened.file().to_text();
    for master in [deploy(), recovery()] {
        assert_eq!(keys(&open(text.as_bytes(), &master).ok().unwrap()), expected);
    }
    let message = error(open(text.as_bytes(), &other())).to_string();
    let (given, [first, second]) = (other().id().unwrap(), [deploy(), recovery()].map(|master| master.id().unwrap()));
    assert_eq!(
        message,
        format!(
            "wrong master key: its id is {given}, but the file is sealed for deploy ({first}) and recovery ({second})"
        )
    );
}

#[test]
fn adding_leaves_every_line_but_the_last() {
    let mut opened = new("production", "adding");
    for number in 0..5 {
        let before = opened.file().to_text();
        opened.add(RING, number, &key(format!("key {number}"))).unwrap();
        opened = reopened(&opened, ["a", "b", "c", "d", "e"][number as usize]);
        let after = opened.file().to_text();
        let before: Vec<&str> = before.lines().collect();
        let after: Vec<&str> = after.lines().collect();
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(after[..before.len() - 1], before[..before.len() - 1]);
        assert!(after[before.len() - 1].starts_with(&format!("key {number} {RING} text ")));
        assert!(after[before.len()].starts_with(&format!("end {} ", number + 1)));
    }
    opened.add_recipient("backup", &other()).unwrap();
    let text = opened.file().to_text();
    assert_eq!(keys(&open(text.as_bytes(), &other()).ok().unwrap()).len(), 5);
}

#[test]
fn the_same_key_never_gives_the_same_line() {
    let master = deploy();
    let mut lines = std::collections::HashSet::new();
    for _ in 0..3 {
        let mut opened = SealedFile::init("production", &[("deploy", &master)]).ok().unwrap();
        opened.add(RING, 0, &key("same")).unwrap();
        opened.add(RING, 1, &key("same")).unwrap();
        let text = opened.file().to_text();
        let blobs = text.lines().skip(1).map(|line| line.rsplit(' ').next().unwrap().to_owned());
        lines.extend(blobs.skip(1));
    }
    assert_eq!(lines.len(), 3 * 4);
}

#[test]
fn a_text_of_any_length_up_to_the_limit_comes_back() {
    for len in [1, 2, 15, 16, 17, 4096, TEXT_LEN_MAX_BYTES - 1, TEXT_LEN_MAX_BYTES] {
        let text: Vec<u8> = (0..len).map(|i| (i * 7 % 256) as u8).collect();
        let mut opened = new("production", "length");
        opened.add(RING, 0, &key(&text)).unwrap();
        assert!(keys(&reopened(&opened, ""))[0].3 == text, "{len}");
    }
    for len in [0, TEXT_LEN_MAX_BYTES + 1] {
        assert_eq!(error(new("p", "").add(RING, 0, &key(vec![b'a'; len]))), Error::TextLength { bytes: len });
    }
}

#[test]
fn a_file_that_nobody_could_read_is_not_made() {
    let (deploy, again) = (deploy(), deploy());
    let init = |environment: &str, recipients: &[(&str, &MasterKey)]| error(SealedFile::init(environment, recipients));
    assert_eq!(init("production", &[]), Error::Recipients);
    assert!(matches!(init("pro duction", &[("deploy", &deploy)]), Error::Name { .. }));
    assert!(matches!(init("production", &[("de\nploy", &deploy)]), Error::Name { .. }));
    assert!(matches!(init("production", &[("a", &deploy), ("b", &again)]), Error::SameRecipient(_)));
    assert!(matches!(init("production", &[("a", &deploy), ("a", &other())]), Error::SameRecipient(_)));
    let masters: Vec<MasterKey> = (0..=RECIPIENTS_MAX).map(|i| MasterKey::of_bytes([i as u8; 32])).collect();
    let labels: Vec<String> = (0..masters.len()).map(|i| format!("r{i}")).collect();
    let all: Vec<(&str, &MasterKey)> = labels.iter().map(String::as_str).zip(&masters).collect();
    assert_eq!(init("production", &all), Error::Recipients);
    assert!(SealedFile::init("production", &all[1..]).is_ok());
    let mut opened = new("production", "limits");
    assert!(matches!(error(opened.add("a field", 0, &key("k"))), Error::Field));
    for number in [1, 2, u32::MAX] {
        let next = Error::Number { field: RING.to_owned(), given: number, next: 0 };
        assert_eq!(error(opened.add(RING, number, &key("k"))), next);
    }
}

#[test]
fn a_file_does_not_grow_too_large_to_be_read() {
    let mut opened = new("production", "large");
    let large = key(vec![b'a'; TEXT_LEN_MAX_BYTES]);
    let mut added = 0;
    let refused = loop {
        let before = opened.file().to_text();
        match opened.add(RING, added, &large) {
            Ok(()) => added += 1,
            Err(error) => {
                assert_eq!(opened.file().to_text(), before, "a change that fails changes nothing");
                break error;
            }
        }
    };
    assert_eq!((refused, added), (Error::TooLarge, 47));
    let text = opened.file().to_text();
    assert!(open(text.as_bytes(), &deploy()).is_ok());
    let too_large = vec![b'a'; FILE_LEN_MAX_BYTES + 1];
    assert_eq!(error(SealedFile::parse(&too_large)), Error::TooLarge);
}

#[test]
fn recipients_come_and_go() {
    let mut opened = new("production", "recipients");
    opened.add(RING, 0, &key("k")).unwrap();
    assert!(matches!(error(opened.add_recipient("deploy", &other())), Error::SameRecipient(_)));
    assert!(matches!(error(opened.add_recipient("more", &recovery())), Error::SameRecipient(_)));
    opened.add_recipient("more", &other()).unwrap();
    let message = error(opened.remove_recipient("nobody")).to_string();
    assert!(message.starts_with("the file has no recipient of this label, only deploy ("), "{message}");
    opened.remove_recipient("deploy").unwrap();
    opened.remove_recipient("recovery").unwrap();
    assert_eq!(error(opened.remove_recipient("more")), Error::Recipients);
    let text = opened.file().to_text();
    assert!(matches!(error(open(text.as_bytes(), &deploy())), Error::WrongMasterKey { .. }));
    assert_eq!(keys(&open(text.as_bytes(), &other()).ok().unwrap()).len(), 1);
}

#[test]
fn a_new_data_key_seals_everything_anew() {
    let mut opened = new("production", "rekey");
    opened.add(RING, 0, &key("k0")).unwrap();
    opened.add(FIXED, 0, &key("k1")).unwrap();
    let before = (opened.file().to_text(), keys(&opened));
    assert!(matches!(error(opened.rekey(&[&deploy(), &other()])), Error::WrongMasterKey { .. }));
    let message = error(opened.rekey(&[&deploy()])).to_string();
    assert!(message.starts_with("the master key of recovery ("), "{message}");
    assert_eq!(opened.file().to_text(), before.0);
    opened.rekey(&[&recovery(), &deploy()]).unwrap();
    let after = opened.file().to_text();
    let same = before.0.lines().zip(after.lines()).filter(|(old, new)| old == new).count();
    assert_eq!(same, 1, "only the first line");
    for master in [deploy(), recovery()] {
        assert_eq!(keys(&open(after.as_bytes(), &master).ok().unwrap()), before.1);
    }
    assert!(opened.file().recipients().map(|r| r.label.as_str()).eq(["deploy", "recovery"]));
}

/// A change to a good text, and the message that it leads to.
#[test]
fn what_is_wrong_with_a_line_is_said() {
    let mut opened = new("production", "messages");
    opened.add(RING, 0, &key("k0")).unwrap();
    opened.add(RING, 1, &key("k1")).unwrap();
    let good = opened.file().to_text();
    let lines: Vec<&str> = good.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        lines.join("\n") + "\n"
    };
    let word = |number: usize, place: usize, word: &str| {
        let mut words: Vec<&str> = lines[number - 1].split(' ').collect();
        words[place] = word;
        with(number, &words.join(" "))
    };
    let conflict = format!("<<<<<<< HEAD\n{}", lines[5]);
    let cases = [
        (String::new(), "line 1 is missing: the file is empty"),
        ("a secret\n".into(), "line 1 is not `helm-keyring-sealed v1`"),
        ("\u{feff}".to_owned() + &good, "line 1 is not `helm-keyring-sealed v1`"),
        (with(1, "helm-keyring-sealed v2"), "line 1 names a version that this helm-keyring does not know"),
        (good.replace('\n', "\r\n"), "line 1 ends in CRLF"),
        (with(6, &(lines[5].to_owned() + "\r")), "line 6 ends in CRLF"),
        (lines[0].to_owned() + "\n", "line 2 is missing: the file is cut off"),
        (with(2, "file production"), "line 2 is not `file <32 hex> env <name>`"),
        (word(2, 1, "0123"), "line 2 has no 32 small hexadecimal digits where they belong"),
        (word(2, 1, &"A".repeat(32)), "line 2 has no 32 small hexadecimal digits where they belong"),
        (word(2, 3, "-"), "line 2 has no environment's name where it belongs"),
        (word(3, 2, "0123456789abcdeg"), "line 3 has no 16 small hexadecimal digits where they belong"),
        (word(4, 1, "deploy"), "line 4 has the label of a line above"),
        (word(4, 2, lines[2].split(' ').nth(2).unwrap()), "line 4 has the key id of a line above"),
        (word(4, 3, "AAAA"), "line 4 ends in base64 of a length that cannot be"),
        (word(5, 1, "00"), "line 5 has a number that is not written as numbers are"),
        (word(5, 1, "1"), "line 5 is key 1 of encryption-key-{n}, but 0 comes next"),
        (word(6, 1, "2"), "line 6 is key 2 of encryption-key-{n}, but 1 comes next"),
        (word(5, 2, "a/b"), "line 5 has no field's name where it belongs"),
        (word(5, 3, "hex"), "line 5 has no spelling where it belongs"),
        (word(5, 4, "AA=="), "line 5 ends in base64 of a length that cannot be"),
        (word(5, 4, "AB=="), "line 5 does not end in canonical base64"),
        (word(5, 4, "AA"), "line 5 does not end in canonical base64"),
        (with(5, &(lines[4].to_owned() + " ")), "line 5 is not `key <n> <field> <spelling> <base64>`"),
        (with(5, &lines[4].replace("key 0", "key  0")), "line 5 is not `key <n> <field> <spelling> <base64>`"),
        (with(5, ""), "line 5 is none of `to`, `key` and `end`"),
        (with(5, "# a comment"), "line 5 is none of `to`, `key` and `end`"),
        (with(5, "key\u{e4}"), "line 5 has a byte that is no printable ASCII"),
        (with(6, &conflict), "line 6 is the mark of a merge conflict"),
        (with(6, lines[3]), "line 6 is out of order: first `to`, then `key`, then one `end`"),
        (word(7, 1, "3"), "line 7 does not count the 2 `key` lines above it"),
        (lines[..6].join("\n") + "\n", "line 7 is missing: the file is cut off"),
        (lines.join("\n"), "line 7 does not end in a line feed: the file is cut off"),
        (good.clone() + "\n", "line 8 comes after the end"),
        (lines[..2].join("\n") + "\n" + lines[6] + "\n", "line 3 is not `to …`: the file has no recipient"),
        (word(5, 3, "raw"), "the file was changed: line 5 does not fit its seal"),
        (word(2, 3, "staging"), "the file was changed: line 3 does not fit its seal"),
    ];
    for (text, message) in &cases {
        let error = error(open(text.as_bytes(), &deploy()));
        assert_eq!(&error.to_string(), message);
        assert!(!error.help().is_empty());
        let number = message.split("line ").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!(error.line().unwrap().to_string(), number);
        assert_eq!(error.finding("a.sealed".as_ref()).exit(), Some(crate::report::Exit::Source));
    }
    assert!(open(good.as_bytes(), &deploy()).is_ok());
}

/// A line of words that a sealed file is made of, and some that it is not.
fn noise() -> impl Strategy<Value = String> {
    let blob = prop_oneof!["[A-Za-z0-9+/]{0,8}={0,2}", Just("A".repeat(80)), Just("A".repeat(43) + "=")];
    let word = prop_oneof!["to|key|end|file|env", "[0-9]{1,2}", "[a-f0-9]{16}", "text|raw|base64", "\\PC{0,4}", blob];
    proptest::collection::vec(word, 0..6).prop_map(|words| words.join(" "))
}

/// A text of the right form for so many keys, with whatever seals.
fn of_form(keys: usize) -> Vec<String> {
    let mut lines = vec![
        "helm-keyring-sealed v1".to_owned(),
        format!("file {} env production", "0".repeat(32)),
        format!("to deploy 0123456789abcdef {}", "A".repeat(80)),
    ];
    lines.extend((0..keys).map(|number| format!("key {number} {RING} text {}", "A".repeat(128))));
    lines.push(format!("end {keys} {}=", "A".repeat(43)));
    lines
}

fn is_read_and_written_the_same(text: &str) -> bool {
    SealedFile::parse(text.as_bytes()).is_ok_and(|file| file.to_text() == text)
}

proptest! {
    #[test]
    fn no_bytes_break_the_parser(bytes: Vec<u8>, at in 0..400_usize) {
        prop_assert!(SealedFile::parse(&bytes).is_err());
        let mut almost = (of_form(2).join("\n") + "\n").into_bytes();
        almost.splice(at..at, bytes);
        let _ = SealedFile::parse(&almost);
    }

    #[test]
    fn what_is_read_is_written_the_same(keys in 0..4_usize, line in noise(), at in 0..8_usize, instead: bool) {
        let mut lines = of_form(keys);
        let good = lines.join("\n") + "\n";
        prop_assert!(is_read_and_written_the_same(&good));
        let at = at.min(lines.len() - 1);
        if instead { lines[at] = line } else { lines.insert(at, line) };
        let text = lines.join("\n") + "\n";
        prop_assert!(SealedFile::parse(text.as_bytes()).is_err() || is_read_and_written_the_same(&text));
    }

    #[test]
    fn no_text_breaks_a_master_key(text: Vec<u8>, rest in "\\PC{0,60}") {
        prop_assert!(MasterKey::parse(&key(text), "").is_err());
        let almost = key(format!("hkm1_{rest}"));
        prop_assert!(MasterKey::parse(&almost, "").is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_texts_come_back(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..6)) {
        let mut opened = new("production", "any");
        for (text, number) in texts.iter().zip(0..) {
            opened.add(RING, number, &key(text)).unwrap();
        }
        let back: Vec<Vec<u8>> = keys(&reopened(&opened, "")).into_iter().map(|key| key.3).collect();
        prop_assert_eq!(back, texts);
    }
}
