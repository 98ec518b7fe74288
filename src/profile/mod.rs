//! Profiles: data files that say how one chart spells its keys.
//!
//! Some are shipped, beside this file; a user writes one for any other chart (`docs/profiles.md`). No chart's name
//! occurs in Rust code but in that table: whatever the program knows of a chart, it knows from here.

mod load;
mod paths;
mod policy;

use serde::Deserialize;

pub use load::{SCHEMA, load, shipped, shipped_names};
pub use paths::ValueType;

use crate::key::Policy;

/// How one chart spells its keys. File format: `schema/profile.schema.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Its name, as `keyring.yaml` uses it.
    pub name: String,
    /// Names of the charts it fits, for `init`.
    #[serde(default)]
    pub charts: Vec<String>,
    /// The Secrets that hold the chart's keys.
    pub secrets: Vec<SecretSpec>,
}

impl Profile {
    /// Every ring of the profile with the Secret it lies in.
    pub fn rings(&self) -> impl Iterator<Item = (usize, &FieldSpec)> {
        self.secrets.iter().enumerate().flat_map(|(i, secret)| secret.fields.iter().map(move |field| (i, field)))
    }
}

/// A Secret of the chart, and which of its fields are keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretSpec {
    /// Tells several Secrets of one profile apart in `instance.secret`; there as soon as there are two.
    pub id: Option<String>,
    /// The Secret's name, if the chart fixes it: exact, or with one `*` for the release's part.
    pub name: Option<NamePattern>,
    /// Whether the Secret holds nothing but these fields.
    #[serde(default)]
    pub only_these_fields: bool,
    /// Where the chart's values say whether it renders the Secret.
    #[serde(default)]
    pub values: SecretValues,
    /// Its key fields.
    pub fields: Vec<FieldSpec>,
}

/// Values paths (dotted) that concern a Secret as a whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretValues {
    /// A switch: the chart renders its own Secret while it is true.
    pub rendered: Option<String>,
    /// The name of a Secret made elsewhere, used while the switch is off (or, without a switch, while set).
    pub existing: Option<String>,
}

/// One ring: numbered fields, or one fixed field.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldSpec {
    /// The field's name; `{n}` stands for the number of a numbered field.
    pub name: FieldName,
    /// A fixed field's place for the key before the active one.
    pub previous: Option<String>,
    /// The environment variable through which the application reads the field.
    pub variable: Option<String>,
    /// What a new key must be like.
    #[serde(default = "any", deserialize_with = "policy::read")]
    pub policy: Policy,
    /// Where the key stands in the chart's values, if it can stand there.
    pub values: Option<FieldValues>,
    /// How pods read the field; default: both ways.
    #[serde(default = "every_consumer")]
    pub consumers: Vec<Consumer>,
}

fn any() -> Policy {
    Policy::Any
}

fn every_consumer() -> Vec<Consumer> {
    vec![Consumer::Volume, Consumer::SecretKeyRef]
}

/// Values paths (dotted) that concern one ring.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldValues {
    /// The user's own key.
    pub key: String,
    /// A switch that makes the chart generate one more key.
    pub rotate: Option<String>,
}

/// A way in which pods read a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Consumer {
    /// A `secret` or `projected` volume.
    Volume,
    /// `env[].valueFrom.secretKeyRef`
    SecretKeyRef,
}

/// The name of a ring's fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum FieldName {
    /// A name with one number in it: what stands before and after.
    Numbered(String, String),
    /// One fixed name.
    Fixed(String),
}

impl From<String> for FieldName {
    fn from(name: String) -> Self {
        match name.split_once("{n}") {
            Some((before, after)) => Self::Numbered(before.to_owned(), after.to_owned()),
            None => Self::Fixed(name),
        }
    }
}

impl std::fmt::Display for FieldName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Numbered(before, after) => write!(f, "{before}{{n}}{after}"),
            Self::Fixed(name) => f.write_str(name),
        }
    }
}

/// What a field of a Secret is to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The key of this number in a ring of numbered fields.
    Number(u32),
    /// The field before the active one of a fixed ring.
    Previous,
    /// The active field of a fixed ring.
    Active,
}

impl FieldSpec {
    /// What `field` is to this ring; `None` for a foreign field.
    pub fn slot(&self, field: &str) -> Option<Slot> {
        if self.previous.as_deref() == Some(field) {
            return Some(Slot::Previous);
        }
        match &self.name {
            FieldName::Fixed(name) => (name == field).then_some(Slot::Active),
            FieldName::Numbered(before, after) => {
                canonical_number(field.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?).map(Slot::Number)
            }
        }
    }

    /// The field's name of a slot; `None` where the ring has no such slot.
    pub fn field(&self, slot: Slot) -> Option<String> {
        match (&self.name, slot) {
            (FieldName::Numbered(before, after), Slot::Number(n)) => Some(format!("{before}{n}{after}")),
            (FieldName::Fixed(name), Slot::Active) => Some(name.clone()),
            (FieldName::Fixed(_), Slot::Previous) => self.previous.clone(),
            _ => None,
        }
    }

    /// Bytes that occur in every document that names a field of this ring.
    pub fn markers(&self) -> Vec<&str> {
        let name = match &self.name {
            FieldName::Fixed(name) => name,
            FieldName::Numbered(before, after) if before.is_empty() => after,
            FieldName::Numbered(before, _) => before,
        };
        std::iter::once(name.as_str()).chain(self.previous.as_deref()).collect()
    }
}

/// `0`, `1`, `10`; not `01`, `+1`, or the empty text.
fn canonical_number(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// A Secret's name, with at most one `*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct NamePattern(String);

impl NamePattern {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        match self.0.split_once('*') {
            Some((before, after)) => {
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            }
            None => name == self.0,
        }
    }

    /// The name, if it is exact.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(self.0.as_str())
    }
}

impl std::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> FieldSpec {
        FieldSpec {
            name: name.to_owned().into(),
            previous: Some("old".into()),
            variable: None,
            policy: Policy::Any,
            values: None,
            consumers: every_consumer(),
        }
    }

    #[test]
    fn only_canonical_numbers_are_slots() {
        let ring = field("key-{n}.b64");
        assert_eq!(ring.slot("key-12.b64"), Some(Slot::Number(12)));
        for foreign in ["key-01.b64", "key-.b64", "key-+1.b64", "key-1", "key-99999999999.b64"] {
            assert_eq!(ring.slot(foreign), None, "{foreign}");
        }
        assert_eq!(ring.field(Slot::Number(3)).as_deref(), Some("key-3.b64"));
    }

    #[test]
    fn a_fixed_ring_has_an_active_and_a_previous_field() {
        let ring = field("key");
        assert_eq!((ring.slot("key"), ring.slot("old")), (Some(Slot::Active), Some(Slot::Previous)));
    }

    #[test]
    fn a_star_stands_for_any_part() {
        let pattern = NamePattern("*-db".into());
        assert!(pattern.fits("lr-db") && !pattern.fits("lr-web"));
        assert!(!NamePattern("ab*ba".into()).fits("aba"));
    }
}
