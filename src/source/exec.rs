//! The source `exec`: a command that prints keys as JSON, for every store that has a command line.
//!
//! The contract is in `docs/sources.md`. It is asked with what `HELM_KEYRING_EXEC_INFO` holds.

use std::ffi::OsString;

use super::json::Object;
use super::place::{Content, Place};
use super::program::Program;
use super::{Error, Run};
use crate::config::{self, Selection};
use crate::report::list;

/// What answers and questions are called.
const API_VERSION: &str = "helm-keyring/v1";
const ANSWER: &str = "Keys";

/// A command.
pub struct Command {
    config: config::Exec,
    /// What it is asked, as JSON.
    info: String,
}

impl Command {
    /// A command for the keys of a selection.
    pub fn new(config: &config::Exec, selection: &Selection) -> Self {
        let fields: Vec<String> = selection.profile.rings().map(|(_, spec)| spec.name.to_string()).collect();
        let info = serde_json::json!({
            "apiVersion": API_VERSION,
            "kind": "KeysRequest",
            "keyring": selection.keyring,
            "environment": selection.environment,
            "fields": fields,
        });
        Self { config: config.clone(), info: info.to_string() }
    }

    /// The program alone: an argument may be anything.
    fn name(&self) -> &str {
        self.config.command.first().map_or("", String::as_str)
    }
}

impl Place for Command {
    fn describe(&self) -> String {
        format!("command {}", self.name())
    }

    fn identity(&self) -> String {
        format!("{:?} {}", self.config, self.info)
    }

    fn read(&self, run: &Run) -> Result<Content, Error> {
        let mut command: Vec<OsString> = self.config.command.iter().map(OsString::from).collect();
        if let Some(program) = command.first_mut().filter(|_| self.name().contains('/')) {
            let path = self.config.folder.join(&*program);
            *program = path.canonicalize().unwrap_or(path).into();
        }
        let folder = Some(self.config.folder.as_path()).filter(|folder| !folder.as_os_str().is_empty());
        let variables: Vec<&str> = self.config.variables.iter().map(String::as_str).collect();
        for secret in variables.iter().filter_map(|name| std::env::var(name).ok()) {
            run.learn(secret.as_bytes());
        }
        let program = Program {
            name: self.name().to_owned(),
            command,
            variables: &variables,
            prefixes: &["XDG_"],
            set: vec![("HELM_KEYRING_EXEC_INFO", self.info.clone())],
            folder,
            stdin: None,
        };
        run.count("exec");
        let help = "run it by hand, with `HELM_KEYRING_EXEC_INFO` set; what it needs of the environment is named under `variables`";
        let out = program.run(run, help)?;
        let odd = |why: String| {
            let contract =
                format!("it must print {{\"apiVersion\": \"{API_VERSION}\", \"kind\": \"{ANSWER}\", \"keys\": {{…}}}}");
            Error::new(format!("what it printed {why}"), contract)
        };
        let answer = Object::parse(&out).map_err(|error| odd(error.to_string()))?;
        for (name, expected) in [("apiVersion", API_VERSION), ("kind", ANSWER)] {
            if answer.word(name).as_deref() != Some(expected) {
                return Err(odd(format!("has no `{name}: {expected}`")));
            }
        }
        let known = ["apiVersion", "kind", "keys", "version"];
        if answer.names().any(|name| !known.contains(&name)) {
            return Err(odd(format!("has other members than {}", list(&known))));
        }
        let keys = answer.object("keys").map_err(|error| odd(format!("has `keys` which {error}")))?;
        let keys = keys.ok_or_else(|| odd("has no `keys`".to_owned()))?;
        let version = answer.word("version").map(|version| run.scrubbed(&version));
        Ok(Content::of(keys, version))
    }
}
