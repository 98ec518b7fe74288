//! Argo CD's config-management plugin: `helm template` as Argo CD itself runs it, and then the keys.
//!
//! Argo CD's plugin server unpacks a repository, runs the plugin in the chart's folder with the Application in variables
//! of the environment, and takes what it prints. Whatever it says on stderr becomes part of the Application's status.
//!
//! | file | what it knows |
//! |---|---|
//! | `application` | what Argo CD says of the Application |
//! | `parameters` | which parameters there are, and what is set |
//! | `announce` | the same for Argo CD's user interface |
//! | `substitute` | `$ARGOCD_APP_NAME` in them |
//! | `repository` | files of the repository, and none outside of it |
//! | `template` | Helm's command line |
//! | `helm` | Helm as a child, and missing dependencies |
//! | `words` | what Helm says of a failure, as everybody may read it |
//! | `sidecar` | the sidecar's configuration: where keys come from, who may use which |
//! | `access` | the keyrings that an Application gets |
//! | `quiet` | stores whose failures say nothing of the store |
//! | `generate` | one run |
//! | `secrecy` | what of a user's values may be a secret |
//! | `readable` | what Argo CD would lose, or show in the Application's status |
//! | `public` | what is said on stderr |
//! | `manifests` | ready YAML: the plugin, the sidecar, values for its chart, an Application |
//!
//! The way: parameters → access → Helm → checks of the values that it got → [`crate::render`]. All or nothing.

mod access;
mod announce;
mod application;
mod generate;
mod helm;
mod manifests;
mod parameters;
pub mod public;
mod quiet;
mod readable;
mod repository;
mod secrecy;
mod sidecar;
mod substitute;
mod template;
mod words;

pub use access::granted_selection;
pub use announce::announce;
pub use application::PARAMETERS;
pub use generate::{Generated, generate, open};
pub use manifests::{Manifest, PLUGIN};
pub use parameters::{KNOWN, Kind, Parameters};
pub use readable::refuse_unreadable;
pub use repository::Repository;
pub use sidecar::{Asked, FILE as SIDECAR_FILE, SCHEMA as SIDECAR_SCHEMA};
pub use substitute::substitute;
