//! The source `sops`: a file that the user's own `sops` opens, with whatever key service it is configured for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::json::{Object, quoted};
use super::place::{Content, Members, Place, Writable};
use super::program::Program;
use super::{Error, Files, Run, Since, changed};
use crate::config;

/// What sops and its key services log in with.
const VARIABLES: [&str; 4] = ["GNUPGHOME", "GPG_AGENT_INFO", "GPG_TTY", "SSH_AUTH_SOCK"];
const PREFIXES: [&str; 10] =
    ["SOPS_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "VAULT_", "BAO_", "HUAWEICLOUD_", "KUBERNETES_", "XDG_"];
const FILE_LEN_MAX_BYTES: u64 = 4 << 20;
const TOO_OLD: &str = "sops must be 3.11 or newer, which takes a value from stdin; older ones would show the key in the list of processes";

/// An encrypted file.
pub struct File {
    config: config::Sops,
}

impl File {
    /// A file, which is not opened yet.
    pub fn new(config: &config::Sops) -> Self {
        Self { config: config.clone() }
    }

    fn program(
        &self,
        command: &[&str],
        file: &Path,
        more: &[String],
        stdin: Option<Zeroizing<Vec<u8>>>,
    ) -> Program<'static> {
        let mut words: Vec<OsString> = vec!["sops".into()];
        words.extend(command.iter().map(OsString::from));
        if let Some(format) = &self.config.format {
            words.extend(["--input-type".into(), format.into()]);
        }
        // A name that begins with `-` is no option.
        let file = if file.is_absolute() { file.to_owned() } else { Path::new(".").join(file) };
        words.push(file.into());
        words.extend(more.iter().map(OsString::from));
        Program {
            name: "sops".to_owned(),
            command: words,
            variables: &VARIABLES,
            prefixes: &PREFIXES,
            set: vec![("SOPS_DISABLE_VERSION_CHECK", "1".to_owned())],
            folder: None,
            stdin,
        }
    }

    /// All of a file, as sops opens it: the one that is configured, or a copy of it.
    fn opened(&self, run: &Run, file: &Path) -> Result<Object, Error> {
        run.count("sops decrypt");
        let out = self.program(&["decrypt", "--output-type", "json"], file, &[], None).run(run, &self.help())?;
        Object::parse(&out).map_err(|error| odd(&error.to_string()))
    }

    /// Lets sops set one text in a copy.
    fn set(&self, run: &Run, copy: &Path, name: &str, text: &str) -> Result<(), Error> {
        run.count("sops set");
        let mut command = vec!["set", "--value-stdin"];
        // Without it sops writes what the file's name says.
        command.extend(self.config.format.iter().flat_map(|format| ["--output-type", format.as_str()]));
        let value = Zeroizing::new(quoted(text).as_bytes().to_vec());
        let program = self.program(&command, copy, &[self.index(name)], Some(value));
        program.run(run, TOO_OLD).map(drop)
    }

    fn help(&self) -> String {
        format!("does `sops decrypt {}` work for you?", self.config.file.display())
    }

    /// Where the keys lie in the file, from the top.
    fn way(&self) -> impl Iterator<Item = &str> {
        self.config.under.iter().flat_map(|under| under.split('.'))
    }

    fn index(&self, member: &str) -> String {
        self.way().chain([member]).map(|step| format!("[{}]", *quoted(step))).collect()
    }
}

impl File {
    /// `encrypted_regex` and its like leave some members in the clear: seen before there is a key in one of them.
    fn refuse_in_clear(&self, run: &Run, copy: &Path, name: &str) -> Result<(), Error> {
        let mut bytes = [0; 12];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| Error::new(format!("the system gives no random bytes ({error})"), "try again"))?;
        let probe: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.set(run, copy, name, &probe)?;
        let file = std::fs::read(copy).unwrap_or_default();
        match memchr::memmem::find(&file, probe.as_bytes()) {
            None => Ok(()),
            Some(_) => Err(Error::new(
                format!("sops would leave `{name}` in the clear: what the file is told to encrypt leaves it out"),
                "see `encrypted_regex` and its like at the file's end and in .sops.yaml; give the field a name that fits, with `fields`, or another place, with `under`",
            )),
        }
    }

    /// Nothing but these members may be different.
    fn compare(&self, before: &Object, after: &Object, members: &Members) -> Result<(), Error> {
        let odd = || {
            Error::new(
                "sops has written something else than it was asked for; the file was not changed",
                "set the key yourself with `sops edit`, then run `helm-keyring lock`",
            )
        };
        let steps: Vec<&str> = self.way().collect();
        let wanted = with_members(before, &steps, members).ok_or_else(odd)?;
        match same(&wanted, after) {
            true => Ok(()),
            false => Err(odd()),
        }
    }
}

