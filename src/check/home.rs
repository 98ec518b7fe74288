//! A keyring.yaml, with what lies beside it: its environments, and the lock.

use std::path::{Path, PathBuf};

use super::sets::{Candidate, Expected, Judged, is_expected};
use crate::config::{Config, FILE, LOCK, Mode, Overrides, Selection, Source};
use crate::lock::Lock;
use crate::profile::Profile;
use crate::report::{Finding, Place, Refusal};
use crate::rules::{lock_behind, reused_key, unreadable};
use crate::sealed::SealedFile;
use crate::values::Request;

/// A keyring.yaml that was read.
pub struct Home {
    /// The file.
    pub config: Config,
    /// The lock beside it, if it is there.
    pub lock: Option<Lock>,
    /// Each keyring in each of its environments.
    pub pairs: Vec<Selection>,
}

impl Home {
    /// Reads a file and all that it names; `lock`: where its lock lies, if not beside it.
    ///
    /// # Errors
    /// A file that does not fit its schema, a profile or a lock that cannot be read.
    pub fn read(path: &Path, lock: Option<&Path>) -> Result<Self, Refusal> {
        let config = Config::read(path)?;
        let lock = Lock::read(&lock.map_or_else(|| config.folder().join(LOCK), Path::to_owned))?;
        let mut pairs = Vec::new();
        let mut refused = Vec::new();
        for (keyring, settings) in &config.keyrings {
            for environment in settings.environments.keys() {
                let overrides = Overrides {
                    keyring: Some(keyring.clone()),
                    environment: Some(environment.clone()),
                    ..Overrides::default()
                };
                match config.select(&overrides) {
                    Ok(selected) => pairs.extend(selected),
                    Err(Refusal(found)) => refused.extend(found),
                }
            }
        }
        if refused.is_empty() { Ok(Self { config, lock, pairs }) } else { Err(Refusal(refused)) }
    }

    /// Whether a path is that of a keyring.yaml.
    pub fn is_one(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == FILE)
    }

    /// What the lock and the files of the repository tell, without a source being read.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.lock.iter().flat_map(reused_key::in_lock).collect();
        for (lock, pair) in self.lock.iter().flat_map(|lock| self.pairs.iter().map(move |pair| (lock, pair))) {
            found.extend(sealed_but_not_locked(lock, pair));
        }
        found
    }

    /// The values of each environment that names some, and what is expected of them. A file that is missing is a finding.
    pub fn environments(&self, wanted: &dyn Fn(&Path) -> bool, judged: &mut Judged) -> Vec<Finding> {
        let mut found = Vec::new();
        for pair in &self.pairs {
            let environment = self
                .config
                .keyrings
                .get(&pair.keyring)
                .and_then(|keyring| keyring.environments.get(pair.environment.as_deref().unwrap_or_default()));
            let Some(environment) = environment.filter(|environment| !environment.values.is_empty()) else { continue };
            let folder = self.config.folder();
            let files: Vec<PathBuf> = environment.values.iter().map(|file| folder.join(file)).collect();
            if !wanted(&self.config.path) && !files.iter().any(|file| wanted(file)) {
                continue;
            }
            let missing = files.iter().position(|file| !file.is_file());
            if let Some(index) = missing {
                let pointer = format!(
                    "/keyrings/{}/environments/{}/values/{index}",
                    pair.keyring,
                    pair.environment.as_deref().unwrap_or_default()
                );
                found.push(unreadable::finding(
                    self.config.place_of(&pointer),
                    "the values file that is named here is not there",
                ));
                continue;
            }
            let request = Request {
                chart: folder
                    .join("Chart.yaml")
                    .is_file()
                    .then(|| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }),
                files: files.iter().map(|file| file.display().to_string()).collect(),
                ..Request::default()
            };
            let title = format!(
                "environment `{}` of keyring `{}`",
                pair.environment.as_deref().unwrap_or_default(),
                pair.keyring
            );
            let expected = Expected::of(pair, self.lock.as_ref());
            let place = pair.place.clone().unwrap_or_else(|| Place::file(self.config.path.display().to_string()));
            found.extend(judged.set(&title, &place, &request, &[Candidate::of(pair)], &expected));
        }
        found
    }

    /// Whether one of the environments brings the keys of a profile to a namespace from outside.
    pub fn supplies(&self, profile: &Profile, namespace: Option<&str>) -> bool {
        self.pairs.iter().any(|pair| {
            pair.profile.name == profile.name
                && pair.has_external_source()
                && is_expected(pair.namespace.as_deref(), namespace)
        })
    }

    /// What an environment of this namespace says of its keys, where they stand in the values.
    pub fn values_of(&self, profile: &Profile, namespace: Option<&str>) -> Option<&Selection> {
        let mut fitting = self.pairs.iter().filter(|pair| {
            pair.profile.name == profile.name
                && (matches!(pair.source, Some(Source::Values { injected: true })) || pair.mode == Mode::Dev)
        });
        fitting.find(|pair| is_expected(pair.namespace.as_deref(), namespace))
    }
}

/// A sealed file says in the clear how many keys of a field it has.
fn sealed_but_not_locked(lock: &Lock, pair: &Selection) -> Vec<Finding> {
    let (Some(Source::Sealed { file, .. }), Some(owner)) = (&pair.source, pair.owner()) else { return Vec::new() };
    let sealed = std::fs::read(file).ok().and_then(|text| SealedFile::parse(&text).ok());
    let Some(sealed) = sealed.filter(|_| lock.lines_of(owner).next().is_some()) else { return Vec::new() };
    let mut found = Vec::new();
    for (_, spec) in pair.profile.rings() {
        let locked = lock.lines_of_ring(owner, spec).last().map_or(0, |line| line.number + 1);
        let held = sealed.next_number(&spec.name.to_string());
        if held > locked {
            let names: Vec<String> = (locked..held)
                .map(|number| {
                    format!(
                        "`{}`",
                        spec.field(crate::profile::Slot::Number(number)).unwrap_or_else(|| spec.name.to_string())
                    )
                })
                .collect();
            found.push(lock_behind::finding(lock, owner, &names, Some(file)));
        }
    }
    found
}
