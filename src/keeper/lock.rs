//! `lock`: lines for the keys that the source has. None is changed; one goes only if its field is typed out.

use super::{Keeper, Numbered};
use crate::judge::field_name;
use crate::lock::{Line, Lock};
use crate::profile::{FieldSpec, Slot};
use crate::report::{Exit, Finding, Place, Refusal, list};

/// What `lock` does to a lock.
pub struct Locked {
    /// Lines that were typed out.
    pub forgotten: Vec<Line>,
    /// Lines that are new.
    pub added: Vec<Line>,
    /// How many keys of the source are locked now.
    pub count: usize,
    /// What is to be said of the keys.
    pub findings: Vec<Finding>,
}

impl Keeper<'_> {
    /// Adds lines for every key of the source that has none, after lines of `forget` were taken out.
    ///
    /// # Errors
    /// A field that is not locked, a source that fails or does not hold what is locked, a new key that does not fit.
    /// The lock is to be thrown away then.
    pub fn lock(&self, lock: &mut Lock, forget: &[String]) -> Result<Locked, Refusal> {
        let before: Vec<Line> = lock.lines_of(self.owner).cloned().collect();
        let forgotten = lock.forget(self.owner, &self.selection.profile, forget)?;
        let numbered = self.fetch()?;
        let mut findings = self.source.warnings();
        self.relock(lock, &forgotten, &numbered, &mut findings)?;
        let states = self.compared(lock, numbered, &mut findings)?;
        self.lock_new(lock, &states)?;
        findings.retain(|finding| finding.id != "lock-behind");
        let count = states.iter().map(|state| state.ring.keys().len()).sum();
        let added: Vec<Line> = lock.lines_of(self.owner).filter(|line| !before.contains(line)).cloned().collect();
        self.refuse_to_forget_what_is_there(lock, &forgotten, &added)?;
        findings.extend(reuse(lock, &added));
        Ok(Locked { forgotten, added, count, findings })
    }

    /// A numbered key whose line was typed out is locked anew as the source has it now: a gap could not be filled later.
    fn relock(
        &self,
        lock: &mut Lock,
        forgotten: &[Line],
        numbered: &[Numbered],
        findings: &mut Vec<Finding>,
    ) -> Result<(), Refusal> {
        let from = self.source.describe();
        let mut lines: Vec<&Line> = forgotten.iter().collect();
        lines.sort_by_key(|line| line.number);
        for line in lines {
            let ring =
                self.specs().into_iter().zip(numbered).find_map(|(spec, keys)| match spec.slot(&line.field)? {
                    Slot::Number(number) => Some((spec, number, keys.get(&number)?)),
                    Slot::Active | Slot::Previous => None,
                });
            let Some((spec, number, key)) = ring else { continue };
            let name = field_name(spec, number, true);
            let key = self.judge(&from).key(spec, &name, key.duplicate(), true, findings)?;
            lock.add(self.owner, spec, number, &key)?;
        }
        Ok(())
    }

    /// A key that somebody lets go must be gone, or it would come back as another one: as the active key, if the source
    /// has them in the wrong order. Only its spelling may be another.
    fn refuse_to_forget_what_is_there(&self, lock: &Lock, forgotten: &[Line], added: &[Line]) -> Result<(), Refusal> {
        // A fixed ring of which all was typed out begins anew.
        let begins_anew = |gone: &Line| {
            let of_ring = |line: &&Line| line.field == gone.field;
            lock.lines_of(self.owner).filter(of_ring).all(|line| added.contains(line))
        };
        let is_back = |gone: &&Line| {
            let in_place = |line: &Line| (line.field == gone.field && line.number == gone.number) || begins_anew(gone);
            added.iter().any(|line| line.fingerprint == gone.fingerprint && !in_place(line))
                || lock.lines_of(self.owner).any(|line| *line == **gone)
        };
        let back: Vec<String> = forgotten.iter().filter(is_back).map(|line| format!("`{}`", line.field)).collect();
        if back.is_empty() {
            return Ok(());
        }
        let title = format!("{} of {} is still in the source", list(&back), self.owner);
        Err(Finding::error(Exit::Lock, "still-in-source", title)
            .at(Place::file(lock.file()))
            .found("forgotten here, it would be locked again at once, as another key perhaps")
            .help("take the key out of the source first; or are the source's keys in the wrong places?")
            .into())
    }
}

/// New lines whose key another line locks too.
fn reuse(lock: &Lock, added: &[Line]) -> Vec<Finding> {
    let mut found = Vec::new();
    for line in added {
        let others: Vec<String> =
            lock.same_key(line).map(|other| format!("`{}` of {}", other.field, other.owner())).collect();
        if !others.is_empty() {
            let title = format!("`{}` of {} is the same key as {}", line.field, line.owner(), list(&others));
            found.push(
                Finding::warning("reused-key", title)
                    .help("give each environment its own keys, while no data is encrypted with them"),
            );
        }
    }
    found
}

/// Finds a ring by a field's name or its pattern.
pub(super) fn ring_named(spec: &FieldSpec, field: &str) -> bool {
    spec.name.to_string() == field || spec.slot(field).is_some()
}
