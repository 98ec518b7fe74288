//! `status`: where every key of a ring is, and what is wrong.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Keeper, RingState};
use crate::judge::field_name;
use crate::key::{self, KeyText};
use crate::keyring::Numbered;
use crate::lock::{self as locks, Held, Line, Lock};
use crate::profile::{FieldName, FieldSpec, Slot};
use crate::report::{Finding, Refusal, list};
use crate::source::{self, Source};

/// All rings of one keyring in one environment.
#[derive(Serialize)]
pub struct Status {
    /// The keyring.
    pub keyring: String,
    /// The environment.
    pub environment: String,
    /// Where the keys come from, in words.
    pub source: String,
    /// The rings, in the order of the profile.
    pub rings: Vec<RingStatus>,
}

/// One ring.
#[derive(Serialize)]
pub struct RingStatus {
    /// Its name, as the profile writes it.
    pub name: String,
    /// Its keys, from the lowest number.
    pub keys: Vec<KeyStatus>,
}

/// One key of a ring.
#[derive(Serialize)]
pub struct KeyStatus {
    /// The Secret's field that holds it.
    pub field: String,
    /// Its number in the ring; in the lock, where it is locked.
    pub number: u32,
    /// How its text writes it.
    pub spelling: String,
    /// At most so many bits, for somebody who guesses. `None` where no text is at hand.
    pub bits: Option<u32>,
    /// The whole fingerprint.
    pub fingerprint: String,
    /// Whether the application encrypts with it.
    pub active: bool,
    /// Whether the source has it.
    pub source: bool,
    /// Whether the lock has a line for it.
    pub lock: bool,
    /// Whether the running Secret has it; `None` if nobody looked.
    pub live: Option<bool>,
    /// The pods of the given manifests that read it; `None` if none were given.
    pub mounts: Option<Vec<String>>,
}

/// Where else to look.
#[derive(Default)]
pub struct Places<'p> {
    /// The running Secret.
    pub live: Option<&'p dyn Source>,
    /// Pods of given manifests, and a field that each reads.
    pub mounts: Option<Vec<(String, String)>>,
}

/// One key wherever it was seen, by its fingerprint.
struct Seen {
    spelling: String,
    bits: Option<u32>,
    fingerprint: String,
    source: bool,
    live: bool,
}

