//! What a path of a KV engine holds.

use std::sync::Arc;

use ureq::http::Method;

use super::mount::{Located, locate};
use super::server::{Reply, Server, Session};
use crate::config;
use crate::report::Finding;
use crate::source::json::Object;
use crate::source::place::{Content, Place, Writable};
use crate::source::{Error, Run, Why, plain_http};

/// A path.
pub struct Path {
    pub(super) server: Arc<Server>,
    pub(super) config: config::Vault,
    /// Somebody vouches that nobody else writes to KV 1, which cannot tell.
    pub(super) alone: bool,
}

impl Path {
    /// A path of a server.
    pub fn new(server: Arc<Server>, config: &config::Vault, alone: bool) -> Self {
        Self { server, config: config.clone(), alone }
    }

    /// As `vault kv get` names it.
    pub(super) fn name(&self) -> String {
        let path = self.config.path.trim_matches('/');
        match &self.config.mount {
            Some(mount) => format!("{}/{path}", mount.trim_matches('/')),
            None => path.to_owned(),
        }
    }

    fn read_v2(&self, run: &Run, session: &Session, at: &Located) -> Result<Content, Error> {
        let api = format!("{}/data/{}", at.mount.path, at.rest);
        let version = self.config.version.map(|version| format!("?version={version}")).unwrap_or_default();
        let reply = session.ask(run, "vault read", Method::GET, &format!("/v1/{}{version}", encoded(&api)), None)?;
        match reply.status() {
            200 => {}
            403 => return Err(session.denied(run, &reply, "read", &api)),
            404 => return self.not_found(run, &reply, at),
            _ => return Err(reply.unexpected(run)),
        }
        let data = member(&reply.object()?, "data")?;
        let metadata = data.object("metadata").ok().flatten().unwrap_or_default();
        let keys = match data.object("data") {
            Ok(Some(keys)) => keys,
            Ok(None) => return Err(self.gone(&metadata)),
            Err(error) => return Err(no_object(&error.to_string())),
        };
        let mut content = Content::of(keys, metadata.number("version").map(|version| version.to_string()));
        content
            .warnings
            .extend(metadata.word("deletion_time").filter(|time| !time.is_empty()).map(|time| self.expires(&time)));
        Ok(content)
    }

    fn read_v1(&self, run: &Run, session: &Session, at: &Located) -> Result<Content, Error> {
        let api = format!("{}/{}", at.mount.path, at.rest);
        let reply = session.ask(run, "vault read", Method::GET, &format!("/v1/{}", encoded(&api)), None)?;
        match reply.status() {
            200 => Ok(Content::of(member(&reply.object()?, "data")?, None)),
            403 => Err(session.denied(run, &reply, "read", &api)),
            404 => self.not_found(run, &reply, at),
            _ => Err(reply.unexpected(run)),
        }
    }

    /// Nothing was ever there, or a version that was deleted: the body tells.
    fn not_found(&self, run: &Run, reply: &Reply, at: &Located) -> Result<Content, Error> {
        let body = reply.object().unwrap_or_default();
        if let Ok(Some(metadata)) = body.object("data").ok().flatten().unwrap_or_default().object("metadata") {
            return Err(self.gone(&metadata));
        }
        if body.words("errors").is_none_or(|errors| !errors.is_empty()) {
            return Err(reply.unexpected(run));
        }
        let which = self.config.version.map(|version| format!(" in version {version}")).unwrap_or_default();
        let help = match at.rest.strip_prefix("data/") {
            Some(rest) if at.mount.is_v2 => {
                format!("leave `data/` out, which is the API's own: `path: {}/{rest}`", at.mount.path)
            }
            _ => format!("check path and namespace: `vault kv get -mount={} {}`", at.mount.path, at.rest),
        };
        Ok(Content::missing(Error::new(format!("nothing is there{which} (404)"), help).because(Why::Missing)))
    }

    /// What became of a version that is not there any more.
    fn gone(&self, metadata: &Object) -> Error {
        let version = metadata.number("version").map_or_else(|| "N".to_owned(), |version| version.to_string());
        let is_deleted = metadata.word("deletion_time").is_some_and(|time| !time.is_empty());
        match metadata.flag("destroyed") {
            Some(true) => Error::new(
                format!("version {version} was destroyed"),
                format!(
                    "no key can be had from it; is there an older version, or a backup? `vault kv get -version=N {}`",
                    self.name()
                ),
            ),
            _ if is_deleted => Error::new(
                format!("version {version} was deleted"),
                format!("take that back: `vault kv undelete -versions={version} {}`; nothing is lost yet", self.name()),
            ),
            _ => no_object("is null"),
        }
    }

    fn expires(&self, time: &str) -> Finding {
        Finding::warning("store-deletes-keys", format!("{} deletes this version at {}", self.describe(), plain(time)))
            .found("whatever it encrypted could not be read any more")
            .help(format!("`vault kv metadata put -delete-version-after=0s {}`, then write the keys anew", self.name()))
    }
}

impl Place for Path {
    fn describe(&self) -> String {
        format!("Vault path {} at {}", self.name(), self.server.describe())
    }

    fn identity(&self) -> String {
        let config::Vault { path, mount, kv_version, version, .. } = &self.config;
        format!("vault {} {mount:?} {path:?} {kv_version:?} {version:?}", self.server.identity())
    }

    fn login(&self) -> Option<String> {
        self.server.login()
    }

    fn read(&self, run: &Run) -> Result<Content, Error> {
        let session = self.server.session()?;
        let at = locate(run, session, &self.config)?;
        if at.mount.is_v2 {
            return self.read_v2(run, session, &at);
        }
        if self.config.version.is_some() {
            return Err(Error::new(
                format!("`{}` is a KV engine of version 1, which keeps no versions", at.mount.path),
                "take `version` out",
            ));
        }
        self.read_v1(run, session, &at)
    }

    fn warnings(&self) -> Vec<Finding> {
        self.server.is_plain().then(|| plain_http(&self.describe())).into_iter().collect()
    }

    fn writable(&self) -> Option<&dyn Writable> {
        Some(self)
    }
}

fn member(object: &Object, name: &str) -> Result<Object, Error> {
    object.object(name).map_err(|error| no_object(&error.to_string()))?.ok_or_else(|| no_object("is missing"))
}

fn no_object(why: &str) -> Error {
    Error::new(
        format!("answered, but what should hold the keys {why}"),
        "is this the server's own address, or that of something before it?",
    )
}

/// A time as it is written, without anything that could be something else.
fn plain(time: &str) -> String {
    time.chars().filter(|c| c.is_ascii_digit() || "-:.TZ+".contains(*c)).take(40).collect()
}

/// A path as a URL has it: `/` stays.
pub(super) fn encoded(path: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(byte).collect()
}
