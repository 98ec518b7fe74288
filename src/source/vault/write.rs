//! One more key: all other fields stay, and nobody else's write is written over.

use ureq::http::Method;

use super::mount::{Located, locate};
use super::path::{Path, encoded};
use super::server::{Reply, Session};
use crate::source::json::Object;
use crate::source::place::{Content, Members, Place as _, Value, Writable, texts};
use crate::source::{Error, Files, Run};

/// What Vault says when another version is there than the writer thinks.
const CAS_REFUSED: &str = "check-and-set";

impl Writable for Path {
    fn prepare(&self, run: &Run, before: &Content, members: &Members) -> Result<Option<Files>, Error> {
        if let Some(version) = self.config.version {
            return Err(Error::new(
                format!("keyring.yaml fixes version {version}: a new key would not be read"),
                "take `version` out, or write the new version yourself",
            ));
        }
        texts(members).map(drop)?;
        let session = self.server.session()?;
        let at = locate(run, session, &self.config)?;
        match at.mount.is_v2 {
            true => self.refuse_mortal(run, session, &at, before)?,
            false if self.alone => {}
            false => {
                return Err(Error::new(
                    format!(
                        "`{}` is a KV engine of version 1, which cannot tell if somebody else writes too",
                        at.mount.path
                    ),
                    "make sure that nobody does, and say so: --i-am-alone; better: `vault kv enable-versioning`",
                ));
            }
        }
        Ok(None)
    }

    fn put(&self, run: &Run, before: &Content, members: &Members) -> Result<(), Error> {
        let session = self.server.session()?;
        let at = locate(run, session, &self.config)?;
        let done = match at.mount.is_v2 {
            true => self.put_v2(run, session, &at, before, members),
            false => self.put_v1(run, session, &at, before, members),
        };
        match done {
            Ok(()) => Ok(()),
            // An answer was lost: look before anything is said.
            Err(Failure::Unknown(_)) if self.holds(run, members) => Ok(()),
            Err(Failure::Unknown(error) | Failure::Refused(error)) => Err(error),
        }
    }
}

/// Why a write may have failed.
enum Failure {
    /// Nothing of it is there, or what is there is not good.
    Refused(Error),
    /// It may have arrived.
    Unknown(Error),
}

impl From<Error> for Failure {
    /// Without an answer.
    fn from(error: Error) -> Self {
        Self::Unknown(error)
    }
}

impl Path {
    /// Keys are not put where a store deletes them, nor behind a version that was deleted.
    fn refuse_mortal(&self, run: &Run, session: &Session, at: &Located, before: &Content) -> Result<(), Error> {
        let mortal = |what: &str, set: &str| {
            Error::new(
                format!("{what} deletes versions after a while (`delete_version_after`): a key would be lost"),
                format!("turn that off first: `{set}`"),
            )
        };
        let of_path = format!("vault kv metadata put -delete-version-after=0s {}", self.name());
        if !before.warnings.is_empty() {
            return Err(mortal("the path", &of_path));
        }
        let config = session.ask(
            run,
            "vault metadata",
            Method::GET,
            &format!("/v1/{}/config", encoded(&at.mount.path)),
            None,
        )?;
        if config.status() == 200 && deletes(&member(&config.object()?)) {
            return Err(mortal(
                "the KV engine",
                &format!("vault write {}/config delete_version_after=0s", at.mount.path),
            ));
        }
        let api = format!("/v1/{}/metadata/{}", encoded(&at.mount.path), encoded(&at.rest));
        let reply = session.ask(run, "vault metadata", Method::GET, &api, None)?;
        match (reply.status(), before.missing.is_some()) {
            // Who may not look learns from the write itself whether somebody else was there.
            (404, true) | (403, false) => return Ok(()),
            (403, true) => return Err(session.denied(run, &reply, "read", api.trim_start_matches("/v1/"))),
            (200, _) => {}
            _ => return Err(reply.unexpected(run)),
        }
        let metadata = member(&reply.object()?);
        if deletes(&metadata) {
            return Err(mortal("the path", &of_path));
        }
        let newest = metadata.number("current_version").unwrap_or_default();
        let versions = metadata.object("versions").ok().flatten().unwrap_or_default();
        let version = versions.object(&newest.to_string()).ok().flatten().unwrap_or_default();
        let is_gone = version.flag("destroyed") == Some(true)
            || version.word("deletion_time").is_some_and(|time| !time.is_empty());
        // Metadata without any version: made beforehand, and nothing in it.
        if is_gone || (before.missing.is_some() && newest > 0) {
            return Err(Error::new(
                format!("its newest version, {newest}, was deleted: a new one would hide what it held"),
                format!("take that back first: `vault kv undelete -versions={newest} {}`", self.name()),
            ));
        }
        match before.version == Some(newest.to_string()) || before.missing.is_some() {
            true => Ok(()),
            false => Err(self.outrun(Some(newest))),
        }
    }

