//! `helm-keyring relay`: the post-renderer behind `helm keyring …`. Hands Helm's stream to the process that started Helm.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Done, process};
use crate::helm::{SOCKET, ask};
use crate::report::{Finding, Refusal};

/// Runs the command.
pub fn run() -> Done {
    let Some(socket) = std::env::var_os(SOCKET).map(PathBuf::from) else {
        let finding = Finding::usage("no-relay", "`relay` is only for a helm that `helm-keyring helm` started")
            .help("behind another helm, the post-renderer is `helm-keyring render`");
        return Err(Refusal::from(finding).into());
    };
    let stream = process::stdin()?.unwrap_or_default();
    match ask(&socket, &stream).context("the helm-keyring that started helm does not answer")? {
        Some(output) => process::print([output.as_slice()])?,
        None => {
            return Err(Refusal::from(Finding::refused(
                "relayed",
                "helm-keyring refuses this render; its message follows",
            ))
            .into());
        }
    }
    Ok(Vec::new())
}
