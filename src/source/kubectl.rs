//! The user's own `kubectl`: his context, his rights.

use std::ffi::OsString;
use std::fmt;

use zeroize::Zeroizing;

use super::program::Program;
use super::{Error, Run};

/// What kubectl and the plugins behind its contexts log in with.
const VARIABLES: [&str; 2] = ["KUBECONFIG", "DIGITALOCEAN_ACCESS_TOKEN"];
const PREFIXES: [&str; 10] =
    ["AAD_", "AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "IBMCLOUD_", "KUBERNETES_", "OCI_", "TSH_", "XDG_"];

/// Which cluster and namespace.
#[derive(Debug, Clone, Default)]
pub struct Kubectl {
    /// kubectl's `--context`; its own current one otherwise.
    pub context: Option<String>,
    /// kubectl's `--namespace`; its context's own otherwise.
    pub namespace: Option<String>,
}

/// ` in namespace obs, context prod`
impl fmt::Display for Kubectl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}")?,
            None => write!(f, " in the current namespace")?,
        }
        self.context.iter().try_for_each(|context| write!(f, ", context {context}"))
    }
}

impl Kubectl {
    /// Secrets as JSON: one as it is, several as a list.
    ///
    /// # Errors
    /// kubectl is not there, fails, prints too much or does not end in time.
    pub fn secrets(&self, run: &Run, names: &[String]) -> Result<Zeroizing<String>, Error> {
        let seconds = run.deadline().left().unwrap_or_default().as_secs().max(1);
        let mut command: Vec<OsString> = ["kubectl", "get", "secret", "--output=json"].map(OsString::from).to_vec();
        command.push(format!("--request-timeout={seconds}s").into());
        command.extend(self.namespace.iter().map(|namespace| format!("--namespace={namespace}").into()));
        command.extend(self.context.iter().map(|context| format!("--context={context}").into()));
        command.push("--".into());
        command.extend(names.iter().map(OsString::from));
        run.count("kubectl get");
        let program = Program {
            name: "kubectl".to_owned(),
            command,
            variables: &VARIABLES,
            prefixes: &PREFIXES,
            set: Vec::new(),
            folder: None,
            stdin: None,
        };
        let out = program.run(run, "try the same `kubectl get secret` yourself")?;
        let text = std::str::from_utf8(&out).map(|text| Zeroizing::new(text.to_owned()));
        text.map_err(|_| Error::new("kubectl printed something else than JSON", "check which kubectl is on the PATH"))
    }
}
