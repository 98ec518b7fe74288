//! What holds for one keyring in one environment: flag, then environment, then keyring, then profile.

use std::path::Path;

use crate::lock::Owner;
use crate::profile::{self, Profile, SecretSpec};
use crate::report::{Place, Refusal};
use crate::schema;

use super::choose::Pair;
use super::{Config, Instance, Overrides, SecretNames, Selection, Settings, fit};

impl Config {
    /// One selection for each keyring that is meant.
    ///
    /// # Errors
    /// A keyring or an environment that is not there, an environment in doubt, a profile or a template that
    /// cannot be read, settings that do not fit the profile. All of them at once.
    pub fn select(&self, overrides: &Overrides) -> Result<Vec<Selection>, Refusal> {
        let mut selections = Vec::new();
        let mut findings = Vec::new();
        for pair in self.choose(overrides)? {
            match self.combine(pair, overrides) {
                Ok(selection) => selections.push(selection),
                Err(Refusal(found)) => findings.extend(found),
            }
        }
        if findings.is_empty() { Ok(selections) } else { Err(Refusal(findings)) }
    }

    fn combine(&self, pair: Pair<'_>, overrides: &Overrides) -> Result<Selection, Refusal> {
        let profile = self.profile(pair, overrides)?;
        let Settings { instance, emit, secret_store, annotate, keep, template } =
            over(&pair.environment.settings, &pair.keyring.settings);
        let template = match (&overrides.template, template) {
            (None, Some(path)) => {
                let text = schema::read_text(&self.folder().join(path));
                Some(text.map_err(|refusal| also_at(refusal, &self.setting(pair, "template")))?)
            }
            (path, _) => path.as_deref().map(schema::read_text).transpose()?,
        };
        let own_source = || pair.environment.source.as_ref().map(|source| source.relative_to(self.folder()));
        let selection = Selection {
            keyring: pair.name.to_owned(),
            environment: Some(pair.environment_name.to_owned()),
            namespace: overrides.namespace.clone().or_else(|| pair.environment.namespace.clone()),
            place: Some(
                self.document.place_of(&format!("/keyrings/{}/environments/{}", pair.name, pair.environment_name)),
            ),
            profile,
            instance,
            emit: overrides.emit.or(emit),
            secret_store: overrides.secret_store.clone().or(secret_store),
            annotate: overrides.annotate.or(annotate).unwrap_or(true),
            keep: overrides.keep.or(keep).unwrap_or(true),
            template,
            mode: overrides.mode.or(pair.environment.mode).unwrap_or_default(),
            source: overrides.source.clone().or_else(own_source),
        };
        let mut findings = fit::findings(&selection, |property| self.setting(pair, property));
        // A key-holder's command may name another source; what is rendered is looked at there again.
        if findings.is_empty() && overrides.source.is_none() {
            let wrong = selection.wrong_external_secret();
            findings.extend(wrong.map(|finding| finding.at(self.setting(pair, "emit"))));
        }
        if findings.is_empty() { Ok(selection) } else { Err(Refusal(findings)) }
    }

    fn profile(&self, pair: Pair<'_>, overrides: &Overrides) -> Result<Profile, Refusal> {
        match &overrides.profile {
            Some(reference) => profile::load(reference, Path::new("")),
            None => profile::load(&pair.keyring.profile, self.folder()).map_err(|refusal| {
                also_at(refusal, &self.document.place_of(&format!("/keyrings/{}/profile", pair.name)))
            }),
        }
    }

    /// Where something that an environment or its keyring says is written; `path` is a JSON pointer below them.
    fn setting(&self, pair: Pair<'_>, path: &str) -> Place {
        let keyring = format!("/keyrings/{}", pair.name);
        let environment = format!("{keyring}/environments/{}/{path}", pair.environment_name);
        self.document.find(&environment).unwrap_or_else(|| self.document.place_of(&format!("{keyring}/{path}")))
    }
}

