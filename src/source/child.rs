//! Programs of the user's that hold keys or know a way to them: no shell, a short list of variables, bounded output,
//! a deadline, and an end for all that they started.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{Error, Run};

/// More is no key store's answer.
const OUT_MAX_BYTES: usize = 4 << 20;
const ERR_MAX_BYTES: usize = 64 << 10;
const POLL: Duration = Duration::from_millis(5);
/// How long its output may stay open once it has ended.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// A word of stdout from this length on is taken for a secret in stderr.
const WORD_LEN_MIN_BYTES: usize = 8;
/// A failed program that has printed more than this cannot be quoted: looking for all of it would take too long.
const QUOTED_MAX_BYTES: usize = 16 << 10;

/// Variables that every program gets: how it finds itself and others, speaks, and reaches the network.
const COMMON: [&str; 16] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "TZ",
];

/// A program to be run.
pub struct Program<'p> {
    /// What it is, in a message: `kubectl`, `sops`, `the command op`.
    pub name: String,
    /// The file, or a name to be found on the `PATH`, and its arguments.
    pub command: Vec<OsString>,
    /// Names of variables that it gets beside the common ones.
    pub variables: &'p [&'p str],
    /// Beginnings of such names.
    pub prefixes: &'p [&'p str],
    /// Variables that are made for it.
    pub set: Vec<(&'p str, String)>,
    /// Its working directory, if it is not our own.
    pub folder: Option<&'p Path>,
    /// What it reads from stdin.
    pub stdin: Option<Zeroizing<Vec<u8>>>,
}

impl Program<'_> {
    /// Runs it to its end and gives what it printed.
    ///
    /// # Errors
    /// It is not there, fails, prints too much or does not end in time. What it said is told without secrets.
    pub fn run(mut self, run: &Run, help: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let name = self.name.clone();
        let too_late = || Error::new(format!("{name} did not end within {}", run.deadline().in_words()), help);
        if run.deadline().left().is_none() {
            return Err(too_late());
        }
        let stdin = self.stdin.take();
        let file = self.command.first().map(PathBuf::from).filter(|file| file.components().count() > 1);
        let not_run = |error: io::Error| {
            let help = match (error.kind(), &file) {
                (io::ErrorKind::NotFound, Some(file)) if file.exists() => {
                    "the file is there, but not the program that its first line names".to_owned()
                }
                (io::ErrorKind::NotFound, Some(_)) => "check its path".to_owned(),
                (io::ErrorKind::NotFound, None) => format!("install {name}, and check that it is on the PATH"),
                _ => format!("check the permissions of {name}"),
            };
            Error::new(format!("{name} cannot be run ({error})"), help)
        };
        let mut child = self.to_command(stdin.is_some()).spawn().map_err(not_run)?;
        feed(&mut child, stdin);
        let out = reader(child.stdout.take(), Keep::First(OUT_MAX_BYTES));
        let err = reader(child.stderr.take(), Keep::Last(ERR_MAX_BYTES));
        let until = run.deadline().end();
        let ended = wait(&mut child, until);
        // What it left running may keep the pipes open; what has left its group too cannot be ended, nor waited for.
        end_group(&child);
        let until = until.min(Instant::now() + AFTERWARDS);
        let (out, err) = (received(&out, until), received(&err, until));
        let status = match ended.map_err(|error| Error::new(format!("{name} was lost ({error})"), help))? {
            Ended::By(status) => status,
            Ended::TooLate => return Err(too_late()),
            Ended::Stopped => {
                return Err(Error::new(
                    format!("{name} asks something at the terminal, which it cannot have here"),
                    "log in first, or give it what it asks for without a terminal: an agent, a file, a variable",
                ));
            }
        };
        let (Some(out), Some(err)) = (out, err) else {
            return Err(Error::new(
                format!("{name} ended, but something that it started keeps its output open"),
                "whatever goes on in the background must write elsewhere: `>/dev/null 2>&1`",
            ));
        };
        if !status.success() {
            return Err(Error::new(format!("{name} {}: {}", how(status), said(run, &out, &err)), help));
        }
        if out.len() > OUT_MAX_BYTES {
            return Err(Error::new(format!("{name} printed more than {} MiB", OUT_MAX_BYTES >> 20), help));
        }
        Ok(out)
    }

    fn to_command(&self, has_stdin: bool) -> Command {
        let mut command = Command::new(self.command.first().cloned().unwrap_or_default());
        command.args(self.command.iter().skip(1));
        let is_known = |name: &str| {
            COMMON.contains(&name)
                || self.variables.contains(&name)
                || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
        };
        let variables = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_known));
        command.env_clear().envs(variables).envs(self.set.iter().map(|(name, value)| (name, value)));
        command.process_group(0);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command.stdin(if has_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// What it said of its failure: its last words, without a secret of the run and without a word of its own stdout.
fn said(run: &Run, out: &[u8], err: &[u8]) -> String {
    if out.len() > QUOTED_MAX_BYTES {
        return "its words are not shown, as they may hold some of the much that it printed".to_owned();
    }
    let words = out.split(|byte| byte.is_ascii_whitespace() || b"\"'=:,{}".contains(byte));
    words.filter(|word| word.len() >= WORD_LEN_MIN_BYTES).for_each(|word| run.learn(word));
    // What is in quotes, and what has a line of its own, may be a key with such marks in it.
    let whole = out.split(|byte| *byte == b'"').chain(out.split(|byte| *byte == b'\n'));
    whole.for_each(|text| run.learn(text));
    let text = String::from_utf8_lossy(err);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.as_slice() {
        [] => "it said nothing".to_owned(),
        [.., before, last] if last.len() < 40 => run.scrubbed(&format!("{before} {last}")),
        [.., last] => run.scrubbed(last),
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    }
}

/// A program that does not read what it is given ends all the same.
fn feed(child: &mut Child, stdin: Option<Zeroizing<Vec<u8>>>) {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
        thread::spawn(move || pipe.write_all(&bytes));
    }
}

