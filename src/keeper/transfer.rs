//! `adopt` and `copy`: keys from somewhere else into a store, exactly as they are.

use super::plan::{Parts, planned};
use super::{Keeper, Plan, candidate};
use crate::judge::{Candidate, Judge, field_name};
use crate::key::KeyText;
use crate::keyring::Numbered;
use crate::lock::{self as locks, Checked, Held, Lock, Standing};
use crate::profile::{FieldName, FieldSpec};
use crate::report::{Exit, Finding, Refusal, list};
use crate::source::{self, Addition, Change, Source, Store};

const BY_HAND: &str =
    "put the keys there yourself, exactly as they are, then run `helm-keyring lock`; never make new ones";

/// Planned additions to a store.
pub struct Transfer<'p> {
    /// The fields that are added, in their order.
    pub added: Vec<String>,
    /// The fields that the store has already, with just these keys.
    pub there: Vec<String>,
    /// What is to be written.
    pub plan: Plan<'p>,
    /// What is to be said of the keys.
    pub findings: Vec<Finding>,
}

/// Keys of one ring on their way, from the oldest.
struct Moving<'p> {
    spec: &'p FieldSpec,
    keys: Vec<KeyText>,
    /// What the store holds.
    held: Numbered,
    /// From which of the keys on the store lacks them.
    from: usize,
}

impl Moving<'_> {
    fn added(&self) -> &[KeyText] {
        self.keys.get(self.from..).unwrap_or_default()
    }

    /// The fields of the keys from one on to another: as the application will have them.
    fn fields(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let last = self.keys.len().saturating_sub(1);
        numbers.map(|index| field_name(self.spec, u32::try_from(index).unwrap_or(u32::MAX), index == last)).collect()
    }
}

