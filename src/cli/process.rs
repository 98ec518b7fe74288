//! The process: what it may leave behind, and its three streams.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use anyhow::Context as _;

use crate::report::{Exit, list};

/// No core file and no debugger may see a key, and a panic prints its place only: its message could quote one.
pub fn harden() {
    // Where the system knows no such switch, there is nothing to switch off.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    std::panic::set_hook(Box::new(stop));
}

/// Ends the run with a code of the documented table, whatever thread it was.
#[allow(clippy::exit, reason = "a panic cannot return")]
fn stop(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
    let _ = writeln!(
        io::stderr(),
        "error[bug]: helm-keyring stopped{place}; nothing was printed\n   = help: please report this place"
    );
    std::process::exit(Exit::Io as i32);
}

/// How much more room stdin gets at a time: doubling would need half as much again as a large stream.
const ROOM_BYTES: usize = 16 << 20;

/// All of stdin. `None` if it is a terminal: nobody types manifests.
///
/// It is not wiped: it came through a pipe from a program that had it in memory too, and the process ends with it.
/// What is taken out of it for a key is.
pub fn stdin() -> anyhow::Result<Option<Vec<u8>>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let unread = "stdin cannot be read";
    let file = File::from(stdin.as_fd().try_clone_to_owned().context(unread)?);
    let expected = file.metadata().map(|m| m.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
    loop {
        let room = (bytes.capacity() - bytes.len()) as u64;
        if (&file).take(room).read_to_end(&mut bytes).context(unread)? == 0 && room > 0 {
            return Ok(Some(bytes));
        }
        if bytes.len() == bytes.capacity() {
            bytes.reserve_exact(ROOM_BYTES);
        }
    }
}

/// Whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes everything to stdout, past the line buffer of the standard library.
pub fn print<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> anyhow::Result<()> {
    let unwritten = "stdout cannot be written";
    let mut file = File::from(io::stdout().as_fd().try_clone_to_owned().context(unwritten)?);
    chunks.into_iter().try_for_each(|chunk| file.write_all(chunk)).context(unwritten)
}

/// Says what was done, after it was done: if that cannot be said, at least that it need not be done again.
pub fn print_after(text: &str, written: &[String]) -> anyhow::Result<()> {
    let printed = print([text.as_bytes()]);
    if written.is_empty() {
        printed
    } else {
        printed.with_context(|| format!("{} written, all is done; only", list(written)))
    }
}
