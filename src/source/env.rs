//! The source `env`: environment variables, one a field.

use std::collections::BTreeMap;

use super::{Error, Source, is_almost_a_field};
use crate::key::KeyText;
use crate::keyring::{Numbered, fixed};
use crate::profile::{FieldName, FieldSpec, Slot};

/// Reads variables. A field's variable is the configured one, else the profile's, else the field's name in
/// capitals with `_` (`ENCRYPTION_KEY_0`).
pub struct Env {
    /// Field to variable; `{n}` stands for the number in both.
    pub names: BTreeMap<String, String>,
    /// The environment's variables, as text.
    pub variables: BTreeMap<String, KeyText>,
}

impl Env {
    /// The process's own environment.
    pub fn of_process(names: BTreeMap<String, String>) -> Self {
        use std::os::unix::ffi::OsStringExt as _;
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { names, variables: named.map(|(name, value)| (name, KeyText::from(value.into_vec()))).collect() }
    }

    /// The variable of one field; numbered fields are asked for by their own name first, then by pattern.
    fn variable(&self, ring: &FieldSpec, slot: Slot) -> Option<String> {
        let field = ring.field(slot)?;
        if let Some(name) = self.names.get(&field) {
            return Some(name.clone());
        }
        let pattern = match slot {
            Slot::Number(_) => self.names.get(&ring.name.to_string()).or(ring.variable.as_ref()),
            Slot::Active => ring.variable.as_ref(),
            Slot::Previous => None,
        };
        Some(match (pattern, slot) {
            (Some(pattern), Slot::Number(n)) => pattern.replace("{n}", &n.to_string()),
            (Some(name), _) => name.clone(),
            (None, _) => capitals(&field),
        })
    }

    fn key(&self, ring: &FieldSpec, slot: Slot) -> Option<KeyText> {
        self.variables.get(&self.variable(ring, slot)?).map(KeyText::duplicate)
    }

    /// Every number that any variable could stand for, so that a gap is seen and not taken for the end.
    fn numbered(&self, ring: &FieldSpec) -> Numbered {
        let numbers = self.variables.keys().flat_map(|name| numbers_in(name)).chain(self.numbers_configured(ring));
        let numbers: std::collections::BTreeSet<u32> = numbers.collect();
        numbers.into_iter().filter_map(|n| Some((n, self.key(ring, Slot::Number(n))?))).collect()
    }

    fn numbers_configured(&self, ring: &FieldSpec) -> Vec<u32> {
        let slots = self.names.keys().filter_map(|field| ring.slot(field));
        slots.filter_map(|slot| if let Slot::Number(n) = slot { Some(n) } else { None }).collect()
    }
}

impl Source for Env {
    fn describe(&self) -> String {
        "environment variables".to_owned()
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        rings.iter().map(|ring| self.fetch_one(ring)).collect()
    }
}

impl Env {
    fn fetch_one(&self, ring: &FieldSpec) -> Result<Numbered, Error> {
        self.refuse_unset(ring)?;
        self.refuse_almost(ring)?;
        let found = match ring.name {
            FieldName::Numbered(..) => self.numbered(ring),
            FieldName::Fixed(_) => fixed(self.key(ring, Slot::Previous), self.key(ring, Slot::Active)),
        };
        if found.is_empty() {
            let first = if matches!(ring.name, FieldName::Numbered(..)) { Slot::Number(0) } else { Slot::Active };
            return Err(unset(&self.variable(ring, first).unwrap_or_default(), &ring.name.to_string()));
        }
        Ok(found)
    }
}

impl Env {
    /// A field whose variable is written out in the configuration is one that there must be.
    fn refuse_unset(&self, ring: &FieldSpec) -> Result<(), Error> {
        let written = self.names.iter().filter(|(field, _)| ring.slot(field).is_some());
        let mut missing = written.filter(|(_, variable)| !self.variables.contains_key(*variable));
        missing.next().map_or(Ok(()), |(field, variable)| Err(unset(variable, field)))
    }

    /// `ENCRYPTION_KEY_01` beside `ENCRYPTION_KEY_0`.
    fn refuse_almost(&self, ring: &FieldSpec) -> Result<(), Error> {
        let pattern = self.names.get(&ring.name.to_string()).or(ring.variable.as_ref()).cloned();
        let pattern = pattern.unwrap_or_else(|| capitals_of_pattern(&ring.name.to_string()));
        let by_variable = FieldSpec { name: pattern.into(), previous: None, ..ring.clone() };
        match self.variables.keys().find(|name| is_almost_a_field(&by_variable, name)) {
            Some(odd) => Err(Error::new(
                format!("{odd} is almost a variable of `{}`", ring.name),
                format!("name it after the pattern {}, or take it away", by_variable.name),
            )),
            None => Ok(()),
        }
    }
}

