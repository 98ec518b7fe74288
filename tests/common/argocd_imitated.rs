//! Argo CD's plugin server and the repo-server before it, without a socket between them.
//!
//! It follows `cmpserver/plugin/plugin.go` of Argo CD 3.2 and what that calls, function by function, and the part of
//! `reposerver/repository/repository.go` that asks. Not imitated, because nothing here asks for it: `discover`,
//! `preserveFileMode`, `provideGitCreds`, the size limits, and labels put on manifests afterwards. Texts of the parsers
//! of YAML and JSON are not theirs.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use helm_keyring::yaml;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Application;

/// The server ends commands so long before the repo-server gives up, to have time to say so.
const BUFFER: Duration = Duration::from_millis(100);
/// How long what has got a TERM may go on.
const GRACE: Duration = Duration::from_secs(5);

/// A plugin manifest, as JSON.
pub fn manifest(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("plugin.yaml")).expect("plugin.yaml");
    let manifest = yaml::Value::parse(&text, 0).expect("YAML").to_json();
    assert_eq!(manifest["kind"], "ConfigManagementPlugin");
    for unknown in ["discover", "preserveFileMode", "provideGitCreds"] {
        assert!(manifest["spec"][unknown].is_null(), "{unknown} is not imitated");
    }
    manifest
}

/// A running plugin server.
pub struct Plugin {
    init: Option<Vec<String>>,
    generate: Vec<String>,
    dynamic: Option<Vec<String>>,
    announced: Vec<Parameter>,
    work: PathBuf,
    env: BTreeMap<String, String>,
    log: Mutex<String>,
}

