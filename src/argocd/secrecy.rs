//! What of a user's values may be a secret. Nobody knows for sure, so what is shown is what certainly is none.

use crate::yaml::{Data, Number, Value};

/// Parts of names whose values are never shown: rather one too many.
const NAMES: [&str; 31] = [
    "code", "otp", "phrase", "seed", "account", "admin", "auth", "basic", "cert", "conn", "cred", "dsn", "hash", "jwt",
    "key", "licen", "login", "pass", "pin", "private", "pw", "salt", "secret", "session", "sign", "token", "uri",
    "url", "user", "cookie", "webhook",
];
/// The last parts of names whose texts may be shown.
const HARMLESS: [&str; 34] = [
    "accessmode",
    "appversion",
    "class",
    "classname",
    "component",
    "cpu",
    "env",
    "environment",
    "fullnameoverride",
    "image",
    "imagepullpolicy",
    "ingressclassname",
    "kind",
    "level",
    "loglevel",
    "memory",
    "mode",
    "name",
    "nameoverride",
    "namespace",
    "priorityclassname",
    "protocol",
    "pullpolicy",
    "region",
    "registry",
    "repository",
    "schedule",
    "size",
    "storage",
    "storageclass",
    "storageclassname",
    "tag",
    "type",
    "version",
];
/// A text without a break this long may be a key.
const RUN_LEN_MIN: usize = 16;
/// A longer number may be a secret, whatever its name is.
pub const NUMBER_LEN_MAX: usize = 5;
const WORD_LEN_MAX: usize = 24;
const TEXT_LEN_MAX: usize = 120;

/// Whether a name says that its value is a secret.
pub fn is_named_so(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// All single values with their paths as `--set` writes them, but for those that may be secrets.
///
/// No more than `max`, in the order of their names.
pub fn harmless(values: &Value, max: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(values, "", max, &mut found);
    found
}

fn collect(value: &Value, path: &str, max: usize, found: &mut Vec<(String, String)>) {
    // In a path for `--set` these would end the name, or begin an index.
    let is_plain = |name: &str| !name.contains(['=', ',', '[', '\\']);
    for (name, entry) in value.map().into_iter().flatten().filter(|(name, _)| is_plain(name) && !is_named_so(name)) {
        if found.len() >= max {
            return;
        }
        let escaped = name.replace('.', "\\.");
        let path = if path.is_empty() { escaped } else { format!("{path}.{escaped}") };
        let text = match &entry.value.data {
            Data::Bool(is_true) => Some(is_true.to_string()),
            Data::Number(Number::Int(number)) => Some(number.to_string()).filter(|text| text.len() <= NUMBER_LEN_MAX),
            Data::Text(text) if is_harmless(name) && may_be_shown(text) && is_set_so(text) => Some(text.to_string()),
            _ => None,
        };
        found.extend(text.map(|text| (path.clone(), text)));
        collect(&entry.value, &path, max, found);
    }
}

/// What programs call so is no secret; what they may call a secret, nobody can list.
fn is_harmless(name: &str) -> bool {
    HARMLESS.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether `--set` takes it for the text that it is, and nothing in it stands for something else.
fn is_set_so(text: &str) -> bool {
    let is_number = text == "0" || !text.starts_with('0') && text.parse::<i64>().is_ok();
    !is_number && !["true", "false", "null", ""].contains(&text) && !text.contains(['$', '{', '}', ',', '\\', '='])
}

/// A short text on one line in which no part is long enough for a key, nothing is asked, and nobody is named.
fn may_be_shown(text: &str) -> bool {
    let is_broken = |c: char| !(c.is_ascii_alphanumeric() || "+=_".contains(c));
    let is_run = |part: &str| part.len() >= RUN_LEN_MIN && part.bytes().any(|byte| byte.is_ascii_digit());
    text.len() <= TEXT_LEN_MAX
        && !text.chars().any(char::is_control)
        && !text.contains(['@', '?', ':', ' '])
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
a.b: {tag: x}
psk: 481516
bind: hunter2
app: {version: '1', type: 'true', kind: $HOME, mode: '{a,b}', level: '0', size: 18446744073709551615}
community: {name: public, string: hunter2}
db: {password: hunter2, userPw: hunter2, url: 'postgres://me:hunter2@db/x'}
apiToken: hunter2
more: {dbPass: swordfish, pwd: opensesame, pin: 481516, creds: letmein, salt: a, basic: 'bob:hunter2', at: 'amqp://h/?pw=x'}
c,d: 1
e=f: 1
secrets: {name: hunter2}
odd: iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=
hex: 5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e
long: |
  -----BEGIN x-----
  abc
";
        let found = harmless(&Value::parse(values, 0).unwrap(), 100);
        let found: Vec<String> = found.iter().map(|(path, text)| format!("{path}={text}")).collect();
        assert_eq!(
            found,
            [
                "a\\.b.tag=x",
                "community.name=public",
                "image.repository=registry.example.com/obs/backend",
                "image.tag=1.2.3-alpine",
                "replicas=3",
                "true=true"
            ]
        );
    }
}
