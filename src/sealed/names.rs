//! Which names may stand in a line: the same that `keyring.yaml` and profiles allow, none of which holds a space.

const NAME_LEN_MAX: usize = 63;
const FIELD_LEN_MAX: usize = 253;
const NUMBER: &str = "{n}";

/// An environment's name or a recipient's label: `name` of `schema/keyring.schema.json`.
pub(super) fn is_name(text: &str) -> bool {
    let ends = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= NAME_LEN_MAX && text.bytes().all(is_common) && ends(text.bytes().next()) && ends(text.bytes().last())
}

/// A ring's name, as a profile writes it: `fieldName` of `schema/profile.schema.json`.
pub(super) fn is_field(text: &str) -> bool {
    let fits = match text.split_once(NUMBER) {
        Some(("", after)) => !after.is_empty() && is_part(after),
        Some((before, after)) => is_start(before) && is_part(after),
        None => is_start(text),
    };
    fits && text.len() <= FIELD_LEN_MAX
}

fn is_start(text: &str) -> bool {
    let second = text.strip_prefix('.').unwrap_or(text);
    is_part(text) && !second.is_empty() && !second.starts_with('.')
}

fn is_part(text: &str) -> bool {
    text.bytes().all(is_common)
}

fn is_common(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn schema(definition: &str) -> jsonschema::Validator {
        let mut schema: serde_json::Value = serde_json::from_str(crate::profile::SCHEMA).unwrap();
        let schema = schema["$defs"][definition].take();
        jsonschema::validator_for(&schema).unwrap()
    }

    static NAME: LazyLock<jsonschema::Validator> = LazyLock::new(|| schema("name"));
    static FIELD: LazyLock<jsonschema::Validator> = LazyLock::new(|| schema("fieldName"));

    fn agrees(text: &str) -> bool {
        let value = serde_json::Value::from(text);
        is_name(text) == NAME.is_valid(&value) && is_field(text) == FIELD.is_valid(&value)
    }

    #[test]
    fn names_by_example() {
        assert!(is_name("production") && is_name("p") && is_name("eu-1.prod_2"));
        assert!(is_field("encryption-key-{n}") && is_field("{n}.key") && is_field(".hidden") && is_field("-"));
        for text in ["", " ", "-", "a b", "a\n", "ä", ".", "..", "..a", "{n}", "{n}{n}", "a{n", "a/b", "-a", "a{n}{n}"]
        {
            assert!(!is_name(text), "{text:?}");
            assert!(agrees(text), "{text:?}");
        }
        for len in [63, 64, 253, 254] {
            assert!(agrees(&"a".repeat(len)), "{len}");
        }
    }

    proptest! {
        #[test]
        fn the_schema_has_the_same_names(text in "(\\{n\\}|[-._aZ9 {}]){0,6}") {
            prop_assert!(agrees(&text), "{text:?}");
        }
    }
}