impl Plugin {
    pub fn new(manifest: &Value, work: &Path, env: BTreeMap<String, String>) -> Self {
        let spec = &manifest["spec"];
        let work = work.join("_cmp_server");
        fs::DirBuilder::new().mode(0o700).create(&work).expect("a folder");
        let announced = &spec["parameters"]["static"];
        Self {
            init: command(&spec["init"]),
            generate: command(&spec["generate"]).expect("spec.generate.command"),
            dynamic: command(&spec["parameters"]["dynamic"]),
            announced: Option::deserialize(announced).expect("parameters").unwrap_or_default(),
            work,
            env,
            log: Mutex::default(),
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    /// The repo-server's side: asks, and makes objects of what comes back.
    pub fn generate(self: &Arc<Self>, application: &Application, deadline: Duration) -> Result<Vec<Value>, String> {
        let name = application.env.iter().rfind(|(name, _)| name == "ARGOCD_APP_NAME").map_or("", |(_, name)| name);
        let texts = self.ask("generate manifest", application, deadline, Self::generate_manifest);
        let objects = texts.map_err(|error| format!("error generating manifests in cmp: {error}")).and_then(objects);
        objects.map_err(|error| format!("CMP processing failed for application {name:?}: {error}"))
    }

    pub fn parameters(self: &Arc<Self>, application: &Application, deadline: Duration) -> Result<Value, String> {
        let announced = self.ask("parameters announcement", application, deadline, Self::get_parameters_announcement);
        let announced = announced.map_err(|error| {
            let unsent = error.starts_with("error sending file");
            if unsent { error } else { format!("failed to get parameter announcement: {error}") }
        })?;
        Ok(serde_json::to_value(announced).expect("JSON"))
    }

    /// Lets a thread do the server's work, and goes away at the deadline, as a client of gRPC does.
    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        application: &Application,
        deadline: Duration,
        serve: impl FnOnce(&Self, &mut Request) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let begun = Instant::now();
        let files = Files::read(&application.repo);
        if !files.0.iter().any(|(_, entry)| matches!(entry, Entry::File(_))) {
            return Err(format!("error sending file to cmp-server: no files to send({})", application.repo.display()));
        }
        let mut env = self.env.clone();
        env.extend(application.env.iter().filter(|(name, _)| !name.is_empty()).cloned());
        let (path, plugin) = (application.path.clone(), Arc::clone(self));
        let (answer, answered) = mpsc::channel();
        thread::spawn(move || {
            let folder = plugin.work.join(uuid());
            folder_with_usual_mode(&folder);
            let served = match files.write(&folder) {
                Ok(()) => {
                    let until = begun + deadline.saturating_sub(BUFFER);
                    serve(&plugin, &mut Request { folder: clean(&folder.join(path)), env, until, groups: vec![] })
                }
                Err(error) => Err(format!("{what} error receiving stream: error decompressing tgz file: {error}")),
            };
            // Gone before the answer is sent, as far as a client can see.
            let _ = fs::remove_dir_all(&folder);
            let _ = answer.send(served);
        });
        match answered.recv_timeout(deadline.saturating_sub(begun.elapsed())) {
            Ok(served) => served.map_err(|error| format!("rpc error: code = Unknown desc = {error}")),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err("rpc error: code = DeadlineExceeded desc = context deadline exceeded".to_owned())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the imitated server panicked"),
        }
    }

    fn generate_manifest(&self, request: &mut Request) -> Result<Vec<Value>, String> {
        let generate = |request: &mut Request| {
            if let Some(init) = &self.init {
                self.run_command(init, request)?;
            }
            split(&self.run_command(&self.generate, request)?)
        };
        generate(request).map_err(|error| format!("error generating manifests: {error}"))
    }

    fn get_parameters_announcement(&self, request: &mut Request) -> Result<Vec<Parameter>, String> {
        let prefix = |error| format!("get parameters announcement error: {error}");
        let Some(command) = &self.dynamic else { return Ok(self.announced.clone()) };
        let stdout = self
            .run_command(command, request)
            .map_err(|error| prefix(format!("error executing dynamic parameter output command: {error}")))?;
        let mut announced: Vec<Parameter> = serde_json::from_slice(&stdout).map_err(|error| {
            let what = "error unmarshaling dynamic parameter output into ParametersAnnouncementResponse";
            prefix(format!("{what}: {error}"))
        })?;
        // Static ones take precedence by being later.
        announced.extend(self.announced.iter().cloned());
        Ok(announced)
    }

    /// What a command writes to stdout.
    fn run_command(&self, command: &[String], request: &mut Request) -> Result<Vec<u8>, String> {
        let program = self.look_path(&command[0])?;
        if Instant::now() >= request.until {
            return Err("context deadline exceeded".to_owned());
        }
        let logged = for_the_log(command);
        self.note(&format!("{logged} dir={}", request.folder.display()));
        // A relative path holds in the new folder, not in this process's.
        let mut process = Command::new(request.folder.join(&program));
        process.arg0(&command[0]).args(&command[1..]).env_clear().envs(&request.env).current_dir(&request.folder);
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child =
            process.spawn().map_err(|error| format!("fork/exec {}: {}", program.display(), in_words_of_go(&error)))?;
        let pid = Pid::from_child(&child);
        request.groups.push(pid);

        let (end, ended) = mpsc::channel();
        thread::spawn(move || end.send(child.wait_with_output()));
        let output = ended.recv_timeout(request.until.saturating_duration_since(Instant::now())).or_else(|_| {
            let _ = kill_process(pid, Signal::KILL);
            request.end_groups();
            // Whoever still holds its stdout is waited for.
            ended.recv()
        });
        let Output { status, stdout, stderr } = output.expect("a result").expect("it was waited for");

        let stderr = String::from_utf8_lossy(&stderr);
        if let Some(failed) = failure(status) {
            let stderr = stderr.trim();
            let colon = if stderr.is_empty() { "" } else { ": " };
            let error = format!("`{logged}` failed {failed}{colon}{stderr}");
            self.note(&error);
            return Err(error);
        }
        self.note(&stderr);
        Ok(stdout.strip_suffix(b"\n").unwrap_or(&stdout).to_vec())
    }

    /// The server's own PATH counts, not the one that the request may bring.
    fn look_path(&self, program: &str) -> Result<PathBuf, String> {
        if program.contains('/') {
            return Ok(PathBuf::from(program));
        }
        let path = self.env.get("PATH").map_or("", String::as_str);
        let mut found = path.split(':').map(|folder| Path::new(folder).join(program));
        let is_program = |file: &PathBuf| {
            fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        };
        found.find(is_program).ok_or_else(|| format!("exec: {program:?}: executable file not found in $PATH"))
    }

    fn note(&self, text: &str) {
        let mut log = self.log.lock().expect("a log");
        log.push_str(text);
        log.push('\n');
    }
}

fn command(part: &Value) -> Option<Vec<String>> {
    let texts = |list: &Value| Option::<Vec<String>>::deserialize(list).expect("texts").unwrap_or_default();
    let words = [texts(&part["command"]), texts(&part["args"])].concat();
    (!texts(&part["command"]).is_empty()).then_some(words)
}

/// As Argo CD quotes a command line that it shows.
fn for_the_log(command: &[String]) -> String {
    let quoted = |word: &String| match word {
        _ if word.is_empty() || word.contains(char::is_whitespace) => format!("{word:?}"),
        _ => word.clone(),
    };
    command.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn failure(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit status {code}")),
        (None, Some(9)) => Some("signal: killed".to_owned()),
        (None, Some(15)) => Some("signal: terminated".to_owned()),
        (None, signal) => Some(format!("signal: {signal:?}")),
    }
}

fn in_words_of_go(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::ArgumentListTooLong => "argument list too long".to_owned(),
        _ => error.to_string(),
    }
}