impl Keeper<'_> {
    /// Looks everywhere. What is wrong comes as findings beside the tables: errors too.
    ///
    /// # Errors
    /// A place that cannot be read at all.
    pub fn status(&self, lock: &Lock, places: &Places<'_>) -> Result<(Status, Vec<Finding>), Refusal> {
        let specs = self.specs();
        let numbered = self.fetch()?;
        let live = places.live.map(|live| source::fetch(live, &specs, &self.owner.to_string())).transpose()?;
        let (states, mut findings) = self.wrong_with(lock, &numbered);
        if let (Some(live), Some(place)) = (&live, places.live) {
            findings.extend(self.wrong_live(place, &states, live));
        }
        let mut rings = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let live = live.as_ref().and_then(|rings| rings.get(index));
            rings.push(RingStatus {
                name: spec.name.to_string(),
                keys: self.keys(lock, spec, &numbered[index], live, places)?,
            });
        }
        let status = Status {
            keyring: self.owner.keyring.to_owned(),
            environment: self.owner.environment.to_owned(),
            source: self.source.describe(),
            rings,
        };
        Ok((status, findings))
    }

    /// What `render` would refuse, or warn of.
    ///
    /// # Errors
    /// A source that cannot be read at all.
    pub fn wrong(&self, lock: &Lock) -> Result<Vec<Finding>, Refusal> {
        Ok(self.wrong_with(lock, &self.fetch()?).1)
    }

    /// What `render` would refuse, or warn of; and the rings, if it would deliver them.
    fn wrong_with(&self, lock: &Lock, numbered: &[Numbered]) -> (Vec<RingState<'_>>, Vec<Finding>) {
        let mut findings = self.source.warnings();
        let copy = |keys: &Numbered| keys.iter().map(|(number, key)| (*number, key.duplicate())).collect();
        let unlocked: Vec<Held<'_>> = self
            .specs()
            .into_iter()
            .zip(numbered)
            .filter(|(spec, _)| lock.lines_of_ring(self.owner, spec).is_empty())
            .map(|(spec, keys)| Held { spec, keys })
            .collect();
        if let Err(Refusal(found)) = locks::verify(lock, self.owner, &unlocked) {
            findings.extend(found);
        }
        match self.compared(lock, numbered.iter().map(copy).collect(), &mut findings) {
            Ok(states) => (states, findings),
            Err(Refusal(found)) => {
                findings.extend(found);
                (Vec::new(), findings)
            }
        }
    }

    /// A running Secret that has another key in a field than would be delivered, or lacks one.
    fn wrong_live(&self, place: &dyn Source, states: &[RingState<'_>], live: &[Numbered]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (state, live) in states.iter().zip(live) {
            let running = slots(state.spec(), live);
            let delivered = state.ring.delivered();
            let is_known = |(field, key): &&(String, KeyText)| match &state.spec().name {
                FieldName::Numbered(..) => delivered.iter().any(|(own, text)| own == field && text.same_as(key)),
                // A rotation that was not deployed yet: what is active there is the previous one here.
                FieldName::Fixed(name) => {
                    let keys = state.ring.keys();
                    let older = &keys[..keys.len() - usize::from(field != name)];
                    older.iter().any(|text| text.same_as(key))
                }
            };
            let other: Vec<String> =
                running.iter().filter(|slot| !is_known(slot)).map(|(field, _)| format!("`{field}`")).collect();
            let is_active = |key: &KeyText| running.last().is_some_and(|(_, newest)| newest.same_as(key));
            let behind = delivered.len() > running.len() || !state.ring.keys().last().is_some_and(is_active);
            if !other.is_empty() {
                let title =
                    format!("{} has another key or spelling in {} than the source", place.describe(), list(&other));
                findings.push(
                    Finding::refused("live-differs", title)
                        .found("data may be encrypted with it, and the next deploy would change or remove it")
                        .help(format!("`helm-keyring adopt -e {}` before the next deploy", self.owner.environment))
                        .help(
                            "or does it run with another environment's keys? Then find out with `helm-keyring verify`",
                        ),
                );
            } else if behind {
                let title = format!("{} has not got all keys of `{}` yet", place.describe(), state.spec().name);
                findings.push(Finding::note("live-behind", title).help("deploy, and look again"));
            }
        }
        findings
    }

    fn keys(
        &self,
        lock: &Lock,
        spec: &FieldSpec,
        held: &Numbered,
        live: Option<&Numbered>,
        places: &Places<'_>,
    ) -> Result<Vec<KeyStatus>, Refusal> {
        let mut seen: Vec<Seen> = Vec::new();
        for (keys, is_source) in [(Some(held), true), (live, false)] {
            for key in keys.into_iter().flat_map(Numbered::values) {
                note(&mut seen, lock, key, is_source)?;
            }
        }
        let lines: Vec<&Line> = lock.lines_of_ring(self.owner, spec);
        for line in &lines {
            if !seen.iter().any(|key| key.fingerprint == line.fingerprint) {
                let (spelling, fingerprint) = (line.spelling.to_string(), line.fingerprint.clone());
                seen.push(Seen { spelling, bits: None, fingerprint, source: false, live: false });
            }
        }
        let in_source = numbers_of(lock, spec, held, &lines)?;
        let number = |key: &Seen| {
            let locked = lines.iter().find(|line| line.fingerprint == key.fingerprint).map(|line| line.number);
            let of_source = in_source.iter().find(|(_, print)| *print == key.fingerprint).map(|(number, _)| *number);
            let running = || live.and_then(|live| number_of(lock, live, &key.fingerprint));
            of_source.or(locked).or_else(running).unwrap_or_default()
        };
        let mut numbers: Vec<(u32, Seen)> = seen.into_iter().map(|key| (number(&key), key)).collect();
        numbers.sort_by_key(|(number, _)| *number);
        let newest = numbers.iter().filter(|(_, key)| key.source).map(|(number, _)| *number).max();
        let status = |(number, key): (u32, Seen)| {
            let field = match &spec.name {
                FieldName::Numbered(..) => field_name(spec, number, true),
                FieldName::Fixed(name) if Some(number) == newest => name.clone(),
                FieldName::Fixed(name) => match spec.field(Slot::Previous) {
                    Some(previous) if newest.is_some_and(|newest| number + 1 == newest) => previous,
                    _ => format!("{name} (number {number})"),
                },
            };
            let mounts = places.mounts.as_ref().map(|mounts| {
                let pods: BTreeSet<&String> =
                    mounts.iter().filter(|(_, read)| *read == field).map(|(pod, _)| pod).collect();
                pods.into_iter().cloned().collect()
            });
            KeyStatus {
                number,
                spelling: key.spelling,
                bits: key.bits,
                active: key.source && Some(number) == newest,
                source: key.source,
                lock: lines.iter().any(|line| line.fingerprint == key.fingerprint),
                live: live.map(|_| key.live),
                mounts,
                fingerprint: key.fingerprint,
                field,
            }
        };
        Ok(numbers.into_iter().map(status).collect())
    }
}

