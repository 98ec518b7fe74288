//! The master key as the user gives it: in a file, or in a variable.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Error, MasterKey};
use crate::key::KeyText;
use crate::report::{Finding, Place};

/// The variable that may hold a master key.
pub const VARIABLE: &str = "HELM_KEYRING_MASTER_KEY";

/// More than a master key has, so that another file is not read to its end.
const READ_LEN_MAX_BYTES: u64 = 256;
const OTHERS: u32 = 0o077;

/// Where a master key may be. The variable, if it is set, wins over the file, as every variable does over
/// configuration; who wants a file to win (a flag) gives no variable.
#[derive(Default)]
pub struct GivenMasterKey {
    /// A file with the master key in one line.
    pub file: Option<PathBuf>,
    /// What [`VARIABLE`] holds.
    pub variable: Option<KeyText>,
}

impl GivenMasterKey {
    /// The file, and the variable of the process.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, variable: std::env::var_os(VARIABLE).map(|value| KeyText::from(value.into_vec())) }
    }

    /// Reads the master key.
    ///
    /// # Errors
    /// If there is none, the file cannot be read, or what it or the variable holds is no master key.
    pub fn read(&self) -> Result<MasterKey, Error> {
        match (&self.variable, &self.file) {
            (Some(text), _) => MasterKey::parse(text, &format!("variable {VARIABLE}")),
            (None, Some(file)) if MasterKey::is_meant_by(file.as_os_str()) => Err(Error::NoSuchMasterKey {
                place: "what should be a file's name".to_owned(),
                what: "is a master key itself: write it into a file, and name that",
            }),
            (None, Some(file)) => {
                MasterKey::parse(&read(file).map_err(|e| unreadable(file, &e))?, &format!("file {}", file.display()))
            }
            (None, None) => Err(Error::NoMasterKey),
        }
    }

    /// A warning if the file that is read may be read by others too.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let file = self.file.as_ref().filter(|_| self.variable.is_none());
        file.and_then(|file| open_to_others(file)).into_iter().collect()
    }
}

fn read(file: &Path) -> io::Result<KeyText> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(READ_LEN_MAX_BYTES as usize));
    File::open(file)?.take(READ_LEN_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(KeyText::from(bytes))
}

fn unreadable(file: &Path, error: &io::Error) -> Error {
    Error::MasterKeyFile { file: file.display().to_string(), why: error.to_string() }
}

fn open_to_others(file: &Path) -> Option<Finding> {
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then(|| {
        Finding::warning("master-key-permissions", "the master key may be read by other users")
            .at(Place::file(file.display().to_string()))
            .found(format!("its permissions are {mode:04o}, 0600 is enough"))
            .help(format!("chmod 600 {}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn text(byte: u8) -> KeyText {
        MasterKey::of_bytes([byte; 32]).into_text()
    }

    fn with_file(mode: u32, bytes: &[u8], check: impl FnOnce(PathBuf)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        check(file);
    }

    #[test]
    fn the_variable_wins_over_the_file() {
        with_file(0o600, text(1).expose(), |file| {
            let of_file = GivenMasterKey { file: Some(file.clone()), variable: None };
            assert!(of_file.read().ok().unwrap().into_text().same_as(&text(1)));
            assert_eq!(of_file.findings(), []);
            let both = GivenMasterKey { file: Some(file), variable: Some(text(2)) };
            assert!(both.read().ok().unwrap().into_text().same_as(&text(2)));
        });
    }

    #[test]
    fn a_file_that_others_may_read_is_warned_about() {
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
            with_file(mode, text(1).expose(), |file| {
                let given = GivenMasterKey { file: Some(file), variable: None };
                assert_eq!(given.findings().len(), usize::from(warned), "{mode:o}");
                assert!(given.findings().iter().all(|finding| finding.exit().is_none()));
                assert!(given.read().is_ok());
            });
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = |given: GivenMasterKey| given.read().err().unwrap().to_string();
        assert_eq!(error(GivenMasterKey::default()), "there is no master key to open it with");
        let missing = GivenMasterKey { file: Some("/nonexistent".into()), variable: None };
        assert!(missing.findings().is_empty());
        assert!(error(missing).starts_with("master key file /nonexistent cannot be read (No such file"));
        let name = PathBuf::from(std::ffi::OsString::from_vec(text(1).expose().to_vec()));
        let message = error(GivenMasterKey { file: Some(Path::new("keys").join(name)), variable: None });
        assert!(message.contains("is a master key itself") && !message.contains("hkm1_"), "{message}");
        let empty = GivenMasterKey { file: None, variable: Some(KeyText::from(String::new())) };
        assert_eq!(error(empty), "variable HELM_KEYRING_MASTER_KEY is empty");
        with_file(0o600, &[b'x'; 100_000], |file| {
            assert!(
                error(GivenMasterKey { file: Some(file), variable: None }).contains("master.key holds no master key")
            );
        });
    }
}
