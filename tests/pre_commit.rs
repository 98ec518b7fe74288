//! The hooks of `.pre-commit-hooks.yaml` under real pre-commit: `git commit` itself passes or is refused.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::root;
use tempfile::TempDir;

const HOOKS: &str = ".pre-commit-hooks.yaml";
const GOOD: &str = "secrets:\n  keysEncryption:\n    rotateKey: false\n";
const BAD: &str = "secrets:\n  keysEncryption:\n    rotateKey: true\n";
const IGNORED: &str =
    "secrets:\n  keysEncryption:\n    rotateKey: true  # helm-keyring: ignore[rotate-in-gitops] a trial\n";

/// A machine that knows git, pre-commit and helm-keyring; with a home folder of its own, and no settings of a user.
struct Machine {
    home: TempDir,
    packages: OsString,
}

impl Machine {
    fn new() -> Self {
        let mut python = Command::new("python3");
        python.args(["-B", "tools/packages.py", "tests/pre_commit/requirements.txt"]).current_dir(root());
        let output = python.output().expect("python3 starts");
        assert!(output.status.success(), "{}", said(&output));
        let packages = String::from_utf8(output.stdout).unwrap().trim_end().into();
        Self { home: tempfile::tempdir().unwrap(), packages }
    }

    /// Runs a program in a folder.
    fn run(&self, folder: &Path, words: &[&str]) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_helm-keyring")).parent().unwrap().to_owned();
        let path = env::var_os("PATH").unwrap_or_default();
        Command::new(words[0])
            .args(&words[1..])
            .current_dir(folder)
            .env_clear()
            .env("PATH", env::join_paths([program].into_iter().chain(env::split_paths(&path))).unwrap())
            .env("HOME", self.home.path())
            .env("PRE_COMMIT_HOME", self.home.path().join("pre-commit"))
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("it starts")
    }

    /// As [`Machine::run`], and what it printed, if all went well.
    fn done(&self, folder: &Path, words: &[&str]) -> String {
        let output = self.run(folder, words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A new repository with these files in its first commit.
    fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir(&folder).unwrap();
        self.done(&folder, &["git", "init", "--quiet"]);
        self.done(&folder, &["git", "config", "user.name", "Test"]);
        self.done(&folder, &["git", "config", "user.email", "test@example.test"]);
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        self.done(&folder, &["git", "add", "."]);
        self.done(&folder, &["git", "commit", "--quiet", "--message", "first"]);
        folder
    }

    fn head(&self, folder: &Path) -> String {
        self.done(folder, &["git", "rev-parse", "HEAD"])
    }

    /// Commits values as a user does; tells whether there is a new commit, and what was said.
    fn commit(&self, folder: &Path, values: &str) -> (bool, String) {
        let before = self.head(folder);
        fs::write(folder.join("values.yaml"), values).unwrap();
        self.done(folder, &["git", "add", "values.yaml"]);
        let output = self.run(folder, &["git", "commit", "--message", "values"]);
        let is_new = self.head(folder) != before;
        assert_eq!(output.status.success(), is_new, "{}", said(&output));
        (is_new, said(&output))
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn a_bad_commit_is_refused_and_a_good_one_is_not() {
    let machine = Machine::new();
    // The hooks as they are in this folder now, committed or not: pre-commit takes hooks from a commit only.
    let hooks = machine.repository("hooks", &[(HOOKS, &fs::read_to_string(root().join(HOOKS)).unwrap())]);
    let config = format!(
        "repos:\n  - repo: {}\n    rev: {}\n    hooks: [{{id: helm-keyring-system}}]\n",
        hooks.display(),
        machine.head(&hooks)
    );
    let folder = machine.repository("deploys", &[(".pre-commit-config.yaml", &config)]);
    machine.done(&folder, &["python3", "-m", "pre_commit", "install"]);

    let (passes, said) = machine.commit(&folder, GOOD);
    assert!(passes && said.contains("Passed"), "{said}");

    let (passes, said) = machine.commit(&folder, BAD);
    assert!(!passes, "{said}");
    assert!(said.contains("hook id: helm-keyring-system"), "{said}");
    assert!(said.contains("error[rotate-in-gitops]") && said.contains("values.yaml:3:"), "{said}");
    assert_eq!(machine.done(&folder, &["git", "show", "HEAD:values.yaml"]), GOOD.trim_end());

    let (passes, said) = machine.commit(&folder, IGNORED);
    assert!(passes && said.contains("Passed"), "{said}");
}

#[test]
fn pre_commit_accepts_the_manifest() {
    let machine = Machine::new();
    let here = root().display().to_string();
    machine
        .done(machine.home.path(), &["python3", "-m", "pre_commit", "validate-manifest", &format!("{here}/{HOOKS}")]);
}
