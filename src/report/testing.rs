//! What the tests of the formats share: the same findings for each of them, and the files they are compared with.

use super::{Finding, Level, Place, RuleInfo};

const VALUES: &str = "\
secrets:
  # 24 characters, and a comment that nobody shall see
  keysEncryption:
    userEncryptionKey: MDEyMzQ1Njc4OWFiY2RlZg==
";

const TEMPLATE: &str = "\
{{- if not .Values.key }}
data:
  encryption-key-0: {{ randAlphaNum 32 | b64enc }}
{{- end }}
";

pub(super) const RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "key-length",
        level: Level::Error,
        finds: "A key that is too short or too long",
        page: "# key-length\n\nA key must have **32 bytes**.\n",
    },
    RuleInfo {
        id: "random-in-template",
        level: Level::Warning,
        finds: "A template that makes up a key",
        page: "# random-in-template\n\nEvery render gives another key.\n",
    },
];

pub(super) fn findings() -> Vec<Finding> {
    let place = |file: &str, text: &str, word: &str| {
        let start = text.find(word).unwrap();
        Place::shown_in_text(file, text, start..start + word.len())
    };
    vec![
        Finding::refused("key-length", "secrets.keysEncryption.userEncryptionKey: 24 characters")
            .at(place("values.yaml", VALUES, "MDEyMzQ1Njc4OWFiY2RlZg=="))
            .found("expected base64 of 32 bytes or 32 raw bytes")
            .help("make one: `helm-keyring keygen`"),
        Finding::warning("random-in-template", "`randAlphaNum` makes another key at every render")
            .at(place("templates/schlüssel geheim.yaml", TEMPLATE, "randAlphaNum"))
            .at(place("values.yaml", VALUES, "userEncryptionKey"))
            .help("take the key from the values: 100% of renders are then equal"),
        Finding::refused("key-conflict", "the stream's key is not in the ring")
            .at(Place::in_text("<stdin>", b"a\nb: c\n", 5))
            .at(Place::file("keyring.lock")),
        Finding::note("no-configuration", "no keyring.yaml here or above").found("the shipped profiles are used"),
    ]
}

/// Compares with a file in `testdata/report/`, whatever the program's version. With `UPDATE_GOLDEN` set, writes it.
pub(super) fn golden(name: &str, text: &str) {
    let text = text.replace(concat!('"', env!("CARGO_PKG_VERSION"), '"'), "\"0.0.0\"");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}
