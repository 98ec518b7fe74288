//! The source `vault`: HashiCorp Vault and OpenBao, whose API is the same. All keys of a path come in one request.
//!
//! Endpoints: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>; what real servers answer was found by
//! asking OpenBao 2.7.2.
//!
//! | file | question |
//! |---|---|
//! | `server` | which server, and how is it asked? |
//! | `login` | as whom? |
//! | `mount` | where does the KV engine begin, and which version is it? |
//! | `path` | what does a path hold? |
//! | `write` | one more key, if nobody else was faster |

mod login;
mod mount;
mod path;
mod server;
mod write;

pub use path::Path;
pub use server::Server;
