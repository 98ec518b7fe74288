//! The key-holder's tool: what a source and the lock hold of one keyring in one environment, and how both grow.
//!
//! Every change is planned first: the new files of the source and the new lock, all in memory. [`Plan::write`] then
//! makes them true so that a crash at any point leaves source and lock old/old, new/old or new/new, and never a lock
//! that vouches for a key which the source lacks.
//!
//! | file | command |
//! |---|---|
//! | `first` | `sealed add`: the first key of a ring |
//! | `lock` | `lock`: lines for keys that the source has |
//! | `rotate` | `rotate`: one more key |
//! | `transfer` | `adopt` and `copy`: keys from somewhere else, exactly as they are |
//! | `status` | `status`: one table a ring |
//! | `probe` | `source test`: what a source gives |
//! | `plan` | what is to be written, and writing it |

mod first;
mod lock;
mod plan;
mod probe;
mod rotate;
mod status;
#[cfg(test)]
mod tests;
mod transfer;

pub use first::FirstKeys;
pub use lock::Locked;
pub use plan::{Plan, Written};
pub use probe::Probed;
pub use rotate::{Rotation, Row};
pub use status::{KeyStatus, Places, RingStatus, Status};
pub use transfer::Transfer;

use crate::config::Selection;
use crate::judge::{Candidate, Judge};
use crate::keyring::{Numbered, Ring};
use crate::lock::{self as locks, Checked, Held, Lock, Owner, Standing};
use crate::profile::FieldSpec;
use crate::report::{Finding, Refusal};
use crate::source::{self, Source, Store};

/// One keyring in one environment, and the source that its keys come from.
pub struct Keeper<'k> {
    selection: &'k Selection,
    owner: Owner<'k>,
    source: &'k dyn Source,
}

/// A ring as the source holds it, in the order of its numbers.
pub struct RingState<'p> {
    /// The keys, as they would be delivered.
    pub ring: Ring<'p>,
    /// What the lock says of each.
    pub standings: Vec<Standing>,
}

impl<'p> RingState<'p> {
    /// The keys that the lock does not know yet, with the number that each will have in it.
    fn new_keys(&self) -> impl Iterator<Item = (u32, &crate::key::KeyText)> {
        self.standings.iter().zip(self.ring.keys()).filter_map(|(standing, key)| match standing {
            Standing::New { number } => Some((*number, key)),
            Standing::Locked | Standing::Released => None,
        })
    }

    fn spec(&self) -> &'p FieldSpec {
        self.ring.spec()
    }
}

impl<'k> Keeper<'k> {
    /// A keeper; `None` for a selection without an environment, of which no lock speaks.
    pub fn new(selection: &'k Selection, source: &'k dyn Source) -> Option<Self> {
        Some(Self { selection, owner: selection.owner()?, source })
    }

