//! Which keyrings are meant, and in which environment.
//!
//! Keyrings: the one of `--keyring`, or all. Environment: `-e` or `HELM_KEYRING_ENVIRONMENT`, then the only one
//! whose `namespace` fits, then the only one there is. Never the first of several.

use crate::report::{Finding, Refusal, list, nearest};
use crate::schema::shown;

use super::{Config, Environment, Keyring, Overrides};

/// A keyring in an environment.
#[derive(Clone, Copy)]
pub(super) struct Pair<'c> {
    pub name: &'c str,
    pub keyring: &'c Keyring,
    pub environment_name: &'c str,
    pub environment: &'c Environment,
}

type Named<'c> = (&'c str, &'c Keyring);

impl Config {
    /// The chosen pairs, in the order of the keyrings' names.
    pub(super) fn choose(&self, overrides: &Overrides) -> Result<Vec<Pair<'_>>, Refusal> {
        let keyrings = self.meant(overrides.keyring.as_deref())?;
        match &overrides.environment {
            Some(environment) => self.named(&keyrings, environment),
            None => self.recognised(&keyrings, overrides.namespace.as_deref()),
        }
    }

    fn meant(&self, name: Option<&str>) -> Result<Vec<Named<'_>>, Finding> {
        let all = self.keyrings.iter().map(|(name, keyring)| (name.as_str(), keyring));
        let meant: Vec<Named<'_>> = all.filter(|(own, _)| name.is_none_or(|name| name == *own)).collect();
        match name {
            Some(name) if meant.is_empty() => Err(self.unknown_keyring(name)),
            _ => Ok(meant),
        }
    }

    /// The keyrings that have this environment. The others are left out: their application does not run there.
    fn named<'c>(&self, keyrings: &[Named<'c>], environment: &str) -> Result<Vec<Pair<'c>>, Refusal> {
        let pairs: Vec<Pair<'c>> = keyrings.iter().filter_map(|keyring| pair(*keyring, environment)).collect();
        if pairs.is_empty() { Err(self.unknown_environment(keyrings, environment).into()) } else { Ok(pairs) }
    }

    /// The environment of each keyring, if there is no doubt.
    fn recognised<'c>(&self, keyrings: &[Named<'c>], namespace: Option<&str>) -> Result<Vec<Pair<'c>>, Refusal> {
        let mut pairs = Vec::new();
        let mut findings = Vec::new();
        for (name, keyring) in keyrings {
            match without_doubt(keyring, namespace).and_then(|environment| pair((name, keyring), environment)) {
                Some(pair) => pairs.push(pair),
                None => findings.push(self.doubt(name, keyring, namespace)),
            }
        }
        if findings.is_empty() { Ok(pairs) } else { Err(Refusal(findings)) }
    }

    fn unknown_keyring(&self, name: &str) -> Finding {
        let known: Vec<&str> = self.keyrings.keys().map(String::as_str).collect();
        let title = format!("there is no keyring {}", shown(name).as_deref().unwrap_or("of this name"));
        let finding = Finding::usage("unknown-keyring", title)
            .at(self.document.place_of("/keyrings"))
            .found(format!("the file has {}", list(&known)));
        match nearest(name, known) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help("name one of these with --keyring, or none for all"),
        }
    }

    fn unknown_environment(&self, keyrings: &[Named<'_>], environment: &str) -> Finding {
        let environment_shown = shown(environment);
        let what = environment_shown.as_deref().unwrap_or("of this name");
        let mut finding = Finding::usage(
            "unknown-environment",
            match keyrings {
                [(name, _)] => format!("the keyring `{name}` has no environment {what}"),
                _ => format!("no keyring has an environment {what}"),
            },
        );
        for (name, keyring) in keyrings {
            let names: Vec<&str> = keyring.environments.keys().map(String::as_str).collect();
            finding = finding.at(self.environments(name)).found(format!("`{name}` has {}", list(&names)));
        }
        let known = keyrings.iter().flat_map(|(_, keyring)| keyring.environments.keys().map(String::as_str));
        match nearest(environment, known) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help("name one of these with -e or HELM_KEYRING_ENVIRONMENT"),
        }
    }

    fn doubt(&self, name: &str, keyring: &Keyring, namespace: Option<&str>) -> Finding {
        let with_namespace = |(name, environment): (&String, &Environment)| match &environment.namespace {
            Some(namespace) => format!("{name} (namespace {namespace})"),
            None => name.clone(),
        };
        let environments: Vec<String> = keyring.environments.iter().map(with_namespace).collect();
        let known = match namespace {
            Some(namespace) => format!("the namespace is {}", shown(namespace).as_deref().unwrap_or("none of these")),
            None => "the namespace is not known".into(),
        };
        Finding::usage("environment-not-chosen", format!("the environment of the keyring `{name}` is in doubt"))
            .at(self.environments(name))
            .found(format!("it has {}; {known}", list(&environments)))
            .help("name the environment with -e or HELM_KEYRING_ENVIRONMENT, or its namespace with --namespace")
    }

    fn environments(&self, keyring: &str) -> crate::report::Place {
        self.document.place_of(&format!("/keyrings/{keyring}/environments"))
    }
}

