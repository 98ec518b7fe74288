//! Which keyrings an Application gets: named by its repository, granted by the sidecar.

use std::path::{Path, PathBuf};

use super::application::Application;
use super::parameters::Parameters;
use super::repository::Repository;
use super::sidecar::{Asked, Granted, Sidecar, hidden};
use crate::config::{self, Config, LOCK, Overrides, Selection};
use crate::lock::{Lock, VOUCHES};
use crate::profile;
use crate::render::Chosen;
use crate::report::{Exit, Finding, Place, Refusal};
use crate::source::Sources;

/// Who asks, and what there is.
pub struct Access<'a> {
    /// The Application.
    pub application: &'a Application,
    /// What it sets.
    pub parameters: &'a Parameters,
    /// Its repository.
    pub repository: &'a Repository,
    /// The sidecar's own configuration.
    pub sidecar: &'a Sidecar,
    /// The namespace for the chart.
    pub namespace: &'a str,
}

impl Access<'_> {
    /// The keyrings, and what to say of them. `None`: nothing names one, so only the chart's own values can hold keys.
    ///
    /// # Errors
    /// A keyring or environment that is not there, or that the sidecar does not grant; a file outside of the repository.
    pub fn chosen(&self) -> Result<Option<(Chosen, Vec<Finding>)>, Refusal> {
        match self.repository.nearest(config::FILE) {
            Some(file) => self.configured(&file).map(Some),
            None => self.unconfigured(),
        }
    }

    /// What is known without any file: the namespace for the chart.
    pub fn overrides(&self) -> Overrides {
        let namespace = Some(self.namespace.to_owned()).filter(|namespace| !namespace.is_empty());
        Overrides { namespace, ..Overrides::default() }
    }

    /// By the repository's own `keyring.yaml`.
    fn configured(&self, file: &Path) -> Result<(Chosen, Vec<Finding>), Refusal> {
        let file = self.repository.file(file, "keyring.yaml")?;
        let mut config = Config::read(&file)?;
        let folder = config.folder().to_owned();
        for keyring in config.keyrings.values_mut() {
            keyring.profile = own_profile(self.repository, &folder, &keyring.profile)?;
        }
        let overrides = Overrides {
            keyring: self.parameters.keyring.clone(),
            environment: self.parameters.environment.clone(),
            ..self.overrides()
        };
        let mut selections = Vec::new();
        let pairs = config.pairs(&overrides)?;
        let own = config.take_sources();
        let is_own = |(keyring, environment): &(String, String)| own.contains(&(keyring.clone(), environment.clone()));
        let (mut refused, mut notes) = (Vec::new(), Vec::new());
        for pair in &pairs {
            let (keyring, environment) = pair;
            let asked = self.asked(keyring, environment);
            let granted = self.granted(asked)?;
            match granted {
                None if is_own(pair) => refused
                    .push(self.not_granted(asked).found("a source that keyring.yaml names counts for nothing here")),
                granted => {
                    if is_own(pair) && notes.is_empty() {
                        notes.push(ignored(file.as_path()));
                    }
                    let named = Overrides {
                        keyring: Some(keyring.clone()),
                        environment: Some(environment.clone()),
                        ..overrides.clone()
                    };
                    // What is wrong with a profile of the sidecar's is the sidecar's own affair.
                    let of_sidecar = granted.as_ref().is_some_and(|granted| granted.profile.is_some());
                    let selected = config.select(&with(named, granted.as_ref()));
                    for selection in selected.map_err(|refusal| if of_sidecar { hidden(refusal) } else { refusal })? {
                        refuse_without_store(&selection)?;
                        selections.push(selection);
                    }
                }
            }
        }
        if !refused.is_empty() {
            return Err(Refusal(refused));
        }
        let lock = self.lock(&config.folder().join(LOCK))?;
        Ok((Chosen::among(selections, &config, self.parameters.keyring.is_some(), lock)?, notes))
    }

    /// A chart without a `keyring.yaml`, as Helm repositories have them: by name alone.
    fn unconfigured(&self) -> Result<Option<(Chosen, Vec<Finding>)>, Refusal> {
        let (keyring, environment) = match (&self.parameters.keyring, &self.parameters.environment) {
            (Some(keyring), Some(environment)) => (keyring, environment),
            (None, None) if self.parameters.lock.is_none() => return Ok(None),
            _ => {
                return Err(Finding::usage("no-config", "there is no keyring.yaml in the repository")
                    .found("for a chart without one, the parameters name both: `keyring` and `environment`")
                    .help("set both, and `lock` to the text of keyring.lock; or put a keyring.yaml into the repository")
                    .into());
            }
        };
        let asked = self.asked(keyring, environment);
        let Some(granted) = self.granted(asked)? else { return Err(self.not_granted(asked).into()) };
        let Some(reference) = granted.profile.as_deref() else {
            return Err(Finding::usage(
                "no-profile",
                format!("how the chart of keyring {keyring} spells its keys is not said"),
            )
            .found("there is no keyring.yaml in the repository, and the grant names no profile")
            .help("whoever runs the sidecar: add `profile` to the grant")
            .into());
        };
        let selection = selection(asked, reference, &with(self.overrides(), Some(&granted))).map_err(hidden)?;
        refuse_without_store(&selection)?;
        let lock = self.lock(Path::new(LOCK))?;
        if lock.lines().next().is_none() {
            return Err(Finding::error(Exit::Lock, "no-lock", format!("{keyring}/{environment} has no lock"))
                .found(VOUCHES)
                .help("set the parameter `lock` to the text of keyring.lock: a chart that others made carries none")
                .into());
        }
        Ok(Some((Chosen { lock: Some(lock), ..Chosen::from(selection) }, Vec::new())))
    }

    fn asked<'n>(&'n self, keyring: &'n str, environment: &'n str) -> Asked<'n> {
        // The destination's namespace, and not what a parameter calls so: only the former is Argo CD's own word.
        let Application { project, namespace, .. } = self.application;
        Asked { project, namespace, keyring, environment }
    }

    fn granted(&self, asked: Asked<'_>) -> Result<Option<Granted>, Refusal> {
        let granted = self.sidecar.granted(asked, self.repository.root())?;
        if let Some(file) = granted.as_ref().and_then(|granted| granted.file.as_ref()) {
            self.repository.file(file, "the sealed file")?;
        }
        Ok(granted)
    }

    fn not_granted(&self, asked: Asked<'_>) -> Finding {
        let finding = match asked.project {
            "" => Finding::refused("not-granted", "Argo CD does not say which project this is")
                .help("ARGOCD_APP_PROJECT_NAME comes with Argo CD 3.0"),
            project => Finding::refused("not-granted", format!("project {project} may not use these keys")),
        };
        finding.found(asked.what()).help("whoever runs the sidecar: add a grant for it to the sidecar's configuration")
    }

    /// The lock of the repository, or the one that a parameter names or holds.
    fn lock(&self, usual: &Path) -> Result<Lock, Refusal> {
        let is_there = usual.symlink_metadata().is_ok();
        let read = |file: PathBuf| Ok(Lock::read(&file)?.unwrap_or_else(|| Lock::missing(file.display().to_string())));
        match self.parameters.lock.as_deref() {
            Some(_) if is_text(self.parameters.lock.as_deref()) && is_there => {
                Err(Finding::usage("two-locks", "parameter `lock` holds a lock, and the repository has one")
                    .help("take the parameter out: the one that is committed beside keyring.yaml counts")
                    .into())
            }
            Some(text) if is_text(Some(text)) => Lock::parse("<parameter lock>", text),
            Some(name) => read(self.repository.named(name, "the lock")?),
            None if is_there => read(self.repository.file(usual, "the lock")?),
            None => Ok(Lock::missing(usual.display().to_string())),
        }
    }
}

