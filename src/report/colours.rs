//! The colours of rustc, or none.

use anstyle::{AnsiColor, Style};

use super::Level;

/// What the parts of a finding look like.
pub(super) struct Colours {
    error: Style,
    warning: Style,
    pub note: Style,
    pub help: Style,
    pub title: Style,
    pub gutter: Style,
}

/// Text and nothing else.
pub(super) const NONE: Colours = Colours {
    error: Style::new(),
    warning: Style::new(),
    note: Style::new(),
    help: Style::new(),
    title: Style::new(),
    gutter: Style::new(),
};

/// For a terminal.
pub(super) const TERMINAL: Colours = Colours {
    error: AnsiColor::Red.on_default().bold(),
    warning: AnsiColor::Yellow.on_default().bold(),
    note: AnsiColor::Green.on_default().bold(),
    help: AnsiColor::Cyan.on_default().bold(),
    title: Style::new().bold(),
    gutter: AnsiColor::Blue.on_default().bold(),
};

impl Colours {
    pub(super) fn level(&self, level: Level) -> Style {
        match level {
            Level::Error => self.error,
            Level::Warning => self.warning,
            Level::Note => self.note,
        }
    }
}

/// A text in a style, which ends with it.
pub(super) fn painted(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
