//! Findings for people, in the layout of rustc. Of the source it shows masked lines only ([`Shown`]).

use std::fmt::Write as _;

use super::colours::{self, Colours, painted};
use super::{Finding, Place, Shown};

/// All findings as text, each followed by an empty line between them, the last by a line break.
pub fn human(findings: &[Finding]) -> String {
    text(findings, &colours::NONE)
}

/// The same text in the colours of a terminal.
pub fn human_styled(findings: &[Finding]) -> String {
    text(findings, &colours::TERMINAL)
}

fn text(findings: &[Finding], colours: &Colours) -> String {
    findings.iter().map(|finding| one(finding, colours)).collect::<Vec<_>>().join("\n")
}

fn one(finding: &Finding, colours: &Colours) -> String {
    let level = colours.level(finding.level());
    let head = painted(level, format_args!("{}[{}]", finding.level().name(), finding.id));
    let title = painted(colours.title, format_args!(": {}", finding.title));
    let gutter = Gutter::of(finding, colours);
    let mut text = format!("{head}{title}\n");
    let mut after_line = false;
    for (number, place) in finding.places.iter().enumerate() {
        if after_line {
            text += &gutter.bar();
        }
        after_line = false;
        match (snippet(place), number) {
            (Some((line, shown)), number) => {
                let arrow = if number == 0 { "-->" } else { ":::" };
                text += &gutter.arrow(arrow, place);
                text += &gutter.bar();
                text += &gutter.line(line, shown);
                text += &gutter.caret(shown, level);
                after_line = true;
            }
            (None, _) => text += &gutter.arrow("-->", place),
        }
    }
    if after_line && !(finding.notes.is_empty() && finding.help.is_empty()) {
        text += &gutter.bar();
    }
    for note in &finding.notes {
        text += &gutter.said(&painted(colours.note, "note"), note);
    }
    for help in &finding.help {
        text += &gutter.said(&painted(colours.help, "help"), help);
    }
    text
}

/// The number and the text of the line that is shown of a place.
fn snippet(place: &Place) -> Option<(usize, &Shown)> {
    Some((place.position?.line, place.shown.as_ref()?))
}

/// What stands left of everything: as wide as the longest line number.
struct Gutter<'c> {
    width: usize,
    colours: &'c Colours,
}

impl<'c> Gutter<'c> {
    fn of(finding: &Finding, colours: &'c Colours) -> Self {
        let last = finding.places.iter().filter_map(snippet).map(|(line, _)| line).max();
        Self { width: last.unwrap_or(1).to_string().len(), colours }
    }

    /// The gutter's mark, without what may follow it.
    fn mark(&self, number: &str, mark: &str) -> String {
        let width = self.width;
        painted(self.colours.gutter, format_args!(" {number:>width$} {mark}"))
    }

    fn arrow(&self, arrow: &str, place: &Place) -> String {
        let arrow = painted(self.colours.gutter, format_args!(" {:width$}{arrow}", "", width = self.width));
        format!("{arrow} {place}\n")
    }

    fn bar(&self) -> String {
        format!("{}\n", self.mark("", "|"))
    }

    fn line(&self, number: usize, shown: &Shown) -> String {
        let bar = self.mark(&number.to_string(), "|");
        format!("{}\n", format!("{bar} {}", shown.line).trim_end())
    }

    fn caret(&self, shown: &Shown, style: anstyle::Style) -> String {
        let blanks = " ".repeat(shown.column.saturating_sub(1));
        let caret = painted(style, "^".repeat(shown.width));
        format!("{} {blanks}{caret}\n", self.mark("", "|"))
    }

    fn said(&self, word: &str, text: &str) -> String {
        let mut line = self.mark("", "=");
        let _ = writeln!(line, " {word}: {text}");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Format, Report, testing, written};

    #[test]
    fn a_finding_names_place_reason_and_way_out() {
        let finding = Finding::refused("auto-generated-key", "the key is empty")
            .at(Place::in_text("values.yaml", b"a:\n  b: 1\n", 5))
            .found("found nothing")
            .help("make one");
        assert_eq!(
            human(&[finding]),
            "error[auto-generated-key]: the key is empty\n  --> values.yaml:2:3\n   = note: found nothing\n   = help: make one\n"
        );
    }

    #[test]
    fn findings_are_drawn_with_their_lines() {
        let findings = testing::findings();
        let report = Report { findings: &findings, files: 41, rules: &[] };
        testing::golden("human.txt", &written(Format::Human, &report));
    }

    #[test]
    fn the_gutter_is_as_wide_as_the_last_number() {
        let text = "\n".repeat(9) + "a: b\n";
        let finding = Finding::note("a", "b")
            .at(Place::shown_in_text("f", "c: d", 3..4))
            .at(Place::file("g"))
            .at(Place::shown_in_text("f", &text, 9..10));
        assert_eq!(
            human(&[finding]),
            "\
note[a]: b
   --> f:1:4
    |
  1 | c: …
    |    ^
    |
   --> g
   ::: f:10:1
    |
 10 | a: …
    | ^
"
        );
    }

    #[test]
    fn colours_change_no_text() {
        let findings = testing::findings();
        let styled = human_styled(&findings);
        assert!(styled.contains("\u{1b}[1m\u{1b}[31merror[key-length]\u{1b}[0m"), "{styled:?}");
        assert_eq!(anstream::adapter::strip_str(&styled).to_string(), human(&findings));
    }
}
