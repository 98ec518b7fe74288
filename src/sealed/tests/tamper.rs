//! Every change of one byte, and every way to drop, repeat, swap or move a line: all are refused.

use super::*;
use std::collections::HashSet;

/// Lines of [`genuine`]: two of the head, two recipients, three keys, the end.
const LINES: usize = 8;

fn genuine() -> Opened {
    let mut opened = new("production", "tamper");
    opened.add(RING, 0, &key("first")).unwrap();
    opened.add(FIXED, 0, &key("other")).unwrap();
    opened.add(RING, 1, &key([0xfe; 32])).unwrap();
    opened
}

fn is_refused(text: &[u8]) -> bool {
    open(text, &deploy()).is_err()
}

fn lines(opened: &Opened) -> Vec<String> {
    opened.file().to_text().split_inclusive('\n').map(str::to_owned).collect()
}

/// How many of these texts were tried; every one that is not `genuine` was refused.
fn all_refused(genuine: &[String], changed: impl IntoIterator<Item = Vec<String>>) -> usize {
    let genuine = genuine.concat();
    let texts: HashSet<String> =
        changed.into_iter().map(|lines| lines.concat()).filter(|text| *text != genuine).collect();
    for text in &texts {
        assert!(is_refused(text.as_bytes()), "{text}");
    }
    texts.len()
}

fn with<T: Clone>(items: &[T], change: impl FnOnce(&mut Vec<T>)) -> Vec<T> {
    let mut items = items.to_vec();
    change(&mut items);
    items
}

/// Each byte as each of the other 255: all that one changed byte can be.
#[test]
fn one_byte_changed() {
    let text = genuine().file().to_text().into_bytes();
    assert!(!is_refused(&text));
    let mut tried = 0;
    for place in 0..text.len() {
        for other in (0..=u8::MAX).filter(|other| *other != text[place]) {
            assert!(is_refused(&with(&text, |text| text[place] = other)), "byte {place} to {other}");
            tried += 1;
        }
    }
    assert_eq!((text.len(), tried), (872, 872 * 255));
}

#[test]
fn one_byte_dropped_or_added_and_every_cut() {
    let text = genuine().file().to_text().into_bytes();
    let mut tried = 0;
    for place in 0..text.len() {
        assert!(is_refused(&with(&text, |text| _ = text.remove(place))), "without byte {place}");
        assert!(is_refused(&text[..place]), "cut at {place}");
        for byte in *b"A \n" {
            assert!(is_refused(&with(&text, |text| text.insert(place, byte))), "{byte} before {place}");
        }
        tried += 5;
    }
    for byte in 0..=u8::MAX {
        assert!(is_refused(&with(&text, |text| text.push(byte))), "{byte} at the end");
        tried += 1;
    }
    assert_eq!(tried, 5 * 872 + 256);
}

#[test]
fn lines_swapped_dropped_repeated_or_moved() {
    let lines = lines(&genuine());
    assert_eq!(lines.len(), LINES);
    let pairs = || (0..LINES).flat_map(|i| (0..LINES).map(move |j| (i, j)));
    let swapped = all_refused(&lines, pairs().map(|(i, j)| with(&lines, |lines| lines.swap(i, j))));
    let repeated = pairs().map(|(i, j)| with(&lines, |lines| lines.insert(j, lines[i].clone())));
    let repeated = all_refused(&lines, repeated.chain((0..LINES).map(|i| with(&lines, |l| l.push(l[i].clone())))));
    let replaced = all_refused(&lines, pairs().map(|(i, j)| with(&lines, |lines| lines[i] = lines[j].clone())));
    let moved = all_refused(
        &lines,
        pairs().map(|(i, j)| {
            with(&lines, |lines| {
                let line = lines.remove(i);
                lines.insert(j, line);
            })
        }),
    );
    let some =
        (0_u32..1 << LINES).map(|set| (0..LINES).filter(|i| set >> i & 1 == 1).map(|i| lines[i].clone()).collect());
    let dropped = all_refused(&lines, some);
    // The text with a line inserted before or after its double is the same.
    assert_eq!((swapped, repeated, replaced, moved, dropped), (28, 8 * 9 - 8, 56, 49, 255));
}

