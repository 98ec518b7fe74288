//! Of two runs that change the same files, one wins and the other is told.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Content, Disk, Error, Prepared, prepare};

/// An empty file, there while a run changes something. It counts only while it is locked: one that a killed run
/// left behind stops nobody.
const NAME: &str = ".helm-keyring-busy";
/// How often the file may vanish between opening and locking, because its holder was just done.
const ATTEMPTS: usize = 100;

/// The right to change files in some folders, until it is dropped.
pub struct Exclusive {
    held: Vec<Held>,
}

/// One folder.
struct Held {
    path: PathBuf,
    /// Its lock goes when it is closed, which the system does also for a killed run.
    _locked: File,
}

impl Exclusive {
    /// Takes the right to all that may be written in these folders, before anything is read that the change depends
    /// on. Two names of one folder are one.
    ///
    /// # Errors
    /// [`Error::Busy`] if another run has one of them; an input or output error.
    pub fn take(folders: &[&Path]) -> Result<Self, Error> {
        let mut real = Vec::new();
        for folder in folders {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            real.push(folder.canonicalize().map_err(|error| Error::failed("locked", folder, error))?);
        }
        // In one order for all, so that of two runs one gets all that both want.
        real.sort();
        real.dedup();
        let held = real.iter().map(|folder| take_one(folder)).collect::<Result<_, _>>()?;
        Ok(Self { held })
    }

    /// Writes the new contents beside their targets. A file that was not there becomes 0600; others keep their
    /// permissions.
    ///
    /// # Errors
    /// What failed, or a file in a folder that was not taken; nothing was changed then.
    pub fn prepare<'d>(&self, disk: &'d dyn Disk, contents: &[Content<'_>]) -> Result<Prepared<'d>, Error> {
        for (path, _) in contents {
            let folder = super::folder(path);
            let real = folder.canonicalize().map_err(|error| Error::failed("written", path, error))?;
            if !self.held.iter().any(|held| held.path.parent() == Some(real.as_path())) {
                return Err(Error::failed(
                    "written",
                    path,
                    io::Error::other("its folder was not taken; please report this"),
                ));
            }
        }
        prepare(disk, contents)
    }
}

fn take_one(folder: &Path) -> Result<Held, Error> {
    let path = folder.join(NAME);
    for _ in 0..ATTEMPTS {
        match lock(&path).map_err(|error| Error::failed("locked", &path, error))? {
            Attempt::Locked(file) => return Ok(Held { path, _locked: file }),
            Attempt::Busy => break,
            Attempt::Gone => {}
        }
    }
    Err(Error::Busy { folder: folder.to_owned() })
}

impl Drop for Held {
    /// The file goes while it is still locked, so that nobody can have locked it meanwhile.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

enum Attempt {
    Locked(File),
    /// Another run has it.
    Busy,
    /// The file was removed before it was locked.
    Gone,
}

fn lock(path: &Path) -> io::Result<Attempt> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is not a plain file"));
    }
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let own = file.metadata()?;
    let there = fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()));
    Ok(if there { Attempt::Locked(file) } else { Attempt::Gone })
}
