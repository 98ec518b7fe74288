//! `rotate`: one more key, active as soon as it is delivered.

use super::lock::ring_named;
use super::plan::{Parts, planned};
use super::{Keeper, Plan, RingState};
use crate::judge::field_name;
use crate::key::{self, KeyText};
use crate::lock::{self as locks, Line, Lock, Standing};
use crate::profile::{FieldName, FieldSpec, Slot};
use crate::report::{Exit, Finding, Refusal, list};
use crate::source::{self, Addition, Change, Store};

/// A planned rotation.
pub struct Rotation<'p> {
    /// The ring's keys as they will be, from the lowest number.
    pub rows: Vec<Row>,
    /// Whether it is a fixed field, whose old key moves to `previous`.
    pub is_fixed: bool,
    /// Whether an earlier run was ended before its lock was written, and this one only completes it.
    pub completes: bool,
    /// What is to be written.
    pub plan: Plan<'p>,
    /// What is to be said of the keys.
    pub findings: Vec<Finding>,
}

/// A key of the ring.
pub struct Row {
    /// Its field.
    pub field: String,
    /// How its text writes it.
    pub spelling: String,
    /// The first characters of its fingerprint.
    pub fingerprint: String,
    /// What becomes of it.
    pub fate: &'static str,
}

impl<'k> Keeper<'k> {
    /// Plans one more key for a ring: `given`, or one that is made. `field` names the ring where there are several.
    ///
    /// # Errors
    /// A source that cannot be written to or does not hold what is locked; a key that does not fit, or that is a key
    /// already; a fixed field whose old key would have no place.
    pub fn rotate(&self, lock: &'k Lock, field: Option<&str>, given: Option<KeyText>) -> Result<Rotation<'k>, Refusal> {
        let store =
            self.store("make a key with `helm-keyring keygen`, put it there yourself, then run `helm-keyring lock`")?;
        if lock.lines_of(self.owner).next().is_none() {
            return Err(locks::nothing_locked(lock, self.owner).into());
        }
        let spec = self.ring_for(field)?;
        let mut findings = Vec::new();
        let states = self.state(lock, &mut findings)?;
        let is_meant = |state: &RingState<'_>| state.spec().name == spec.name;
        if !states.iter().any(|state| !is_meant(state) && state.new_keys().next().is_some()) {
            findings.retain(|finding| finding.id != "lock-behind");
        }
        let state = states.iter().find(|state| is_meant(state)).ok_or_else(|| unknown_ring(&self.specs(), "this"))?;
        let number = u32::try_from(state.ring.keys().len()).unwrap_or(u32::MAX);
        let name = field_name(spec, number, true);
        let given =
            given.map(|key| self.judge("the new key").key(spec, &name, key, true, &mut findings)).transpose()?;
        let mut after = lock.clone();
        if state.new_keys().next().is_some() {
            self.refuse_other_than_pending(state, given.as_ref())?;
            self.lock_new(&mut after, std::slice::from_ref(state))?;
            return self.rotation(state, None, (lock, after), store, findings);
        }
        self.refuse_without_place(lock, state)?;
        let locked = lock.lines_of_ring(self.owner, spec).last().map_or(0, |line| line.number + 1);
        let key = match given {
            Some(key) => key,
            None => key::generate(&spec.policy, None).map_err(|e| cannot_make(&name, &e))?,
        };
        self.refuse_known(lock, state, &key, &name)?;
        after.add(self.owner, spec, locked, &key)?;
        self.rotation(state, Some(key), (lock, after), store, findings)
    }

    fn rotation(
        &self,
        state: &RingState<'k>,
        new: Option<KeyText>,
        (before, after): (&'k Lock, Lock),
        store: &'k dyn Store,
        findings: Vec<Finding>,
    ) -> Result<Rotation<'k>, Refusal> {
        let spec = state.spec();
        let failed = |error| source::failed(self.source, error, &self.owner.to_string());
        let held = store.held(&[spec]).map_err(failed)?.pop().unwrap_or_default();
        let number = held.keys().next_back().map_or(0, |highest| highest + 1);
        let change = match &new {
            Some(key) => store.with(&[Addition { spec, number, key }]).map_err(failed)?,
            None => Change::default(),
        };
        let plan = Plan::new(Parts {
            owner: self.owner,
            specs: vec![spec],
            store,
            change,
            planned: vec![planned(store, spec, &held, &new.iter().collect::<Vec<_>>())],
            before,
            after,
        })?;
        let rows = rows(spec, &plan.lock().lines_of_ring(self.owner, spec));
        Ok(Rotation {
            rows,
            completes: new.is_none(),
            is_fixed: matches!(spec.name, FieldName::Fixed(_)),
            plan,
            findings,
        })
    }

    /// The ring that is meant: the one that is named, or the only one.
    fn ring_for(&self, field: Option<&str>) -> Result<&'k FieldSpec, Refusal> {
        let specs = self.specs();
        match (field, specs.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => {
                let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
                Err(Finding::usage("ring-not-chosen", format!("{} has several rings", self.owner))
                    .found(list(&names))
                    .help("name one with `--field`")
                    .into())
            }
            (Some(field), _) => {
                let named = specs.iter().find(|spec| ring_named(spec, field)).copied();
                Ok(named.ok_or_else(|| unknown_ring(&specs, field))?)
            }
        }
    }

