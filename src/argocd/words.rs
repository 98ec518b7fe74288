//! What Helm says of a failure, as everybody may read it: without values, addresses' secrets and the server's own paths.
//!
//! Helm quotes values where a template, a schema or a parameter fails, and names files with their whole paths. Where an
//! error was is kept: `templates/secret.yaml:12:3` is of the chart.

use std::ops::Range;
use std::path::Path;

use super::repository::Repository;
use super::secrecy::{NUMBER_LEN_MAX, is_named_so};
use super::template::Template;
use crate::source::Scrubber;
use crate::values::{self, Known, Request};
use crate::yaml::{Data, Number, Value};

/// So many lines are told, the last ones.
const LINES_MAX: usize = 12;
/// More texts would take too long to look for: it is a matter of half a second with these.
const TEXTS_MAX: usize = 20_000;
/// All of them together.
const TEXTS_MAX_BYTES: usize = 512 << 10;
/// Charts inside charts.
const DEPTH_MAX: usize = 4;
/// A text that is shorter is not looked for: it would take words out that are none of the user's.
const TEXT_LEN_MIN_BYTES: usize = 4;

/// Helm's last lines.
pub fn public(said: &str, template: &Template, repository: &Repository) -> Vec<String> {
    let values = Values::of(template, repository.chart());
    // Helm's own journal, and what it tells of each file that it walks over.
    let is_journal = |line: &str| line.starts_with("level=") || line.contains("walk.go:") || line.contains(" level=");
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty() && !is_journal(line)).collect();
    // Where not all values are known, a line that does not begin like Helm's own may be all value.
    let lines: Vec<&str> = lines.into_iter().filter(|line| values.is_all || line.starts_with("Error: ")).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES_MAX));
    let last: Vec<String> = last.map(|line| in_repository(line, repository)).collect();
    values.hidden_in(&last).iter().map(|line| of_nowhere(line)).collect()
}

/// The user's values, to be hidden.
struct Values {
    scrubber: Scrubber,
    count: usize,
    bytes: usize,
    /// Whether that is all of them.
    is_all: bool,
}

impl Values {
    fn of(template: &Template, chart: &Path) -> Self {
        let mut values = Self { scrubber: Scrubber::default(), count: 0, bytes: 0, is_all: !template.has_addresses() };
        template.files().iter().for_each(|file| values.learn_file(&chart.join(file)));
        if let Some((_, text)) = template.inline() {
            values.learn_yaml(text);
        }
        let set = template.request().set;
        for text in set.iter().filter_map(|set| set.text.split_once('=')) {
            values.learn_text(text.1);
        }
        match values::read(&Request { set, ..Request::default() }) {
            Ok(Known::Values(merged)) => values.learn(&merged.value, false),
            Ok(Known::Unknown { .. }) | Err(_) => values.is_all = false,
        }
        values.learn_chart(chart, 0);
        values
    }

    fn learn_chart(&mut self, chart: &Path, depth: usize) {
        if !self.is_all {
            return;
        }
        let defaults = chart.join("values.yaml");
        if defaults.is_file() {
            self.learn_file(&defaults);
        }
        let inner = std::fs::read_dir(chart.join("charts")).into_iter().flatten().flatten();
        inner.filter(|_| depth < DEPTH_MAX).for_each(|entry| self.learn_chart(&entry.path(), depth + 1));
    }

