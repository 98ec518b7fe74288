//! One line on a terminal that says how far a long run is.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A run that is done sooner says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two lines.
const PAUSE: Duration = Duration::from_millis(100);

/// Says how far a run is, on stderr if that is a terminal.
pub struct Progress {
    /// When the next line is due; `None`: never.
    due: Mutex<Option<Instant>>,
    started: Instant,
}

impl Progress {
    /// Begins now.
    pub fn on_terminal() -> Self {
        let started = Instant::now();
        let due = io::stderr().is_terminal().then(|| started + PATIENCE);
        Self { due: Mutex::new(due), started }
    }

    /// So many are done.
    pub fn tell(&self, done: usize, of: usize) {
        // Another thread is telling.
        let Ok(mut due) = self.due.try_lock() else { return };
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            let _ = write!(io::stderr(), "\r{done} of {of} files …\x1b[K");
            *due = Some(now + PAUSE);
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        let told = self.due.try_lock().is_ok_and(|due| due.is_some_and(|due| due > self.started + PATIENCE));
        if told {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
