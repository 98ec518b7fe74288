//! One more key: all other members stay, and nobody else's write is written over.
//!
//! The new version is put under a label of its own, where nobody reads it, and read back. Only then `AWSCURRENT` is
//! moved to it, away from the version that was read: Secrets Manager refuses if it is not there any more.

use std::thread;
use std::time::Duration;

use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use super::account::Session;
use super::each::NUMBER;
use super::secret::{CURRENT, Found, NO_VALUE, Secret, Text, Version, Which, refused};
use crate::key::KeyText;
use crate::source::json::Object;
use crate::source::place::{Content, Members, Writable, texts};
use crate::source::{Error, Files, Run};

/// More is refused by Secrets Manager.
const SECRET_LEN_MAX_BYTES: usize = 65_536;
/// How long cleaning up, and looking what became of a move, may take when the run's own time is over.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long what was written may stay unseen.
const SETTLES: Duration = Duration::from_secs(5);
const SETTLES_AFTER_ERROR: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(250);
/// What writing a version takes of a KMS key.
const KMS: &str = "kms:GenerateDataKey` and `kms:Decrypt";

impl Writable for Secret {
    fn prepare(&self, _: &Run, before: &Content, members: &Members) -> Result<Option<Files>, Error> {
        let id = self.one(before, members)?;
        if let Some(version) = &self.config.version {
            return Err(Error::new(
                format!("keyring.yaml fixes version {version}: a new key would not be read"),
                "take `version` out, or write the new version yourself",
            ));
        }
        if let Some(stage) = self.config.stage.as_deref().filter(|stage| *stage != CURRENT) {
            return Err(Error::new(
                format!("keyring.yaml reads the stage {stage}, and helm-keyring writes {CURRENT} only"),
                format!(
                    "write the whole object yourself: `aws secretsmanager put-secret-value --secret-id {id} --version-stages {stage} --secret-string file:///dev/stdin`"
                ),
            ));
        }
        if let Some(missing) = &before.missing {
            let is_there = missing.message.contains(NO_VALUE);
            let make = if is_there { "put-secret-value --secret-id" } else { "create-secret --name" };
            return Err(Error::new(
                format!("{}; helm-keyring makes no secret", missing.message.trim_end_matches('.')),
                format!("make it: `aws secretsmanager {make} {id} --secret-string '{{}}'`, then run this again"),
            ));
        }
        if before.version.is_none() {
            return Err(Error::new(
                "the answer named no version, so nobody could tell if somebody else writes too",
                "is the endpoint that of Secrets Manager?",
            ));
        }
        match whole(before, members)?.len() {
            len if len > SECRET_LEN_MAX_BYTES => Err(Error::new(
                format!(
                    "with the new key it would be {len} bytes long, and Secrets Manager takes {SECRET_LEN_MAX_BYTES}"
                ),
                "move what is no key to another secret",
            )),
            _ => Ok(None),
        }
    }

    fn put(&self, run: &Run, before: &Content, members: &Members) -> Result<(), Error> {
        let id = self.one(before, members)?;
        let text = whole(before, members)?;
        let session = self.account.session(run)?;
        let version = uuid()?;
        let label = format!("helm-keyring-{version}");
        let new = New { secret: self, session, id, version: &version, label: &label };
        let done = new.put(run, &text).and_then(|()| new.look(run, &text)).and_then(|()| new.activate(run, before));
        run.count("aws stage");
        // Without a label AWS deletes a version that never became current; a label left behind does no harm.
        let _ = new.unlabel(&Run::within(AFTERWARDS));
        done
    }
}

impl Secret {
    /// The one secret that can be written.
    fn one(&self, before: &Content, members: &Members) -> Result<&str, Error> {
        self.config.secret.as_deref().ok_or_else(|| {
            let by_hand: Vec<String> = members.keys().filter_map(|member| self.by_hand(before, member)).collect();
            Error::new(
                "helm-keyring writes to a secret that is a JSON object, not to one secret a key",
                format!("do it yourself (`helm-keyring keygen`, `lock`): {}", by_hand.join("; ")),
            )
        })
    }

    /// How a member gets its text without us.
    fn by_hand(&self, before: &Content, member: &str) -> Option<String> {
        let id = self.config.secrets.iter().find_map(|(field, id)| {
            let Some((start, end)) = field.split_once(NUMBER) else { return (field == member).then(|| id.clone()) };
            Some(id.replace(NUMBER, member.strip_prefix(start)?.strip_suffix(end)?))
        })?;
        let action = match before.members.contains_key(member) {
            true => "put-secret-value --secret-id",
            false => "create-secret --name",
        };
        Some(format!("`{member}` with `aws secretsmanager {action} {id} --secret-string file:///dev/stdin`"))
    }
}

/// A version on its way.
struct New<'n> {
    secret: &'n Secret,
    session: &'n Session,
    id: &'n str,
    version: &'n str,
    label: &'n str,
}

