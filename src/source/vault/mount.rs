//! Where the KV engine of a path begins, and which version it is.

use ureq::http::Method;

use super::path::encoded;
use super::server::{Session, known};
use crate::config;
use crate::source::{Error, Run};

/// A mounted KV engine.
#[derive(Clone)]
pub struct Mount {
    /// Without slashes at its ends.
    pub path: String,
    /// Whether it is version 2.
    pub is_v2: bool,
}

/// A path, and the engine it lies in.
pub struct Located {
    /// The engine.
    pub mount: Mount,
    /// The path below it.
    pub rest: String,
}

/// Finds the engine of a configured path: as configured, as found for another path, or by asking.
pub fn locate(run: &Run, session: &Session, place: &config::Vault) -> Result<Located, Error> {
    let path = place.path.trim_matches('/');
    let whole = match &place.mount {
        Some(mount) => format!("{}/{path}", mount.trim_matches('/')),
        None => path.to_owned(),
    };
    if let Some(version) = place.kv_version {
        let first = whole.split('/').next().unwrap_or_default();
        let mount = place.mount.as_deref().map_or(first, |mount| mount.trim_matches('/'));
        return below(Mount { path: mount.to_owned(), is_v2: version == 2 }, &whole);
    }
    // Held while it is asked, so that paths of one engine ask once.
    let mut mounts = known(&session.mounts);
    if let Some(mount) = mounts.iter().find(|mount| rest(mount, &whole).is_some()) {
        return below(mount.clone(), &whole);
    }
    let mount = ask(run, session, &whole)?;
    mounts.push(mount.clone());
    below(mount, &whole)
}

fn rest<'p>(mount: &Mount, whole: &'p str) -> Option<&'p str> {
    whole.strip_prefix(mount.path.as_str())?.strip_prefix('/').filter(|rest| !rest.is_empty())
}

fn below(mount: Mount, whole: &str) -> Result<Located, Error> {
    match rest(&mount, whole) {
        Some(rest) => Ok(Located { rest: rest.to_owned(), mount }),
        None => Err(Error::new(
            "the path ends where the KV engine begins",
            "write the mount, then the path in it: `path: secret/obs/keys`",
        )),
    }
}

/// The server tells even those of a mount who may only read something in it.
fn ask(run: &Run, session: &Session, whole: &str) -> Result<Mount, Error> {
    let path = format!("/v1/sys/internal/ui/mounts/{}", encoded(whole));
    let reply = session.ask(run, "vault mount", Method::GET, &path, None)?;
    match reply.status() {
        200 => {}
        403 => {
            let no_mount = || {
                Error::new(
                    format!("the server does not say which KV engine the path is in ({})", reply.told(run)),
                    "set `mount` and `kvVersion: 2` (or 1) in keyring.yaml; if that is refused too, check namespace, path and policy",
                )
            };
            return Err(match session.may_be_no_token(run) {
                true => session.denied(run, &reply, "read", &format!("sys/internal/ui/mounts/{whole}")),
                false => no_mount(),
            });
        }
        _ => return Err(reply.unexpected(run)),
    }
    let odd = || {
        Error::new(
            "the server describes the path's mount in an unknown way",
            "set `mount` and `kvVersion` in keyring.yaml",
        )
    };
    let data = reply.object()?.object("data").map_err(|_| odd())?.ok_or_else(odd)?;
    let mount = data.word("path").ok_or_else(odd)?;
    match data.word("type").as_deref() {
        Some("kv" | "generic") => {}
        _ => {
            return Err(Error::new(
                format!("`{}` is no KV engine", mount.trim_matches('/')),
                "keys are kept in KV engines: check the path",
            ));
        }
    }
    let version = data.object("options").map_err(|_| odd())?.and_then(|options| options.word("version"));
    Ok(Mount { path: mount.trim_matches('/').to_owned(), is_v2: version.as_deref() == Some("2") })
}