/// What one request has started. All of it is told to end when the request is answered.
struct Request {
    folder: PathBuf,
    env: BTreeMap<String, String>,
    until: Instant,
    groups: Vec<Pid>,
}

impl Request {
    fn end_groups(&mut self) {
        for group in self.groups.drain(..) {
            if kill_process_group(group, Signal::TERM).is_ok() {
                thread::spawn(move || kill_later(group));
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.end_groups();
    }
}

/// Argo CD only sleeps before it kills. Here the group is watched, so that a later one with its number is left alone.
fn kill_later(group: Pid) {
    let begun = Instant::now();
    while begun.elapsed() < GRACE {
        if test_kill_process_group(group).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = kill_process_group(group, Signal::KILL);
}

fn uuid() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid").expect("Linux").trim_end().to_owned()
}

/// A path without `.` and `..`, whatever lies there.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(cleaned.pop()),
            Component::CurDir => {}
            _ => cleaned.push(part),
        }
    }
    cleaned
}

/// What goes through Argo CD's tar: files, folders and links, in the order of their names, and nothing of their modes.
struct Files(Vec<(PathBuf, Entry)>);

enum Entry {
    File(Vec<u8>),
    Folder,
    Link(PathBuf),
}

impl Files {
    fn read(repo: &Path) -> Self {
        let mut files = Self(vec![]);
        files.walk(repo, Path::new(""));
        files
    }

    fn walk(&mut self, repo: &Path, folder: &Path) {
        let entries = fs::read_dir(repo.join(folder)).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        for name in names {
            let (path, kind) = (folder.join(&name), repo.join(folder).join(&name));
            let kind = fs::symlink_metadata(kind).expect("its kind").file_type();
            if kind.is_symlink() {
                let target = fs::read_link(repo.join(&path)).expect("a link");
                self.0.push((path, Entry::Link(target)));
            } else if kind.is_dir() {
                self.0.push((path.clone(), Entry::Folder));
                self.walk(repo, &path);
            } else if kind.is_file() {
                let bytes = fs::read(repo.join(&path)).expect("a file");
                self.0.push((path, Entry::File(bytes)));
            }
        }
    }

    fn write(self, root: &Path) -> Result<(), String> {
        for (path, entry) in self.0 {
            let target = root.join(&path);
            match entry {
                Entry::Folder => folder_with_usual_mode(&target),
                Entry::Link(link) => write_link(root, &target, &link)?,
                Entry::File(bytes) => {
                    fs::write(&target, bytes).expect("written");
                    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("permissions");
                }
            }
        }
        Ok(())
    }
}

