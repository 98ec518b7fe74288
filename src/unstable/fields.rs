//! What differs between two values, field by field.

use std::collections::BTreeMap;

use crate::manifest::Step;
use crate::yaml::{Data, Entry, Value};

/// Deeper than any manifest; below it, two values are only equal or not.
const MAX_STEPS: usize = 256;
/// How many digits hex digests have: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const DIGESTS: [usize; 6] = [32, 40, 56, 64, 96, 128];

/// One field that differs. Knows its path, never what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Another value.
    Value,
    /// Another value, and it looks like a checksum of something.
    Checksum,
    /// Only one side has it.
    Missing,
}

/// All fields in which two objects differ.
pub(super) fn compare(first: &Value, second: &Value) -> Vec<Change> {
    let is_secret = [first, second].iter().any(|value| value.get("kind").and_then(Value::text) == Some("Secret"));
    let mut walk = Walk { is_secret, steps: Vec::new(), found: Vec::new() };
    walk.values(first, second);
    walk.found
}

struct Walk {
    is_secret: bool,
    steps: Vec<Step>,
    found: Vec<Change>,
}

impl Walk {
    fn values(&mut self, first: &Value, second: &Value) {
        match (&first.data, &second.data) {
            _ if self.steps.len() > MAX_STEPS && first != second => self.report(What::Value),
            _ if self.steps.len() > MAX_STEPS => {}
            (Data::Map(first), Data::Map(second)) => self.maps(first, second),
            (Data::List(first), Data::List(second)) => self.lists(first, second),
            _ if first == second => {}
            _ if self.is_checksum(first, second) => self.report(What::Checksum),
            _ => self.report(What::Value),
        }
    }

    fn maps(&mut self, first: &BTreeMap<String, Entry>, second: &BTreeMap<String, Entry>) {
        for (key, entry) in first {
            if let Some(other) = second.get(key) {
                self.below(Step::Key(key.clone()), |walk| walk.values(&entry.value, &other.value));
            }
        }
        let gone: Vec<&String> = first.keys().filter(|key| !second.contains_key(*key)).collect();
        let new: Vec<&String> = second.keys().filter(|key| !first.contains_key(*key)).collect();
        // A key that is another one each time is made up, so it may be a secret itself: it is not named.
        if !gone.is_empty() && !new.is_empty() {
            return self.missing(Step::Key("*".to_owned()));
        }
        for key in gone.into_iter().chain(new) {
            self.missing(Step::Key(key.clone()));
        }
    }

    /// Lists of another length are compared from both ends, so that one item more does not change all behind it.
    fn lists(&mut self, first: &[Value], second: &[Value]) {
        let shorter = first.len().min(second.len());
        let (mut head, mut tail) = (0, 0);
        if first.len() != second.len() {
            head = first.iter().zip(second).take_while(|(a, b)| a == b).count();
            let ends = first.iter().rev().zip(second.iter().rev()).take(shorter - head);
            tail = ends.take_while(|(a, b)| a == b).count();
        }
        let pairs = first.iter().zip(second).enumerate().take(shorter - tail).skip(head);
        for (index, (first, second)) in pairs {
            self.below(Step::Index(index), |walk| walk.values(first, second));
        }
        for index in shorter - tail..first.len().max(second.len()) - tail {
            self.missing(Step::Index(index));
        }
    }

    fn below(&mut self, step: Step, look: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        look(self);
        self.steps.pop();
    }

    fn missing(&mut self, step: Step) {
        self.below(step, |walk| walk.report(What::Missing));
    }

    fn report(&mut self, what: What) {
        self.found.push(Change { path: dotted(&self.steps), what });
    }

    /// An annotation or a label that is called a checksum, or a digest in any other field than those of a Secret: there
    /// it may well be a key.
    fn is_checksum(&self, first: &Value, second: &Value) -> bool {
        let named = match self.steps.as_slice() {
            [.., Step::Key(parent), Step::Key(key)] => {
                matches!(parent.as_str(), "annotations" | "labels") && is_checksum_name(key)
            }
            _ => false,
        };
        let top = |name: &str| matches!(self.steps.first(), Some(Step::Key(key)) if key == name);
        let may_be_a_key = self.is_secret && (top("data") || top("stringData"));
        let digests = || match (first.text(), second.text()) {
            (Some(first), Some(second)) => first.len() == second.len() && is_digest(first) && is_digest(second),
            _ => false,
        };
        named || (!may_be_a_key && digests())
    }
}

