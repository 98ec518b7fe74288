//! helm-keyring: the right encryption keys in rendered Helm manifests, or nothing at all.
//!
//! A chart that encrypts data at rest either takes a key in its values or makes up a random one. Under `helm
//! template` and GitOps a made-up key is another one at every render, and the data encrypted so far is lost. This
//! program stands behind the render and puts the keys from an external source into it, the same bytes every time.
//!
//! | module | what it knows |
//! |---|---|
//! | [`cli`] | commands and flags; the only place that reads stdin, prints or exits |
//! | [`config`] | `keyring.yaml`: keyrings, environments, sources |
//! | [`init`] | a first `keyring.yaml` for a chart |
//! | [`profile`] | how a chart spells its keys, as data |
//! | [`schema`] | JSON Schemas, with messages that point into the YAML |
//! | [`yaml`] | YAML as Helm reads it, with byte positions |
//! | [`values`] | the user's values as Helm merges them |
//! | [`key`] | key text (never printable), spelling, policy, strength, fingerprint |
//! | [`keyring`] | numbered keys and their invariant |
//! | [`check`] | preflight: files, values, manifests and who deploys them, looked at without a cluster |
//! | [`judge`] | what a new key must be like, and what is said of an old one |
//! | [`held`] | the keys that a Kubernetes Secret holds |
//! | [`argocd`] | Argo CD's plugin: Helm as Argo CD runs it, and the keys that its sidecar grants
//! | [`source`] | where key texts come from |
//! | [`lock`] | `keyring.lock`: a fingerprint a key, and what happened to one that differs |
//! | [`sealed`] | the sealed file: keys under master keys, to commit |
//! | [`guard`] | an admission policy that keeps the keys in the cluster |
//! | [`verify`] | which key opens a ciphertext |
//! | [`keeper`] | the key-holder's tool: lock, rotate, adopt, copy, status |
//! | [`helm`] | Helm's command line, its plugins, and what it shows of a post-renderer |
//! | [`child`] | programs of others: few variables, bounded output, an end
//! | [`git`] | the user's own git |
//! | [`files`] | replacing files so that a crash leaves each one old or new |
//! | [`manifest`] | split a stream, find pods and Secrets, edit byte ranges |
//! | [`render`] | stream + keyring → the stream with the keys in it, or a refusal |
//! | [`rules`] | what may be wrong with keys: one file a rule, the same words everywhere |
//! | [`unstable`] | what of a chart's render differs from one render to the next
//! | [`report`] | findings and how they are printed |
//!
//! One way through, for `render`: stdin → [`manifest::split`] → survey → the table of decisions ← [`judge`] ← [`lock`] ←
//! [`source`]; then edits, parsed again and compared with what was meant; then stdout. All or nothing.
//!
//! For `check`: files → documents, known by what they hold → [`rules`], side by side → values that are deployed together,
//! merged → [`rules`] → [`report`].

pub mod argocd;
pub mod check;
pub mod child;
pub mod cli;
pub mod config;
pub mod files;
pub mod git;
pub mod guard;
pub mod held;
pub mod helm;
pub mod init;
pub mod judge;
pub mod keeper;
pub mod key;
pub mod keyring;
pub mod lock;
pub mod manifest;
pub mod profile;
pub mod render;
pub mod report;
pub mod rules;
pub mod schema;
pub mod sealed;
pub mod source;
pub mod unstable;
pub mod values;
pub mod verify;
pub mod yaml;
