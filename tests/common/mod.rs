//! What every end-to-end test needs: the program, real Helm, a folder with a keyring.yaml.
#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use helm_keyring::key::KeyText;
use helm_keyring::lock::{Lock, Owner};

/// Four keys of 32 bytes in base64, known to every test.
pub const KEYS: [&str; 4] = [
    "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=",
    "Bmc6Ja3a/fiT8h4whYc3a7tRCtQdk2xYsFLVeNZLOGY=",
    "P2wz9XkDAflhXQ+sR1nIZq5jV0c9tHqMzS4y7Yv0EbU=",
    "0eYx8m2vWq7NfTgH3rJkLsZdA5uCiB1oPQhR9yVXtEw=",
];

/// A port of this machine that refuses every connection, as long as this lives: the near end of a connection holds it,
/// so that no server of another test is given it.
pub struct Refusing {
    pub port: u16,
    _held: (TcpListener, TcpStream),
}

impl Refusing {
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        Self { port: near.local_addr().expect("an address").port(), _held: (listener, near) }
    }
}

/// What a run left behind.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The ids of all findings on stderr, in order, for table tests: `error[id]`.
    pub fn ids(&self) -> Vec<String> {
        let heads = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error[") || line.starts_with("warning[") || line.starts_with("note["));
        heads.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())).collect()
    }

    /// Asserts a refusal: this exit code, this finding, nothing on stdout.
    pub fn refused(&self, code: i32, id: &str) -> &Self {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stderr.contains(&format!("error[{id}]")), "no error[{id}] in:\n{}", self.stderr);
        assert_eq!(self.stdout, "", "something was printed");
        self
    }

    /// Weight and place of each finding that stdout reports.
    pub fn ids_of_stdout(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for line in self.stdout.lines() {
            let weight = line.split_once('[').map(|(weight, _)| weight);
            match (
                weight.filter(|w| ["error", "warning", "note"].contains(w)),
                line.strip_prefix("  --> "),
                found.last_mut(),
            ) {
                (Some(weight), ..) => found.push(weight.to_owned()),
                (None, Some(place), Some(last)) => *last += &format!(" {place}"),
                _ => {}
            }
        }
        found
    }

    /// Asserts a report on stdout: this exit code, this finding.
    pub fn reported(&self, code: i32, id: &str) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(self.stdout.contains(&format!("error[{id}]")), "no error[{id}] in:\n{}", self.stdout);
        assert_eq!(self.stderr, "", "something was said beside the report");
        self
    }

    /// Asserts success.
    pub fn done(&self) -> &Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }
}

