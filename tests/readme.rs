//! The README shows what the program really says.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::path::Path;

use common::{HELMS, helm_template, keyring, root};
use helm_keyring::config::Config;

const README: &str = include_str!("../README.md");
const MARK: &str = "<!-- tests/readme.rs runs this block and compares what it shows. -->\n```console\n";

/// The lines of the first block that begins with `fence`.
fn block(fence: &str) -> &'static str {
    let (_, behind) = README.split_once(fence).expect("the block");
    behind.split_once("\n```").expect("its end").0
}

/// The commands of a console block, each with what it shows. A command goes on after a `|` at a line's end.
fn console(block: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((command, _))) if command.ends_with('|') => *command = format!("{command} {}", line.trim()),
            (None, Some((_, shown))) => *shown += &format!("{line}\n"),
            (None, None) => panic!("a console block begins with a command"),
        }
    }
    commands
}

/// The arguments of a command that begins with `program`.
fn arguments<'c>(command: &'c str, program: &str) -> Vec<&'c str> {
    command.strip_prefix(program).expect("the command").split_whitespace().collect()
}

#[test]
fn the_refusal_in_the_readme_is_the_real_one() {
    let [(command, message), (echo, code)] = &console(block(MARK))[..] else { panic!("two commands") };
    let (helm, tool) = command.split_once(" | ").expect("a pipe");
    assert_eq!(echo, "echo $?");
    for part in HELMS {
        let rendered = helm_template(part, &arguments(helm, "helm template "));
        let run = keyring(root(), &arguments(tool, "helm-keyring "), &[], &rendered);
        assert_eq!(run.stdout, "", "{part}");
        assert_eq!(run.stderr, *message, "{part}");
        assert_eq!(format!("{}\n", run.code), *code, "{part}");
    }
}

const MARK_OF_CHECK: &str = "<!-- tests/readme.rs runs this block too. -->\n```console\n";

#[test]
fn the_picture_of_check_is_the_real_one() {
    let [(command, report), (echo, code)] = &console(block(MARK_OF_CHECK))[..] else { panic!("two commands") };
    let run = keyring(root(), &arguments(command, "helm-keyring "), &[], "");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (report.as_str(), ""));
    assert_eq!((echo.as_str(), format!("{}\n", run.code).as_str()), ("echo $?", code.as_str()));
}

#[test]
fn the_keyring_yaml_in_the_readme_is_one() {
    let config = Config::parse(Path::new("README.md"), block("```yaml\n").to_owned());
    config.unwrap_or_else(|refusal| panic!("{refusal}"));
}