impl Selection {
    /// What holds where there is no configuration file.
    ///
    /// # Errors
    /// A template that cannot be read, a source that does not fit the profile.
    pub fn without_config(profile: Profile, overrides: &Overrides) -> Result<Self, Refusal> {
        let selection = Self {
            keyring: profile.name.clone(),
            environment: None,
            namespace: overrides.namespace.clone(),
            place: None,
            instance: Instance::default(),
            emit: overrides.emit,
            secret_store: overrides.secret_store.clone(),
            annotate: overrides.annotate.unwrap_or(true),
            keep: overrides.keep.unwrap_or(true),
            template: overrides.template.as_deref().map(schema::read_text).transpose()?,
            mode: overrides.mode.unwrap_or_default(),
            source: overrides.source.clone(),
            profile,
        };
        let findings = fit::findings(&selection, |_| None);
        if findings.is_empty() { Ok(selection) } else { Err(Refusal(findings)) }
    }
}

impl Selection {
    /// Whose lines of the lock speak of it; `None` where there is no configuration file.
    pub fn owner(&self) -> Option<Owner<'_>> {
        Some(Owner { keyring: &self.keyring, environment: self.environment.as_deref()? })
    }

    /// The name of a profile's Secret, or its pattern: what the configuration says, else what the profile knows.
    pub fn secret_name(&self, spec: &SecretSpec) -> Option<String> {
        let configured = match &self.instance.secret {
            Some(SecretNames::One(name)) => Some(name),
            Some(SecretNames::ById(names)) => spec.id.as_ref().and_then(|id| names.get(id)),
            None => None,
        };
        configured.cloned().or_else(|| spec.name.as_ref().map(ToString::to_string))
    }

    /// `KEYRING/ENVIRONMENT`, or the keyring alone.
    pub fn title(&self) -> String {
        self.owner().map_or_else(|| self.keyring.clone(), |owner| owner.to_string())
    }
}

/// What the environment says, and what the keyring says where the environment is silent.
fn over(environment: &Settings, keyring: &Settings) -> Settings {
    Settings {
        instance: Instance {
            values: environment.instance.values.clone().or_else(|| keyring.instance.values.clone()),
            secret: environment.instance.secret.clone().or_else(|| keyring.instance.secret.clone()),
        },
        emit: environment.emit.or(keyring.emit),
        secret_store: environment.secret_store.clone().or_else(|| keyring.secret_store.clone()),
        annotate: environment.annotate.or(keyring.annotate),
        keep: environment.keep.or(keyring.keep),
        template: environment.template.clone().or_else(|| keyring.template.clone()),
    }
}