/// The fields of a running ring, the active one last.
fn slots(spec: &FieldSpec, keys: &Numbered) -> Vec<(String, KeyText)> {
    let newest = keys.keys().next_back();
    keys.iter().map(|(number, key)| (field_name(spec, *number, Some(number) == newest), key.duplicate())).collect()
}

fn note(seen: &mut Vec<Seen>, lock: &Lock, key: &KeyText, is_source: bool) -> Result<(), Refusal> {
    let fingerprint = lock.fingerprint(key)?;
    let index = match seen.iter().position(|known| known.fingerprint == fingerprint) {
        Some(index) => index,
        None => {
            let spelling = key::decode(key).spelling.to_string();
            seen.push(Seen {
                spelling,
                bits: u32::try_from(key::bits_at_most(key)).ok(),
                fingerprint,
                source: false,
                live: false,
            });
            seen.len() - 1
        }
    };
    if let Some(known) = seen.get_mut(index) {
        known.source |= is_source;
        known.live |= !is_source;
    }
    Ok(())
}

fn fingerprints(lock: &Lock, keys: &Numbered) -> Result<Vec<String>, Refusal> {
    keys.values().map(|key| lock.fingerprint(key)).collect()
}

/// The numbers of the source's keys; of a fixed ring, which a source counts from its oldest, those of the lock.
fn numbers_of(lock: &Lock, spec: &FieldSpec, held: &Numbered, lines: &[&Line]) -> Result<Vec<(u32, String)>, Refusal> {
    let prints = fingerprints(lock, held)?;
    let places: Vec<(u32, String)> = held.keys().copied().zip(prints).collect();
    if matches!(spec.name, FieldName::Numbered(..)) {
        return Ok(places);
    }
    let locked = |print: &String| lines.iter().find(|line| line.fingerprint == *print).map(|line| line.number);
    let known = places.iter().rev().find_map(|(place, print)| Some((*place, locked(print)?)));
    let Some((place, number)) = known else { return Ok(places) };
    Ok(places.into_iter().map(|(own, print)| ((number + own).saturating_sub(place), print)).collect())
}

fn number_of(lock: &Lock, keys: &Numbered, fingerprint: &str) -> Option<u32> {
    keys.iter().find(|(_, key)| lock.fingerprint(key).is_ok_and(|own| own == fingerprint)).map(|(number, _)| *number)
}
