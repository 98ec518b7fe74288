//! Whether keys may be made up: `dev` must not reach production by accident (DESIGN, rule 6).

use crate::report::{Finding, Refusal};

use super::{Mode, Selection};
use crate::lock::Lock;

/// Variables that say that no developer is watching.
const NOT_DEV: [(&str, &str); 2] = [
    ("ARGOCD_APP_NAME", "this runs under Argo CD: ARGOCD_APP_NAME is set"),
    ("CI", "this runs in CI: the variable CI is set"),
];

impl Selection {
    /// Refuses `dev` where a key must come from outside. `env` looks an environment variable up.
    ///
    /// # Errors
    /// `dev` for an environment that has a source or lines in the lock, under Argo CD, or with `CI` set.
    pub fn check_mode(&self, lock: Option<&Lock>, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Refusal> {
        let source = self.source.as_ref().map(|_| match &self.environment {
            Some(environment) => format!("the environment `{environment}` has a source: its keys come from there"),
            None => "a source is given: keys come from there".into(),
        });
        let locked = self.owner().filter(|owner| lock.is_some_and(|lock| lock.lines_of(*owner).next().is_some()));
        let locked = locked.map(|owner| format!("the lock has lines of {owner}: data is encrypted with these keys"));
        let set = NOT_DEV.iter().filter(|(variable, _)| env(variable).is_some_and(|value| !value.is_empty()));
        let reasons: Vec<String> =
            source.into_iter().chain(locked).chain(set.map(|(_, reason)| (*reason).to_owned())).collect();
        if self.mode != Mode::Dev || reasons.is_empty() {
            return Ok(());
        }
        let finding = Finding::usage("dev-refused", "`dev` makes keys up, and here it must not").at(self.place.clone());
        let finding = reasons.into_iter().fold(finding, Finding::found);
        Err(finding
            .help("take `--mode dev` or `mode: dev` away; `dev` is for a developer's own environment, without a source")
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::config::testing::config;

    fn selection(environment: &str, mode: Option<Mode>) -> Selection {
        let file = config(&format!(
            "apiVersion: helm-keyring/v1\nkeyrings: {{app: {{profile: devmesh, environments: {{here: {environment}}}}}}}\n"
        ));
        file.select(&Overrides { mode, ..Overrides::default() }).unwrap().remove(0)
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn only(set: &str) -> impl Fn(&str) -> Option<String> {
        move |variable| (variable == set).then(|| "app".to_owned())
    }

    #[test]
    fn gitops_is_fine_everywhere() {
        assert_eq!(selection("{source: {env: {}}}", None).check_mode(None, &only("CI")), Ok(()));
    }

    #[test]
    fn dev_is_fine_for_a_developer() {
        assert_eq!(selection("{mode: dev}", None).check_mode(None, &nothing), Ok(()));
        assert_eq!(selection("{}", Some(Mode::Dev)).check_mode(None, &nothing), Ok(()));
        assert_eq!(selection("{mode: dev}", Some(Mode::Gitops)).check_mode(None, &only("CI")), Ok(()));
    }

    #[test]
    fn dev_is_refused_with_a_source() {
        let refusal = selection("{source: {env: {}}}", Some(Mode::Dev)).check_mode(None, &nothing).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "\
error[dev-refused]: `dev` makes keys up, and here it must not
  --> keyring.yaml:2:51
   = note: the environment `here` has a source: its keys come from there
   = help: take `--mode dev` or `mode: dev` away; `dev` is for a developer's own environment, without a source
"
        );
        assert!(selection("{mode: dev, source: {values: {}}}", None).check_mode(None, &nothing).is_err());
    }

    #[test]
    fn dev_is_refused_where_no_developer_is_watching() {
        for variable in ["ARGOCD_APP_NAME", "CI"] {
            let refusal = selection("{mode: dev}", None).check_mode(None, &only(variable)).unwrap_err();
            assert!(refusal.to_string().contains(variable), "{refusal}");
        }
        let profile = crate::profile::shipped("devmesh").unwrap().unwrap();
        let dev = Overrides { mode: Some(Mode::Dev), ..Overrides::default() };
        assert_eq!(
            Selection::without_config(profile, &dev).unwrap().check_mode(None, &only("CI")).unwrap_err().to_string(),
            "\
error[dev-refused]: `dev` makes keys up, and here it must not
   = note: this runs in CI: the variable CI is set
   = help: take `--mode dev` or `mode: dev` away; `dev` is for a developer's own environment, without a source
"
        );
    }
}
