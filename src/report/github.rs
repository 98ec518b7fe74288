//! Findings as GitHub shows them beside the lines of a pull request: workflow commands, one line a finding.
//!
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>

use super::{Finding, Level, Place};

/// All findings as workflow commands, each with a line break.
pub fn github(findings: &[Finding]) -> String {
    findings.iter().map(one).collect()
}

fn one(finding: &Finding) -> String {
    let command = match finding.level() {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let mut properties = finding.places.first().map(place).unwrap_or_default();
    properties.push(("title", finding.id.to_owned()));
    let properties: Vec<String> =
        properties.into_iter().map(|(name, value)| format!("{name}={}", property(&value))).collect();
    format!("::{command} {}::{}\n", properties.join(","), data(&message(finding)))
}

fn place(place: &Place) -> Vec<(&'static str, String)> {
    let Some(path) = place.path() else { return Vec::new() };
    let mut properties = vec![("file", path)];
    let Some(start) = place.position else { return properties };
    let end = place.end.unwrap_or(start);
    properties.push(("line", start.line.to_string()));
    properties.push(("endLine", end.line.to_string()));
    // The runner takes no columns when there are several lines.
    if start.line == end.line {
        properties.push(("col", start.column.to_string()));
        properties.extend(place.end.map(|end| ("endColumn", end.column.to_string())));
    }
    properties
}

/// What the properties cannot say: everything but the first file.
fn message(finding: &Finding) -> String {
    let mut lines = vec![finding.title.clone()];
    let elsewhere = finding.places.iter().enumerate().filter(|(number, place)| *number > 0 || place.path().is_none());
    lines.extend(elsewhere.map(|(_, place)| format!("at {place}")));
    lines.extend(finding.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(finding.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;
    use proptest::prelude::*;

    /// A command as the runner reads it: its name, its properties, its message.
    fn read(line: &str) -> (String, Vec<(String, String)>, String) {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (command, properties) = head.split_once(' ').unwrap();
        let unescaped = |text: &str, marks: &[(&str, &str)]| {
            marks.iter().fold(text.to_owned(), |text, (mark, meant)| text.replace(mark, meant))
        };
        let property = |property: &str| {
            let (name, value) = property.split_once('=').unwrap();
            let marks = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
            (name.to_owned(), unescaped(value, &marks))
        };
        let message = unescaped(message, &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]);
        (command.to_owned(), properties.split(',').map(property).collect(), message)
    }

    #[test]
    fn findings_are_commands() {
        testing::golden("github.txt", &github(&testing::findings()));
    }

    #[test]
    fn the_runner_reads_what_was_meant() {
        let place = Place::shown_in_text("a,b:c%2C é.yaml", "x: y\n", 3..4);
        let finding = Finding::note("id", "100%: a::b\r\n%0A").at(place).at(Place::file("d")).found("n").help("h");
        let text = github(&[finding]);
        let (command, properties, message) = read(text.strip_suffix('\n').unwrap());
        let properties: Vec<(&str, &str)> = properties.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(command, "notice");
        let place = [("file", "a,b:c%2C é.yaml"), ("line", "1"), ("endLine", "1"), ("col", "4"), ("endColumn", "5")];
        assert_eq!(properties, [&place[..], &[("title", "id")]].concat());
        assert_eq!(message, "100%: a::b\r\n%0A\nat d\nnote: n\nhelp: h");
    }

    #[test]
    fn several_lines_have_no_columns_and_a_stream_is_no_file() {
        let lines = Finding::warning("a", "b").at(Place::shown_in_text("f", "x: |\n  y\n", 0..8));
        let stream = Finding::refused("a", "b").at(Place::in_text("<stdin>", b"x", 0));
        assert_eq!(
            github(&[lines, stream]),
            "::warning file=f,line=1,endLine=2,title=a::b\n::error title=a::b%0Aat <stdin>:1:1\n"
        );
    }

    proptest! {
        #[test]
        fn any_words_come_back(title: String, file in "[^<-].{0,20}") {
            let text = github(&[Finding::refused("id", title.clone()).at(Place::file(file.clone()))]);
            prop_assert_eq!(text.lines().count(), 1);
            let (_, properties, message) = read(text.strip_suffix('\n').unwrap());
            prop_assert_eq!(message, title);
            let file = file.strip_prefix("./").unwrap_or(&file);
            prop_assert_eq!(properties.first().map(|(_, value)| value.as_str()), Some(file));
        }
    }
}
