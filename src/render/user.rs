//! What the user's values say about a ring: his own key, the rotate switch, whether the chart renders a Secret.

use crate::config::Instance;
use crate::key::KeyText;
use crate::profile::{FieldSpec, Profile, SecretSpec, ValueType};
use crate::report::{Finding, Place, Refusal, list};
use crate::rules::{unsafe_scalar, wrong_type};
use crate::values::{Found, Known, Merged};
use crate::yaml::{Data, Number, Value};

/// The user's own key of one ring.
pub enum UserKey {
    /// The values could not be seen, or the profile names no path for the key.
    Unknown {
        /// Why.
        reason: String,
    },
    /// Missing, null or empty.
    Empty {
        /// Where it is spelled out as empty, or could be.
        place: Option<Place>,
    },
    /// A text.
    Given {
        /// The key.
        key: KeyText,
        /// Where it is written.
        place: Place,
    },
}

/// The user's values as one profile reads them.
pub struct UserValues<'v> {
    known: Result<(&'v Merged, String), String>,
}

impl<'v> UserValues<'v> {
    /// Finds the instance of the chart in the values: under the configured name, at the top, or under the only
    /// dependency that has the profile's paths.
    ///
    /// # Errors
    /// Two dependencies have them and none is configured.
    pub fn new(known: &'v Known, profile: &Profile, instance: &Instance) -> Result<Self, Refusal> {
        let merged = match known {
            Known::Unknown { reason } => return Ok(Self { known: Err(reason.clone()) }),
            Known::Values(merged) => merged,
        };
        let prefix = match &instance.values {
            Some(prefix) => prefix.clone(),
            None => found_prefix(&merged.value, profile)?,
        };
        Ok(Self { known: Ok((merged, prefix)) })
    }

    /// The user's own key of a ring.
    ///
    /// # Errors
    /// It is a number, a list or anything else that is no text.
    pub fn key(&self, ring: &FieldSpec) -> Result<UserKey, Refusal> {
        let Some(paths) = &ring.values else {
            return Ok(UserKey::Unknown { reason: format!("the profile names no values path for `{}`", ring.name) });
        };
        let (merged, value) = match self.at(&paths.key) {
            Err(reason) => return Ok(UserKey::Unknown { reason }),
            Ok(found) => found,
        };
        let Some(value) = value else { return Ok(UserKey::Empty { place: None }) };
        let place = place(merged, value);
        match &value.data {
            Data::Null => Ok(UserKey::Empty { place: Some(place) }),
            Data::Text(text) if text.is_empty() => Ok(UserKey::Empty { place: Some(place) }),
            Data::Text(text) => Ok(UserKey::Given { key: KeyText::from(text.as_bytes().to_vec()), place }),
            Data::Number(_) | Data::Bool(_) => Err(unsafe_scalar::finding(&paths.key, value.kind(), place).into()),
            Data::List(_) | Data::Map(_) => {
                Err(wrong_type::finding(&paths.key, value, ValueType::Text).at(place).into())
            }
        }
    }

    /// Where the rotate switch of a ring is on, as a template sees it (any text but the empty one is on).
    pub fn rotates(&self, ring: &FieldSpec) -> Option<(String, Place)> {
        let path = ring.values.as_ref()?.rotate.as_ref()?;
        let (merged, value) = self.at(path).ok()?;
        let value = value.filter(|value| is_true(value))?;
        Some((path.clone(), place(merged, value)))
    }

    /// Whether the chart was told to render no Secret of its own. `None`: not known, or the profile cannot tell.
    pub fn renders_none(&self, secret: &SecretSpec) -> Option<bool> {
        let switch = |path: &Option<String>| self.at(path.as_ref()?).ok()?.1.map(is_true);
        match (&secret.values.rendered, &secret.values.existing) {
            (Some(_), _) => switch(&secret.values.rendered).map(|rendered| !rendered),
            (None, Some(_)) => switch(&secret.values.existing),
            (None, None) => None,
        }
    }

    /// Why the values are not known.
    pub fn unknown(&self) -> Option<&str> {
        self.known.as_ref().err().map(String::as_str)
    }

    fn at(&self, dotted: &str) -> Result<(&'v Merged, Option<&'v Value>), String> {
        let (merged, prefix) = self.known.as_ref().map_err(Clone::clone)?;
        let full = if prefix.is_empty() { dotted.to_owned() } else { format!("{prefix}.{dotted}") };
        match merged.at(&full) {
            Found::Value(value) => Ok((merged, Some(value))),
            Found::Absent => Ok((merged, None)),
            Found::Unknown(reason) => Err(reason.to_owned()),
        }
    }
}

fn place(merged: &Merged, value: &Value) -> Place {
    merged.files.place(&value.span)
}

/// As a template's `if` sees it.
fn is_true(value: &Value) -> bool {
    match &value.data {
        Data::Null => false,
        Data::Bool(b) => *b,
        Data::Number(Number::Int(i)) => *i != 0,
        Data::Number(Number::Float(f)) => *f != 0.0,
        Data::Text(text) => !text.is_empty(),
        Data::List(items) => !items.is_empty(),
        Data::Map(map) => !map.is_empty(),
    }
}

/// Where the profile's paths begin: at the top, else under the only dependency (or its dependency) that has them.
fn found_prefix(root: &Value, profile: &Profile) -> Result<String, Refusal> {
    let paths: Vec<&str> = profile.rings().filter_map(|(_, ring)| Some(ring.values.as_ref()?.key.as_str())).collect();
    let here = |value: &Value| paths.iter().any(|path| value.at(path.split('.')).is_some());
    if here(root) {
        return Ok(String::new());
    }
    let mut found = Vec::new();
    for (name, entry) in root.map().into_iter().flatten() {
        if here(&entry.value) {
            found.push(name.clone());
        }
        for (inner, inner_entry) in entry.value.map().into_iter().flatten() {
            if here(&inner_entry.value) {
                found.push(format!("{name}.{inner}"));
            }
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|prefix| format!("`{prefix}`")).collect();
        return Err(Finding::usage(
            "ambiguous-instance",
            format!("the values hold the chart's keys under {}", list(&names)),
        )
        .help("say which one with `instance: {values: NAME}` in keyring.yaml")
        .into());
    }
    Ok(found.pop().unwrap_or_default())
}
