//! The source `dir`: files of a folder named like the fields, as a CSI driver or an agent mounts them.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Addition, Change, Error, NewFiles, Numbered, Source, Store, Why, by_ring, refuse_almost_a_field, slots};
use crate::key::KeyText;
use crate::lock;
use crate::profile::{FieldName, FieldSpec, Slot};

/// A key text longer than this is a mistake.
const MAX_BYTES: u64 = 64 << 10;

/// Reads a folder's files.
pub struct Dir {
    /// The folder.
    pub path: PathBuf,
}

impl Source for Dir {
    fn describe(&self) -> String {
        format!("folder {}", self.path.display())
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let held = self.held(rings)?;
        let names = self.names()?;
        let is_there = |slot, ring: &FieldSpec| ring.field(slot).is_some_and(|field| names.contains(&field));
        let lacks_active = |ring: &FieldSpec| matches!(ring.name, FieldName::Fixed(_)) && !is_there(Slot::Active, ring);
        match rings.iter().zip(&held).find(|(ring, keys)| keys.is_empty() || lacks_active(ring)) {
            Some((ring, _)) => Err(without_keys(ring)),
            None => Ok(held),
        }
    }

    fn store(&self) -> Option<&dyn Store> {
        Some(self)
    }
}

impl Store for Dir {
    /// A `previous` file without an active one counts as the ring's only key: it must not be written over.
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let one_generation = Self { path: self.generation() };
        let names = one_generation.names()?;
        refuse_almost_a_field(rings, names.iter().map(String::as_str))?;
        rings.iter().map(|ring| one_generation.fetch_one(ring, &names)).collect()
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn places(&self, spec: &FieldSpec) -> Option<usize> {
        lock::fields(spec)
    }