    fn put_v2(
        &self,
        run: &Run,
        session: &Session,
        at: &Located,
        before: &Content,
        members: &Members,
    ) -> Result<(), Failure> {
        let api = format!("{}/data/{}", at.mount.path, at.rest);
        let path = format!("/v1/{}", encoded(&api));
        let cas = before.version.clone().unwrap_or_else(|| "0".to_owned());
        let body = |data: &Object| {
            let mut options = Object::default();
            options.set_raw("cas", zeroize::Zeroizing::new(cas.clone()));
            let mut body = Object::default();
            body.set_raw("options", options.to_json());
            body.set_raw("data", data.to_json());
            body.to_json()
        };
        let mut only = Object::default();
        let mut all = before.object.clone();
        for (name, text) in texts(members)? {
            only.set(name, text);
            all.set(name, text);
        }
        if before.missing.is_none() {
            let reply = session.write(run, Method::PATCH, &path, body(&only).as_bytes())?;
            // Without the right to patch, or on a server that cannot, all fields are written as they were read.
            if !matches!(reply.status(), 403 | 405 | 415) {
                return self.written(run, session, &reply, &api);
            }
        }
        let reply = session.write(run, Method::POST, &path, body(&all).as_bytes())?;
        self.written(run, session, &reply, &api)
    }

    fn put_v1(
        &self,
        run: &Run,
        session: &Session,
        at: &Located,
        before: &Content,
        members: &Members,
    ) -> Result<(), Failure> {
        let api = format!("{}/{}", at.mount.path, at.rest);
        // Somebody who says that he is alone may still be wrong.
        if self.read(run)?.object.to_json() != before.object.to_json() {
            return Err(Failure::Refused(self.outrun(None)));
        }
        let mut all = before.object.clone();
        texts(members)?.for_each(|(name, text)| all.set(name, text));
        let reply = session.write(run, Method::PUT, &format!("/v1/{}", encoded(&api)), all.to_json().as_bytes())?;
        self.written(run, session, &reply, &api)
    }

    fn written(&self, run: &Run, session: &Session, reply: &Reply, api: &str) -> Result<(), Failure> {
        let refused = |error| Err(Failure::Refused(error));
        match reply.status() {
            200 | 204 => {
                let written = reply.object().map(|body| member(&body)).unwrap_or_default();
                match written.word("deletion_time").filter(|time| !time.is_empty()) {
                    None => Ok(()),
                    Some(_) => refused(self.mortal_version(written.number("version"))),
                }
            }
            403 => refused(session.denied(run, reply, "patch` (or `update`) and `read", api)),
            _ if reply.told(run).contains(CAS_REFUSED) => {
                let newest = self.read(run).ok().and_then(|now| now.version).and_then(|version| version.parse().ok());
                refused(self.outrun(newest))
            }
            500.. => Err(Failure::Unknown(reply.unexpected(run))),
            _ => refused(reply.unexpected(run)),
        }
    }

    /// What was set to be deleted while nobody could see it: the keys must be written anew.
    fn mortal_version(&self, version: Option<u64>) -> Error {
        let version = version.map_or_else(|| "N".to_owned(), |version| version.to_string());
        let name = self.name();
        Error::new(
            format!(
                "has taken the key, but will delete version {version}, with all keys in it (`delete_version_after`)"
            ),
            format!(
                "turn that off: `vault kv metadata put -delete-version-after=0s {name}`, or for the whole engine; then write the version anew: `vault kv rollback -version={version} {name}`; then run this again"
            ),
        )
    }

    fn outrun(&self, newest: Option<u64>) -> Error {
        let by = newest.map(|version| format!(": version {version} is there now")).unwrap_or_default();
        Error::new(
            format!("somebody else has written since it was read{by}; nothing of ours was written"),
            "look at what they wrote, then run this again: it begins with what is there now",
        )
    }

    /// Whether all of these are there now.
    fn holds(&self, run: &Run, members: &Members) -> bool {
        let Ok(now) = self.read(run) else { return false };
        members.iter().all(|(name, key)| match now.members.get(name) {
            Some(Value::Text(text)) => text.same_as(key),
            _ => false,
        })
    }
}

fn deletes(settings: &Object) -> bool {
    settings.word("delete_version_after").is_some_and(|after| !matches!(after.as_str(), "" | "0s" | "0"))
}

fn member(body: &Object) -> Object {
    body.object("data").ok().flatten().unwrap_or_default()
}
