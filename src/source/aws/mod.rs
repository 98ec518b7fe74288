//! The source `aws-secrets-manager`: AWS Secrets Manager over its own HTTP API, without an SDK. A secret that is a JSON
//! object comes in one request.
//!
//! API: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/>; where credentials and settings come from, and
//! in which order: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>.
//!
//! | file | question |
//! |---|---|
//! | `account` | as whom, where, and with one login for all secrets |
//! | `settings` | which region, endpoint and CA: keyring.yaml, variables, the profile |
//! | `files` | what do `~/.aws/config` and `~/.aws/credentials` say? |
//! | `credentials` | in which order are credentials looked for? |
//! | `profile` | which credentials does a profile name? |
//! | `sts` | credentials of a role, for others or for a web identity |
//! | `container` | credentials that ECS and EKS give to a container |
//! | `imds` | credentials and region that EC2 gives to a machine |
//! | `service` | how is a service asked, and what does it say of a failure? |
//! | `sigv4` | the signature under a request |
//! | `time` | times in signatures and answers |
//! | `secret` | what does a secret hold? |
//! | `each` | one secret a key |
//! | `write` | one more key, if nobody else was faster |

mod account;
mod container;
mod credentials;
mod each;
mod files;
mod imds;
mod profile;
mod secret;
mod service;
mod settings;
mod sigv4;
mod sts;
mod time;
mod write;

pub use account::Account;
pub use secret::Secret;
