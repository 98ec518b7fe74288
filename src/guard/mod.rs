//! A guard in the cluster: a `ValidatingAdmissionPolicy` that keeps the keys of a Secret, whoever writes to it.
//!
//! `helm rollback`, `--atomic` and an upgrade without the renderer write to the cluster behind the back of every
//! other check. The API server itself then refuses what would change or remove a key. Printed from the profile's
//! names alone; no key is read. What it stops and what it cannot stop: `docs/guard.md`.
//!
//! | file | question |
//! |---|---|
//! | `cel` | how is a name or a number pattern written in CEL? |
//! | `policy` | what do the objects look like, and which expressions stand in them? |

mod cel;
mod policy;

use std::collections::BTreeSet;
use std::fmt::Write as _;

pub use cel::literal;

use crate::profile::SecretSpec;

/// On a Secret: the field (one) that the next update may change or remove.
pub const RELEASE: &str = "helm-keyring/release";
/// On a Secret or a namespace, with its own name as the value: the next request may delete it.
pub const DELETE: &str = "helm-keyring/delete";

/// A Secret to guard.
#[derive(Debug, Clone)]
pub struct Guarded<'p> {
    /// The keyring's name.
    pub keyring: &'p str,
    /// The environment's name, if there is one.
    pub environment: Option<&'p str>,
    /// The namespace; `None`: all of them.
    pub namespace: Option<&'p str>,
    /// The Secret's name, with at most one `*`; `None`: any that holds such fields.
    pub secret: Option<String>,
    /// Its fields.
    pub spec: &'p SecretSpec,
}

/// Why there is no guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two policies would have one name.
    #[error("two guards would be called `{0}`")]
    SameName(String),
    /// Who may delete which namespace cannot be said.
    #[error("which namespace may not be deleted is not known for the keyring `{0}`")]
    NoNamespace(String),
    /// What should be printed cannot be written.
    #[error("the guard cannot be written: {0}")]
    Write(String),
}

/// The manifests that guard these Secrets: for each a policy and its binding, and with `deny_delete` the same for
/// each namespace. The same bytes every time.
///
/// # Errors
/// [`Error::SameName`]; with `deny_delete` also [`Error::NoNamespace`].
pub fn manifests(guarded: &[Guarded<'_>], deny_delete: bool) -> Result<String, Error> {
    let mut text = String::new();
    let mut names = BTreeSet::new();
    for one in guarded {
        let name = policy_name("helm-keyring", one, one.spec.id.as_deref());
        print(&mut text, &secret_comment(one), &policy::secret(&name, one, deny_delete))?;
        print(&mut text, "", &policy::binding(&name, one.namespace))?;
        if !names.insert(name.clone()) {
            return Err(Error::SameName(name));
        }
    }
    if deny_delete {
        for one in guarded {
            let Some(namespace) = one.namespace else { return Err(Error::NoNamespace(one.keyring.to_owned())) };
            let name = policy_name("helm-keyring-namespace", one, None);
            // One is enough for all Secrets of a keyring.
            if names.insert(name.clone()) {
                let comment = format!("# Keeps the namespace {namespace}, and with it the keys of {}.\n", whose(one));
                print(&mut text, &comment, &policy::namespace(&name, namespace))?;
                print(&mut text, "", &policy::binding(&name, None))?;
            }
        }
    }
    Ok(text)
}

/// `helm-keyring.<keyring>.<environment>.<id>`, in the letters of a Kubernetes name.
fn policy_name(start: &str, guarded: &Guarded<'_>, id: Option<&str>) -> String {
    let plain = |part: &str| -> String {
        part.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
    };
    let parts = [Some(guarded.keyring), guarded.environment, id].into_iter().flatten();
    std::iter::once(start.to_owned()).chain(parts.map(plain)).collect::<Vec<_>>().join(".")
}

fn secret_comment(guarded: &Guarded<'_>) -> String {
    format!("# Keeps the keys of {}, whoever writes to the Secret. Printed by helm-keyring guard.\n", whose(guarded))
}

fn whose(guarded: &Guarded<'_>) -> String {
    match guarded.environment {
        Some(environment) => format!("{} in {environment}", guarded.keyring),
        None => guarded.keyring.to_owned(),
    }
}

fn print(text: &mut String, comment: &str, manifest: &impl serde::Serialize) -> Result<(), Error> {
    let yaml = serde_yaml::to_string(manifest).map_err(|error| Error::Write(error.to_string()))?;
    let separator = if text.is_empty() { "" } else { "---\n" };
    let _ = write!(text, "{separator}{comment}{yaml}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Profile, shipped};

    fn lightrun() -> Profile {
        shipped("lightrun").unwrap().unwrap()
    }

    fn guarded<'p>(keyring: &'p str, environment: Option<&'p str>, profile: &'p Profile) -> Guarded<'p> {
        Guarded { keyring, environment, namespace: Some("obs"), secret: None, spec: &profile.secrets[0] }
    }

    #[test]
    fn names_are_kubernetes_names() {
        let profile = lightrun();
        let odd = guarded("Light_Run.eu", Some("Prod"), &profile);
        assert_eq!(policy_name("helm-keyring", &odd, Some("db")), "helm-keyring.light-run-eu.prod.db");
    }

    #[test]
    fn two_guards_of_one_name_are_refused() {
        let profile = lightrun();
        let twins = [guarded("light-run", None, &profile), guarded("Light_run", None, &profile)];
        assert_eq!(manifests(&twins, false), Err(Error::SameName("helm-keyring.light-run.backend".into())));
    }

    #[test]
    fn deletion_is_denied_in_a_known_namespace_only() {
        let profile = lightrun();
        let anywhere = Guarded { namespace: None, ..guarded("lightrun", None, &profile) };
        assert_eq!(manifests(std::slice::from_ref(&anywhere), true), Err(Error::NoNamespace("lightrun".into())));
        assert!(manifests(&[anywhere], false).is_ok());
    }
}
