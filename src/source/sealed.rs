//! The source `sealed`: an encrypted file of the repository (`docs/sealed-format.md`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Addition, Change, Error, Numbered, Source, Store};
use crate::key::KeyText;
use crate::profile::FieldSpec;
use crate::report::Finding;
use crate::sealed::{self, FILE_LEN_MAX_BYTES, GivenMasterKey, Opened, SealedFile};

/// Opens a sealed file.
pub struct Sealed {
    /// The file.
    pub file: PathBuf,
    /// The selected environment, which must be the file's own. `None`: any, where no environment has a name.
    pub environment: Option<String>,
    /// Where the master key is.
    pub master: GivenMasterKey,
}

impl Source for Sealed {
    fn describe(&self) -> String {
        format!("sealed file {}", self.file.display())
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let opened = self.open()?;
        Ok(rings.iter().map(|ring| keys_of(&opened, &ring.name.to_string())).collect())
    }

    fn warnings(&self) -> Vec<Finding> {
        self.master.findings()
    }

    fn store(&self) -> Option<&dyn Store> {
        Some(self)
    }
}

impl Store for Sealed {
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        self.fetch(rings)
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(self.file.parent().unwrap_or(Path::new("")).to_owned())
    }

    fn places(&self, _: &FieldSpec) -> Option<usize> {
        None
    }

    fn with(&self, additions: &[Addition<'_>]) -> Result<Change, Error> {
        let mut opened = self.open()?;
        for Addition { spec, number, key } in additions {
            opened.add(&spec.name.to_string(), *number, key)?;
        }
        Ok(Change::of_files(vec![(self.file.clone(), Zeroizing::new(opened.file().to_text().into_bytes()))]))
    }
}

impl Sealed {
    /// Reads, opens and checks the file.
    ///
    /// # Errors
    /// A file that cannot be read, belongs to another environment, is sealed for others or was changed.
    pub fn open(&self) -> Result<Opened, Error> {
        let file = SealedFile::parse(&self.read()?)?;
        if let Some(wanted) = self.environment.as_ref().filter(|wanted| *wanted != file.environment()) {
            let found = file.environment().to_owned();
            return Err(sealed::Error::Environment { found, wanted: wanted.clone() }.into());
        }
        Ok(file.open(&self.master.read()?)?)
    }

    fn read(&self) -> Result<Vec<u8>, Error> {
        let failed = |error: io::Error| {
            Error::new(
                format!("cannot be read ({error})"),
                "check the path in keyring.yaml; `helm-keyring sealed init` makes a new file",
            )
        };
        let mut bytes = Vec::new();
        let limit = FILE_LEN_MAX_BYTES as u64 + 1;
        File::open(&self.file).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

impl From<sealed::Error> for Error {
    fn from(error: sealed::Error) -> Self {
        Self::new(error.to_string(), error.help())
    }
}

/// The keys of one ring. A fixed ring counts up, so that the active key has the highest number there too.
fn keys_of(opened: &Opened, ring: &str) -> Numbered {
    let own = opened.keys().filter(|key| key.field == ring);
    own.map(|key| (key.number, KeyText::duplicate(key.text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Policy;
    use crate::sealed::MasterKey;

    fn ring(name: &str) -> FieldSpec {
        FieldSpec {
            name: name.to_owned().into(),
            previous: None,
            variable: None,
            policy: Policy::Any,
            values: None,
            consumers: Vec::new(),
        }
    }

    fn text(text: &str) -> KeyText {
        KeyText::from(text.to_owned())
    }

    /// A sealed file of production with three keys, its source, and a folder to hold it.
    fn source(environment: &str, change: impl FnOnce(String) -> String) -> (tempfile::TempDir, Sealed) {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::generate().unwrap();
        let mut opened = SealedFile::init("production", &[("deploy", &master)]).ok().unwrap();
        for (field, number, key) in [("key-{n}", 0, "first"), ("token", 0, "other"), ("key-{n}", 1, "second")] {
            opened.add(field, number, &text(key)).unwrap();
        }
        let file = folder.path().join("production.sealed");
        std::fs::write(&file, change(opened.file().to_text())).unwrap();
        let master = GivenMasterKey { file: None, variable: Some(master.into_text()) };
        (folder, Sealed { file, environment: Some(environment.to_owned()), master })
    }

    #[test]
    fn all_rings_come_in_their_order() {
        let (_folder, source) = source("production", |text| text);
        let (key, token, none) = (ring("key-{n}"), ring("token"), ring("none"));
        let found = source.fetch(&[&token, &key, &none]).ok().unwrap();
        let found: Vec<Vec<(u32, &[u8])>> =
            found.iter().map(|keys| keys.iter().map(|(n, key)| (*n, key.expose())).collect()).collect();
        assert_eq!(found, [vec![(0, &b"other"[..])], vec![(0, b"first"), (1, b"second")], vec![]]);
    }

    fn refused(environment: &str, change: impl FnOnce(String) -> String) -> String {
        let (_folder, source) = source(environment, change);
        source.fetch(&[&ring("key-{n}")]).err().unwrap().message
    }

    #[test]
    fn another_environment_is_refused_by_name_and_by_seal() {
        let staging = |text: String| text.replace("env production", "env staging");
        assert_eq!(refused("staging", |text| text), "it is sealed for environment production, not for staging");
        assert_eq!(refused("production", staging), "it is sealed for environment staging, not for production");
        assert_eq!(refused("staging", staging), "the file was changed: line 3 does not fit its seal");
    }

    #[test]
    fn a_key_is_added_to_the_text_and_nothing_is_written() {
        let (_folder, source) = source("production", |text| text);
        let (spec, key) = (ring("key-{n}"), text("third"));
        let before = std::fs::read(&source.file).unwrap();
        let add = |number| source.with(&[Addition { spec: &spec, number, key: &key }]);
        let files = add(2).ok().unwrap().files;
        assert_eq!((files.len(), &files[0].0), (1, &source.file));
        assert_eq!(std::fs::read(&source.file).unwrap(), before);
        std::fs::write(&source.file, &files[0].1).unwrap();
        assert!(source.held(&[&spec]).ok().unwrap()[0][&2].same_as(&key));
        assert_eq!(add(2).err().unwrap().message, "key 2 cannot be added to key-{n}: the next one is 3");
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        assert_eq!(refused("production", |_| String::new()), "line 1 is missing: the file is empty");
        let (folder, mut source) = source("production", |text| text);
        source.master.variable = Some(MasterKey::generate().unwrap().into_text());
        let message = source.fetch(&[]).err().unwrap().message;
        assert!(message.starts_with("wrong master key: its id is "), "{message}");
        source.file = folder.path().join("none");
        assert!(source.fetch(&[]).err().unwrap().message.starts_with("cannot be read (No such file"));
    }
}
