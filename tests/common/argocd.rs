//! A sidecar of Argo CD that runs a plugin, and the repo-server that asks it: the real ones, or an imitation of them.
//!
//! The imitation runs wherever the tests run. The real one is built by `tools/argocd_server.py`, where there is a Go;
//! `tests/argocd_driver.rs` shows that both do the same.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::root;

#[path = "argocd_imitated.rs"]
mod imitated;
use imitated::Plugin;

/// Argo CD's own limit for a request, if nobody has set another one.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Who runs the plugin.
#[derive(Debug, Clone)]
pub enum Server {
    Imitated,
    /// Argo CD's own code, in this binary.
    Real(PathBuf),
}

impl Server {
    /// All that are there: the imitation, and the real one where `make test` could build it.
    pub fn all() -> Vec<Self> {
        static REAL: OnceLock<Option<PathBuf>> = OnceLock::new();
        let find = || {
            let tool = root().join("tools/argocd_server.py");
            let found = Command::new("python3").arg("-B").arg(tool).arg("--find").output().expect("python3 starts");
            assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
            let path = String::from_utf8(found.stdout).expect("UTF-8");
            (!path.is_empty()).then(|| PathBuf::from(path.trim_end()))
        };
        std::iter::once(Self::Imitated).chain(REAL.get_or_init(find).clone().map(Self::Real)).collect()
    }
}

impl Server {
    /// The variables that the repo-server's own code makes of parameters. The imitation has none of it.
    pub fn variables(&self, parameters: &Value) -> Option<Vec<(String, String)>> {
        let Self::Real(binary) = self else { return None };
        let mut command = Command::new(binary);
        command.arg("variables").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let text = parameters.to_string();
        process.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads all");
        let output = process.wait_with_output().expect("it ends");
        let variables: Vec<String> = serde_json::from_slice(&output.stdout).expect("JSON");
        let pair = |variable: &String| variable.split_once('=').map(|(name, text)| (name.to_owned(), text.to_owned()));
        Some(variables.iter().map(|variable| pair(variable).expect("a variable")).collect())
    }
}

/// What the repo-server sends: a checked out repository, the Application's folder in it, and the variables that the
/// plugin gets beside the sidecar's own ([`app_env`]).
pub struct Application {
    pub repo: PathBuf,
    /// Relative to `repo`.
    pub path: String,
    pub env: Vec<(String, String)>,
}

/// A sidecar with one plugin. It takes any number of requests, also at once, and ends with the value.
pub struct Sidecar {
    folder: TempDir,
    engine: Engine,
}

enum Engine {
    Imitated(Arc<Plugin>),
    Real { binary: PathBuf, socket: PathBuf, process: Child },
}

impl Sidecar {
    /// Starts one with the `plugin.yaml` of a folder; it sees these variables, and nothing else of the test's.
    pub fn start(server: &Server, plugin: &Path, variables: &[(&str, &str)]) -> Self {
        // Not the test's own folder for such things: the path of a socket must stay below 108 bytes.
        let folder = tempfile::Builder::new().prefix("cmp").tempdir_in("/tmp").expect("a folder");
        let within = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a folder");
            path
        };
        let (sockets, work) = (within("sockets"), within("work"));
        within("repo-server");
        let mut env: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        env.insert("ARGOCD_PLUGINSOCKFILEPATH".to_owned(), sockets.display().to_string());
        env.insert("ARGOCD_CMP_WORKDIR".to_owned(), work.display().to_string());

