//! `~/.aws/config` and `~/.aws/credentials`, as the SDKs read them.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::settings::variable;
use crate::source::Error;

/// Nobody has that many profiles.
const MAX_BYTES: u64 = 4 << 20;

/// Both files together; what stands in `credentials` wins.
#[derive(Default)]
pub struct Files {
    profiles: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
}

/// Settings by name, in small letters. A setting below another is `secrets_manager.endpoint_url`.
#[derive(Default)]
pub struct Section(BTreeMap<String, Zeroizing<String>>);

impl Section {
    /// A setting; an empty one is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.as_str()).filter(|text| !text.is_empty())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Credentials,
}

enum Name {
    Profile(String),
    Services(String),
    Other,
}

impl Files {
    /// Reads the two files, wherever the variables say they are. A missing one is empty.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read() -> Result<Self, Error> {
        let mut files = Self::default();
        for kind in [Kind::Config, Kind::Credentials] {
            if let Some(text) = path(kind).map(|path| read(&path)).transpose()?.flatten() {
                files.add(&text, kind);
            }
        }
        Ok(files)
    }

    /// A profile.
    pub fn profile(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    /// Endpoints of services, which a profile names with `services`.
    pub fn services(&self, name: &str) -> Option<&Section> {
        self.services.get(name)
    }

    fn add(&mut self, text: &str, kind: Kind) {
        let mut section: Option<&mut Section> = None;
        let mut above: Option<String> = None;
        for line in text.lines() {
            let is_below = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let name = rest.split(']').next().unwrap_or_default();
                section = match named(name, kind) {
                    Name::Profile(name) => Some(self.profiles.entry(name).or_default()),
                    Name::Services(name) => Some(self.services.entry(name).or_default()),
                    Name::Other => None,
                };
                above = None;
                continue;
            }
            let (Some(section), Some((name, value))) = (section.as_deref_mut(), line.split_once('=')) else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), without_comment(value.trim()));
            let name = match (&above, is_below) {
                (Some(above), true) => format!("{above}.{name}"),
                _ => {
                    above = value.is_empty().then(|| name.clone());
                    name
                }
            };
            section.0.insert(name, Zeroizing::new(value.to_owned()));
        }
    }
}

/// Where a file lies; nowhere without a home.
fn path(kind: Kind) -> Option<PathBuf> {
    let (name, file) = match kind {
        Kind::Config => ("AWS_CONFIG_FILE", "config"),
        Kind::Credentials => ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    };
    let home = || variable("HOME").map(PathBuf::from);
    match variable(name) {
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => home().map(|home| home.join(rest)),
            None => Some(PathBuf::from(path)),
        },
        None => home().map(|home| home.join(".aws").join(file)),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let failed = |error: std::io::Error| {
        Error::new(
            format!("{} cannot be read ({error})", path.display()),
            "check its permissions; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name other files",
        )
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
}

/// `[default]`, `[profile NAME]`, `[services NAME]`; in the other file `[NAME]`.
fn named(name: &str, kind: Kind) -> Name {
    let name = name.trim();
    if kind == Kind::Credentials || name == "default" {
        return Name::Profile(name.to_owned());
    }
    let of = |word: &str| {
        let rest = name.strip_prefix(word)?.strip_prefix([' ', '\t'])?;
        Some(rest.trim().trim_matches(['"', '\'']).to_owned())
    };
    of("profile").map(Name::Profile).or_else(|| of("services").map(Name::Services)).unwrap_or(Name::Other)
}

fn without_comment(value: &str) -> &str {
    let begin = |(at, c): (usize, char)| {
        let before = value.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']));
        (matches!(c, '#' | ';') && before).then_some(at)
    };
    let end = value.char_indices().find_map(begin).unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONFIG: &str = "\
# a comment
[default]
region=eu-central-1
[profile \"a b\"]
Region = us-east-1 # where it is
credential_process = \"/opt/a b\" --x#y
services = local
s3 =
  region = elsewhere
output = json
[sso-session default]
region = us-west-1
[services local]
secrets_manager =
  endpoint_url = http://localhost:1
sts =
  endpoint_url = http://localhost:2
nonsense
";

    fn files() -> Files {
        let mut files = Files::default();
        files.add(CONFIG, Kind::Config);
        files.add("[a b]\naws_secret_access_key = x#;y=\n[default]\nregion =\n", Kind::Credentials);
        files
    }

    #[test]
    fn both_files_are_one() {
        let files = files();
        let profile = files.profile("a b").unwrap();
        for (name, value) in [
            ("region", Some("us-east-1")),
            ("credential_process", Some("\"/opt/a b\" --x#y")),
            ("s3.region", Some("elsewhere")),
            ("output", Some("json")),
            ("aws_secret_access_key", Some("x#;y=")),
            ("s3", None),
        ] {
            assert_eq!(profile.get(name), value, "{name}");
        }
        let services = files.services("local").unwrap();
        assert_eq!(services.get("secrets_manager.endpoint_url"), Some("http://localhost:1"));
        assert_eq!(services.get("sts.endpoint_url"), Some("http://localhost:2"));
        assert!(files.profile("sso-session default").is_none() && files.profile("services local").is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\[\\]a-z =#;\n\t\"]{0,80}") {
            let mut files = Files::default();
            files.add(&text, Kind::Config);
            files.add(&text, Kind::Credentials);
        }
    }
}