/// What of a long output is of use.
enum Keep {
    /// The beginning, and one byte more to tell that it goes on.
    First(usize),
    Last(usize),
}

/// Reads to the end, so that whoever writes does not hang, but keeps no more than is of use.
fn reader(pipe: Option<impl Read + Send + 'static>, keep: Keep) -> mpsc::Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(pipe.map(|pipe| kept(pipe, &keep)).unwrap_or_default());
    });
    receiver
}

fn kept(mut pipe: impl Read, keep: &Keep) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    match *keep {
        Keep::First(max) => {
            let _ = (&mut pipe).take(max as u64 + 1).read_to_end(&mut bytes);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        Keep::Last(max) => {
            while (&mut pipe).take(max as u64).read_to_end(&mut bytes).is_ok_and(|more| more > 0) {
                let spare = bytes.len().saturating_sub(max);
                bytes.drain(..spare);
            }
        }
    }
    bytes
}

fn received(bytes: &mpsc::Receiver<Zeroizing<Vec<u8>>>, until: Instant) -> Option<Zeroizing<Vec<u8>>> {
    bytes.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

/// How a program ended.
enum Ended {
    By(ExitStatus),
    TooLate,
    /// It asked the terminal, which stops whoever is not in front.
    Stopped,
}

fn wait(child: &mut Child, until: Instant) -> io::Result<Ended> {
    let mut ended = Ended::TooLate;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::By(status));
        }
        if is_stopped(child.id()) {
            ended = Ended::Stopped;
            break;
        }
        thread::sleep(POLL);
    }
    end_group(child);
    child.wait().map(|_| ended)
}

/// Where the system does not say so in this way, it ends at the deadline.
fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Ends it and all that it started.
fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}
