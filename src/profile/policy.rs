//! A policy as profiles write it: `any`, `{bytes: 32}`, `{bytes: 32, spellings: [base64]}`, `{minCharacters: 32}`.

use serde::{Deserialize, Deserializer};

use crate::key::{Policy, SpellingSet};

/// Reads a policy. The schema has seen to it that one form fits.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Policy, D::Error> {
    Written::deserialize(deserializer).map(Policy::from)
}

#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Written {
    Any(Any),
    Bytes { bytes: usize, spellings: Option<Vec<Spelling>> },
    MinCharacters { min_characters: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Any {
    Any,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Spelling {
    Raw,
    Base64,
    Hex,
}

impl From<Written> for Policy {
    fn from(written: Written) -> Self {
        match written {
            Written::Any(Any::Any) => Self::Any,
            Written::Bytes { bytes, spellings } => {
                Self::Bytes { len: bytes, spellings: spellings.as_deref().map_or_else(SpellingSet::default, set) }
            }
            Written::MinCharacters { min_characters } => Self::MinCharacters(min_characters),
        }
    }
}

fn set(spellings: &[Spelling]) -> SpellingSet {
    let has = |spelling| spellings.contains(&spelling);
    SpellingSet { raw: has(Spelling::Raw), base64: has(Spelling::Base64), hex: has(Spelling::Hex) }
}