/// Files that share much with the genuine one: the master keys, the environment, even the data key.
fn relatives() -> Vec<(&'static str, Opened)> {
    let again = |seed| {
        let mut opened = new("production", seed);
        for (number, field, text) in [(0, RING, "first"), (0, FIXED, "other"), (1, RING, "second")] {
            opened.add(field, number, &key(text)).unwrap();
        }
        opened
    };
    let mut staging = new("staging", "tamper");
    staging.add(RING, 0, &key("first")).unwrap();
    let mut earlier = new("production", "tamper");
    earlier.add(RING, 0, &key("first")).unwrap();
    earlier.add(FIXED, 0, &key("other")).unwrap();
    let mut branch = reopened(&earlier, "branch");
    branch.add(RING, 1, &key("another second key")).unwrap();
    let mut later = reopened(&genuine(), "later");
    later.add(RING, 2, &key("third")).unwrap();
    let mut fewer = reopened(&genuine(), "fewer");
    fewer.remove_recipient("recovery").unwrap();
    let mut more = reopened(&genuine(), "more");
    more.add_recipient("more", &other()).unwrap();
    let mut relabelled = reopened(&fewer, "relabelled");
    relabelled.add_recipient("backup", &recovery()).unwrap();
    let mut rekeyed = reopened(&genuine(), "rekeyed");
    rekeyed.rekey(&[&deploy(), &recovery()]).unwrap();
    vec![
        ("another file of the same environment", again("again")),
        ("another environment's file with the same id and data key", staging),
        ("an earlier commit", earlier),
        ("another branch", branch),
        ("a later commit", later),
        ("one recipient fewer", fewer),
        ("one recipient more", more),
        ("a recipient under another label", relabelled),
        ("after a new data key", rekeyed),
    ]
}

#[test]
fn lines_of_another_file() {
    let own = lines(&genuine());
    let mut tried = 0;
    for (name, relative) in relatives() {
        let foreign = lines(&relative);
        assert!(!is_refused(foreign.concat().as_bytes()), "{name}");
        for (one, two) in [(&own, &foreign), (&foreign, &own)] {
            let pairs = || (0..one.len()).flat_map(|i| (0..two.len()).map(move |j| (i, j)));
            let replaced = pairs().map(|(i, j)| with(one, |lines| lines[i] = two[j].clone()));
            let inserted = pairs().map(|(i, j)| with(one, |lines| lines.insert(i, two[j].clone())));
            let texts: Vec<Vec<String>> = replaced.chain(inserted).filter(|text| text != two).collect();
            tried += all_refused(one, texts);
        }
    }
    assert_eq!(tried, 2_076);
}

/// Any mixture of whole lines of two files, as a bad merge could make it: only the two themselves open.
#[test]
fn mixtures_of_two_files() {
    let own = lines(&genuine());
    let mut tried = 0;
    for (name, relative) in relatives() {
        let foreign = lines(&relative);
        if foreign.len() != LINES {
            continue;
        }
        let line = |set: u32, i: usize| if set >> i & 1 == 1 { own[i].clone() } else { foreign[i].clone() };
        let mixed = (0..1 << LINES).map(|set| (0..LINES).map(|i| line(set, i)).collect::<Vec<_>>());
        let texts = mixed.filter(|text| *text != foreign);
        let count = all_refused(&own, texts);
        assert!(count > 0, "{name}");
        tried += count;
    }
    assert_eq!(tried, 256);
}

/// What the file alone cannot know: it is for the lock to notice that a key is gone.
#[test]
fn a_whole_file_of_an_older_commit_opens() {
    let relatives = relatives();
    let earlier = relatives.iter().find(|(name, _)| *name == "an earlier commit").unwrap();
    assert_eq!(keys(&open(lines(&earlier.1).concat().as_bytes(), &deploy()).ok().unwrap()).len(), 2);
}

/// Salt, commitment, nonce, ciphertext and tag: also a line whose tag would fit is refused for its commitment.
#[test]
fn each_part_of_a_sealed_text_counts() {
    use base64::engine::{Engine, general_purpose::STANDARD};
    let lines = lines(&genuine());
    let (before, blob) = lines[4].trim_end().rsplit_once(' ').unwrap();
    let bytes = STANDARD.decode(blob).unwrap();
    assert_eq!(bytes.len(), 32 + 32 + 12 + "first".len() + 16);
    for place in 0..bytes.len() {
        let changed = STANDARD.encode(with(&bytes, |bytes| bytes[place] ^= 1));
        let text = with(&lines, |lines| lines[4] = format!("{before} {changed}\n")).concat();
        assert_eq!(error(open(text.as_bytes(), &deploy())), Error::Changed { line: 5 }, "byte {place}");
    }
}
