//! `sealed add`: the first key of a ring, before anything is locked.

use super::Keeper;
use super::lock::ring_named;
use super::rotate::{cannot_make, unknown_ring};
use crate::judge::field_name;
use crate::key::{self, KeyText};
use crate::keyring::Numbered;
use crate::lock::{self as locks, Lock};
use crate::profile::FieldSpec;
use crate::report::{Exit, Finding, Refusal, list};
use crate::source::{self, Addition, NewFiles};

/// Planned first keys.
pub struct FirstKeys {
    /// The fields.
    pub fields: Vec<String>,
    /// The store's files, whole.
    pub files: NewFiles,
    /// What is to be said of the keys.
    pub findings: Vec<Finding>,
}

impl Keeper<'_> {
    /// Plans a key for every ring that has none, or one for the ring that `field` names: `given`, or made ones. A ring
    /// with keys takes more, as long as nothing of it is locked: whoever knows old keys types them in, in their order.
    ///
    /// # Errors
    /// A store that cannot be written to, a ring that is locked already, a key that does not fit.
    pub fn first_keys(&self, lock: &Lock, field: Option<&str>, given: Option<KeyText>) -> Result<FirstKeys, Refusal> {
        let store =
            self.store("make a key with `helm-keyring keygen`, put it there yourself, then run `helm-keyring lock`")?;
        let specs = self.specs();
        let held = store.held(&specs).map_err(|error| source::failed(self.source, error, &self.owner.to_string()))?;
        let meant = self.meant(field, given.is_some(), &held)?;
        let mut findings = Vec::new();
        let mut keys: Vec<(&FieldSpec, u32, KeyText)> = Vec::new();
        for (spec, held) in meant {
            if !lock.lines_of_ring(self.owner, spec).is_empty() {
                return Err(self.locked_already(lock, spec).into());
            }
            if locks::fields(spec).is_some_and(|fields| held.len() >= fields) {
                return Err(Finding::refused(
                    "no-field",
                    format!("`{}` of {} has a key for each of its fields", spec.name, self.owner),
                )
                .found("one more would push the oldest out, and what it encrypted could not be read")
                .help("`helm-keyring lock` locks what is there")
                .into());
            }
            let number = held.keys().next_back().map_or(0, |highest| highest + 1);
            let name = field_name(spec, number, true);
            let key = match &given {
                Some(key) => self.judge("the given key").key(spec, &name, key.duplicate(), true, &mut findings)?,
                None => key::generate(&spec.policy, None).map_err(|e| cannot_make(&name, &e))?,
            };
            if held.values().any(|old| key::decode(old).expose() == key::decode(&key).expose()) {
                return Err(Finding::refused("reused-key", format!("the ring `{}` has this key already", spec.name))
                    .help("nothing was added")
                    .into());
            }
            keys.push((spec, number, key));
        }
        let additions: Vec<Addition<'_>> =
            keys.iter().map(|(spec, number, key)| Addition { spec, number: *number, key }).collect();
        let failed = |error| source::failed(self.source, error, &self.owner.to_string());
        let files = store.with(&additions).map_err(failed)?.files;
        let fields = keys.iter().map(|(spec, number, _)| field_name(spec, *number, true)).collect();
        Ok(FirstKeys { fields, files, findings })
    }

    fn meant<'h>(
        &self,
        field: Option<&str>,
        is_given: bool,
        held: &'h [Numbered],
    ) -> Result<Vec<(&FieldSpec, &'h Numbered)>, Refusal> {
        let specs = self.specs();
        let all: Vec<(&FieldSpec, &Numbered)> = specs.iter().copied().zip(held).collect();
        if let Some(field) = field {
            let named = all.into_iter().find(|(spec, _)| ring_named(spec, field));
            return Ok(vec![named.ok_or_else(|| unknown_ring(&specs, field))?]);
        }
        match all.as_slice() {
            [only] if is_given => Ok(vec![*only]),
            _ if is_given => {
                let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
                Err(Finding::usage("ring-not-chosen", format!("{} has several rings", self.owner))
                    .found(list(&names))
                    .help("name one with `--field`")
                    .into())
            }
            _ => {
                let empty: Vec<_> = all.into_iter().filter(|(_, keys)| keys.is_empty()).collect();
                if empty.is_empty() { Err(self.nothing_empty().into()) } else { Ok(empty) }
            }
        }
    }

    fn nothing_empty(&self) -> Finding {
        Finding::refused("has-keys", format!("every ring of {} has a key already", self.owner))
            .help(format!("one more key, active at once: `helm-keyring rotate -e {}`", self.owner.environment))
            .help("a key that is known already, before anything is locked: `--field FIELD --key-file FILE`")
    }

    fn locked_already(&self, lock: &Lock, spec: &FieldSpec) -> Finding {
        Finding::error(Exit::Lock, "has-keys", format!("`{}` of {} is locked already", spec.name, self.owner))
            .at(crate::report::Place::file(lock.file()))
            .found("a key that is only added would become active without a line in the lock")
            .help(format!("`helm-keyring rotate -e {}` does both", self.owner.environment))
    }
}