/// What to load for a profile that `keyring.yaml` in `folder` names: a file is data, but must be the repository's own. What
/// was looked at is what will be read: `a/../b` is another file where `a` is a link.
///
/// # Errors
/// As [`Repository::file`].
pub fn own_profile(repository: &Repository, folder: &Path, reference: &str) -> Result<String, Finding> {
    let file = folder.join(reference);
    let is_file = reference.contains(['/', '.']) || repository.chart().join(&file).symlink_metadata().is_ok();
    if profile::shipped(reference).is_some() || !is_file {
        return Ok(reference.to_owned());
    }
    let file = repository.chart().join(repository.file(&file, "the profile")?);
    Ok(file.display().to_string())
}

/// A keyring that only the sidecar knows of.
fn selection(asked: Asked<'_>, reference: &str, overrides: &Overrides) -> Result<Selection, Refusal> {
    let profile = profile::load(reference, Path::new(""))?;
    Ok(Selection {
        keyring: asked.keyring.to_owned(),
        environment: Some(asked.environment.to_owned()),
        ..Selection::without_config(profile, overrides)?
    })
}

/// What an Application would get, for whoever runs the sidecar: nothing is hidden.
///
/// # Errors
/// A sidecar's configuration that cannot be read or grants nothing, a profile that cannot be read.
pub fn granted_selection(
    sidecar: &Path,
    asked: Asked<'_>,
    reference: Option<&str>,
    root: &Path,
) -> Result<(Selection, Sources), Refusal> {
    let sidecar = Sidecar::read(sidecar)?;
    let granted = sidecar.granted(asked, root)?.ok_or_else(|| {
        Finding::refused("not-granted", format!("no grant fits project {}", asked.project))
            .found(asked.what())
            .help("add one to the sidecar's configuration")
    })?;
    let reference = reference.or(granted.profile.as_deref()).unwrap_or(asked.keyring);
    let overrides = Overrides { namespace: Some(asked.namespace.to_owned()), ..Overrides::default() };
    let selection = selection(asked, reference, &with(overrides, Some(&granted)))?;
    Ok((selection, Sources::within(sidecar.timeout)))
}

/// A path is one line; a lock has more.
fn is_text(lock: Option<&str>) -> bool {
    lock.is_some_and(|lock| lock.trim_end().contains('\n'))
}

/// `emit: ExternalSecret` needs a grant that says which store the operator reads: a repository may not.
fn refuse_without_store(selection: &Selection) -> Result<(), Refusal> {
    let Some(finding) = selection.wrong_external_secret() else { return Ok(()) };
    match finding.id {
        "dev-refused" => Err(finding.at(selection.place.clone()).into()),
        "no-secret-store" => Err(Finding {
            help: vec![
                "whoever runs the sidecar: add `secretStore: {name: NAME, kind: ClusterSecretStore}` to the grant"
                    .to_owned(),
            ],
            ..finding
        }
        .into()),
        // Its words name the place in the store.
        _ => Err(hidden(finding.into())),
    }
}

/// What a grant says wins over the repository.
fn with(overrides: Overrides, granted: Option<&Granted>) -> Overrides {
    let Some(granted) = granted else { return overrides };
    Overrides {
        source: Some(granted.source.clone()),
        profile: granted.profile.clone(),
        emit: granted.emit.or(overrides.emit),
        secret_store: granted.secret_store.clone(),
        ..overrides
    }
}

fn ignored(file: &Path) -> Finding {
    Finding::note("source-ignored", "sources and templates of keyring.yaml are ignored: the sidecar's own count")
        .at(Place::file(file.display().to_string()))
}
