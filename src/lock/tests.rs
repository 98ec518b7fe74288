use std::collections::BTreeMap;

use proptest::prelude::*;

use super::testing::{PRODUCTION, SALT, STAGING, key, keys, locked, numbered, refused, ring};
use super::*;
use crate::key::{Policy, decode};
use crate::profile::{Profile, SecretSpec, SecretValues};
use crate::report::human;

const DOCS: &str = include_str!("../../docs/lock-format.md");

fn parsed(text: &str) -> Lock {
    Lock::parse("keyring.lock", text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn profile(fields: Vec<FieldSpec>) -> Profile {
    let secret = SecretSpec { id: None, name: None, only_these_fields: false, values: SecretValues::default(), fields };
    Profile { name: "mine".into(), charts: Vec::new(), secrets: vec![secret] }
}

// --- the file ---

#[test]
fn the_golden_file() {
    let (numbered, pair) = (numbered(), ring("storage-key", Some("storage-key-previous")));
    let ledger = Owner { keyring: "ledger", environment: "production" };
    let mut lock = Lock::new("keyring.lock", SALT);
    let mut add = |owner, spec: &FieldSpec, words: &str| {
        for (number, key) in keys(words) {
            lock.add(owner, spec, number, &key).expect("locked");
        }
    };
    add(STAGING, &numbered, "S.hex");
    add(PRODUCTION, &numbered, "A B b.newline C.raw D E F G H I J");
    add(ledger, &pair, "a b");
    assert_eq!(lock.to_text(), include_str!("../../testdata/lock/keyring.lock"));
}

#[test]
fn an_empty_lock() {
    let lock = Lock::new("keyring.lock", SALT);
    let text = lock.to_text();
    assert!(text.ends_with("keys: []\n"), "{text}");
    assert_eq!(parsed(&text), lock);
    assert_ne!(Lock::with_random_salt("a").expect("a salt"), Lock::with_random_salt("b").expect("a salt"));
}

#[test]
fn a_lock_that_is_not_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.lock");
    assert_eq!(Lock::read(&path), Ok(None));
    std::fs::write(&path, Lock::new("", SALT).to_text()).expect("written");
    let lock = Lock::read(&path).expect("read").expect("there");
    assert_eq!((lock.file(), lock.salt()), (path.to_str().expect("text"), &SALT));
    assert_eq!(Lock::read(folder.path()).expect_err("a folder").exit(), Exit::Io);
}

#[test]
fn names_that_look_like_something_else_come_back() {
    let mut lock = Lock::new("keyring.lock", SALT);
    for name in ["no", "1e3", "0755", "null", "0x1f", "007", "y", "true", "2024-01-01", "1.0"] {
        lock.add(Owner { keyring: name, environment: name }, &ring(name, None), 0, &key("A")).expect("locked");
    }
    lock.add(PRODUCTION, &ring("-", None), 0, &key("A")).expect("locked");
    lock.add(PRODUCTION, &ring("._-", None), 0, &key("A")).expect("locked");
    assert_eq!(parsed(&lock.to_text()), lock);
}

#[test]
fn names_that_a_lock_cannot_hold() {
    let long = "a".repeat(64);
    for (keyring, environment, field) in
        [("a b", "e", "f"), ("a", "", "f"), ("a", "-e", "f"), ("a", &long, "f"), ("a", "e", "f,g"), ("a", "e", "")]
    {
        let owner = Owner { keyring, environment };
        let refusal = Lock::new("", SALT).add(owner, &ring(field, None), 0, &key("A")).expect_err("refused");
        assert_eq!(refusal.exit(), Exit::Usage, "{keyring} {environment} {field}");
    }
}

#[test]
fn digits_in_fields_count_as_numbers() {
    let fields = ["a", "a-2", "a-10", "a-10-b", "a-010", "a-11", "ab", "b"];
    let line = |field: &str| Line {
        keyring: "k".into(),
        environment: "e".into(),
        field: field.into(),
        number: 0,
        spelling: key::Form::Text.into(),
        fingerprint: String::new(),
    };
    for pair in fields.windows(2) {
        let expected = if pair == ["a-10-b", "a-010"] { Ordering::Greater } else { Ordering::Less };
        assert_eq!(line(pair[0]).order(&line(pair[1])), expected, "{pair:?}");
    }
}

/// A message never repeats a text that stands where a fingerprint must be: somebody may have put a key there.
#[test]
fn a_key_in_the_lock_is_not_repeated() {
    let secret = "k3y8bytes+and/more+key/text/0123456789abc=";
    let good = locked(&[(PRODUCTION, &numbered(), "A")]).to_text();
    let fingerprint = good.rsplit_once("fingerprint: ").expect("a line").1.trim_end_matches("}\n");
    for bad in [good.replace(fingerprint, secret), good.replace("salt: ", &format!("salt: {secret}"))] {
        let message = refused(Lock::parse("keyring.lock", &bad));
        assert!(!message.contains("k3y8"), "{message}");
    }
}

// --- the documented format ---

/// The rows of the table of test vectors.
fn vectors() -> impl Iterator<Item = (KeyText, &'static str, &'static str)> {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |"));
    rows.filter_map(|row| {
        let [text, spelling, fingerprint] = row.split("` | `").collect::<Vec<_>>().try_into().ok()?;
        let digits = |text: &str| {
            let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two digits");
            (0..text.len()).step_by(2).map(pair).collect::<Vec<u8>>()
        };
        let text = match text.strip_prefix("hex ") {
            Some(hex) => digits(hex),
            None => serde_json::from_str::<String>(text).expect("a JSON string").into_bytes(),
        };
        Some((KeyText::from(text), spelling, fingerprint))
    })
}

#[test]
fn the_documented_vectors() {
    let lock = Lock::new("", SALT);
    let mut count = 0;
    for (text, spelling, fingerprint) in vectors() {
        assert_eq!(decode(&text).spelling.to_string(), spelling);
        assert_eq!(lock.fingerprint(&text).expect("a fingerprint"), fingerprint);
        count += 1;
    }
    assert_eq!(count, 14);
}

#[test]
fn the_documented_file() {
    let (_, rest) = DOCS.split_once("```yaml\n").expect("a block");
    let (text, _) = rest.split_once("```").expect("its end");
    let lock = parsed(text);
    assert_eq!(lock.to_text(), text);
    assert_eq!(lock.salt(), &SALT);
}

// --- adding and taking out ---

#[test]
fn a_line_is_added_once_and_never_changed() {
    let numbered = numbered();
    let mut lock = locked(&[(PRODUCTION, &numbered, "A")]);
    let before = lock.to_text();
    assert_eq!(lock.add(PRODUCTION, &numbered, 0, &key("A")), Ok(()));
    let again = refused(lock.add(PRODUCTION, &numbered, 0, &key("A.hex")));
    assert_eq!(
        again,
        "\
error[lock-mismatch]: `encryption-key-0` of lightrun/production is locked already, as another key or spelling
  --> keyring.lock:6:3
   = note: locked as base64 GGGG, the source has hex-lower GGGG
   = help: a line of the lock is never changed: a new key gets the next number
"
        .replace("GGGG", lock.lines().next().expect("a line").short_fingerprint())
    );
    let gap = refused(lock.add(PRODUCTION, &numbered, 2, &key("C")));
    assert_eq!(
        gap,
        "\
error[lock-gap]: `encryption-key-2` of lightrun/production cannot be locked yet
  --> keyring.lock
   = note: the next number is 1: a keyring grows without a gap
   = help: lock the keys below it first
"
    );
    refused(lock.add(STAGING, &numbered, 1, &key("C")));
    assert_eq!(lock.to_text(), before);
}

#[test]
fn only_what_was_typed_out_is_forgotten() {
    let pair = ring("storage-key", Some("storage-key-previous"));
    let profile = profile(vec![numbered(), pair.clone()]);
    let start = locked(&[(PRODUCTION, &numbered(), "A B"), (PRODUCTION, &pair, "C D E"), (STAGING, &numbered(), "A")]);
    let left = |field: &str| {
        let mut lock = start.clone();
        let gone = lock.forget(PRODUCTION, &profile, &[field]).expect("there");
        assert_eq!(gone.len() + lock.lines().count(), 6);
        let left: Vec<String> = lock.lines().map(|line| format!("{}={}", line.field, line.number)).collect();
        left.join(" ")
    };
    let staging = "encryption-key-0=0";
    assert_eq!(
        left("encryption-key-1"),
        format!("encryption-key-0=0 storage-key=0 storage-key=1 storage-key=2 {staging}")
    );
    assert_eq!(
        left("storage-key"),
        format!("encryption-key-0=0 encryption-key-1=1 storage-key=0 storage-key=1 {staging}")
    );
    assert_eq!(left("storage-key-previous"), format!("encryption-key-0=0 encryption-key-1=1 storage-key=2 {staging}"));

    let mut lock = start.clone();
    assert_eq!(
        refused(lock.forget(PRODUCTION, &profile, &["encryption-key-2"])),
        "\
error[no-such-field]: nothing is locked about that field of lightrun/production
  --> keyring.lock
   = note: the lock has `encryption-key-0`, `encryption-key-1`, `storage-key`, `storage-key` and `storage-key`
   = help: did you mean `encryption-key-0`?
"
    );
    assert_eq!(lock, start);
}

#[test]
fn a_line_of_no_ring_is_seen_and_can_be_forgotten() {
    let mut lock = locked(&[(PRODUCTION, &ring("old-key", None), "A"), (STAGING, &ring("old-key", None), "A")]);
    let profile = profile(vec![numbered()]);
    assert_eq!(
        human(&strangers(&lock, PRODUCTION, &profile)),
        "\
error[lock-mismatch]: `old-key` (number 0) of lightrun/production is locked, and the profile `mine` has no such field
  --> keyring.lock:6:3
   = note: a locked key encrypted data, and nothing would deliver it
   = help: did the profile change? Give the field its old name again, or let `keyring.yaml` name the old profile
   = help: only if no data needs the key any more: `helm-keyring lock -e production --keyring lightrun --forget old-key`
"
    );
    lock.forget(PRODUCTION, &profile, &["old-key"]).expect("there");
    assert!(strangers(&lock, PRODUCTION, &profile).is_empty());
    assert_eq!(lock.lines().count(), 1);
}

// --- questions ---

#[test]
fn reuse_shows_without_any_key() {
    let (numbered, single) = (numbered(), ring("token-key", None));
    let lock =
        locked(&[(PRODUCTION, &numbered, "A B"), (PRODUCTION, &single, "B.hex"), (STAGING, &numbered, "A.newline C")]);
    let reused: Vec<Vec<String>> = lock
        .reused()
        .into_iter()
        .map(|group| group.into_iter().map(|line| format!("{} {}", line.owner(), line.field)).collect())
        .collect();
    assert_eq!(
        reused,
        [
            ["lightrun/production encryption-key-0", "lightrun/staging encryption-key-0"],
            ["lightrun/production encryption-key-1", "lightrun/production token-key"],
        ]
    );
    let first = lock.lines_of(STAGING).next().expect("a line");
    let others: Vec<_> = lock.same_key(first).map(Line::owner).collect();
    assert_eq!(others, [PRODUCTION]);
}

#[test]
fn the_form_that_is_locked_is_found() {
    let lock = locked(&[(PRODUCTION, &numbered(), "A b.newline C.raw d.crlf")]);
    let lines: Vec<&Line> = lock.lines().collect();
    for (line, word, form) in [
        (0, "A", Some("A")),
        (0, "A.newline", Some("A")),
        (0, "A.crlf", Some("A")),
        (0, "A.newline.newline", None),
        (0, "A.hex", None),
        (0, "B", None),
        (1, "b", Some("b.newline")),
        (1, "b.newline", Some("b.newline")),
        (1, "b.newline.newline", Some("b.newline")),
        (1, "b.crlf", None),
        (2, "C.raw", Some("C.raw")),
        (2, "C.raw.newline", Some("C.raw")),
        (2, "C", None),
        (3, "d", Some("d.crlf")),
    ] {
        let found = lock.form(lines[line], &key(word)).expect("a fingerprint");
        let same = match (&found, form) {
            (Some(found), Some(form)) => found.same_as(&key(form)),
            (found, form) => found.is_none() && form.is_none(),
        };
        assert!(same, "{word} for line {line}");
    }
}

/// A raw key may end in a line feed by chance, and lose it on its way through a shell.
#[test]
fn a_raw_key_gets_its_last_byte_back() {
    let bytes = |end: &[u8]| KeyText::from([&[0xff; 31], end].concat());
    let mut lock = Lock::new("", SALT);
    lock.add(PRODUCTION, &numbered(), 0, &bytes(b"\n")).expect("locked");
    let line = lock.lines().next().expect("a line");
    for end in [&b"\n"[..], b"", b"\n\n"] {
        let found = lock.form(line, &bytes(end)).expect("a fingerprint").expect("the locked key");
        assert!(found.same_as(&bytes(b"\n")));
    }
}

// --- whatever the keys are ---

/// The bytes of a key text.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 32);
    let encoded = |spelling: Spelling, bytes: &[u8]| key::encode(spelling, bytes).expose().to_vec();
    prop_oneof![
        4 => bytes(),
        4 => (bytes(), any::<bool>())
            .prop_map(move |(bytes, newline)| encoded(Spelling { form: key::Form::Base64, newline }, &bytes)),
        2 => bytes().prop_map(move |bytes| encoded(key::Form::HexUpper.into(), &bytes)),
        1 => "[a-c\\n]{0,3}".prop_map(String::into_bytes),
        1 => Just(key("A").expose().to_vec()),
    ]
}

