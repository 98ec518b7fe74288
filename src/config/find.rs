//! Where `keyring.yaml` lies.

use std::io::ErrorKind;
use std::iter;
use std::path::{Path, PathBuf};

use super::FILE;

/// The nearest file from `start` upward, within the repository.
pub(super) fn upward(start: &Path) -> Option<PathBuf> {
    within_repository(start).into_iter().map(|folder| folder.join(FILE)).find(|file| is_there(file))
}

/// `start` and the folders above it up to the repository's root; only `start` where there is no repository, so
/// that nobody's file in `/tmp` or `/` is ever taken.
fn within_repository(start: &Path) -> Vec<PathBuf> {
    let here = if start.as_os_str().is_empty() { Path::new(".") } else { start };
    let depth = here.canonicalize().map_or(1, |folder| folder.ancestors().count());
    let upward = iter::successors(Some(start.to_owned()), |folder| match folder.is_absolute() {
        true => folder.parent().map(Path::to_owned),
        false => Some(folder.join("..")),
    });
    let mut folders: Vec<PathBuf> = upward.take(depth).collect();
    let root = folders.iter().position(|folder| is_there(&folder.join(".git")));
    folders.truncate(root.unwrap_or(0) + 1);
    folders
}

/// Whether something is there, readable or not: what cannot be read must not be passed over.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().map_or_else(|error| error.kind() != ErrorKind::NotFound, |_| true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn the_nearest_file_of_the_repository_is_found() {
        let folder = folder_with(&["keyring.yaml", "repo/.git/HEAD", "repo/keyring.yaml", "repo/a/b/values.yaml"]);
        let start = folder.path().join("repo/a/b");
        assert_eq!(upward(&start), Some(folder.path().join("repo/keyring.yaml")));
        let nearer = folder.path().join("repo/a/keyring.yaml");
        fs::write(&nearer, "").unwrap();
        assert_eq!(upward(&start), Some(nearer));
    }

    #[test]
    fn the_search_stops_at_the_root_of_the_repository() {
        let folder = folder_with(&["keyring.yaml", "repo/.git/HEAD", "repo/a/values.yaml"]);
        assert_eq!(upward(&folder.path().join("repo/a")), None);
    }

    #[test]
    fn a_work_tree_whose_git_is_a_file_is_a_repository() {
        let folder = folder_with(&["keyring.yaml", "tree/.git", "tree/keyring.yaml", "tree/a/values.yaml"]);
        assert_eq!(upward(&folder.path().join("tree/a")), Some(folder.path().join("tree/keyring.yaml")));
    }

    #[test]
    fn without_a_repository_only_the_folder_itself_counts() {
        let folder = folder_with(&["keyring.yaml", "a/values.yaml"]);
        assert_eq!(upward(&folder.path().join("a")), None);
        assert_eq!(upward(folder.path()), Some(folder.path().join("keyring.yaml")));
    }

    #[test]
    fn from_the_working_directory_paths_stay_relative() {
        // The tests run in the root of this project; whether it is a repository does not matter here.
        let folders = within_repository(Path::new("src"));
        assert_eq!(folders[0], Path::new("src"));
        assert!(folders.get(1).is_none_or(|above| above == Path::new("src/..")));
        assert_eq!(within_repository(Path::new(""))[0], Path::new(""));
    }

    #[test]
    fn a_link_to_nowhere_is_not_passed_over() {
        let folder = folder_with(&[".git", "keyring.yaml", "a/values.yaml"]);
        let start = folder.path().join("a");
        std::os::unix::fs::symlink("nowhere", start.join("keyring.yaml")).unwrap();
        assert_eq!(upward(&start), Some(start.join("keyring.yaml")));
    }
}