/// As under the mask of a container, whatever the developer's own is.
fn folder_with_usual_mode(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// A link is written relative, and to what it leads to as far as that is there already. An absolute one is taken for
/// one that is relative to its own folder: what looks like a way out leads nowhere.
fn write_link(root: &Path, target: &Path, link: &Path) -> Result<(), String> {
    let folder = target.parent().expect("a folder");
    let linked = clean(&folder.join(link.strip_prefix("/").unwrap_or(link)));
    let real = fs::canonicalize(&linked).unwrap_or_else(|_| linked.clone());
    if real == root || !real.starts_with(root) {
        return Err(format!("illegal filepath in symlink: {}", linked.display()));
    }
    let common = folder.components().zip(real.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(real.components().skip(common)).collect();
    let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { &relative };
    symlink(relative, target).map_err(|error| format!("error creating symlink: {error}"))
}

/// `kube.SplitYAMLToString`: a stream whose first byte is `{` is read as JSON until that fails, then as YAML.
fn split(stdout: &[u8]) -> Result<Vec<Value>, String> {
    let (mut found, mut rest) = (Vec::new(), stdout);
    let mut json_error = None;
    if stdout.iter().take(4096).find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        let mut values = serde_json::Deserializer::from_slice(stdout).into_iter::<Value>();
        loop {
            rest = &stdout[values.byte_offset()..];
            match values.next() {
                Some(Ok(value)) => found.push(value),
                None => break,
                Some(Err(error)) => {
                    let error = format!("failed to unmarshal manifest: json: offset {}: {error}", error.column());
                    // Behind more than one value it is taken for JSON that is broken.
                    if found.len() > 1 {
                        return Err(error);
                    }
                    json_error = Some(error);
                    break;
                }
            }
        }
    }
    found.extend(yaml_documents(rest).map_err(|error| json_error.unwrap_or(error))?);
    found.retain(|value| !value.is_null());
    Ok(found)
}

fn yaml_documents(stdout: &[u8]) -> Result<Vec<Value>, String> {
    let misread = |error: &dyn std::fmt::Display| {
        format!("failed to unmarshal manifest: error converting YAML to JSON: yaml: {error}")
    };
    let text = std::str::from_utf8(stdout).map_err(|error| misread(&error))?;
    let mut documents = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("---").map(str::trim) {
            None => documents.last_mut().expect("one").extend([line, "\n"]),
            Some(rest) if rest.is_empty() || rest.starts_with('#') => documents.push(String::new()),
            Some(rest) => return Err(format!("failed to unmarshal manifest: invalid Yaml document separator: {rest}")),
        }
    }
    let parsed = documents.iter().map(|document| yaml::Value::parse(document, 0).map(|value| value.to_json()));
    parsed.collect::<Result<_, _>>().map_err(|error| misread(&error))
}

/// What the repo-server makes of the documents: objects with a kind, no lists, numbers as Go keeps them.
fn objects(documents: Vec<Value>) -> Result<Vec<Value>, String> {
    let prefix = "failed to convert CMP manifests to unstructured objects: failed to unmarshal manifest";
    let mut objects = Vec::new();
    for mut object in documents {
        numbers_of_go(&mut object);
        if !object.is_object() {
            return Err(format!("{prefix}: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal"));
        }
        if object["kind"].as_str().unwrap_or_default().is_empty() {
            let missing = format!("Object 'Kind' is missing in '{object}'");
            return Err(format!("{prefix}: error unmarshaling JSON: while decoding JSON: {missing}"));
        }
        let field = |name: &str| object.get(name);
        match field("items") {
            Some(Value::Array(items)) => objects.extend(items.iter().cloned()),
            Some(Value::Null) if field("spec").is_none() && field("status").is_none() => {}
            _ => objects.push(object),
        }
    }
    Ok(objects)
}

/// A whole number is an integer, however it was written; what does not fit into 64 bits with a sign is a float.
fn numbers_of_go(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            let float = number.as_f64().expect("a float");
            if float.fract() == 0.0 && float.abs() < i64::MAX as f64 {
                *value = Value::from(float as i64);
            } else {
                *value = Value::from(float);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(numbers_of_go),
        Value::Object(fields) => fields.values_mut().for_each(numbers_of_go),
        _ => {}
    }
}

/// An announcement, with the fields that Argo CD knows; what is not set is not written.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Parameter {
    #[serde(skip_serializing_if = "is_unset")]
    name: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    title: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    tooltip: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    required: Option<bool>,
    #[serde(skip_serializing_if = "is_unset")]
    item_type: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    collection_type: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    string: Option<String>,
    #[serde(skip_serializing_if = "is_unset")]
    array: Option<Vec<String>>,
    #[serde(skip_serializing_if = "is_unset")]
    map: Option<BTreeMap<String, String>>,
}

fn is_unset<T: Default + PartialEq>(value: &Option<T>) -> bool {
    value.as_ref().is_none_or(|value| *value == T::default())
}
