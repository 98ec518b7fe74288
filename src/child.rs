//! Running a program: a short list of variables, bounded output, a deadline, and an end for all that it started.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};
use zeroize::Zeroizing;

const ERR_MAX_BYTES: usize = 256 << 10;
const POLL: Duration = Duration::from_millis(5);
/// How long its output may stay open once it has ended, if there is that much time left.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// So long it may in any case: whoever reads it gets its turn.
const AFTERWARDS_MIN: Duration = Duration::from_millis(500);
/// Looks for what a failed program has left behind: what starts others meanwhile is found the next time.
const LOOKS: usize = 20;

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

/// Who is ended together with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Group {
    /// It and all that it started are a group of their own, which ends with it.
    #[default]
    Own,
    /// It stays in our group, which somebody above us ends as a whole: Argo CD's plugin server does, and kills us
    /// before we could end anything ourselves.
    Ours,
}

/// A program to be run.
pub struct Call<'c> {
    /// The file, or a name to be found on the `PATH`, and its arguments.
    pub command: &'c [OsString],
    /// Names of variables that it gets beside the common ones.
    pub variables: &'c [&'c str],
    /// Beginnings of such names.
    pub prefixes: &'c [&'c str],
    /// Variables that are made for it.
    pub set: &'c [(&'c str, String)],
    /// Its working directory, if it is not our own.
    pub folder: Option<&'c Path>,
    /// What it reads from stdin.
    pub stdin: Option<Zeroizing<Vec<u8>>>,
    /// So many bytes of stdout are kept; whether there were more is told.
    pub out_max_bytes: usize,
    /// Who is ended together with it.
    pub group: Group,
}

/// What a program left behind.
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// The beginning of what it printed.
    pub out: Zeroizing<Vec<u8>>,
    /// Whether it printed more than that.
    pub has_more: bool,
    /// The end of what it said.
    pub err: Zeroizing<Vec<u8>>,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It cannot be run.
    #[error("cannot be run ({0})")]
    NotRun(io::Error),
    /// It did not end in time.
    #[error("did not end in time")]
    TooLate,
    /// It asked the terminal, which stops whoever is not in front.
    #[error("asks something at the terminal")]
    Stopped,
    /// Something that it started keeps its output open.
    #[error("ended, but something that it started keeps its output open")]
    KeptOpen,
    /// The system lost it.
    #[error("was lost ({0})")]
    Lost(io::Error),
}

impl Call<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be run, or does not end by then.
    pub fn run(mut self, until: Instant) -> Result<Output, Failure> {
        let stdin = self.stdin.take();
        let mut child = self.to_command(stdin.is_some()).spawn().map_err(Failure::NotRun)?;
        feed(&mut child, stdin);
        let out = reader(child.stdout.take(), Keep::First(self.out_max_bytes));
        let err = reader(child.stderr.take(), Keep::Last(ERR_MAX_BYTES));
        let ended = wait(&mut child, until, self.group);
        // What it left running may keep the pipes open; what has left its group too cannot be ended, nor waited for.
        end(&mut child, self.group);
        let spare = until.saturating_duration_since(Instant::now()).clamp(AFTERWARDS_MIN, AFTERWARDS);
        let until = Instant::now() + spare;
        let (out, err) = (received(&out, until), received(&err, until));
        let status = match ended.map_err(Failure::Lost)? {
            Ended::By(status) if out.is_some() && err.is_some() => status,
            left => {
                if self.group == Group::Ours {
                    end_others_of_our_group();
                }
                return Err(match left {
                    Ended::By(_) if spare == AFTERWARDS => Failure::KeptOpen,
                    Ended::By(_) | Ended::TooLate => Failure::TooLate,
                    Ended::Stopped => Failure::Stopped,
                });
            }
        };
        let (mut out, err) = (out.unwrap_or_default(), err.unwrap_or_default());
        let has_more = out.len() > self.out_max_bytes;
        out.truncate(self.out_max_bytes);
        Ok(Output { status, out, has_more, err })
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
        if self.group == Group::Own {
            command.process_group(0);
        }
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command.stdin(if has_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
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
            let mut is_cut = false;
            while (&mut pipe).take(max as u64).read_to_end(&mut bytes).is_ok_and(|more| more > 0) {
                let spare = bytes.len().saturating_sub(max);
                is_cut |= spare > 0;
                bytes.drain(..spare);
            }
            // In what is left of a line, half a secret would not be known again.
            if is_cut {
                let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
                bytes.drain(..end);
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

fn wait(child: &mut Child, until: Instant, group: Group) -> io::Result<Ended> {
    let mut ended = Ended::TooLate;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::By(status));
        }
        if is_stopped(child) {
            ended = Ended::Stopped;
            break;
        }
        thread::sleep(POLL);
    }
    end(child, group);
    child.wait().map(|_| ended)
}

/// Where the system does not say so in this way, it ends at the deadline.
fn is_stopped(child: &Child) -> bool {
    pid(child).and_then(stat).is_some_and(|stat| stat.starts_with('T'))
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Ends it, and with a group of its own all that it started.
fn end(child: &mut Child, group: Group) {
    match pid(child) {
        Some(leader) if group == Group::Own => {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        _ => {
            let _ = child.kill();
        }
    }
}

/// Ends all others of our own group, if it is ours to lead: what a failed program has started, and would go on.
///
/// Where the system does not list processes in `/proc`, they are left to whoever ends the group.
fn end_others_of_our_group() {
    if getpgrp() == getpid() {
        let others = || {
            let others = others_of_group(getpid());
            for process in &others {
                let _ = kill_process(*process, Signal::KILL);
            }
            others.is_empty()
        };
        let _ = (0..LOOKS).any(|_| others());
    }
}

/// Those of a group that run, but for the one that leads it.
fn others_of_group(leader: Pid) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    let is_meant = |process: &Pid| {
        let stat = stat(*process).unwrap_or_default();
        let parts: Vec<&str> = stat.split_whitespace().take(3).collect();
        let group = parts.get(2).and_then(|group| group.parse().ok());
        // What has ended waits for its parent to ask.
        *process != leader && group == Some(leader.as_raw_pid()) && !matches!(parts[0], "Z" | "X")
    };
    processes.filter(is_meant).collect()
}

/// What the system tells of a process behind its name: state, parent, group.
fn stat(process: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_pid())).ok()?;
    stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned())
}