    fn read(&mut self, file: &Path) -> Option<String> {
        let is_small = file.metadata().is_ok_and(|data| data.len() <= TEXTS_MAX_BYTES as u64);
        let bytes = if is_small && self.is_all { std::fs::read(file).ok() } else { None };
        self.is_all &= bytes.is_some();
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn learn_file(&mut self, file: &Path) {
        if let Some(text) = self.read(file) {
            self.learn_yaml(&text);
        }
    }

    /// What is no YAML may be quoted as it stands.
    fn learn_yaml(&mut self, text: &str) {
        match Value::parse(text, 0) {
            Ok(value) => self.learn(&value, false),
            Err(_) => text
                .split(|c: char| c.is_whitespace() || "\"'{}[],:".contains(c))
                .for_each(|word| self.learn_text(word)),
        }
    }

    fn learn(&mut self, value: &Value, is_secret: bool) {
        match &value.data {
            Data::Text(text) => self.learn_text(text),
            Data::Number(Number::Int(number)) => self.learn_number(&number.to_string(), is_secret),
            Data::Number(Number::Float(number)) => self.learn_number(&number.to_string(), is_secret),
            Data::List(items) => items.iter().for_each(|item| self.learn(item, is_secret)),
            Data::Map(map) => {
                map.iter().for_each(|(name, entry)| self.learn(&entry.value, is_secret || is_named_so(name)));
            }
            _ => {}
        }
    }

    /// A number, also as Go writes a large one: `4.8151623e+07`.
    fn learn_number(&mut self, digits: &str, is_secret: bool) {
        if is_secret || digits.len() > NUMBER_LEN_MAX {
            self.learn_text(digits);
            if let Some((first, rest)) = digits.split_at_checked(1) {
                self.learn_text(&format!("{first}.{}", rest.trim_end_matches('0')));
            }
        }
    }

    /// A text, and each line of it.
    fn learn_text(&mut self, text: &str) {
        let lines = text.lines().filter(|_| text.contains('\n'));
        for text in lines.chain([text]).filter(|text| text.len() >= TEXT_LEN_MIN_BYTES) {
            self.count += 1;
            self.bytes += text.len();
            self.is_all &= self.count <= TEXTS_MAX && self.bytes <= TEXTS_MAX_BYTES;
            if self.is_all {
                self.scrubber.learn(text.as_bytes());
            }
        }
    }

    /// Lines without values. Where they are not all known, without anything that could be one.
    fn hidden_in(&self, lines: &[String]) -> Vec<String> {
        let lines: Vec<String> =
            lines.iter().map(|line| if self.is_all { line } else { certain(line) }.trim_end().to_owned()).collect();
        self.scrubber.lines(&lines, places).iter().map(|line| without_quoted(line)).collect()
    }
}

/// Where in a line it is said where an error was.
fn places(line: &str) -> Vec<Range<usize>> {
    let is_edge = |c: char| c.is_whitespace() || "()\"'".contains(c);
    let words = line.split_inclusive(is_edge).scan(0, |end, token| {
        let start = *end;
        *end += token.len();
        Some((start, token.trim_end_matches(is_edge)))
    });
    words.filter(|(_, word)| is_place(word)).map(|(start, word)| start..start + word.len()).collect()
}

/// `lightrun/templates/secret.yaml:12:3:`
fn is_place(word: &str) -> bool {
    let ends = [".yaml:", ".yml:", ".tpl:", ".txt:", ".json:"];
    let Some((at, end)) = ends.iter().find_map(|end| Some((word.find(end)?, end))) else { return false };
    let rest = &word[at + end.len()..];
    word.contains("/templates/") && !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == ':')
}

/// What Helm puts in marks is a value, a pattern of a schema, or a path in the values, which begins with a `/`.
fn without_quoted(line: &str) -> String {
    let mut text = line.to_owned();
    // `- at '/db/password': ` and then what is wrong with the value.
    if let Some((path, _)) = line.trim_start().strip_prefix("- at '").and_then(|rest| rest.split_once('\'')) {
        return format!("- at '{path}': does not fit the chart's schema");
    }
    if let Some((before, _)) = line.split_once("failed parsing --set") {
        text = format!("{before}failed parsing --set: a parameter is no assignment");
    }
    text = text.replace("failed to parse -:", "failed to parse the parameter `values`:");
    if let Some((before, after)) = text.split_once("map[") {
        let rest = after.rsplit_once(']').map_or("", |(_, rest)| rest);
        text = format!("{before}map[…]{rest}");
    }
    let mut parts = text.split('\'');
    let mut done = parts.next().unwrap_or_default().to_owned();
    let rest: Vec<&str> = parts.collect();
    // An apostrophe is no quote: `values don't meet the specifications`.
    if rest.len() % 2 == 1 {
        return if rest.len() == 1 { text.clone() } else { certain(&text).to_owned() };
    }
    for pair in rest.chunks(2) {
        let says_something = pair[0].chars().any(char::is_alphanumeric);
        let quoted = if pair[0].starts_with('/') || !says_something { pair[0] } else { "***" };
        done += &format!("'{quoted}'{}", pair[1]);
    }
    done
}

const TOO_LARGE: &str = " is larger than the maximum file size ";
const SCHEMA: &str = "values don't meet the specifications of the schema(s)";

/// As much of a line as certainly quotes nothing: up to the place, or to the first mark.
fn certain(line: &str) -> &str {
    if let Some(at) = line.find(SCHEMA) {
        return &line[..at + SCHEMA.len()];
    }
    // It names the file, and the size that is too much.
    if line.starts_with("Error: chart file ") && line.contains(TOO_LARGE) {
        return line;
    }
    let end = line.find("): ").map(|at| at + 2);
    let mark = line.find(['\'', '"', '[', '<', '{']);
    match (end, mark) {
        (Some(end), Some(mark)) => &line[..end.min(mark.max(end))],
        (Some(end), None) => &line[..end],
        // `Error: `, and what Helm says of it itself: behind the next colon a value may stand.
        (None, mark) => {
            let line = &line[..mark.unwrap_or(line.len())];
            let parts: Vec<usize> = line.match_indices(": ").map(|(at, _)| at).take(2).collect();
            match parts[..] {
                [_, second] => &line[..second],
                [first] if mark.is_none() => &line[..first],
                _ => line,
            }
        }
    }
}

