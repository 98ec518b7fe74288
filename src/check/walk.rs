//! The files that are looked at: of folders, all that git would not ignore.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::report::{Exit, Finding, Place, Refusal};

/// A file of the walk.
pub struct Found {
    /// Where it lies.
    pub path: PathBuf,
    /// What messages call it: as seen from the working directory.
    pub name: String,
    /// Whether git would take it: no `.gitignore` names it.
    pub committed: bool,
}

impl Found {
    /// A file that is named somewhere.
    pub fn named(path: &Path) -> Self {
        let mut alone = folder(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
        let wanted = path.file_name();
        let committed = alone.max_depth(Some(1)).build().flatten().any(|entry| Some(entry.file_name()) == wanted);
        Self { path: path.to_owned(), name: path.display().to_string(), committed }
    }
}

/// All files of the paths, each once, in the order of their names.
///
/// # Errors
/// A path that is not there.
pub fn files(paths: &[PathBuf]) -> Result<Vec<Found>, Refusal> {
    let mut found = Vec::new();
    for path in paths {
        let is_folder = std::fs::metadata(path).map_err(|error| missing(path, &error))?.is_dir();
        if is_folder {
            found.extend(of_folder(path));
        } else {
            found.push(Found::named(path));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

fn of_folder(path: &Path) -> Vec<Found> {
    let entries = folder(path).build().flatten();
    let files = entries.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let found = |path: &Path| Found { name: path.display().to_string(), path: path.to_owned(), committed: true };
    files.map(|entry| found(entry.path().strip_prefix(".").unwrap_or(entry.path()))).collect()
}

/// Hidden files count (`.env`); what git keeps for itself does not.
fn folder(path: &Path) -> WalkBuilder {
    let mut walk = WalkBuilder::new(path);
    walk.hidden(false).ignore(false).require_git(false);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    walk
}

fn missing(path: &Path, error: &std::io::Error) -> Finding {
    Finding::error(Exit::Io, "unreadable-file", "this path cannot be read")
        .at(Place::file(path.display().to_string()))
        .found(error.to_string())
        .help("check the path and the permissions")
}