fn any_ring() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(any_key(), 1..4)
}

fn any_word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]([-._A-Za-z0-9]{0,8}[A-Za-z0-9])?"
}

fn any_line() -> impl Strategy<Value = Line> {
    let words = (any_word(), any_word(), any_word());
    let spelling = (0..5_u8, any::<bool>()).prop_map(|(form, newline)| {
        use key::Form::{Base64, HexLower, HexUpper, Raw, Text};
        let form = [Raw, Text, Base64, HexLower, HexUpper][usize::from(form)];
        Spelling { form, newline: newline && form != Raw }
    });
    (words, 0..1_000_000_u32, spelling, "[a-z2-7]{32}|[2-7]{32}|[2-7]{15}e[2-7]{16}").prop_map(
        |((keyring, environment, field), number, spelling, fingerprint)| Line {
            keyring,
            environment,
            field,
            number,
            spelling,
            fingerprint,
        },
    )
}

fn any_lock() -> impl Strategy<Value = Lock> {
    let salt = prop_oneof![any::<[u8; SALT_LEN]>(), Just([0x12; SALT_LEN]), Just([0x1e; SALT_LEN])];
    (salt, proptest::collection::vec(any_line(), 0..12)).prop_map(|(salt, mut lines)| {
        lines.sort_by(Line::order);
        lines.dedup_by(|a, b| a.is_about_the_same(b));
        let entries = lines.into_iter().map(|line| Entry { line, place: None }).collect();
        Lock { file: "keyring.lock".into(), salt, entries }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_written_is_read_back(lock in any_lock()) {
        let text = lock.to_text();
        let read = Lock::parse("keyring.lock", &text);
        prop_assert_eq!(read.as_ref(), Ok(&lock));
        prop_assert_eq!(read.expect("read").to_text(), text);
    }

    #[test]
    fn the_order_of_lines_means_nothing(lock in any_lock()) {
        let text = lock.to_text();
        let (head, lines) = text.split_at(text.find("- {").unwrap_or(text.len()));
        let turned: Vec<&str> = lines.lines().rev().collect();
        prop_assert_eq!(Lock::parse("keyring.lock", &format!("{head}{}\n", turned.join("\n"))), Ok(lock));
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = Lock::parse("keyring.lock", &text);
    }

    #[test]
    fn a_damaged_lock_is_read_or_refused(
        lock in any_lock(),
        at: prop::sample::Index,
        length in 0..40_usize,
        put in "[-{}\\[\\],:#&*!|>'\"%@\\n a-z0-9<=]{0,12}",
    ) {
        let mut bytes = lock.to_text().into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, put.into_bytes());
        if let Err(refusal) = Lock::parse("keyring.lock", &String::from_utf8(bytes).expect("text")) {
            prop_assert_eq!(refusal.exit(), Exit::Lock);
            prop_assert!(refusal.0.iter().all(|finding| !finding.places.is_empty() && !finding.help.is_empty()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn keys_that_were_locked_are_delivered_as_they_are(
        many in any_ring(), mut pair in any_ring(), mut single in any_ring(), from in 0..3_u32,
    ) {
        // As many as the chart has fields for.
        pair.truncate(2);
        single.truncate(1);
        let specs = [numbered(), ring("storage-key", Some("storage-key-previous")), ring("token-key", None)];
        let held: Vec<BTreeMap<u32, KeyText>> =
            [many, pair, single].into_iter().map(|keys| (0..).zip(keys.into_iter().map(KeyText::from)).collect()).collect();
        let mut lock = Lock::new("keyring.lock", SALT);
        for (spec, keys) in specs.iter().zip(&held) {
            let first = if matches!(spec.name, FieldName::Fixed(_)) { from } else { 0 };
            for (number, key) in keys {
                prop_assert_eq!(lock.add(PRODUCTION, spec, number + first, key), Ok(()));
            }
        }
        let rings: Vec<Held<'_>> = specs.iter().zip(&held).map(|(spec, keys)| Held { spec, keys }).collect();
        let verified = verify(&parsed(&lock.to_text()), PRODUCTION, &rings);
        let verified = verified.unwrap_or_else(|refusal| panic!("{refusal}"));
        prop_assert_eq!(&verified.findings, &[]);
        for (checked, keys) in verified.rings.iter().zip(&held) {
            prop_assert_eq!(checked.len(), keys.len());
            for Checked { number, key, standing } in checked {
                prop_assert_eq!(*standing, Standing::Locked);
                prop_assert!(key.same_as(&keys[number]));
            }
        }
    }

    /// Whatever a source holds: if it is not refused, every locked numbered key is delivered under its number.
    #[test]
    fn no_locked_key_gets_lost(locked_words in "[A-D]( [A-D]){0,3}", held_words in "[-A-D]( [-A-D]){0,4}") {
        let numbered = numbered();
        let lock = locked(&[(PRODUCTION, &numbered, &locked_words)]);
        let held = keys(&held_words);
        let (before, after) = (keys(&locked_words), verify(&lock, PRODUCTION, &[Held { spec: &numbered, keys: &held }]));
        let intact = before.iter().all(|(number, key)| held.get(number).is_some_and(|held| held.same_as(key)));
        prop_assert_eq!(after.is_ok(), intact);
        if let Ok(Verified { rings, findings }) = after {
            prop_assert_eq!(rings[0].len(), held.len());
            prop_assert_eq!(findings.len(), usize::from(held.len() > before.len()));
        }
    }

    /// The same for a fixed field and its previous one.
    #[test]
    fn no_locked_key_of_a_fixed_field_gets_lost(locked_words in "[A-D]( [A-D])?", held_words in "[A-D]( [A-D]){0,2}") {
        let pair = ring("storage-key", Some("storage-key-previous"));
        let lock = locked(&[(PRODUCTION, &pair, &locked_words)]);
        let (before, held) = (keys(&locked_words), keys(&held_words));
        if verify(&lock, PRODUCTION, &[Held { spec: &pair, keys: &held }]).is_ok() {
            for needed in before.values() {
                prop_assert!(held.values().rev().take(2).any(|key| key.same_as(needed)));
            }
        }
    }
}

/// A key that nobody would take as a new one is delivered if it is locked; the caller sees that it is.
#[test]
fn a_weak_locked_key_is_told_from_a_new_one() {
    let spec = FieldSpec { policy: Policy::bytes(32), ..numbered() };
    let mut lock = Lock::new("", SALT);
    lock.add(PRODUCTION, &spec, 0, &key("changeme")).expect("locked");
    let held = [(0, key("changeme")), (1, key("changeme"))].into();
    let verified = verify(&lock, PRODUCTION, &[Held { spec: &spec, keys: &held }]);
    let Ok(Verified { rings, .. }) = verified else { panic!("refused") };
    let standings: Vec<Standing> = rings[0].iter().map(|checked| checked.standing).collect();
    assert_eq!(standings, [Standing::Locked, Standing::New { number: 1 }]);
}