/// With files as they are called in the repository.
fn in_repository(line: &str, repository: &Repository) -> String {
    let folder = |path: &Path| format!("{}/", path.display());
    let line = line.replace(&folder(repository.chart()), "").replace(&folder(repository.root()), "");
    line.replace(&repository.chart().display().to_string(), ".")
}

/// Without other paths of this machine, and without the secrets of addresses.
fn of_nowhere(line: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "()\"'".contains(c);
    let address = |word: &str| match word.split_once("://") {
        Some((scheme, address)) => format!("{scheme}://{}", plain_address(address)),
        None => word.to_owned(),
    };
    let path = |word: &str| if is_path_here(word) { "PATH".to_owned() } else { word.to_owned() };
    let line = each_word(line, is_edge, address);
    each_word(&line, |c| is_edge(c) || "=,;:".contains(c), path)
}

fn each_word(line: &str, is_edge: impl Fn(char) -> bool + Copy, with: impl Fn(&str) -> String) -> String {
    let mut done = String::new();
    for token in line.split_inclusive(is_edge) {
        let word = token.trim_end_matches(is_edge);
        done += &with(word);
        done += &token[word.len()..];
    }
    done
}

/// Without a user and what is asked.
fn plain_address(address: &str) -> String {
    let (place, asked) = address.split_once(['?', '#']).map_or((address, ""), |(place, _)| (place, "?***"));
    let (host, path) = place.split_once('/').map_or((place, String::new()), |(host, path)| (host, format!("/{path}")));
    let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("***@{host}"));
    format!("{host}{path}{asked}")
}

/// A path of this machine, and not one in the values, which looks alike.
fn is_path_here(word: &str) -> bool {
    let first = word.strip_prefix('/').and_then(|rest| rest.split('/').next()).filter(|first| !first.is_empty());
    first.is_some_and(|first| Path::new("/").join(first).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&str], is_all: bool) -> Values {
        let mut values = Values { scrubber: Scrubber::default(), count: 0, bytes: 0, is_all: true };
        texts.iter().for_each(|text| values.learn_text(text));
        Values { is_all, ..values }
    }

    #[test]
    fn values_go_and_places_stay() {
        let known = values(&["hunter2-hunter2", "lightrun", "swordfish", "one\ntwo-lines"], true);
        for (said, told) in [
            (
                "Error: execution error at (lightrun/templates/fail.yaml:1:3): no such: hunter2-hunter2",
                "Error: execution error at (lightrun/templates/fail.yaml:1:3): no such: ***",
            ),
            (
                "- at '/db/password': 'swordfish' does not match pattern '^[0-9]+$'",
                "- at '/db/password': does not fit the chart's schema",
            ),
            (
                "Error: values don't meet the specifications of the schema(s)",
                "Error: values don't meet the specifications of the schema(s)",
            ),
            ("bad: map[hunter2-InKey:1] here", "bad: map[…] here"),
            (
                "Error: failed parsing --set data: key \"trail9X}\" has no value",
                "Error: failed parsing --set: a parameter is no assignment",
            ),
            ("it says two-lines", "it says ***"),
        ] {
            assert_eq!(known.hidden_in(&[said.to_owned()]), [told]);
        }
    }

    #[test]
    fn where_not_all_is_known_nothing_is_quoted() {
        let unknown = values(&[], false);
        for (said, told) in [
            (
                "Error: execution error at (a/templates/fail.yaml:1:3): no such: hunter2",
                "Error: execution error at (a/templates/fail.yaml:1:3):",
            ),
            ("Error: it failed: hunter2", "Error: it failed"),
            (
                "Error: chart file \"big.yaml\" is larger than the maximum file size 5242880",
                "Error: chart file \"big.yaml\" is larger than the maximum file size 5242880",
            ),
            ("Error: it failed: hunter2: more", "Error: it failed"),
            ("Error: it failed: hunter2 'more'", "Error: it failed"),
        ] {
            assert_eq!(unknown.hidden_in(&[said.to_owned()]), [told]);
        }
    }

    #[test]
    fn paths_and_secrets_of_addresses_go() {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("_cmp_server/1/apps/obs");
        std::fs::create_dir_all(&chart).unwrap();
        let repository = Repository::around(&chart).unwrap();
        let root = repository.root().display();
        for (said, told) in [
            (format!("open {root}/apps/obs/a.yaml: no such file"), "open a.yaml: no such file"),
            (format!("resolves to {root}/shared/good.yaml"), "resolves to shared/good.yaml"),
            ("open /tmp/helm/cache/x-index.yaml: denied".to_owned(), "open PATH: denied"),
            ("at '/db/password': bad".to_owned(), "at '/db/password': bad"),
            (
                "failed to fetch http://user:pw@host/v.yaml?token=tok : 404".to_owned(),
                "failed to fetch http://***@host/v.yaml?*** : 404",
            ),
        ] {
            assert_eq!(of_nowhere(&in_repository(&said, &repository)), told);
        }
    }
}
