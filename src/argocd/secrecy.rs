//! What of a user's values may be a secret. Nobody knows for sure, so what is shown is what certainly is none.

use crate::yaml::{Data, Number, Value};

/// Parts of names whose values are never shown.
const NAMES: [&str; 12] = [
    "auth",
    "cert",
    "credential",
    "dsn",
    "key",
    "license",
    "passphrase",
    "passwd",
    "password",
    "private",
    "secret",
    "token",
];
/// A text without a break this long may be a key.
const RUN_LEN_MIN: usize = 16;
const WORD_LEN_MAX: usize = 24;
const TEXT_LEN_MAX: usize = 120;

/// Whether a name says that its value is a secret.
pub fn is_named_so(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part)) || name.ends_with("pw") || name.starts_with("pass")
}

/// Whether a text is a word or two of small letters: no key, and no password that its name does not tell.
pub fn is_plain_word(text: &str) -> bool {
    text.len() <= WORD_LEN_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_./".contains(&byte))
}

/// All single values with their paths as `--set` writes them, but for those that may be secrets.
pub fn harmless(values: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(values, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    for (name, entry) in value.map().into_iter().flatten().filter(|(name, _)| !is_named_so(name)) {
        let name = name.replace('.', "\\.");
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        let text = match &entry.value.data {
            Data::Bool(is_true) => Some(is_true.to_string()),
            Data::Number(Number::Int(number)) => Some(number.to_string()),
            Data::Text(text) if may_be_shown(text) => Some(text.to_string()),
            _ => None,
        };
        found.extend(text.map(|text| (path.clone(), text)));
        collect(&entry.value, &path, found);
    }
}

/// A short text on one line in which no part is long enough for a key, and which holds no address with a user in it.
fn may_be_shown(text: &str) -> bool {
    let is_broken = |c: char| !(c.is_ascii_alphanumeric() || "+/=_".contains(c));
    let is_run = |part: &str| part.len() >= RUN_LEN_MIN && part.bytes().any(|byte| byte.is_ascii_digit());
    text.len() <= TEXT_LEN_MAX
        && !text.chars().any(char::is_control)
        && !text.contains('@')
        && !text.split(is_broken).any(is_run)
        && !text.split(is_broken).any(|part| part.len() > WORD_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        let values = "\
image: {repository: registry.example.com/obs/backend, tag: 1.2.3-alpine}
replicas: 3
on: true
nothing: null
list: [a]
a.b: x
db: {password: hunter2, userPw: hunter2, url: 'postgres://me:hunter2@db/x'}
apiToken: hunter2
secrets: {name: hunter2}
odd: iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=
hex: 5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e
long: |
  -----BEGIN x-----
  abc
";
        let found = harmless(&Value::parse(values, 0).unwrap());
        let found: Vec<String> = found.iter().map(|(path, text)| format!("{path}={text}")).collect();
        assert_eq!(
            found,
            [
                "a\\.b=x",
                "image.repository=registry.example.com/obs/backend",
                "image.tag=1.2.3-alpine",
                "replicas=3",
                "true=true"
            ]
        );
    }
}