fn pair<'c>((name, keyring): Named<'c>, environment: &str) -> Option<Pair<'c>> {
    let (environment_name, environment) = keyring.environments.get_key_value(environment)?;
    Some(Pair { name, keyring, environment_name, environment })
}

/// The only environment whose namespace fits, else the only one, unless that one is for another namespace.
fn without_doubt<'c>(keyring: &'c Keyring, namespace: Option<&str>) -> Option<&'c str> {
    let own = |name: &str| keyring.environments.get(name).and_then(|environment| environment.namespace.as_deref());
    let all: Vec<&str> = keyring.environments.keys().map(String::as_str).collect();
    let fitting: Vec<&str> = all.iter().copied().filter(|name| namespace.is_some() && own(name) == namespace).collect();
    match (fitting.as_slice(), all.as_slice()) {
        ([only], _) => Some(only),
        ([], [only]) if namespace.is_none() || own(only).is_none() => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{TWO, config, refused};
    use crate::config::{Config, Overrides};
    use crate::report::Refusal;

    fn chosen(config: &Config, overrides: &Overrides) -> Result<Vec<String>, Refusal> {
        Ok(config.choose(overrides)?.iter().map(|pair| format!("{}/{}", pair.name, pair.environment_name)).collect())
    }

    fn with(environment: Option<&str>, namespace: Option<&str>, keyring: Option<&str>) -> Overrides {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Overrides {
            environment: owned(environment),
            namespace: owned(namespace),
            keyring: owned(keyring),
            ..Overrides::default()
        }
    }

    #[test]
    fn a_named_environment_wins_over_the_namespace() {
        let config = config(TWO);
        let overrides = with(Some("staging"), Some("obs"), Some("lightrun"));
        assert_eq!(chosen(&config, &overrides), Ok(vec!["lightrun/staging".into()]));
    }

    #[test]
    fn the_only_environment_whose_namespace_fits_is_chosen() {
        let config = config(TWO);
        assert_eq!(
            chosen(&config, &with(None, Some("obs"), None)),
            Ok(vec!["devmesh/production".into(), "lightrun/production".into()])
        );
    }

    #[test]
    fn a_keyring_without_the_named_environment_is_left_out() {
        let config = config(TWO);
        assert_eq!(chosen(&config, &with(Some("staging"), None, None)), Ok(vec!["lightrun/staging".into()]));
        assert_eq!(
            refused(chosen(&config, &with(Some("staging"), None, Some("devmesh")))),
            "error[unknown-environment]: the keyring `devmesh` has no environment `staging`\n\
             \x20 --> keyring.yaml:5:5\n\
             \x20  = note: `devmesh` has production\n\
             \x20  = help: name one of these with -e or HELM_KEYRING_ENVIRONMENT\n"
        );
    }

    #[test]
    fn an_environment_that_no_keyring_has() {
        assert_eq!(
            refused(chosen(&config(TWO), &with(Some("prodution"), None, None))),
            "error[unknown-environment]: no keyring has an environment `prodution`\n\
             \x20 --> keyring.yaml:5:5\n\
             \x20 --> keyring.yaml:9:5\n\
             \x20  = note: `devmesh` has production\n\
             \x20  = note: `lightrun` has production and staging\n\
             \x20  = help: did you mean `production`?\n"
        );
    }

    #[test]
    fn several_environments_are_never_guessed() {
        let overrides = with(None, None, None);
        assert_eq!(
            refused(chosen(&config(TWO), &overrides)),
            "error[environment-not-chosen]: the environment of the keyring `lightrun` is in doubt\n\
             \x20 --> keyring.yaml:9:5\n\
             \x20  = note: it has production (namespace obs) and staging (namespace obs-staging); the namespace is not known\n\
             \x20  = help: name the environment with -e or HELM_KEYRING_ENVIRONMENT, or its namespace with --namespace\n"
        );
        let twins = TWO.replace("obs-staging", "obs");
        assert!(refused(chosen(&config(&twins), &with(None, Some("obs"), None))).contains("is in doubt"));
    }

    #[test]
    fn the_only_environment_is_not_taken_for_another_namespace() {
        let overrides = with(None, Some("elsewhere"), Some("devmesh"));
        assert_eq!(
            refused(chosen(&config(TWO), &overrides)),
            "error[environment-not-chosen]: the environment of the keyring `devmesh` is in doubt\n\
             \x20 --> keyring.yaml:5:5\n\
             \x20  = note: it has production (namespace obs); the namespace is `elsewhere`\n\
             \x20  = help: name the environment with -e or HELM_KEYRING_ENVIRONMENT, or its namespace with --namespace\n"
        );
        let nameless = TWO.replace("{namespace: obs}", "{}");
        assert_eq!(chosen(&config(&nameless), &overrides), Ok(vec!["devmesh/production".into()]));
    }

    #[test]
    fn a_keyring_that_is_not_there() {
        assert_eq!(
            refused(chosen(&config(TWO), &with(None, None, Some("ligthrun")))),
            "error[unknown-keyring]: there is no keyring `ligthrun`\n\
             \x20 --> keyring.yaml:2:1\n\
             \x20  = note: the file has devmesh and lightrun\n\
             \x20  = help: did you mean `lightrun`?\n"
        );
    }
}
