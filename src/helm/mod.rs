//! Helm, as it really behaves around a post-renderer. Facts found by running 3.17.3, 3.18.0, 3.19.0, 4.1.4 and 4.3.1.
//!
//! * Helm passes no values, no release and no namespace to a post-renderer.
//! * Helm 4 throws a post-renderer's stderr away; Helm 3 shows it only on failure. So what `helm keyring …` has to say,
//!   the process that started Helm says itself: the post-renderer only hands the stream over (`relay`).
//! * A plugin folder with a `plugin.yaml` of Helm 4 makes Helm 3 refuse all plugins, so one is never written where
//!   Helm 3 looks.
//!
//! | file | what it knows |
//! |---|---|
//! | `line` | Helm's command line: release, chart, values, and what cannot go together with a keyring |
//! | `plugins` | plugin folders of Helm 4 |
//! | `relay` | the way of a stream from Helm's post-renderer to the process that started Helm, and back |
//! | `breaks` | what Helm 4 changes behind any post-renderer |
//! | `message` | a message that Helm 4 shows |

mod breaks;
mod line;
mod message;
mod plugins;
mod relay;

pub use breaks::broken_by_helm4;
pub use line::{Line, Verb};
pub use message::{PLUGIN, listens, message};
pub use plugins::{Folder, RELAY, write_post_renderer};
pub use relay::{Answer, SOCKET, ask, serve};

/// Which Helm runs. They differ in nearly all that concerns a post-renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.17 and later.
    Three,
    /// 4.
    Four,
}

/// Set by Helm 4 for its plugins, and by no Helm 3.
const OF_HELM4: &str = "HELM_CONTENT_CACHE";

impl Version {
    /// As the environment of a plugin tells; `None` outside of one.
    pub fn of_plugin() -> Option<Self> {
        std::env::var_os("HELM_PLUGIN_DIR")?;
        Some(if std::env::var_os(OF_HELM4).is_some() { Self::Four } else { Self::Three })
    }

    /// As `helm version` prints it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_prefix('v')?.split('.').next()? {
            "3" => Some(Self::Three),
            "4" => Some(Self::Four),
            _ => None,
        }
    }
}