        let manifest = imitated::manifest(plugin);
        let engine = match server {
            Server::Imitated => Engine::Imitated(Arc::new(Plugin::new(&manifest, &work, env))),
            Server::Real(binary) => {
                let log = std::fs::File::create(folder.path().join("log")).expect("a log");
                // With the mask of a container, whatever the developer's own is.
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "umask 022; exec \"$0\" \"$@\""]).arg(binary);
                command.arg("serve").arg(plugin).env_clear().envs(env).stdin(Stdio::null());
                command.stdout(Stdio::null()).stderr(log);
                let process = command.spawn().expect("the plugin server starts");
                let name = manifest["metadata"]["name"].as_str().expect("a name");
                let socket = match manifest["spec"]["version"].as_str() {
                    Some(version) => sockets.join(format!("{name}-{version}.sock")),
                    None => sockets.join(format!("{name}.sock")),
                };
                Engine::Real { binary: binary.clone(), socket, process }
            }
        };
        let mut sidecar = Self { folder, engine };
        sidecar.await_socket();
        sidecar
    }

    fn await_socket(&mut self) {
        let begun = Instant::now();
        while let Engine::Real { socket, process, .. } = &mut self.engine {
            if UnixStream::connect(socket).is_ok() {
                return;
            }
            let ended = process.try_wait().expect("its state");
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "the plugin server ended:\n{log}");
            assert!(begun.elapsed() < Duration::from_secs(30), "the plugin server does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The manifests of an Application, as the repo-server hands them on, or the error as it says it.
    ///
    /// This is what the Application's status shows behind `Failed to load target state: failed to generate manifest for
    /// source 1 of 1: rpc error: code = Unknown desc = `.
    pub fn generate(&self, application: &Application, deadline: Duration) -> Result<Vec<Value>, String> {
        match &self.engine {
            Engine::Imitated(plugin) => plugin.generate(application, deadline),
            Engine::Real { binary, socket, .. } => {
                let mut answer = self.ask(binary, "generate", socket, application, deadline)?;
                Ok(answer["manifests"].as_array_mut().map(std::mem::take).expect("manifests"))
            }
        }
    }

    /// The parameters that the plugin announces for an Application, a list, or the error as the repo-server says it.
    pub fn parameters(&self, application: &Application) -> Result<Value, String> {
        match &self.engine {
            Engine::Imitated(plugin) => plugin.parameters(application, DEADLINE),
            Engine::Real { binary, socket, .. } => {
                let mut answer = self.ask(binary, "parameters", socket, application, DEADLINE)?;
                // No parameter at all is no list there.
                Ok(if answer["parameters"].is_null() { Value::Array(vec![]) } else { answer["parameters"].take() })
            }
        }
    }

    fn ask(
        &self,
        binary: &Path,
        what: &str,
        socket: &Path,
        application: &Application,
        deadline: Duration,
    ) -> Result<Value, String> {
        let mut command = Command::new(binary);
        command.args(["ask", "-timeout", &format!("{}ms", deadline.as_millis()), what]);
        command.arg(socket).arg(&application.repo).arg(&application.path);
        command.env_clear().env("TMPDIR", self.folder.path().join("repo-server"));
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let env = serde_json::to_vec(&application.env).expect("JSON");
        process.stdin.take().expect("a pipe").write_all(&env).expect("it reads all");
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        match answer["error"].take() {
            Value::String(error) => Err(error),
            _ => Ok(answer),
        }
    }

    /// What the sidecar has logged until now at its default level: commands, folders, what they wrote to stderr.
    pub fn log(&self) -> String {
        match &self.engine {
            Engine::Imitated(plugin) => plugin.log(),
            Engine::Real { .. } => std::fs::read_to_string(self.folder.path().join("log")).expect("a log"),
        }
    }

    /// The folder that has one folder for each request, as long as it lasts.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work/_cmp_server")
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if let Engine::Real { process, .. } = &mut self.engine {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What `generate` gets from the repo-server for an Application. `namespace` is that of its destination, `parameters`
/// is `spec.source.plugin.parameters` (null where it has none); `kube_version` is empty in a Source Hydrator's run.
pub fn app_env(
    name: &str,
    namespace: &str,
    project: &str,
    path: &str,
    parameters: &Value,
    kube_version: &str,
) -> Vec<(String, String)> {
    const REVISION: &str = "8f1d2c3b4a5968778695a4b3c2d1e0f123456789";
    const API_VERSIONS: &str = "apps/v1,apps/v1/Deployment,apps/v1/StatefulSet,v1,v1/ConfigMap,v1/Secret,v1/Service";
    let mut env = strings(&[
        ("ARGOCD_APP_NAME", name),
        ("ARGOCD_APP_NAMESPACE", namespace),
        ("ARGOCD_APP_PROJECT_NAME", project),
        ("ARGOCD_APP_REVISION", REVISION),
        ("ARGOCD_APP_REVISION_SHORT", &REVISION[..7]),
        ("ARGOCD_APP_REVISION_SHORT_8", &REVISION[..8]),
        ("ARGOCD_APP_SOURCE_REPO_URL", REPOSITORY),
        ("ARGOCD_APP_SOURCE_PATH", path),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
        ("KUBE_VERSION", kube_version),
        ("KUBE_API_VERSIONS", if kube_version.is_empty() { "" } else { API_VERSIONS }),
    ]);
    env.extend(parameter_env(parameters));
    env
}

/// What `parameters.dynamic` gets: less.
pub fn parameters_env(name: &str, path: &str, parameters: &Value) -> Vec<(String, String)> {
    let mut env = strings(&[
        ("ARGOCD_APP_NAME", name),
        ("ARGOCD_APP_SOURCE_REPO_URL", REPOSITORY),
        ("ARGOCD_APP_SOURCE_PATH", path),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
    ]);
    env.extend(parameter_env(parameters));
    env
}

const REPOSITORY: &str = "https://git.example/obs/deploy.git";

fn strings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The parameters as JSON, and each as variables of its own.
pub fn parameter_env(parameters: &Value) -> Vec<(String, String)> {
    let mut env = vec![("ARGOCD_APP_PARAMETERS".to_owned(), parameters.to_string())];
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = format!("PARAM_{}", escaped(parameter["name"].as_str().expect("a name")));
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        if let Some(value) = parameter["string"].as_str() {
            env.push((name.clone(), value.to_owned()));
        }
        for (key, value) in parameter["map"].as_object().into_iter().flatten() {
            env.push((format!("{name}_{}", escaped(key)), text(value)));
        }
        for (i, value) in parameter["array"].as_array().into_iter().flatten().enumerate() {
            env.push((format!("{name}_{i}"), text(value)));
        }
    }
    env
}

fn escaped(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' { c } else { '_' };
    name.to_uppercase().chars().map(keep).collect()
}
