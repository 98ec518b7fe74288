//! The user's own `git`: a file as an earlier commit has it.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::report::{Exit, Finding, Refusal};

/// What is set of the environment: how git finds itself, the user's settings and a repository that lies elsewhere.
const VARIABLES: [&str; 5] = ["PATH", "HOME", "XDG_CONFIG_HOME", "GIT_DIR", "GIT_WORK_TREE"];

/// A file at a revision; `None` if that revision does not have it.
///
/// # Errors
/// No git, no repository, no such revision (exit code 2); a file that is no text (exit code 5).
pub fn show(file: &Path, revision: &str) -> Result<Option<String>, Refusal> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    // `--end-of-options`: a revision that begins with `-` is none.
    let commit = format!("{revision}^{{commit}}");
    let known = run(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    if !known.status.success() {
        return Err(Finding::usage("no-revision", "git knows no such commit here")
            .found(said(&known))
            .help("name a branch, a tag or a commit, such as `origin/main`; in CI, fetch it first (`fetch-depth: 0`)")
            .into());
    }
    let commit = String::from_utf8_lossy(&known.stdout).trim().to_owned();
    let listed = run(folder, &["ls-tree", "--name-only", &commit, "--", &name])?;
    if !listed.status.success() || listed.stdout.is_empty() {
        return Ok(None);
    }
    let shown = run(folder, &["show", "--no-textconv", &format!("{commit}:./{name}")])?;
    if !shown.status.success() {
        return Err(Finding::error(Exit::Io, "io", format!("git cannot show {name}")).found(said(&shown)).into());
    }
    String::from_utf8(shown.stdout)
        .map(Some)
        .map_err(|_| Finding::error(Exit::Io, "io", format!("{name} was no text")).into())
}

fn run(folder: &Path, args: &[&str]) -> Result<Output, Refusal> {
    let mut command = Command::new("git");
    let known = |(name, _): &(std::ffi::OsString, _)| name.to_str().is_some_and(|name| VARIABLES.contains(&name));
    command.arg("-C").arg(folder).args(args).env_clear().envs(std::env::vars_os().filter(known)).stdin(Stdio::null());
    command.output().map_err(|error: io::Error| {
        Finding::usage("no-git", format!("git cannot be run ({error})"))
            .help("install git, and check that it is on the PATH")
            .into()
    })
}

/// The first line of stderr.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().next().unwrap_or("git said nothing").to_owned()
}
