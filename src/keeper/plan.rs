//! What is to be written, and writing it: the source, a look whether it can be read, then the lock.

use std::path::Path;

use crate::files::{self, Content, Disk, Exclusive};
use crate::keyring::Numbered;
use crate::lock::{self as locks, Held, Lock, Owner, Standing};
use crate::profile::FieldSpec;
use crate::report::{Exit, Finding, Refusal};
use crate::source::{self, Change, Store};

/// A change of a store and a new lock, not written yet.
pub struct Plan<'p> {
    owner: Owner<'p>,
    specs: Vec<&'p FieldSpec>,
    store: &'p dyn Store,
    /// What the store is to take.
    pub change: Change,
    /// The lock as it will be; `None` if it stays as it is.
    new_lock: Option<Lock>,
    lock: Lock,
}

/// What was written, in its order: files by their paths, and places elsewhere.
pub type Written = Vec<String>;

/// What a plan is made of.
pub struct Parts<'p> {
    /// Whose keys.
    pub owner: Owner<'p>,
    /// The rings that change.
    pub specs: Vec<&'p FieldSpec>,
    /// Where their keys go.
    pub store: &'p dyn Store,
    /// What the store is to take.
    pub change: Change,
    /// What the store will hold of the rings.
    pub planned: Vec<Numbered>,
    /// The lock as it is.
    pub before: &'p Lock,
    /// The lock as it will be.
    pub after: Lock,
}

impl<'p> Plan<'p> {
    /// Makes sure, before anything is written, that the lock will vouch for just what the store will hold.
    ///
    /// # Errors
    /// What the lock says against it.
    pub fn new(parts: Parts<'p>) -> Result<Self, Refusal> {
        let Parts { owner, specs, store, change, planned, before, after } = parts;
        verified(&after, owner, &specs, &planned)?;
        let new_lock = (after != *before).then(|| after.clone());
        Ok(Self { owner, specs, store, change, new_lock, lock: after })
    }

    /// The lock as it will be.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Writes all. `lock_path`: where the lock lies; it is written last, and only if it changes.
    ///
    /// # Errors
    /// A disk or a store that fails; what was written cannot be read back as it was meant. The lock is the old one then.
    pub fn write(&self, alone: &Exclusive, disk: &dyn Disk, lock_path: &Path) -> Result<Written, Refusal> {
        let failed = |error: files::Error| Refusal::from(error.finding());
        let text = self.new_lock.as_ref().map(Lock::to_text);
        let mut contents: Vec<Content<'_>> =
            self.change.files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice())).collect();
        contents.extend(text.as_ref().map(|text| (lock_path, text.as_bytes())));
        let mut prepared = alone.prepare(disk, &contents).map_err(failed)?;
        for since in &self.change.since {
            since.refuse_changed().map_err(|error| self.not_put(&since.file.display().to_string(), error))?;
        }
        prepared.put(self.change.files.len()).map_err(failed)?;
        for remote in &self.change.remote {
            remote.put().map_err(|error| self.not_put(&remote.describe(), error))?;
        }
        self.store.forget();
        self.read_back()?;
        prepared.put_all().map_err(failed)?;
        let file = |path: &Path| path.display().to_string();
        let (files, lock) = contents.split_at(self.change.files.len());
        let remote = self.change.remote.iter().map(|remote| remote.describe());
        Ok(files
            .iter()
            .map(|(path, _)| file(path))
            .chain(remote)
            .chain(lock.iter().map(|(path, _)| file(path)))
            .collect())
    }

    fn not_put(&self, place: &str, error: source::Error) -> Refusal {
        let finding = Finding::error(Exit::Source, "not-written", format!("{place}: {}", error.message));
        let finding = error.login.iter().fold(finding, |finding, login| finding.found(format!("login: {login}")));
        finding.found(format!("for {}; the lock was not written", self.owner)).help(error.help).into()
    }

    /// Whether the store really holds, after the write, what the lock will vouch for.
    fn read_back(&self) -> Result<(), Refusal> {
        let held =
            self.store.held(&self.specs).map_err(|error| self.unread(Refusal::from(self.not_read(error.message))));
        verified(&self.lock, self.owner, &self.specs, &held?).map_err(|refusal| self.unread(refusal))
    }

    fn not_read(&self, why: String) -> Finding {
        Finding::error(Exit::Source, "not-read-back", format!("{} cannot be read", self.store.describe())).found(why)
    }

    fn unread(&self, Refusal(mut findings): Refusal) -> Refusal {
        let title = format!("the keys of {} cannot be read back as they were written", self.owner);
        let written =
            if self.change.is_empty() { "nothing was written" } else { "the source was written, the lock was not" };
        findings.insert(
            0,
            Finding::error(Exit::Source, "not-read-back", title)
                .found(written)
                .help("look at the source; when it is right, run this again: it completes what was begun"),
        );
        Refusal(findings)
    }
}

/// Whether the lock vouches for exactly these keys.
fn verified(lock: &Lock, owner: Owner<'_>, specs: &[&FieldSpec], numbered: &[Numbered]) -> Result<(), Refusal> {
    let held: Vec<Held<'_>> = specs.iter().zip(numbered).map(|(spec, keys)| Held { spec, keys }).collect();
    let verified = locks::verify(lock, owner, &held)?;
    let is_new = |standing: &Standing| matches!(standing, Standing::New { .. });
    match verified.rings.iter().flatten().any(|key| is_new(&key.standing)) {
        true => Err(Finding::error(
            Exit::Lock,
            "lock-behind",
            format!("the source of {owner} has a key that the lock lacks"),
        )
        .found("it was added by hand, or by a run that was ended before it wrote the lock")
        .help(format!("run `helm-keyring lock -e {}` first", owner.environment))
        .into()),
        false => Ok(()),
    }
}

/// What a store will hold of a ring once these keys are added: the newest, if it has not places for all.
pub fn planned(store: &dyn Store, spec: &FieldSpec, held: &Numbered, added: &[&crate::key::KeyText]) -> Numbered {
    let all: Vec<_> = held.values().chain(added.iter().copied()).map(crate::key::KeyText::duplicate).collect();
    let first = store.places(spec).map_or(0, |places| all.len().saturating_sub(places));
    (0..).zip(all.into_iter().skip(first)).collect()
}