/// Adds the place in `keyring.yaml` that led to a finding elsewhere.
fn also_at(Refusal(findings): Refusal, place: &Place) -> Refusal {
    Refusal(findings.into_iter().map(|finding| finding.at(place.clone())).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::testing::{config, refused};
    use crate::config::{Emit, Mode, SecretNames, Source};
    use crate::report::Exit;

    const LAYERS: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  app:
    profile: lightrun
    instance: {values: obs, secret: obs-backend}
    emit: none
    annotate: false
    environments:
      production:
        source: {dir: {path: keys/production}}
      staging:
        instance: {secret: staging-backend}
        emit: Secret
        annotate: true
        mode: dev
";

    fn in_environment(environment: &str) -> Overrides {
        Overrides { environment: Some(environment.into()), ..Overrides::default() }
    }

    fn one(config: &Config, overrides: &Overrides) -> Selection {
        config.select(overrides).unwrap_or_else(|refusal| panic!("{refusal}")).remove(0)
    }

    #[test]
    fn the_keyring_speaks_where_the_environment_is_silent() {
        let selection = one(&config(LAYERS), &in_environment("production"));
        assert_eq!((selection.keyring.as_str(), selection.environment.as_deref()), ("app", Some("production")));
        assert_eq!(selection.place.map(|place| place.to_string()).as_deref(), Some("keyring.yaml:9:7"));
        assert_eq!((selection.emit, selection.annotate, selection.mode), (Some(Emit::None), false, Mode::Gitops));
        assert_eq!(selection.instance.secret, Some(SecretNames::One("obs-backend".into())));
        assert_eq!(selection.source, Some(Source::Dir { path: "keys/production".into() }));
    }

    #[test]
    fn the_environment_wins_over_the_keyring() {
        let selection = one(&config(LAYERS), &in_environment("staging"));
        assert_eq!((selection.emit, selection.annotate, selection.mode), (Some(Emit::Secret), true, Mode::Dev));
        assert_eq!(selection.instance.values.as_deref(), Some("obs"));
        assert_eq!(selection.instance.secret, Some(SecretNames::One("staging-backend".into())));
        assert_eq!(selection.source, None);
    }

    #[test]
    fn a_flag_wins_over_everything() {
        let overrides = Overrides {
            profile: Some("devmesh".into()),
            source: Some(Source::Env([].into())),
            emit: Some(Emit::None),
            mode: Some(Mode::Gitops),
            annotate: Some(false),
            ..in_environment("staging")
        };
        let selection = one(&config(LAYERS), &overrides);
        assert_eq!(selection.profile.name, "devmesh");
        assert_eq!((selection.emit, selection.annotate, selection.mode), (Some(Emit::None), false, Mode::Gitops));
        assert_eq!(selection.source, Some(Source::Env([].into())));
    }

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = LAYERS.replace("profile: lightrun", "profile: mine.yaml\n    template: frame.yaml");
        fs::write(at("keyring.yaml"), text).unwrap();
        fs::write(at("mine.yaml"), include_str!("../profile/lightrun.yaml")).unwrap();
        fs::write(at("frame.yaml"), "kind: Secret\n").unwrap();
        let config = Config::find(folder.path(), &Overrides::default()).unwrap().unwrap();
        let selection = one(&config, &in_environment("production"));
        assert_eq!(selection.template.as_deref(), Some("kind: Secret\n"));
        assert_eq!(selection.source, Some(Source::Dir { path: at("keys/production") }));
        let path = |path: &str| Some(PathBuf::from(path));
        let overrides = Overrides { template: path("Cargo.toml"), ..in_environment("production") };
        assert!(one(&config, &overrides).template.unwrap().starts_with("[package]"));
        let elsewhere = Overrides { config: Some(at("nowhere.yaml")), ..Overrides::default() };
        assert_eq!(Config::find(folder.path(), &elsewhere).err().unwrap().exit(), Exit::Io);
    }

    #[test]
    fn without_a_file_there_is_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Config::find(folder.path(), &Overrides::default()).unwrap().is_none());
        let profile = profile::load("devmesh", Path::new("")).unwrap();
        let selection = Selection::without_config(profile, &Overrides::default()).unwrap();
        assert_eq!((selection.keyring.as_str(), selection.environment, selection.source), ("devmesh", None, None));
        assert!(selection.annotate);
    }

    #[test]
    fn what_cannot_be_loaded_is_said_where_it_is_named() {
        let select = |text: &str| refused(config(text).select(&in_environment("production")));
        assert_eq!(
            select(&LAYERS.replace("profile: lightrun", "profile: lightrum")),
            "\
error[unknown-profile]: there is no shipped profile `lightrum`
  --> keyring.yaml:4:5
   = note: shipped are devmesh and lightrun
   = help: did you mean `lightrun`?
"
        );
        assert_eq!(
            select(&LAYERS.replace("emit: none", "template: frames/none.yaml")),
            "\
error[unreadable-file]: this file cannot be read
  --> frames/none.yaml
  --> keyring.yaml:6:5
   = note: No such file or directory (os error 2)
   = help: check the path and the permissions
"
        );
    }
}