    /// Every key is a file. A fixed ring's old key goes into its `previous` file first, so that it is never lost.
    fn with(&self, additions: &[Addition<'_>]) -> Result<Change, Error> {
        if self.generation() != self.path {
            return Err(Error::new(
                "is a volume that Kubernetes writes",
                "add the key where the volume comes from, then run `helm-keyring lock`",
            ));
        }
        let mut files = NewFiles::new();
        for (spec, added) in by_ring(additions) {
            let mut keys = self.held(&[spec])?.pop().unwrap_or_default();
            let old = slots(spec, &keys)?;
            for addition in added {
                addition.append_to(&mut keys)?;
            }
            let is_new = |field: &str, key: &KeyText| !old.iter().any(|(name, old)| name == field && old.same_as(key));
            let mut new = slots(spec, &keys)?;
            if let FieldName::Fixed(_) = spec.name {
                new.reverse();
            }
            let new = new.into_iter().filter(|(field, key)| is_new(field, key));
            files.extend(new.map(|(field, key)| (self.path.join(field), Zeroizing::new(key.expose().to_vec()))));
        }
        Ok(Change::of_files(files))
    }
}

fn without_keys(ring: &FieldSpec) -> Error {
    let first = ring.field(Slot::Number(0)).or_else(|| ring.field(Slot::Active)).unwrap_or_default();
    Error::new(
        format!("holds no file {first}"),
        "check the path, and that the store's keys are mounted under the fields' names",
    )
    .because(Why::Missing)
}

impl Dir {
    /// Kubernetes swaps all files of a volume at once by a link `..data`. Followed once, they cannot come from two
    /// generations.
    fn generation(&self) -> PathBuf {
        let linked = self.path.join("..data").canonicalize().ok();
        linked.filter(|path| path.is_dir()).unwrap_or_else(|| self.path.clone())
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |error: io::Error| {
            let help = match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("check the path; a new folder: `mkdir -m 700 {}`", self.path.display())
                }
                _ => "check that the volume is mounted and may be read".to_owned(),
            };
            Error::new(format!("cannot be listed ({error})"), help)
        };
        let entries = fs::read_dir(&self.path).map_err(failed)?;
        // Kubernetes keeps its own links and folders beside the files, all named `..something`.
        let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().into_string().unwrap_or_default()));
        names
            .collect::<Result<Vec<_>, _>>()
            .map(|names| names.into_iter().filter(|name| !name.starts_with("..")).collect())
    }

    fn fetch_one(&self, ring: &FieldSpec, names: &[String]) -> Result<Numbered, Error> {
        let found = match ring.name {
            FieldName::Numbered(..) => {
                let slots = names
                    .iter()
                    .filter_map(|name| if let Slot::Number(n) = ring.slot(name)? { Some((n, name)) } else { None });
                slots.map(|(n, name)| Ok((n, self.read(name)?))).collect::<Result<Numbered, Error>>()?
            }
            FieldName::Fixed(_) => {
                let one = |slot| match ring.field(slot).filter(|name| names.contains(name)) {
                    Some(name) => self.read(&name).map(Some),
                    None => Ok(None),
                };
                (0..).zip([one(Slot::Previous)?, one(Slot::Active)?].into_iter().flatten()).collect()
            }
        };
        Ok(found)
    }

    fn read(&self, name: &str) -> Result<KeyText, Error> {
        let failed = |error: io::Error| {
            Error::new(format!("file {name} cannot be read ({error})"), "check the file's permissions")
        };
        let path = self.path.join(name);
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(Error::new(format!("{name} is no regular file"), "put the key into a file of this name"));
        }
        let file = fs::File::open(path).map_err(failed)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(format!("file {name} is larger than 64 KiB"), "it cannot be a key"));
        }
        Ok(KeyText::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::shipped;

    fn fetch(files: &[(&str, &[u8])]) -> Result<Vec<u32>, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect("a file");
        }
        let profile = shipped("lightrun").expect("shipped").expect("valid");
        let found = Dir { path: folder.path().to_owned() }.fetch(&[&profile.secrets[0].fields[0]])?.remove(0);
        Ok(found.into_keys().collect())
    }

    #[test]
    fn files_named_like_fields_are_keys_and_others_are_not() {
        let files: [(&str, &[u8]); 4] =
            [("encryption-key-0", b"a"), ("encryption-key-10", b"\xff"), ("other", b"x"), ("..data", b"x")];
        assert_eq!(fetch(&files), Ok(vec![0, 10]));
    }

    #[test]
    fn files_come_from_one_generation_of_a_mounted_volume() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = folder.path().join("..2026_01");
        fs::create_dir(&generation).expect("a folder");
        fs::write(generation.join("encryption-key-0"), "a").expect("a file");
        std::os::unix::fs::symlink("..2026_01", folder.path().join("..data")).expect("a link");
        std::os::unix::fs::symlink("..data/encryption-key-0", folder.path().join("encryption-key-0")).expect("a link");
        let profile = shipped("lightrun").expect("shipped").expect("valid");
        let source = Dir { path: folder.path().to_owned() };
        let found = source.fetch(&[&profile.secrets[0].fields[0]]).expect("a ring").remove(0);
        assert_eq!(found[&0].expose(), b"a");
        assert_eq!(source.generation().file_name(), generation.file_name());
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_said() {
        let message = |files: &[(&str, &[u8])]| fetch(files).expect_err("refused").message;
        assert_eq!(message(&[]), "holds no file encryption-key-0");
        for (odd, shown) in [
            ("encryption-key-01", "`encryption-key-01`"),
            ("encryption-key-1.txt", "`encryption-key-1.txt`"),
            ("Encryption-Key-1", "`Encryption-Key-1`"),
            ("encryption-key-1 ", "a name"),
        ] {
            let found = message(&[("encryption-key-0", b"a"), (odd, b"b")]);
            assert!(found.starts_with(&format!("{shown} is almost a field")), "{found}");
        }
        assert!(message(&[("encryption-key-0", &vec![b'a'; 70_000])]).contains("larger than 64 KiB"));
        let missing = Dir { path: "/nonexistent".into() }.fetch(&[]).err().expect("no folder");
        assert!(missing.message.starts_with("cannot be listed"), "{}", missing.message);
    }
}