impl<'k> Keeper<'k> {
    /// Takes over the keys that a running application has, whatever they are like, and locks them. Rings of which
    /// `from` has no key are left alone.
    ///
    /// # Errors
    /// A source that cannot be written to, or holds another key in a key's place; a lock that says otherwise; no key
    /// at all.
    pub fn adopt(&self, lock: &'k Lock, from: &dyn Source) -> Result<Transfer<'k>, Refusal> {
        let store = self.store(BY_HAND)?;
        self.refuse_strangers(lock)?;
        let numbered = source::fetch(from, &self.specs(), &self.owner.to_string())?;
        let mut findings = self.source.warnings();
        let mut after = lock.clone();
        let mut rings = Vec::new();
        for (spec, keys) in self.specs().into_iter().zip(numbered).filter(|(_, keys)| !keys.is_empty()) {
            let checked = self.known(lock, spec, from, keys)?;
            let standings: Vec<Standing> = checked.iter().map(|key| key.standing).collect();
            let keys = as_they_are(from, spec, checked.into_iter().map(candidate).collect(), &mut findings)?;
            for (standing, key) in standings.iter().zip(&keys) {
                if let Standing::New { number } = standing {
                    after.add(self.owner, spec, *number, key)?;
                }
            }
            rings.push((spec, keys));
        }
        if rings.is_empty() {
            return Err(nothing_found(self, from).into());
        }
        self.transfer(store, rings, lock, after, findings)
    }

    /// Copies all keys of all rings from `from` to the keeper's own source. Every key must match the lock.
    ///
    /// # Errors
    /// A source that fails or does not hold what is locked; a destination that cannot be written to, or holds another
    /// key in a key's place.
    pub fn copy(&self, lock: &'k Lock, from: &dyn Source) -> Result<Transfer<'k>, Refusal> {
        let store = self.store(BY_HAND)?;
        self.refuse_strangers(lock)?;
        let numbered = source::fetch(from, &self.specs(), &self.owner.to_string())?;
        let held: Vec<Held<'_>> =
            self.specs().into_iter().zip(&numbered).map(|(spec, keys)| Held { spec, keys }).collect();
        let verified = locks::verify(lock, self.owner, &held)?;
        let mut findings = [from.warnings(), self.source.warnings()].concat();
        findings.extend(verified.findings.into_iter().filter(|finding| finding.id != "lock-behind"));
        let mut rings = Vec::new();
        for (spec, checked) in self.specs().into_iter().zip(verified.rings) {
            let mut keys = as_they_are(from, spec, checked.into_iter().map(candidate).collect(), &mut findings)?;
            // Older ones are released: every locked key has a field.
            let first = store.places(spec).map_or(0, |places| keys.len().saturating_sub(places));
            keys.drain(..first);
            rings.push((spec, keys));
        }
        self.transfer(store, rings, lock, lock.clone(), findings)
    }

    /// The keys of a ring with what the lock says of each; without any line all are new. A running Secret may lack keys
    /// that were not delivered yet, and hold one that was released.
    fn known(&self, lock: &Lock, spec: &FieldSpec, from: &dyn Source, keys: Numbered) -> Result<Vec<Checked>, Refusal> {
        let lines = lock.lines_of_ring(self.owner, spec);
        let Some(first) = lines.first() else { return Ok(keys.into_iter().map(super::all_new).collect()) };
        let mut is_locked = true;
        for key in keys.values() {
            let fingerprint = lock.fingerprint(key)?;
            is_locked &= lines.iter().any(|line| line.fingerprint == fingerprint);
        }
        if is_locked {
            let locked = |(number, key)| Checked { number, key, standing: Standing::Locked };
            return Ok(keys.into_iter().map(locked).collect());
        }
        let verified = locks::verify(lock, self.owner, &[Held { spec, keys: &keys }])
            .map_err(|refusal| self.not_the_locked_ones(from, refusal))?;
        let was_released = first.number > 0;
        let stays = |key: &Checked| !(was_released && key.standing == Standing::Released);
        let kept = verified.rings.into_iter().flatten().filter(stays);
        Ok((0..).zip(kept).map(|(number, key)| Checked { number, ..key }).collect())
    }

    /// The lock's own advice is about a source; here nobody may type `--forget` before it is known whose keys these are.
    fn not_the_locked_ones(&self, from: &dyn Source, Refusal(found): Refusal) -> Refusal {
        let title = format!("{} does not hold the locked keys of {}", from.describe(), self.owner);
        let mut finding = Finding::error(Exit::Lock, "lock-mismatch", title);
        for Finding { title, places, notes, .. } in found {
            finding.places.extend(places);
            finding = [title].into_iter().chain(notes).fold(finding, Finding::found);
        }
        finding
            .help("is it the right Secret, namespace and cluster?")
            .help("if it is, find out with `helm-keyring verify` which keys data is encrypted with, before anything is changed")
            .into()
    }

    fn transfer(
        &self,
        store: &'k dyn Store,
        rings: Vec<(&'k FieldSpec, Vec<KeyText>)>,
        before: &'k Lock,
        after: Lock,
        findings: Vec<Finding>,
    ) -> Result<Transfer<'k>, Refusal> {
        let failed = |error| source::failed(store, error, &self.owner.to_string());
        let specs: Vec<&FieldSpec> = rings.iter().map(|(spec, _)| *spec).collect();
        let held = store.held(&specs).map_err(failed)?;
        let (mut moving, mut refused) = (Vec::new(), Vec::new());
        for ((spec, keys), held) in rings.into_iter().zip(held) {
            match overlap(store, spec, &keys, &held) {
                Some(from) => moving.push(Moving { spec, keys, held, from }),
                None => refused.push(occupied(store, spec, &held)),
            }
        }
        if !refused.is_empty() {
            return Err(Refusal(refused));
        }
        let mut additions = Vec::new();
        for ring in &moving {
            let next = ring.held.keys().next_back().map_or(0, |highest| highest + 1);
            additions.extend((next..).zip(ring.added()).map(|(number, key)| Addition { spec: ring.spec, number, key }));
        }
        let change = if additions.is_empty() { Change::default() } else { store.with(&additions).map_err(failed)? };
        let after_it =
            |ring: &Moving<'_>| planned(store, ring.spec, &ring.held, &ring.added().iter().collect::<Vec<_>>());
        let plan = Plan::new(Parts {
            owner: self.owner,
            specs,
            store,
            change,
            planned: moving.iter().map(after_it).collect(),
            before,
            after,
        })?;
        let added = moving.iter().flat_map(|ring| ring.fields(ring.from..ring.keys.len())).collect();
        let there = moving.iter().flat_map(|ring| ring.fields(0..ring.from)).collect();
        Ok(Transfer { added, there, plan, findings })
    }
}

/// From which key on the store lacks them; `None` if it has another one in a key's place, or a key would be pushed out.
fn overlap(store: &dyn Store, spec: &FieldSpec, keys: &[KeyText], held: &Numbered) -> Option<usize> {
    let held: Vec<&KeyText> = held.values().collect();
    let is_same = |a: &[KeyText], b: &[&KeyText]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_as(b));
    if (0..held.len()).any(|first| held.get(first..first + keys.len()).is_some_and(|part| is_same(keys, part))) {
        let is_numbered = matches!(spec.name, FieldName::Numbered(..));
        // The store has all of these, and more; numbered ones in their own places.
        return (!is_numbered || held.get(..keys.len()).is_some_and(|part| is_same(keys, part))).then_some(keys.len());
    }
    let ends_with = |count: usize| match spec.name {
        FieldName::Numbered(..) => count == held.len(),
        FieldName::Fixed(_) => true,
    };
    let count = (0..=keys.len().min(held.len())).rev().find(|count| {
        ends_with(*count) && is_same(&keys[..*count], &held[held.len() - count..]) && (*count > 0 || held.is_empty())
    })?;
    let fits = store.places(spec).is_none_or(|places| held.len() + keys.len() - count <= places);
    fits.then_some(count)
}

/// Keys that data is encrypted with: judged as old ones, never changed.
fn as_they_are(
    from: &dyn Source,
    spec: &FieldSpec,
    keys: Vec<Candidate>,
    findings: &mut Vec<Finding>,
) -> Result<Vec<KeyText>, Refusal> {
    let describe = from.describe();
    let judge = Judge { from: &describe, gitops: true, trims: false };
    let candidates = keys.into_iter().map(|candidate| Candidate { is_new: false, ..candidate }).collect();
    let ring = judge.ring(spec, candidates, findings)?;
    Ok(ring.keys().iter().map(KeyText::duplicate).collect())
}

fn nothing_found(keeper: &Keeper<'_>, from: &dyn Source) -> Finding {
    let names: Vec<String> = keeper.specs().iter().map(|spec| format!("`{}`", spec.name)).collect();
    Finding::refused("no-keys", format!("{} holds no key of {}", from.describe(), keeper.owner))
        .found(format!("looked for {}", list(&names)))
        .help("is it the right Secret? `kubectl get secrets` lists them")
}

fn occupied(store: &dyn Store, spec: &FieldSpec, held: &Numbered) -> Finding {
    let count = if held.len() == 1 { "a key".to_owned() } else { format!("{} keys", held.len()) };
    Finding::refused("occupied", format!("{} has {count} of `{}` already, not these", store.describe(), spec.name))
        .found("a key is never written over or pushed out")
        .help("choose an empty place, or find out with `helm-keyring verify` which of them data is encrypted with")
}