/// Runs the program in `folder` with these arguments, variables and stdin, and nothing else from the environment.
pub fn keyring(folder: &Path, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Run {
    keyring_bytes(folder, args, variables, stdin.as_bytes())
}

/// As [`keyring`], for streams that are no text.
pub fn keyring_bytes(folder: &Path, args: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_helm-keyring"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = stdin.to_vec();
    // A refusal before stdin is read closes the pipe: that is not this side's failure.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    Run {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A chart of `testdata/charts`.
pub fn chart(name: &str) -> String {
    root().join("testdata/charts").join(name).display().to_string()
}

/// A values file of a chart's `ci` folder.
pub fn ci(chart_name: &str, file: &str) -> String {
    format!("{}/ci/{file}", chart(chart_name))
}

/// Helm 3.19.0 and 4.3.1: the two that every behaviour is shown on.
pub const HELMS: [&str; 2] = ["helm-3.19.0", "helm-4.3.1"];

/// The real Helm binary that `make test` has fetched.
pub fn helm_binary(part: &str) -> PathBuf {
    binary(part, "helm")
}

/// The real kubectl that `make test` has fetched.
pub fn kubectl_binary() -> PathBuf {
    binary("kubectl-1.37.1", "kubectl")
}

/// The real OpenBao that `make test` has fetched.
pub fn openbao_binary() -> PathBuf {
    binary("openbao-2.7.2", "bao")
}

/// The real sops that `make test` has fetched.
pub fn sops_binary() -> PathBuf {
    binary("sops-3.11.0", "sops")
}

fn binary(part: &str, name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let binary = cache.join("helm-keyring/parts").join(part).join(name);
    assert!(binary.exists(), "{} is missing: run `make test`, which fetches it", binary.display());
    binary
}

/// What real Helm renders, as it goes into a pipe.
pub fn helm_template<S: AsRef<OsStr>>(part: &str, args: &[S]) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let mut helm = Command::new(helm_binary(part));
    helm.arg("template").args(args).env_clear().env("HOME", home.path());
    let output = helm.output().expect("helm starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A folder with files in it, gone with the value.
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

/// Writes a script that can be run at once. A child writes it: while this process had it open, one that another test
/// starts would inherit that for a moment, and the system runs no file that somebody may write to.
pub fn program(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
    let mut command = Command::new("sh");
    command.args(["-c", "rm -f \"$1\" && cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(file);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("sh starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "{} cannot be written", file.display());
}

/// Whether a process runs still; one that has ended and waits for its parent to ask does not.
pub fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !pid.trim().is_empty() && !stat.is_empty() && !stat.contains(") Z ")
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_symlink() {
            let leads = std::fs::read_link(entry.path()).expect("a link");
            std::os::unix::fs::symlink(leads, to).expect("a link");
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Writes a `keyring.lock` that locks these keys, exactly as they are: `(KEYRING/ENVIRONMENT, field, number, key)`.
pub fn lock_all(folder: &Path, profile: &str, lines: &[(&str, &str, u32, &str)]) {
    let profile = helm_keyring::profile::load(profile, folder).expect("a profile");
    let mut lock = Lock::new("keyring.lock", *b"a salt for tests");
    for (owner, field, number, key) in lines {
        let (keyring, environment) = owner.split_once('/').expect("KEYRING/ENVIRONMENT");
        let ring = profile.rings().map(|(_, spec)| spec).find(|spec| spec.slot(field).is_some()).expect("a ring");
        let key = KeyText::from((*key).to_owned());
        lock.add(Owner { keyring, environment }, ring, *number, &key).expect("locked");
    }
    std::fs::write(folder.join("keyring.lock"), lock.to_text()).expect("a lock");
}

/// As [`lock_all`], for one environment.
pub fn lock(folder: &Path, owner: &str, profile: &str, keys: &[(&str, u32, &str)]) {
    let lines: Vec<_> = keys.iter().map(|(field, number, key)| (owner, *field, *number, *key)).collect();
    lock_all(folder, profile, &lines);
}

/// As [`lock`], for the numbered keys of the profile `lightrun`, from 0 upward.
pub fn lock_numbered(folder: &Path, owner: &str, keys: &[&str]) {
    let keys: Vec<(&str, u32, &str)> =
        (0..).zip(keys).map(|(number, key)| ("encryption-key-0", number, *key)).collect();
    lock(folder, owner, "lightrun", &keys);
}

/// The pieces of a stream between `---` lines.
pub fn documents(stream: &str) -> Vec<&str> {
    helm_keyring::manifest::split(stream.as_bytes()).into_iter().map(|piece| &stream[piece]).collect()
}

/// The value of a document, as Kubernetes would see it.
pub fn json(document: &str) -> serde_json::Value {
    helm_keyring::yaml::Value::parse(document, 0).expect("YAML").to_json()
}

/// The document of this kind and name.
pub fn object<'s>(stream: &'s str, kind: &str, name: &str) -> &'s str {
    let mut found = documents(stream).into_iter().filter(|document| {
        let value = json(document);
        value["kind"] == kind && value["metadata"]["name"] == name
    });
    let document = found.next().unwrap_or_else(|| panic!("no {kind}/{name}"));
    assert!(found.next().is_none(), "two of {kind}/{name}");
    document
}
