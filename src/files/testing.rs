//! A disk that fails at a chosen step, for the tests of everything that replaces files.

use std::cell::Cell;
use std::io;
use std::path::Path;

use super::{Disk, RealDisk};

/// What happens at the chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed before the step: neither it nor anything after it happens.
    KilledBefore,
    /// The process is killed after the step.
    KilledAfter,
    /// Killed within it: half of the bytes of a write are there. Another step than a write does not happen.
    KilledWithin,
    /// The step fails, and what follows works.
    Refused,
    /// The disk is full from this step on: half of the bytes of a write are there, removing and renaming works.
    Full,
}

/// All of them.
pub const FAULTS: [Fault; 5] =
    [Fault::KilledBefore, Fault::KilledAfter, Fault::KilledWithin, Fault::Refused, Fault::Full];

/// All that end the process.
pub const KILLS: [Fault; 3] = [Fault::KilledBefore, Fault::KilledAfter, Fault::KilledWithin];

/// The real disk with one fault. Steps are writes, syncs, renames and syncs of folders, counted from 0.
pub struct Faulty {
    at: usize,
    fault: Fault,
    taken: Cell<usize>,
    dead: Cell<bool>,
    /// Whether a kill is a real one, of this process.
    real: bool,
}

impl Faulty {
    /// A disk that fails so at this step.
    #[must_use]
    pub fn new(at: usize, fault: Fault) -> Self {
        Self { at, fault, taken: Cell::new(0), dead: Cell::new(false), real: false }
    }

    /// The same, but a kill ends this process at once, as nothing in it can notice.
    #[must_use]
    pub fn deadly(at: usize, fault: Fault) -> Self {
        Self { real: true, ..Self::new(at, fault) }
    }

    /// How many steps were begun.
    pub fn taken(&self) -> usize {
        self.taken.get()
    }

    fn step(&self, whole: impl FnOnce() -> io::Result<()>, half: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let number = self.taken.get();
        self.taken.set(number + 1);
        if self.dead.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let kill = || {
            if self.real {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
            self.dead.set(true);
            Err(io::ErrorKind::BrokenPipe.into())
        };
        match self.fault {
            Fault::KilledBefore if number == self.at => kill(),
            Fault::KilledAfter if number == self.at => whole().and_then(|()| kill()),
            Fault::KilledWithin if number == self.at => half().and_then(|()| kill()),
            Fault::Refused if number == self.at => Err(io::ErrorKind::PermissionDenied.into()),
            Fault::Full if number >= self.at => half().and(Err(io::ErrorKind::StorageFull.into())),
            _ => whole(),
        }
    }
}

impl Disk for Faulty {
    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        RealDisk.mode(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let half = || RealDisk.write_new(path, &bytes[..bytes.len() / 2], mode);
        self.step(|| RealDisk.write_new(path, bytes, mode), half)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|| RealDisk.sync(path), || Ok(()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.fault == Fault::Full {
            self.taken.set(self.taken.get() + 1);
            return RealDisk.rename(from, to);
        }
        self.step(|| RealDisk.rename(from, to), || Ok(()))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| RealDisk.sync_folder(path), || Ok(()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.dead.get() { Err(io::ErrorKind::BrokenPipe.into()) } else { RealDisk.remove(path) }
    }
}
