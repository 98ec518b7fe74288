//! What replacing files asks of a disk, step by step, so that tests can fail any of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const PRIVATE: u32 = 0o600;

/// A disk. [`RealDisk`] is the one; tests have others.
pub trait Disk {
    /// The permissions of a file; `None` if there is none.
    ///
    /// # Errors
    /// What is there is no plain file: a link would be replaced itself, not what it points to.
    fn mode(&self, path: &Path) -> io::Result<Option<u32>>;

    /// Makes a file that was not there, private until its bytes are in it.
    ///
    /// # Errors
    /// If it was there, or the system refuses.
    fn write_new(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()>;

    /// Makes a file's bytes last.
    ///
    /// # Errors
    /// If the system refuses.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Puts one file in another's place.
    ///
    /// # Errors
    /// If the system refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a folder's names last.
    ///
    /// # Errors
    /// If the system refuses.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If the system refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
pub struct RealDisk;

impl Disk for RealDisk {
    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => Ok(Some(found.permissions().mode() & 0o777)),
            Ok(_) => Err(io::Error::other("it is not a plain file; name the file itself")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_new(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
        file.write_all(bytes)?;
        if mode == PRIVATE { Ok(()) } else { file.set_permissions(fs::Permissions::from_mode(mode)) }
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