    /// A key that an ended run left in the source is locked as it is; another one cannot take its place.
    fn refuse_other_than_pending(&self, state: &RingState<'_>, given: Option<&KeyText>) -> Result<(), Refusal> {
        let is_pending = |given: &KeyText| state.new_keys().any(|(_, key)| key.same_as(given));
        if given.is_none_or(is_pending) {
            return Ok(());
        }
        Err(Finding::error(Exit::Lock, "pending-key", format!("the source of {} has a key that the lock lacks", self.owner))
            .found("it was added by hand, or by a run that was ended before it wrote the lock; it is not the key that was given")
            .help("run `helm-keyring rotate` without a key to complete that, then rotate again")
            .into())
    }

    /// The old key of a fixed field needs the `previous` field, and that must be free.
    fn refuse_without_place(&self, lock: &Lock, state: &RingState<'_>) -> Result<(), Refusal> {
        let spec = state.spec();
        let FieldName::Fixed(name) = &spec.name else { return Ok(()) };
        let Some(previous) = spec.field(Slot::Previous) else {
            let title = format!("`{name}` of {} has no place for its old key", self.owner);
            let profile = &self.selection.profile.name;
            return Err(Finding::refused("no-previous", title)
                .found(format!("profile {profile} names no `previous` field: what the old key encrypted could not be read"))
                .help("does the application read an older key from another field? Name it in the profile (docs/profiles.md)")
                .help("else decrypt with the old key and encrypt with the new one as the application's manual says, and only then replace the key")
                .into());
        };
        let in_use = Finding::refused("previous-in-use", format!("`{previous}` of {} still holds a key", self.owner))
            .found("another rotation would push it out, and what it encrypted could not be read");
        let lines = lock.lines_of_ring(self.owner, spec);
        if lines.len() > 1 {
            let forget = locks::forget_command(self.owner, &[&previous]);
            return Err(in_use
                .help("let the application encrypt everything anew with the active key")
                .help(format!("then release it: {forget}"))
                .into());
        }
        // Nothing was ever released, so the lock never knew this key.
        let was_released = lines.first().is_some_and(|line| line.number > 0);
        let active = state.ring.keys().last();
        let mut unknown = state.standings.iter().zip(state.ring.keys()).filter(|(standing, key)| {
            **standing == Standing::Released && !active.is_some_and(|active| active.same_as(key))
        });
        if was_released || unknown.next().is_none() {
            return Ok(());
        }
        let forget = locks::forget_command(self.owner, &[name]);
        Err(in_use
            .found("it stands in no line of the lock, and was never released")
            .help(format!("lock both, as they are now: {forget}"))
            .help("or take it out of the source, if no data needs it")
            .into())
    }

    /// A new key is nobody's key yet, in no spelling.
    fn refuse_known(&self, lock: &Lock, state: &RingState<'_>, key: &KeyText, name: &str) -> Result<(), Refusal> {
        let refused = |other: String| -> Refusal {
            Finding::refused("reused-key", format!("the new `{name}` of {} is a key already", self.owner))
                .found(format!("it is the same as {other}"))
                .help("leave the key out, and a new one is made")
                .into()
        };
        let bytes = key::decode(key);
        let last = state.ring.keys().len().saturating_sub(1);
        for (number, old) in state.ring.keys().iter().enumerate() {
            if key::decode(old).expose() == bytes.expose() {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                return Err(refused(format!("`{}`", field_name(state.spec(), number, number as usize == last))));
            }
        }
        let fingerprint = lock.fingerprint(key)?;
        match lock.lines().find(|line| line.fingerprint == fingerprint) {
            Some(line) => Err(refused(format!("`{}` of {}", line.field, line.owner()))),
            None => Ok(()),
        }
    }
}

/// The table of a rotation.
fn rows(spec: &FieldSpec, lines: &[&Line]) -> Vec<Row> {
    let count = lines.len();
    let row = |(index, line): (usize, &&Line)| Row {
        field: match (&spec.name, count - index) {
            (FieldName::Fixed(name), 3..) => format!("{name} (older)"),
            (_, place) => field_name(spec, line.number, place == 1),
        },
        spelling: line.spelling.to_string(),
        fingerprint: line.short_fingerprint().to_owned(),
        fate: match (count - index, &spec.name) {
            (1, _) => "new: active as soon as it is delivered",
            (2, FieldName::Numbered(..)) => "stays; was active",
            (2, FieldName::Fixed(_)) => "was active; moves here",
            _ => "stays",
        },
    };
    lines.iter().enumerate().map(row).collect()
}

pub(super) fn unknown_ring(specs: &[&FieldSpec], field: &str) -> Finding {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
    let finding = Finding::usage("no-such-field", "the profile has no ring of this field")
        .found(format!("it has {}", list(&names)));
    match crate::report::nearest(field, names.iter().map(String::as_str)) {
        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
        None => finding.help("name one of these with `--field`"),
    }
}

pub(super) fn cannot_make(name: &str, error: &key::GenerateError) -> Finding {
    Finding::refused("no-new-key", format!("no key can be made for `{name}`: {error}"))
        .help("give one in a file, or on stdin: `--key-file FILE`")
}
