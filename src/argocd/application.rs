//! What Argo CD's plugin server says of the Application, in variables of the environment.
//!
//! Names that a user of Argo CD may choose all have a prefix of their own (`ARGOCD_ENV_`, `PARAM_`), so these cannot be
//! forged through an Application.

use std::collections::BTreeMap;

use crate::report::{Finding, Refusal};

/// The JSON list of what the Application sets.
pub const PARAMETERS: &str = "ARGOCD_APP_PARAMETERS";

const NAME: &str = "ARGOCD_APP_NAME";
const NAMESPACE: &str = "ARGOCD_APP_NAMESPACE";
const PROJECT: &str = "ARGOCD_APP_PROJECT_NAME";
const KUBE_VERSION: &str = "KUBE_VERSION";
const KUBE_API_VERSIONS: &str = "KUBE_API_VERSIONS";

/// What may be put into parameters: the same names as in Argo CD's own Helm support.
const SUBSTITUTED: [&str; 9] = [
    NAME,
    NAMESPACE,
    PROJECT,
    "ARGOCD_APP_REVISION",
    "ARGOCD_APP_REVISION_SHORT",
    "ARGOCD_APP_REVISION_SHORT_8",
    "ARGOCD_APP_SOURCE_REPO_URL",
    "ARGOCD_APP_SOURCE_PATH",
    "ARGOCD_APP_SOURCE_TARGET_REVISION",
];

/// The Application that is rendered.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its project; empty before Argo CD 3.0, which did not say it.
    pub project: String,
    /// The namespace of its destination.
    pub namespace: String,
    /// The version of the destination's cluster; empty for the source hydrator, whose output goes into git.
    pub kube_version: String,
    /// What the destination's cluster knows: groups, versions and kinds.
    pub api_versions: Vec<String>,
    /// What may be put into parameters.
    pub variables: BTreeMap<String, String>,
    name: String,
}

impl Application {
    /// Reads the variables; `get` looks one up.
    ///
    /// # Errors
    /// It was not started by Argo CD.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        let text = |name: &str| get(name).unwrap_or_default();
        let name = text(NAME);
        if name.is_empty() {
            return Err(Finding::usage(
                "not-argocd",
                format!("{NAME} is not set: this is for Argo CD's plugin server"),
            )
            .help("outside of Argo CD: `helm template … | helm-keyring render`")
            .into());
        }
        Ok(Self {
            name,
            project: text(PROJECT),
            namespace: text(NAMESPACE),
            kube_version: text(KUBE_VERSION),
            api_versions: text(KUBE_API_VERSIONS).split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect(),
            variables: SUBSTITUTED.into_iter().filter_map(|name| Some((name.to_owned(), get(name)?))).collect(),
        })
    }

    /// The release's name where nothing else is said: the Application's own, without the namespace that Argo CD puts
    /// before it where Applications lie in several (`NAMESPACE_NAME`).
    pub fn release(&self) -> &str {
        match self.name.split_once('_') {
            Some((_, name)) if !name.is_empty() => name,
            _ => &self.name,
        }
    }

    /// Whether the source hydrator asks: what is printed is committed to git. It is told by nothing else than that no
    /// cluster's version is known (Argo CD 3.0 and later).
    pub fn is_hydrated(&self) -> bool {
        self.kube_version.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, kube_version: &str) -> Application {
        let get = |variable: &str| match variable {
            NAME => Some(name.to_owned()),
            KUBE_VERSION => Some(kube_version.to_owned()),
            KUBE_API_VERSIONS => Some("v1,apps/v1,apps/v1/Deployment".to_owned()),
            _ => None,
        };
        Application::read(&get).unwrap()
    }

    #[test]
    fn the_namespace_before_the_name_is_no_part_of_the_release() {
        assert_eq!(read("obs", "1.31").release(), "obs");
        assert_eq!(read("team-a_obs", "1.31").release(), "obs");
        assert_eq!(read("team-a_obs_x", "1.31").release(), "obs_x");
        assert_eq!(read("team-a_", "1.31").release(), "team-a_");
    }

    #[test]
    fn without_a_version_it_is_the_hydrator() {
        assert!(read("obs", "").is_hydrated());
        assert!(!read("obs", "1.31.2").is_hydrated());
        assert_eq!(read("obs", "").api_versions, ["v1", "apps/v1", "apps/v1/Deployment"]);
        assert_eq!(Application::read(&|_| None).unwrap_err().0[0].id, "not-argocd");
    }
}
