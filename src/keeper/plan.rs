//! What is to be written, and writing it: the source's files, a look whether they can be read, then the lock.

use std::path::{Path, PathBuf};

use crate::files::{self, Content, Disk, Exclusive};
use crate::keyring::Numbered;
use crate::lock::{self as locks, Held, Lock, Owner, Standing};
use crate::profile::FieldSpec;
use crate::report::{Exit, Finding, Refusal};
use crate::source::{NewFiles, Store};

/// New files of a store and a new lock, not written yet.
pub struct Plan<'p> {
    owner: Owner<'p>,
    specs: Vec<&'p FieldSpec>,
    store: &'p dyn Store,
    /// The store's files, in their order.
    pub files: NewFiles,
    /// The lock as it will be; `None` if it stays as it is.
    new_lock: Option<Lock>,
    lock: Lock,
}

/// The files that were written, in their order.
pub type Written = Vec<PathBuf>;

/// What a plan is made of.
pub struct Parts<'p> {
    /// Whose keys.
    pub owner: Owner<'p>,
    /// The rings that change.
    pub specs: Vec<&'p FieldSpec>,
    /// Where their keys go.
    pub store: &'p dyn Store,
    /// The store's files, in their order.
    pub files: NewFiles,
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
        let Parts { owner, specs, store, files, planned, before, after } = parts;
        verified(&after, owner, &specs, &planned)?;
        let new_lock = (after != *before).then(|| after.clone());
        Ok(Self { owner, specs, store, files, new_lock, lock: after })
    }

    /// The lock as it will be.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Writes all. `lock_path`: where the lock lies; it is written last, and only if it changes.
    ///
    /// # Errors
    /// A disk that fails; what was written cannot be read back as it was meant. The lock is the old one then.
    pub fn write(&self, alone: &Exclusive, disk: &dyn Disk, lock_path: &Path) -> Result<Written, Refusal> {
        let failed = |error: files::Error| Refusal::from(error.finding());
        let text = self.new_lock.as_ref().map(Lock::to_text);
        let mut contents: Vec<Content<'_>> =
            self.files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice())).collect();
        contents.extend(text.as_ref().map(|text| (lock_path, text.as_bytes())));
        let mut prepared = alone.prepare(disk, &contents).map_err(failed)?;
        prepared.put(self.files.len()).map_err(failed)?;
        self.read_back()?;
        prepared.put_all().map_err(failed)?;
        Ok(contents.iter().map(|(path, _)| path.to_path_buf()).collect())
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
            if self.files.is_empty() { "nothing was written" } else { "the source was written, the lock was not" };
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
