//! The process: what it may leave behind, and its three streams.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::report::Exit;

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

/// All of stdin, wiped when it goes. `None` if it is a terminal: nobody types manifests.
pub fn stdin() -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let unread = "stdin cannot be read";
    let mut file = File::from(stdin.as_fd().try_clone_to_owned().context(unread)?);
    let expected = file.metadata().map(|m| m.len()).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1));
    file.read_to_end(&mut bytes).context(unread)?;
    Ok(Some(bytes))
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
