//! A message that Helm 4 shows: it loses a post-renderer's stderr, but prints a document that is no mapping, in full.

use std::fmt::Write as _;

use crate::render::is_from_helm4;
use crate::report::{Finding, human};

/// The name of the plugin that Helm 4 runs as a post-renderer.
pub const PLUGIN: &str = "keyring-post-renderer";

/// Whether Helm 4 reads what is printed for this stream. Under Helm 3 a message on stdout would be taken for manifests.
pub fn listens(stream: &[u8]) -> bool {
    // Set by Helm 4 for its plugins; the annotation alone could stand in a text of the chart.
    let is_plugin = std::env::var("HELM_PLUGIN_NAME").is_ok_and(|name| name == PLUGIN);
    is_plugin && (is_from_helm4(stream) || stream.trim_ascii().is_empty())
}

/// One block scalar at the top: Helm 4 fails on it, applies nothing, and prints its text.
pub fn message(findings: &[Finding]) -> String {
    let mut text = String::from("|-\n");
    for line in human(findings).lines() {
        // With a blank at a line's end or a control character, Helm would print it all in one line and quoted.
        let plain: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let line = plain.trim_end();
        let indent = if line.is_empty() { "" } else { "  " };
        let _ = writeln!(text, "{indent}{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_one_block_scalar() {
        let finding = Finding::refused("a", "first: line ").found("- second\u{7}").help("# third");
        let text = message(&[finding.clone(), finding]);
        let tree = crate::yaml::Value::parse(&text, 0).unwrap();
        let crate::yaml::Data::Text(told) = &tree.data else { panic!("no text: {text}") };
        assert_eq!(told.lines().next(), Some("error[a]: first: line"));
        assert!(text.lines().all(|line| !line.ends_with([' ', '\t'])), "{text}");
        assert!(told.contains("   = note: - second?\n   = help: # third"));
    }
}
