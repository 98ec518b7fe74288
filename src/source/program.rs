//! Programs of the user's that hold keys or know a way to them: no shell, and what they say is told without secrets.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use zeroize::Zeroizing;

use super::{Error, Run, Why};
use crate::child::{Call, Failure, Output};

/// More is no key store's answer.
const OUT_MAX_BYTES: usize = 4 << 20;
/// A word of stdout from this length on is taken for a secret in stderr.
const WORD_LEN_MIN_BYTES: usize = 8;
/// A failed program that has printed more than this cannot be quoted: looking for all of it would take too long.
const QUOTED_MAX_BYTES: usize = 16 << 10;

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
    pub fn run(self, run: &Run, help: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Self { name, command, variables, prefixes, set, folder, stdin } = self;
        let too_late = || {
            Error::new(format!("{name} did not end within {}", run.deadline().in_words()), help).because(Why::TooLate)
        };
        if run.deadline().left().is_none() {
            return Err(too_late());
        }
        let call = Call {
            command: &command,
            variables,
            prefixes,
            set: &set,
            folder,
            stdin,
            out_max_bytes: OUT_MAX_BYTES,
            group: run.group(),
        };
        let output = call.run(run.deadline().end()).map_err(|failure| match failure {
            Failure::NotRun(error) => not_run(&name, command.first(), &error),
            Failure::TooLate => too_late(),
            Failure::Stopped => Error::new(
                format!("{name} asks something at the terminal, which it cannot have here"),
                "log in first, or give it what it asks for without a terminal: an agent, a file, a variable",
            ),
            Failure::KeptOpen => Error::new(
                format!("{name} {failure}"),
                "whatever goes on in the background must write elsewhere: `>/dev/null 2>&1`",
            ),
            Failure::Lost(_) => Error::new(format!("{name} {failure}"), help),
        })?;
        let Output { status, out, has_more, err } = output;
        if !status.success() {
            return Err(Error::new(format!("{name} {}: {}", how(status), said(run, &out, &err)), help));
        }
        if has_more {
            return Err(Error::new(format!("{name} printed more than {} MiB", OUT_MAX_BYTES >> 20), help));
        }
        Ok(out)
    }
}

fn not_run(name: &str, command: Option<&OsString>, error: &io::Error) -> Error {
    let file = command.map(PathBuf::from).filter(|file| file.components().count() > 1);
    let help = match (error.kind(), &file) {
        (io::ErrorKind::NotFound, Some(file)) if file.exists() => {
            "the file is there, but not the program that its first line names".to_owned()
        }
        (io::ErrorKind::NotFound, Some(_)) => "check its path".to_owned(),
        (io::ErrorKind::NotFound, None) => format!("install {name}, and check that it is on the PATH"),
        _ => format!("check the permissions of {name}"),
    };
    Error::new(format!("{name} cannot be run ({error})"), help)
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
