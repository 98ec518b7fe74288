//! The repositories that files lie in, each folder asked once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::absolute;

/// The root of each folder that was asked for.
#[derive(Default)]
pub struct Roots(Mutex<HashMap<PathBuf, PathBuf>>);

impl Roots {
    /// The root of the repository that a file lies in, or its folder.
    pub fn of(&self, path: &Path) -> PathBuf {
        let folder = path.parent().unwrap_or(Path::new(""));
        // A panic of another thread has ended the process.
        let Ok(mut known) = self.0.lock() else { return root_of(folder) };
        known.entry(folder.to_owned()).or_insert_with(|| root_of(folder)).clone()
    }
}

/// Named as messages name files: from the working directory, where that is possible.
fn root_of(folder: &Path) -> PathBuf {
    let whole = absolute(folder);
    let Some(root) = whole.ancestors().find(|folder| folder.join(".git").exists()) else { return folder.to_owned() };
    let up = whole.strip_prefix(root).map_or(0, |below| below.components().count());
    let mut shown = folder.to_owned();
    for _ in 0..up {
        if !shown.pop() {
            return root.to_owned();
        }
    }
    shown
}
