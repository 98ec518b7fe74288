//! A fault: a store that fails, a render that needs it, and what the user is told of it.
//!
//! What each fault says stands in `testdata/sources/`; `UPDATE_GOLDEN=1` writes it anew. Read it before you keep it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::common::{Run, folder, keyring, lock_numbered, program, root};
use crate::faulty::{Answer, Request, Script, Server};

/// The key of every store here, and what the stand-ins let one in with.
pub const KEY: &str = "cAnArY+0/Zq3vWm8LkT5hYb1RxJ7sDfGpQeUwNiOaXc=";
pub const TOKEN: &str = "hvs.cAnArY-t0ken+of/the~run.0123456789";
/// What a login needs.
pub const SECRET_ID: &str = "cAnArY-5ecret-id-4711-0815";

const STREAM: &str = include_str!("../../testdata/streams/lightrun-small.yaml");
/// A run that does not wait for anything.
const SOON: Duration = Duration::from_secs(5);
/// How often a run is tried that others may have slowed down.
pub const TRIES: usize = 3;
/// Hanging ones wait for each other's processor, not for its answer.
const SIDE_BY_SIDE: usize = 6;

type Check = Box<dyn Fn(&Path, &Run, &[Request]) + Send + Sync>;

/// A fault, in one line of words each.
pub struct Fault {
    name: &'static str,
    source: String,
    script: Script,
    tls: Option<&'static str>,
    files: Vec<(&'static str, String)>,
    variables: BTreeMap<&'static str, String>,
    args: Vec<&'static str>,
    code: i32,
    within: Duration,
    hidden: Vec<(u16, &'static str)>,
    check: Vec<Check>,
}

impl Fault {
    /// In the source, in files and in variables `ADDRESS` and `PORT` are the server's.
    pub fn new(name: &'static str, source: impl Into<String>) -> Self {
        Self {
            name,
            source: source.into(),
            script: Script::new(),
            tls: None,
            files: Vec::new(),
            variables: BTreeMap::new(),
            args: Vec::new(),
            code: 3,
            within: SOON,
            hidden: Vec::new(),
            check: Vec::new(),
        }
    }

    /// The server answers so on this path.
    pub fn on(mut self, path: &str, answers: impl Into<Vec<Answer>>) -> Self {
        self.script.insert(path.to_owned(), answers.into());
        self
    }

    pub fn source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    pub fn tls(self, certificate: &'static str) -> Self {
        Self { tls: Some(certificate), ..self }
    }

    pub fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.retain(|(own, _)| *own != name);
        self.files.push((name, text.into()));
        self
    }

    pub fn variable(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.variables.insert(name, text.into());
        self
    }

    pub fn without(mut self, variable: &'static str) -> Self {
        self.variables.remove(variable);
        self
    }

    pub fn args(mut self, args: &[&'static str]) -> Self {
        self.args.extend(args);
        self
    }

    /// The run has `seconds`, and ends little later.
    pub fn timeout(self, seconds: &'static str) -> Self {
        let within = Duration::from_secs_f64(seconds.parse::<f64>().expect("a number") + 1.0);
        Self { within, ..self.args(&["--timeout", seconds]) }
    }

    pub fn ends(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// A port that is another one in each run, and what stands for it.
    pub fn hide(mut self, port: u16, name: &'static str) -> Self {
        self.hidden.push((port, name));
        self
    }

    pub fn check(mut self, check: impl Fn(&Path, &Run, &[Request]) + Send + Sync + 'static) -> Self {
        self.check.push(Box::new(check));
        self
    }

    /// What it tells, after everything else about it was found right. On a busy machine it may be too late once; one with
    /// little time may come to another end there, and is tried again.
    fn told(&self, expected: &str) -> String {
        let is_hurried = self.within != SOON;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match catch_unwind(AssertUnwindSafe(|| self.told_once())) {
                Ok((told, time)) if time < self.within && (!is_hurried || told.trim_end() == expected) => return told,
                Ok(_) | Err(_) if tries > 0 && is_hurried => {}
                Ok((_, time)) if tries > 0 && time >= self.within => {}
                Ok((told, time)) => {
                    assert!(time < self.within, "it took {time:?}:\n{told}");
                    return told;
                }
                Err(panic) => resume_unwind(panic),
            }
        }
    }

    fn told_once(&self) -> (String, Duration) {
        let server = Server::start(self.script.clone(), self.tls);
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let own = |text: &str| {
            text.replace("ADDRESS", &format!("{scheme}://127.0.0.1:{}", server.port))
                .replace("PORT", &server.port.to_string())
        };
        let folder = folder(&[("keyring.yaml", &own(&config(&self.source)))]);
        let place = folder.path();
        self.files.iter().for_each(|(name, text)| program(&place.join(name), &own(text)));
        lock_numbered(place, "lightrun/production", &[KEY]);
        let args = [&["render", "-e", "production"], &self.args[..]].concat();
        let variables: Vec<(&str, String)> = self.variables.iter().map(|(name, text)| (*name, own(text))).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let begun = Instant::now();
        let run = keyring(place, &args, &variables, &STREAM.replace("@KEY@", "made-up-by-the-chart"));
        let time = begun.elapsed();
        assert_eq!(run.code, self.code, "{}", run.stderr);
        match run.code {
            0 => assert!(run.stdout.contains(&STANDARD.encode(KEY)), "no key was delivered"),
            _ => assert_eq!(run.stdout, "", "something was printed"),
        }
        for secret in [KEY, TOKEN, SECRET_ID] {
            let found = forms(secret).into_iter().find(|form| run.stderr.contains(form));
            assert_eq!(found, None, "it tells a secret:\n{}", run.stderr);
        }
        self.check.iter().for_each(|check| check(place, &run, &server.asked()));
        let mut told = run.stderr.replace(&place.display().to_string(), "FOLDER");
        for (port, name) in self.hidden.iter().chain([&(server.port, "PORT")]) {
            told = told.replace(&format!(":{port}"), &format!(":{name}"));
        }
        assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "it sends a terminal orders:\n{told:?}");
        (format!("exit {}\n{}", run.code, without_numbers(&told)), time)
    }
}

/// The numbers of errors are each system's own.
fn without_numbers(told: &str) -> String {
    let mut parts = told.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

fn config(source: &str) -> String {
    let source = source.replace('\n', "\n          ");
    format!(
        "\
apiVersion: helm-keyring/v1
keyrings:
  lightrun:
    profile: lightrun
    environments:
      production:
        namespace: obs
        source:
          {source}
"
    )
}

/// Every way in which a secret could show itself, and every long part of it.
pub fn forms(secret: &str) -> BTreeSet<String> {
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let byte = |b: u8| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") };
    let url: String = secret.bytes().map(byte).collect();
    let mut forms = BTreeSet::from([secret.to_owned(), hex.to_uppercase(), hex, url.to_lowercase(), url]);
    for encoded in [STANDARD.encode(secret), URL_SAFE.encode(secret), STANDARD.encode(format!("{secret}\n"))] {
        forms.insert(encoded[4..encoded.len() - 4].to_owned());
    }
    let letters: Vec<char> = secret.chars().collect();
    forms.extend(letters.windows(10).map(|part| part.iter().collect::<String>()));
    forms
}

/// Runs all of them side by side, and compares what they tell with `testdata/sources/FILE`.
pub fn compare(file: &str, faults: Vec<Fault>) {
    let names: BTreeSet<&str> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), faults.len(), "two faults have one name");
    let order: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
    let text = fs::read_to_string(root().join("testdata/sources").join(file)).unwrap_or_default();
    let expected = expected(&text);
    let (todo, done) = (Mutex::new(faults), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(fault) = next(&todo) {
                    let told = catch_unwind(AssertUnwindSafe(|| {
                        fault.told(expected.get(fault.name).copied().unwrap_or_default())
                    }));
                    done.lock().expect("a lock").insert(fault.name, told);
                }
            });
        }
    });
    let mut done = done.into_inner().expect("a lock");
    let failed: Vec<&str> = order.iter().copied().filter(|name| done[name].is_err()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}; the reasons stand above", failed.len(), order.len());
    let told = order.into_iter().filter_map(|name| Some((name.to_owned(), done.remove(name)?.ok()?))).collect();
    golden(&root().join("testdata/sources").join(file), told);
}

fn next(todo: &Mutex<Vec<Fault>>) -> Option<Fault> {
    todo.lock().expect("a lock").pop()
}

/// By the names of the faults.
fn expected(text: &str) -> BTreeMap<&str, &str> {
    text.split("=== ").filter_map(|part| part.trim_end().split_once(": ")).collect()
}

fn golden(file: &Path, told: Vec<(String, String)>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text: String = told.iter().map(|(name, text)| format!("=== {name}: {text}\n")).collect();
        fs::write(file, text.trim_end().to_owned() + "\n").expect("a file");
    }
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut expected = expected(&text);
    let mut differences = String::new();
    for (name, is) in &told {
        let should = expected.remove(name.as_str()).unwrap_or_default();
        if is.trim_end() != should {
            let _ = writeln!(differences, "=== {name}\n--- expected\n{should}\n--- told\n{is}");
        }
    }
    let gone: Vec<&str> = expected.into_keys().collect();
    assert!(gone.is_empty(), "{} tells of faults that are not tried: {gone:?}", file.display());
    assert!(differences.is_empty(), "{} differs; is that better? then UPDATE_GOLDEN=1\n{differences}", file.display());
}
