//! The vectors of fingerprints and of the sealed format, recomputed by other libraries.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::fs;
use std::process::{Command, Output};

use common::root;

fn python(script: &str, args: &[&str]) -> Output {
    Command::new("python3").arg("-B").arg(root().join(script)).args(args).output().expect("python3 starts")
}

fn passes(output: &Output) {
    let words = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{}", words.concat());
}

#[test]
fn fingerprints_are_those_of_argon2_and_hkdf_elsewhere() {
    passes(&python("tests/vectors/vectors.py", &[]));
}

#[test]
fn a_wrong_fingerprint_is_noticed() {
    let page = fs::read_to_string(root().join("docs/lock-format.md")).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("lock-format.md");
    fs::write(&wrong, page.replacen("| `vcf746", "| `wcf746", 1)).expect("written");
    let output = python("tests/vectors/vectors.py", &[wrong.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn sealed_files_are_those_of_the_documented_cryptography() {
    passes(&python("tests/vectors/sealed.py", &[]));
}
