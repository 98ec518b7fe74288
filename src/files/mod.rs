//! Replacing files so that a crash at any point leaves each of them old or new, whole.
//!
//! A run that changes something first takes the [`Exclusive`] right to it, then reads, decides, and gives all new
//! contents to [`Exclusive::prepare`] at once, in the order in which they must become true. Then:
//!
//! 1. every content goes into a temporary file beside its target (0600, or the mode that the target has) and is
//!    synced, all of them before the first rename;
//! 2. with [`Prepared::put`] one after the other is renamed over its target, and its folder is synced before the next.
//!    Between two, the run may look whether what it wrote can be read.
//!
//! So a later file is new only if all earlier ones are, also after a power failure. Temporary files that a killed
//! run left behind have fixed names; the next run for the same targets replaces them.

mod disk;
mod exclusive;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use disk::{Disk, RealDisk};
pub use exclusive::Exclusive;

use crate::report::{Exit, Finding, list};

const NEW_MODE: u32 = 0o600;

/// A file and what is to be in it.
pub type Content<'c> = (&'c Path, &'c [u8]);

/// Why files were not replaced, or not all of them (exit code 5).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run holds the right to change these files.
    #[error("another helm-keyring is changing files in {}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The system refused something.
    #[error("{} cannot be {done}: {error}", path.display())]
    Failed {
        /// `written`, `renamed`.
        done: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// Which files are new already; all others are old.
        replaced: Vec<PathBuf>,
    },
}

impl Error {
    fn failed(done: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Failed { done, path: path.to_owned(), error, replaced: Vec::new() }
    }

    /// The same, to be printed.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let finding = Finding::error(Exit::Io, "files", self.to_string());
        match self {
            Self::Busy { .. } => finding.help("wait for it to end, then run this again"),
            Self::Failed { replaced, .. } if replaced.is_empty() => {
                finding.found("nothing was changed").help("check permissions and free space, then run this again")
            }
            Self::Failed { replaced, .. } => {
                let names: Vec<String> = replaced.iter().map(|path| path.display().to_string()).collect();
                finding.found(format!("{} is new already", list(&names))).help("run this again: it completes the rest")
            }
        }
    }
}

/// Contents that wait in temporary files. Those that are not put into place are removed when this is dropped.
pub struct Prepared<'d> {
    disk: &'d dyn Disk,
    /// Targets, in their order.
    targets: Vec<PathBuf>,
    /// How many of them are new.
    done: usize,
}

impl Prepared<'_> {
    /// Makes the next `count` targets new.
    ///
    /// # Errors
    /// What failed, and which files are new already.
    pub fn put(&mut self, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            let Some(path) = self.targets.get(self.done).cloned() else { return Ok(()) };
            self.disk.rename(&temporary(&path), &path).map_err(|error| self.failed("renamed", &path, error))?;
            self.done += 1;
            self.disk.sync_folder(folder(&path)).map_err(|error| self.failed("synced", &path, error))?;
        }
        Ok(())
    }

    /// Makes all the rest new.
    ///
    /// # Errors
    /// As [`Prepared::put`].
    pub fn put_all(mut self) -> Result<(), Error> {
        self.put(self.targets.len() - self.done)
    }

    fn failed(&self, done: &'static str, path: &Path, error: io::Error) -> Error {
        Error::Failed { done, path: path.to_owned(), error, replaced: self.targets[..self.done].to_vec() }
    }
}

impl Drop for Prepared<'_> {
    /// What cannot be removed either is left to the next run.
    fn drop(&mut self) {
        discard(self.disk, self.targets[self.done..].iter().map(PathBuf::as_path));
    }
}

fn prepare<'d>(disk: &'d dyn Disk, contents: &[Content<'_>]) -> Result<Prepared<'d>, Error> {
    let targets: Vec<PathBuf> = contents.iter().map(|(path, _)| path.to_path_buf()).collect();
    discard(disk, contents.iter().map(|(path, _)| *path));
    let prepared = Prepared { disk, targets, done: 0 };
    for (path, bytes) in contents {
        let mode = disk.mode(path).map_err(|e| Error::failed("replaced", path, e))?.unwrap_or(NEW_MODE);
        disk.write_new(&temporary(path), bytes, mode).map_err(|e| Error::failed("written", path, e))?;
    }
    for (path, _) in contents {
        disk.sync(&temporary(path)).map_err(|e| Error::failed("written", path, e))?;
    }
    Ok(prepared)
}

fn discard<'p>(disk: &dyn Disk, targets: impl Iterator<Item = &'p Path>) {
    targets.for_each(|target| drop(disk.remove(&temporary(target))));
}

/// Where the new content of a file waits.
fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".helm-keyring-new");
    path.with_file_name(name)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
