//! One deadline over everything that a run asks its sources.

use std::time::{Duration, Instant};

/// When a run must have its keys.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    begun: Instant,
    allowed: Duration,
}

impl Deadline {
    /// From now on.
    #[must_use]
    pub fn after(allowed: Duration) -> Self {
        Self { begun: Instant::now(), allowed }
    }

    /// What is left; `None` once it is over.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.allowed.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero())
    }

    /// When it is over.
    #[must_use]
    pub fn end(&self) -> Instant {
        self.begun + self.allowed
    }

    /// How long it was from the beginning, in words: `20 seconds`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self.allowed.as_millis() {
            1_000 => "1 second".to_owned(),
            whole if whole % 1_000 == 0 => format!("{} seconds", whole / 1_000),
            millis => format!("{millis} ms"),
        }
    }

    /// An earlier one, for a part that must not use up everything.
    #[must_use]
    pub fn at_most(&self, allowed: Duration) -> Self {
        Self::after(self.left().unwrap_or_default().min(allowed))
    }
}
