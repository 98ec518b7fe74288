//! Keys in texts that nobody can parse: templates, scripts, broken YAML. A line that sets a known name to a usable key
//! tells enough; whatever is doubtful there is not said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reader::Reader;
use crate::key::KeyText;
use crate::profile::FieldSpec;
use crate::rules::{Key, Stands};

/// Prose shows examples.
const PROSE: [&str; 5] = ["md", "markdown", "rst", "adoc", "org"];

/// Whether the files with this ending are written for people.
pub fn is_prose(ending: Option<&str>) -> bool {
    ending.is_some_and(|ending| PROSE.contains(&ending))
}

/// Looks at every line.
pub fn look(reader: &mut Reader<'_, '_>) {
    let text = reader.text;
    let mut offset = 0;
    for line in text.text.split_inclusive('\n') {
        if let Some((ring, name, value)) =
            assignment(line).and_then(|(name, value)| Some((ring(reader, name)?, name, value)))
        {
            let at = offset + line.find(value).unwrap_or(0);
            for key in readings(value) {
                let (name, committed) = (name.to_owned(), text.committed);
                let place = text.place(at..at + value.len());
                let key = Key::new(ring, name, key, place, Stands::Line, committed);
                if key.is_usable() {
                    reader.judged(key);
                    break;
                }
            }
        }
        offset += line.len();
    }
}

/// `name: value`, `"name": "value",`, `NAME=value`, `export NAME=value`, `- name: value`
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches('\u{feff}').trim();
    let line = line.strip_prefix("- ").or_else(|| line.strip_prefix("export ")).unwrap_or(line);
    let (name, value) = line.split_once([':', '='])?;
    let name = name.trim().trim_matches(['"', '\'']);
    let value = value.trim().trim_end_matches(',').trim();
    let value = match value.strip_prefix(['"', '\'']) {
        Some(inner) => inner.split(['"', '\'']).next()?,
        None => value.split(" #").next()?.trim_end(),
    };
    (!value.is_empty()).then_some((name, value))
}

/// The ring whose key has this name, anywhere: the last step of a values path, a field, a variable.
fn ring<'p>(reader: &Reader<'_, 'p>, name: &str) -> Option<&'p FieldSpec> {
    let is_leaf = |ring: &&FieldSpec| {
        let path = ring.values.as_ref().map(|values| values.key.as_str());
        path.and_then(|path| path.rsplit('.').next()) == Some(name)
    };
    let of_values = || reader.profiles.iter().flat_map(|profile| profile.rings().map(|(_, ring)| ring)).find(is_leaf);
    reader.ring_of_variable(name).or_else(|| reader.ring_of_field(name)).or_else(of_values)
}

/// The text itself, and what it is in a Secret's `data`.
fn readings(value: &str) -> Vec<KeyText> {
    let decoded = STANDARD.decode(value).ok().map(KeyText::from);
    std::iter::once(KeyText::from(value.as_bytes().to_vec())).chain(decoded).collect()
}