    /// Whose keys: `lightrun/production`.
    pub fn owner(&self) -> Owner<'k> {
        self.owner
    }

    /// The source, in words.
    pub fn source(&self) -> String {
        self.source.describe()
    }

    fn specs(&self) -> Vec<&'k FieldSpec> {
        self.selection.profile.rings().map(|(_, spec)| spec).collect()
    }

    fn fetch(&self) -> Result<Vec<Numbered>, Refusal> {
        source::fetch(self.source, &self.specs(), &self.owner.to_string())
    }

    /// The source, to be written; `by_hand` says how a user does the same himself.
    fn store(&self, by_hand: &str) -> Result<&'k dyn Store, Refusal> {
        self.source.store().ok_or_else(|| {
            Finding::usage("read-only-source", format!("helm-keyring cannot write to {}", self.source.describe()))
                .at(self.selection.place.clone())
                .help(by_hand)
                .into()
        })
    }

    fn judge<'j>(&self, from: &'j str) -> Judge<'j> {
        Judge { from, gitops: true, trims: true }
    }

    /// What the source holds, checked against the lock. A ring without any line is new as a whole.
    ///
    /// # Errors
    /// The source fails; a locked key is gone or changed; a new key does not fit.
    fn state(&self, lock: &Lock, findings: &mut Vec<Finding>) -> Result<Vec<RingState<'k>>, Refusal> {
        findings.extend(self.source.warnings());
        let numbered = self.fetch()?;
        self.compared(lock, numbered, findings)
    }

    /// Lines that no ring of the profile claims.
    fn refuse_strangers(&self, lock: &Lock) -> Result<(), Refusal> {
        let strangers = locks::strangers(lock, self.owner, &self.selection.profile);
        if strangers.is_empty() { Ok(()) } else { Err(Refusal(strangers)) }
    }

    fn compared(
        &self,
        lock: &Lock,
        numbered: Vec<Numbered>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<RingState<'k>>, Refusal> {
        self.refuse_strangers(lock)?;
        let specs = self.specs();
        let is_locked = |spec: &FieldSpec| !lock.lines_of_ring(self.owner, spec).is_empty();
        let held: Vec<Held<'_>> = specs
            .iter()
            .zip(&numbered)
            .filter(|(spec, _)| is_locked(spec))
            .map(|(spec, keys)| Held { spec, keys })
            .collect();
        let verified = locks::verify(lock, self.owner, &held)?;
        findings.extend(verified.findings);
        let mut verified = verified.rings.into_iter();
        let (from, mut states, mut refused) = (self.source.describe(), Vec::new(), Vec::new());
        for (spec, keys) in specs.into_iter().zip(numbered) {
            let checked = match is_locked(spec) {
                true => verified.next().unwrap_or_default(),
                false => keys.into_iter().map(all_new).collect(),
            };
            let standings = checked.iter().map(|key| key.standing).collect();
            match self.judge(&from).ring(spec, checked.into_iter().map(candidate).collect(), findings) {
                Ok(ring) => states.push(RingState { ring, standings }),
                Err(Refusal(found)) => refused.extend(found),
            }
        }
        if refused.is_empty() { Ok(states) } else { Err(Refusal(refused)) }
    }

    /// A fixed ring has as many locked keys as the chart has fields: an older one would not be delivered.
    fn refuse_too_many(&self, lock: &Lock, spec: &FieldSpec) -> Result<(), Refusal> {
        let count = lock.lines_of_ring(self.owner, spec).len();
        match locks::fields(spec) {
            Some(fields) if count > fields => {
                let title = format!(
                    "`{}` of {} would have {count} keys, and the chart has fields for {fields}",
                    spec.name, self.owner
                );
                Err(Finding::refused("no-field", title)
                    .found("the oldest would not be delivered, and what it encrypted could not be read")
                    .help("let the application encrypt everything anew with the newest keys, and leave the oldest out")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Locks what the lock lacks, exactly as it would be delivered.
    fn lock_new(&self, lock: &mut Lock, states: &[RingState<'_>]) -> Result<(), Refusal> {
        for state in states {
            for (number, key) in state.new_keys() {
                let fingerprint = lock.fingerprint(key)?;
                let lines = lock.lines_of_ring(self.owner, state.spec());
                if let Some(line) = lines.iter().find(|line| line.number != number && line.fingerprint == fingerprint) {
                    let title = format!(
                        "key {number} of `{}` of {} is the same as key {}",
                        state.spec().name,
                        self.owner,
                        line.number
                    );
                    return Err(Finding::refused("reused-key", title)
                        .found("a key that stands in a ring twice is a mistake: a copy, or a value put into the wrong place")
                        .help("take the copy out of the source")
                        .into());
                }
                lock.add(self.owner, state.spec(), number, key)?;
            }
            self.refuse_too_many(lock, state.spec())?;
        }
        Ok(())
    }
}

fn all_new((number, key): (u32, crate::key::KeyText)) -> Checked {
    Checked { number, key, standing: Standing::New { number } }
}

fn candidate(Checked { number, key, standing }: Checked) -> Candidate {
    Candidate { number, key, is_new: matches!(standing, Standing::New { .. }) }
}

/// A new lock for a folder, if there is none yet.
///
/// # Errors
/// A lock that cannot be read, or no randomness for a new one's salt.
pub fn lock_at(path: &std::path::Path) -> Result<Lock, Refusal> {
    match Lock::read(path)? {
        Some(lock) => Ok(lock),
        None => Lock::with_random_salt(path.display().to_string()),
    }
}