/// An object in which these members are set, below these steps.
fn with_members(object: &Object, steps: &[&str], members: &Members) -> Option<Object> {
    let mut object = object.clone();
    match steps {
        [] => {
            for (name, key) in members {
                object.set(name, std::str::from_utf8(key.expose()).ok()?);
            }
        }
        [first, rest @ ..] => {
            let inner = object.object(first).ok()?.unwrap_or_default();
            object.set_raw(first, with_members(&inner, rest, members)?.to_json());
        }
    }
    Some(object)
}

/// Whether two objects hold the same, however it is written.
fn same(one: &Object, other: &Object) -> bool {
    let value = |object: &Object| serde_json::from_str::<serde_json::Value>(&object.to_json()).ok();
    value(one).is_some_and(|one| Some(one) == value(other))
}

impl Place for File {
    fn describe(&self) -> String {
        let under = self.config.under.as_ref().map(|under| format!(", under `{under}`")).unwrap_or_default();
        format!("sops file {}{under}", self.config.file.display())
    }

    fn identity(&self) -> String {
        format!("{:?}", self.config)
    }

    fn read(&self, run: &Run) -> Result<Content, Error> {
        let before = bounded(&self.config.file).map_err(|error| {
            Error::new(
                format!("cannot be read ({error})"),
                "check the path in keyring.yaml; a new file: write `{}` into it, then `sops encrypt --in-place FILE`",
            )
        })?;
        let mark = mark(&before);
        let mut object = self.opened(run, &self.config.file)?;
        for step in self.way() {
            object = match object.object(step) {
                Ok(Some(inner)) => inner,
                Ok(None) => {
                    let missing = Content::missing(Error::new(format!("has no `{step}`"), "check `under`"));
                    return Ok(Content { version: Some(mark), ..missing });
                }
                Err(error) => return Err(odd(&format!("has a `{step}` which {error}"))),
            };
        }
        Ok(Content::of(object, Some(mark)))
    }

    fn writable(&self) -> Option<&dyn Writable> {
        Some(self)
    }
}

impl Writable for File {
    fn folder(&self) -> Option<PathBuf> {
        Some(self.config.file.parent().unwrap_or(Path::new("")).to_owned())
    }

    /// sops changes a copy, in which nothing but what it encrypts is set; the caller puts it into place.
    fn prepare(&self, run: &Run, before: &Content, members: &Members) -> Result<Option<Files>, Error> {
        let failed = |error: std::io::Error| {
            Error::new(format!("cannot be copied to be changed ({error})"), "check permissions and free space")
        };
        let text = bounded(&self.config.file).map_err(failed)?;
        if before.version != Some(mark(&text)) {
            return Err(changed());
        }
        let folder = tempfile::tempdir().map_err(failed)?;
        let copy = folder.path().join(self.config.file.file_name().unwrap_or_default());
        std::fs::write(&copy, &text).map_err(failed)?;
        let whole = self.opened(run, &copy)?;
        for (name, key) in members {
            let text = std::str::from_utf8(key.expose()).map_err(|_| {
                Error::new(format!("`{name}` is no text in UTF-8"), "set `encoding: base64` on the source")
            })?;
            self.refuse_in_clear(run, &copy, name)?;
            self.set(run, &copy, name, text)?;
        }
        let after = bounded(&copy).map_err(failed)?;
        self.compare(&whole, &self.opened(run, &copy)?, members)?;
        let since = Since { file: self.config.file.clone(), bytes: text };
        Ok(Some(Files { files: vec![(self.config.file.clone(), after)], since: vec![since] }))
    }

    /// It is a file.
    fn put(&self, _: &Run, _: &Content, _: &Members) -> Result<(), Error> {
        Ok(())
    }
}

/// What tells one state of a file from another; nothing of what it encrypts.
fn mark(file: &[u8]) -> String {
    let digest = Sha256::digest(file);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("sha256 {hex}")
}

fn odd(why: &str) -> Error {
    Error::new(format!("what sops printed {why}"), "the file must be a mapping of names to texts")
}

fn bounded(file: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    use std::io::Read as _;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(file)?.take(FILE_LEN_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_LEN_MAX_BYTES {
        true => Err(std::io::Error::other("it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}