/// `checksum/secret`, `config-hash`, `configSha256`, `sha1sum`; not `share` and not `vault.hashicorp.com/role`.
fn is_checksum_name(key: &str) -> bool {
    key.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        let stem = word.trim_end_matches("sum").trim_end_matches(|c: char| c.is_ascii_digit());
        word.contains("checksum") || stem.ends_with("hash") || stem.ends_with("sha")
    })
}

fn is_digest(text: &str) -> bool {
    DIGESTS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `spec.containers[0].image`
fn dotted(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if path.is_empty() => path.push_str(&printable(key)),
            Step::Key(key) => path.extend([".", &printable(key)]),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// A name as it can stand in one line of a message.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths, with `!` for a missing field and `#` for a checksum.
    fn changes(first: &str, second: &str) -> String {
        let value = |text| Value::parse(text, 0).unwrap();
        let mark = |what| match what {
            What::Value => "",
            What::Checksum => "#",
            What::Missing => "!",
        };
        let found = compare(&value(first), &value(second));
        found.iter().map(|c| format!("{}{}", c.path, mark(c.what))).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn values_are_compared_by_meaning() {
        assert_eq!(changes("a: 1\nb: {c: x, d: [z]} # c", "b:\n  d: ['z']\n  c: \"x\"\na: 0x1"), "");
        assert_eq!(changes("{a: '1', b: yes}", "{a: 1, b: true}"), "a");
        assert_eq!(changes("a: {b: [{c/d: 1}, 2]}", "a: {b: [{c/d: 3}, 2]}"), "a.b[0].c/d");
        assert_eq!(changes("a: {b: 1}", "a: [1]"), "a");
        assert_eq!(changes("x", "y"), "");
    }

    #[test]
    fn what_one_side_lacks_is_missing() {
        assert_eq!(changes("{a: 1, b: 2}", "{a: 1}"), "b!");
        assert_eq!(changes("{a: 1}", "{a: 1, b: 2}"), "b!");
        assert_eq!(changes("a: [1, 2, 3]", "a: [1, 4, 2, 3]"), "a[1]!");
        assert_eq!(changes("a: [1, 2, 3, 4]", "a: [5, 2, 4]"), "a[0] a[2]!");
        assert_eq!(changes("a: []", "a: [1, 1]"), "a[0]! a[1]!");
        assert_eq!(changes("a: [1, 1]", "a: [1]"), "a[1]!");
    }

    #[test]
    fn a_made_up_key_is_not_named() {
        assert_eq!(changes("data: {k8f3: 1, x: 2}", "data: {p0q1: 1, x: 3}"), "data.x data.*!");
        assert_eq!(changes("{\"a\\nb\": 1}", "{\"a\\nb\": 2}"), "a?b");
    }

    #[test]
    fn checksums_are_known_by_name_or_look() {
        for name in ["checksum/secret", "app.x/config-hash", "configSha256", "sha1sum", "SHA"] {
            let with = |value| format!("metadata: {{annotations: {{{name}: {value}}}}}");
            assert_eq!(changes(&with("x"), &with("y")), format!("metadata.annotations.{name}#"));
        }
        for name in ["share", "vault.hashicorp.com/role", "rollme"] {
            let with = |value| format!("metadata: {{labels: {{{name}: {value}}}}}");
            assert_eq!(changes(&with("x"), &with("y")), format!("metadata.labels.{name}"));
        }
        let digest = |c: &str, count| format!("kind: A\ndata: {{x: {}}}", c.repeat(count));
        assert_eq!(changes(&digest("a", 64), &digest("b", 64)), "data.x#");
        assert_eq!(changes(&digest("a", 64), &digest("b", 40)), "data.x");
        assert_eq!(changes(&digest("a", 65), &digest("b", 65)), "data.x");
    }

    #[test]
    fn a_digest_in_a_secret_may_be_a_key() {
        let secret = |field: &str, c: &str| format!("kind: Secret\n{field}: {{hash: {}}}", c.repeat(64));
        assert_eq!(changes(&secret("stringData", "a"), &secret("stringData", "b")), "stringData.hash");
        assert_eq!(changes(&secret("x", "a"), &secret("x", "b")), "x.hash#");
    }

    #[test]
    fn depth_ends_the_walk_and_not_the_program() {
        let deep = |leaf: &str| format!("{}{leaf}{}", "[".repeat(250), "]".repeat(250));
        assert_eq!(changes(&deep("1"), &deep("2")), "[0]".repeat(250));
    }
}