/// What is not set. A text that is no usual variable's name may be a key that was put in its place.
fn unset(variable: &str, field: &str) -> Error {
    let usual = variable.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let shown = if usual { variable } else { "the variable" };
    Error::new(
        format!("{shown} is not set, which has the key of `{field}`"),
        format!("export it, or name another variable for `{field}` under `source: {{env: …}}`"),
    )
}

fn capitals_of_pattern(name: &str) -> String {
    name.split("{n}").map(capitals).collect::<Vec<_>>().join("{n}")
}

fn capitals(field: &str) -> String {
    field.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// All numbers written in a name.
fn numbers_in(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Policy;

    fn ring(name: &str, previous: Option<&str>, variable: Option<&str>) -> FieldSpec {
        FieldSpec {
            name: name.to_owned().into(),
            previous: previous.map(Into::into),
            variable: variable.map(Into::into),
            policy: Policy::Any,
            values: None,
            consumers: Vec::new(),
        }
    }

    fn fetch(
        names: &[(&str, &str)],
        variables: &[(&str, &str)],
        ring: &FieldSpec,
    ) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let env = Env {
            names: names.iter().map(own).collect(),
            variables: variables.iter().map(own).map(|(k, v)| (k, KeyText::from(v))).collect(),
        };
        let found = env.fetch(&[ring])?.remove(0);
        Ok(found.into_iter().map(|(n, key)| (n, key.expose().to_vec())).collect())
    }

    #[test]
    fn numbered_fields_come_by_configured_profile_and_own_name() {
        let keys = [(0, b"a".to_vec()), (1, b"b".to_vec())];
        let plain = ring("encryption-key-{n}", None, None);
        assert_eq!(
            fetch(&[], &[("ENCRYPTION_KEY_0", "a"), ("ENCRYPTION_KEY_1", "b")], &plain).as_deref(),
            Ok(&keys[..])
        );
        let profiled = ring("encryption-key-{n}", None, Some("K{n}"));
        assert_eq!(fetch(&[], &[("K0", "a"), ("K1", "b")], &profiled).as_deref(), Ok(&keys[..]));
        let names = [("encryption-key-{n}", "X_{n}"), ("encryption-key-1", "SECOND")];
        assert_eq!(fetch(&names, &[("X_0", "a"), ("SECOND", "b")], &profiled).as_deref(), Ok(&keys[..]));
    }

    #[test]
    fn a_gap_is_not_taken_for_the_end() {
        let found = fetch(&[], &[("K_0", "a"), ("K_2", "c")], &ring("k-{n}", None, None)).map(|keys| keys.len());
        assert_eq!(found, Ok(2));
    }

    #[test]
    fn a_variable_that_is_named_or_almost_named_is_not_passed_over() {
        let ring = ring("encryption-key-{n}", None, None);
        let names = [("encryption-key-0", "A"), ("encryption-key-1", "B")];
        let error = fetch(&names, &[("A", "a")], &ring).expect_err("B is not set");
        assert_eq!(error.message, "B is not set, which has the key of `encryption-key-1`");
        let error = fetch(&[], &[("ENCRYPTION_KEY_0", "a"), ("ENCRYPTION_KEY_01", "b")], &ring).expect_err("almost");
        assert!(error.message.starts_with("ENCRYPTION_KEY_01 is almost a variable of"), "{}", error.message);
        let error = fetch(&[("encryption-key-0", "aKeyInPlaceOfAName")], &[], &ring).expect_err("no such variable");
        assert!(!error.message.contains("aKey") && !error.help.contains("aKey"));
    }

    #[test]
    fn a_fixed_ring_has_its_previous_key_first() {
        let ring = ring("token", Some("token-old"), Some("TOKEN"));
        let found = fetch(&[], &[("TOKEN", "new"), ("TOKEN_OLD", "old")], &ring);
        assert_eq!(found, Ok(vec![(0, b"old".to_vec()), (1, b"new".to_vec())]));
        let error = fetch(&[], &[("TOKEN_OLD", "old")], &ring).expect_err("no active key");
        assert_eq!(error.message, "TOKEN is not set, which has the key of `token`");
    }
}
