//! The source `dir`: files of a folder named like the fields, as a CSI driver or an agent mounts them.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use super::{Error, Numbered, Source, fixed};
use crate::key::KeyText;
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
        let names = self.names()?;
        rings.iter().map(|ring| self.fetch_one(ring, &names)).collect()
    }
}

impl Dir {
    fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |error: io::Error| {
            Error::new(format!("cannot be listed ({error})"), "check that the volume is mounted and may be read")
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
                fixed(one(Slot::Previous)?, one(Slot::Active)?)
            }
        };
        if let Some(odd) = names.iter().find(|name| is_almost_a_field(ring, name)) {
            return Err(Error::new(
                format!("file {odd} is almost a field of `{}`", ring.name),
                "name it exactly like the field, or take it away",
            ));
        }
        if found.is_empty() {
            let first = ring.field(Slot::Number(0)).or_else(|| ring.field(Slot::Active)).unwrap_or_default();
            return Err(Error::new(
                format!("holds no file {first}"),
                "check the path, and that the store's keys are mounted under the fields' names",
            ));
        }
        Ok(found)
    }

    fn read(&self, name: &str) -> Result<KeyText, Error> {
        let failed = |error: io::Error| {
            Error::new(format!("file {name} cannot be read ({error})"), "check the file's permissions")
        };
        let file = fs::File::open(self.path.join(name)).map_err(failed)?;
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(128));
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(format!("file {name} is larger than 64 KiB"), "it cannot be a key"));
        }
        Ok(KeyText::from(bytes))
    }
}

/// `encryption-key-01`: a number that is not written as numbers of fields are.
fn is_almost_a_field(ring: &FieldSpec, name: &str) -> bool {
    let FieldName::Numbered(before, after) = &ring.name else { return false };
    let number = name.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
    ring.slot(name).is_none() && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
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
    fn what_is_wrong_with_a_folder_is_said() {
        let message = |files: &[(&str, &[u8])]| fetch(files).expect_err("refused").message;
        assert_eq!(message(&[]), "holds no file encryption-key-0");
        assert!(
            message(&[("encryption-key-0", b"a"), ("encryption-key-01", b"b")]).contains("encryption-key-01 is almost")
        );
        assert!(message(&[("encryption-key-0", &vec![b'a'; 70_000])]).contains("larger than 64 KiB"));
        let missing = Dir { path: "/nonexistent".into() }.fetch(&[]).err().expect("no folder");
        assert!(missing.message.starts_with("cannot be listed"), "{}", missing.message);
    }
}