impl New<'_> {
    /// Where nobody reads it. The version's id comes from us, so the same request twice makes one version.
    fn put(&self, run: &Run, text: &str) -> Result<(), Error> {
        let mut body = self.body();
        body.set("ClientRequestToken", self.version);
        body.set("SecretString", text);
        let labels = serde_json::to_string(&[self.label]).unwrap_or_default();
        body.set_raw("VersionStages", Zeroizing::new(labels));
        let reply = self.session.ask(run, "aws put", "PutSecretValue", &body)?;
        match reply.status() {
            200 => Ok(()),
            _ => Err(refused(run, &reply, "PutSecretValue", self.id, KMS)),
        }
    }

    /// Whether it can be read as it was written.
    fn look(&self, run: &Run, text: &str) -> Result<(), Error> {
        let help = "look at the secret's versions; the one that was current still is";
        let is_there = |found: &Found| matches!(found, Found::Here(_));
        match self.seen(run, Which::Id(self.version), SETTLES, is_there)? {
            Found::Here(Version { value: Text::Text(read), .. })
                if read.same_as(&KeyText::from(text.as_bytes().to_vec())) =>
            {
                Ok(())
            }
            Found::Here(_) => {
                Err(Error::new("has taken the new version, but reads otherwise; it was not made current", help))
            }
            Found::Nothing { .. } => {
                Err(Error::new("has taken the new version, but does not find it; it was not made current", help))
            }
        }
    }

    /// Makes it the current one, if the one that was read still is.
    fn activate(&self, run: &Run, before: &Content) -> Result<(), Error> {
        let old = before.version.as_deref().unwrap_or_default();
        let is_moved = |found: &Found| matches!(found, Found::Here(Version { id: Some(id), .. }) if id != old);
        let Err(error) = self.stage(run, CURRENT, Some(self.version), old) else {
            // It is done; whoever reads now should see it.
            let _ = self.seen(run, Which::Current, SETTLES, is_moved);
            return Ok(());
        };
        // An answer may have been lost: look before anything is said.
        match self.seen(&Run::within(AFTERWARDS), Which::Current, SETTLES_AFTER_ERROR, is_moved) {
            Ok(Found::Here(Version { id: Some(now), .. })) if now == self.version => Ok(()),
            Ok(Found::Here(Version { id: Some(now), .. })) if now != old => Err(outrun(&now)),
            Ok(_) => Err(error),
            Err(_) => Err(Error::new(
                format!("{}; it is not known whether the new version {} is current now", error.message, self.version),
                format!(
                    "look: `aws secretsmanager list-secret-version-ids --secret-id {}`, then run this again",
                    self.id
                ),
            )),
        }
    }

    /// What is found as soon as it is as expected, or at last: what was written is not seen everywhere at once.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_general.html>
    fn seen(
        &self,
        run: &Run,
        which: Which<'_>,
        settles: Duration,
        is_expected: impl Fn(&Found) -> bool,
    ) -> Result<Found, Error> {
        let until = run.deadline().at_most(settles);
        loop {
            let found = self.secret.get(run, self.session, self.id, which)?;
            if is_expected(&found) || until.left().is_none_or(|left| left <= BETWEEN) {
                return Ok(found);
            }
            thread::sleep(BETWEEN);
        }
    }

    /// Takes our own label off.
    fn unlabel(&self, run: &Run) -> Result<(), Error> {
        self.stage(run, self.label, None, self.version)
    }

    fn stage(&self, run: &Run, stage: &str, to: Option<&str>, from: &str) -> Result<(), Error> {
        let mut body = self.body();
        body.set("VersionStage", stage);
        body.set("RemoveFromVersionId", from);
        if let Some(to) = to {
            body.set("MoveToVersionId", to);
        }
        let reply = self.session.ask(run, "aws stage", "UpdateSecretVersionStage", &body)?;
        match reply.status() {
            200 => Ok(()),
            _ => Err(refused(run, &reply, "UpdateSecretVersionStage", self.id, KMS)),
        }
    }

    fn body(&self) -> Object {
        let mut body = Object::default();
        body.set("SecretId", self.id);
        body
    }
}

fn outrun(now: &str) -> Error {
    Error::new(
        format!("somebody else has written since it was read: version {now} is current now; nothing of ours became so"),
        "look at what they wrote, then run this again: it begins with what is there now",
    )
}

/// All members as they were read, and the new ones.
fn whole(before: &Content, members: &Members) -> Result<Zeroizing<String>, Error> {
    let mut all = before.object.clone();
    texts(members)?.for_each(|(name, text)| all.set(name, text));
    Ok(all.to_json())
}

/// A random UUID, version 4.
fn uuid() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| Error::new("the operating system gives no randomness", "look at the system's own log"))?;
    let bits = u128::from_be_bytes(bytes);
    let bits = bits & !(0xf << 76) | (0x4 << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version() {
        for _ in 0..20 {
            let id = uuid().unwrap();
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
        assert_ne!(uuid().unwrap(), uuid().unwrap());
    }
}
