//! The files that are looked at: of folders, all that git would not ignore.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::absolute;
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
    fn new(path: &Path, committed: bool) -> Self {
        let path = path.strip_prefix(".").unwrap_or(path);
        // A name may hold anything, and goes to terminals and logs.
        let name = path.display().to_string().replace(char::is_control, "\u{fffd}");
        Self { path: path.to_owned(), name, committed }
    }

    /// A file that is named somewhere.
    pub fn named(path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut alone = folder(parent);
        let committed =
            alone.max_depth(Some(1)).build().flatten().any(|entry| Some(entry.file_name()) == path.file_name());
        Self::new(path, committed)
    }
}

/// All files of the paths, each once, in the order of their names.
///
/// # Errors
/// A path that is not there, or that is neither a file nor a folder.
pub fn files(paths: &[PathBuf]) -> Result<Vec<Found>, Refusal> {
    let mut found = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).map_err(|error| missing(path, &error.to_string()))?;
        if about.is_dir() {
            found.extend(of_folder(path));
        } else if about.is_file() {
            found.push(Found::named(path));
        } else {
            return Err(missing(path, "it is neither a file nor a folder; pipe a stream into `check -`").into());
        }
    }
    Ok(once(found))
}

/// Each file once, in the order of their names, however it was named.
pub fn once(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_cached_key(|file| (absolute(&file.path), file.name.len()));
    found.dedup_by_key(|file| absolute(&file.path));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn of_folder(path: &Path) -> Vec<Found> {
    let entries = folder(path).build().flatten();
    let files = entries.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.map(|entry| Found::new(entry.path(), true)).collect()
}

/// Hidden files count (`.env`); what git keeps for itself does not. A `.gitignore` above the repository, or above a
/// folder that is in none, is another's.
fn folder(path: &Path) -> WalkBuilder {
    let in_repository = absolute(path).ancestors().any(|folder| folder.join(".git").exists());
    let mut walk = WalkBuilder::new(path);
    walk.hidden(false).ignore(false).require_git(in_repository).parents(in_repository);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    walk
}

fn missing(path: &Path, why: &str) -> Finding {
    Finding::error(Exit::Io, "unreadable-file", "this path cannot be read")
        .at(Place::file(path.display().to_string()))
        .found(why)
        .help("check the path and the permissions")
}
