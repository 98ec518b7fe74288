//! A folder of a user who keeps keys, and what he types there.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::Cluster;
use crate::common::{Run, folder, json, keyring, object};

/// One application in four environments, each with another source.
pub const CONFIG: &str = "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production:
        namespace: obs
        source: {sealed: {file: keys/production.sealed, masterKeyFile: deploy.key}}
      backup: {source: {dir: {path: backup}}}
      elsewhere: {source: {env: {}}}
      staging: {source: {dir: {path: staging}}}
";
pub const STREAM: &str = include_str!("../../testdata/streams/lightrun-small.yaml");

/// A folder of a user, and what he types there.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub variables: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Self {
        Self::with(CONFIG, &[])
    }

    pub fn with(config: &str, files: &[(&str, &str)]) -> Self {
        // What a user keeps out of git, `check` leaves out.
        let ignored = (".gitignore", "backup/\nstaging/\n*.key\n");
        let folder = folder(&[&[("keyring.yaml", config), ignored], files].concat());
        Self { folder, variables: Vec::new() }
    }

    /// With a sealed file that has one key, locked.
    pub fn sealed() -> Self {
        let home = Self::new();
        home.run("sealed init -e production --deploy-key-file deploy.key --recovery-key-file recovery.key").done();
        home.run("sealed add -e production").done();
        home.run("lock -e production").done();
        home
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn run(&self, command: &str) -> Run {
        self.run_on(command, "")
    }

    pub fn run_on(&self, command: &str, stdin: &str) -> Run {
        let variables: Vec<(&str, &str)> = self.variables.iter().map(|(name, text)| (&**name, &**text)).collect();
        keyring(self.path(), &command.split(' ').collect::<Vec<_>>(), &variables, stdin)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// The keys of production as a render delivers them.
    pub fn delivered(&self) -> Vec<String> {
        let run = self.run_on("render -e production", &STREAM.replace("@KEY@", "made-up-by-the-chart"));
        keys_in(&run.done().stdout)
    }

    pub fn lines(&self) -> usize {
        self.read("keyring.lock").matches("- {").count()
    }
}

pub fn keys_in(stream: &str) -> Vec<String> {
    let data = json(object(stream, "Secret", "lr-backend"))["data"].clone();
    let fields = data.as_object().expect("data").iter().filter(|(field, _)| field.starts_with("encryption-key-"));
    fields.map(|(_, text)| decoded(text.as_str().expect("text"))).collect()
}

fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).expect("base64")).expect("UTF-8")
}

/// A Secret as kubectl prints it.
pub fn secret(keys: &[(&str, &str)]) -> String {
    let data: Vec<String> =
        keys.iter().map(|(field, key)| format!("\"{field}\": \"{}\"", STANDARD.encode(key))).collect();
    format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {{\"name\": \"lr-backend\"}}, \"data\": {{{}}}}}",
        data.join(", ")
    )
}

/// A profile with two fixed fields, one of them with a place for its old key.
pub const PAIR: &str = "\
apiVersion: helm-keyring/v1
kind: Profile
name: store
secrets:
  - fields:
      - name: storage-key
        previous: storage-key-previous
        policy: {bytes: 32}
      - name: cookie-key
        policy: {minCharacters: 32}
";

/// Puts a Secret, `NAMESPACE/NAME`, into a cluster.
pub fn put(cluster: &Cluster, secret: &str, data: &[(&str, &str)]) {
    let (namespace, name) = secret.split_once('/').expect("NAMESPACE/NAME");
    let data: serde_json::Map<String, serde_json::Value> =
        data.iter().map(|(field, key)| ((*field).to_owned(), STANDARD.encode(key).into())).collect();
    cluster.put(serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace}, "data": data
    }));
}
