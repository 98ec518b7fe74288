//! Plugin folders of Helm 4, made where no Helm 3 looks.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::PLUGIN;

/// The name of the plugin that only hands the stream over.
pub const RELAY: &str = "keyring-relay";

/// The variable from which that plugin knows its program: a path with blanks could not stand in the file itself.
const PROGRAM: &str = "HELM_KEYRING_PROGRAM";

/// What `helm4/keyring-post-renderer/plugin.yaml` says, with another command.
const POST_RENDERER: &str = include_str!("../../helm4/keyring-post-renderer/plugin.yaml");
const COMMAND: &str = "${HELM_PLUGIN_DIR}/../../bin/helm-keyring";

/// A folder with links to all plugins that the user has, and one more.
pub struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    /// Makes it, gone with the value. `plugins`: the user's own folders, as `HELM_PLUGINS` has them.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(plugins: &[PathBuf]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("helm-keyring-").tempdir()?;
        let own = folder.path().join("plugins");
        fs::create_dir_all(own.join(RELAY))?;
        fs::write(own.join(RELAY).join("plugin.yaml"), relay_yaml())?;
        for entry in plugins.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let link = own.join(entry.file_name());
            if link.symlink_metadata().is_err() {
                symlink(std::path::absolute(entry.path())?, link)?;
            }
        }
        Ok(Self { folder })
    }

    /// For `HELM_PLUGINS`.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Where the socket lies.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The variable that the plugin needs, and what it is for this program.
    pub fn program(program: &Path) -> (&'static str, &Path) {
        (PROGRAM, program)
    }
}

fn relay_yaml() -> String {
    format!(
        "apiVersion: v1\ntype: postrenderer/v1\nname: {RELAY}\nversion: {}\nruntime: subprocess\nruntimeConfig:\n  platformCommand:\n    - command: \"${{{PROGRAM}}}\"\n      args: [relay]\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Writes the post-renderer's plugin for Helm 4 into a new folder below `plugins`, with a link to the program; gives
/// that folder.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn write_post_renderer(plugins: &Path, program: &Path) -> io::Result<PathBuf> {
    let folder = plugins.join(PLUGIN);
    fs::create_dir_all(plugins)?;
    fs::create_dir(&folder)?;
    fs::create_dir(folder.join("bin"))?;
    symlink(program, folder.join("bin/helm-keyring"))?;
    let text = POST_RENDERER.replace(COMMAND, "${HELM_PLUGIN_DIR}/bin/helm-keyring");
    fs::File::create_new(folder.join("plugin.yaml"))?.write_all(text.as_bytes())?;
    Ok(folder)
}
