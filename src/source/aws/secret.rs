//! What a secret holds.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::account::{Account, Session};
use super::service::{Asked, Reply};
use super::settings::region_of_arn;
use crate::config;
use crate::key::KeyText;
use crate::report::Finding;
use crate::source::json::Object;
use crate::source::place::{Content, Place, Writable};
use crate::source::{Error, Run, Why, plain_http};

/// The stage of the version that counts, unless keyring.yaml says otherwise.
pub const CURRENT: &str = "AWSCURRENT";

/// In what Secrets Manager says where a secret is there, but not the version that is asked for.
pub const NO_VALUE: &str = "secret value";

/// A secret, or one a key.
pub struct Secret {
    pub(super) account: Arc<Account>,
    pub(super) config: config::Aws,
}

/// A version of a secret.
pub struct Version {
    /// Its id.
    pub id: Option<String>,
    /// What it holds.
    pub value: Text,
}

/// What a version holds.
pub enum Text {
    /// `SecretString`
    Text(KeyText),
    /// `SecretBinary`, decoded.
    Binary(KeyText),
}

/// What was found under a name.
pub enum Found {
    /// A version.
    Here(Version),
    /// There is no such secret, or it has no such version.
    Nothing {
        /// The secret itself is there.
        is_without_value: bool,
        /// What was said.
        error: Error,
    },
}

/// Which version of a secret.
#[derive(Clone, Copy)]
pub enum Which<'w> {
    /// As keyring.yaml says.
    Configured,
    /// The current one, whatever keyring.yaml says.
    Current,
    /// By its id.
    Id(&'w str),
}

impl Secret {
    /// A secret of an account.
    pub fn new(account: Arc<Account>, config: &config::Aws) -> Self {
        Self { account, config: config.clone() }
    }

    /// Asks for a version of a secret.
    pub(super) fn get(&self, run: &Run, session: &Session, id: &str, which: Which<'_>) -> Result<Found, Error> {
        let mut body = Object::default();
        body.set("SecretId", id);
        let config::Aws { version, stage, .. } = &self.config;
        let (version, stage) = match which {
            Which::Configured => (version.as_deref(), stage.as_deref()),
            Which::Current => (None, None),
            Which::Id(version) => (Some(version), None),
        };
        if let Some(version) = version {
            body.set("VersionId", version);
        }
        if let Some(stage) = stage.or(version.is_none().then_some(CURRENT)) {
            body.set("VersionStage", stage);
        }
        let reply = session.ask(run, "aws get", "GetSecretValue", &body)?;
        match (reply.status(), reply.code().as_str()) {
            (200, _) => version_of(&reply).map(Found::Here),
            (_, "ResourceNotFoundException") => Ok(nothing(run, session, &reply, id)),
            _ => Err(refused(run, &reply, "GetSecretValue", id, "kms:Decrypt")),
        }
    }

    fn read_object(&self, run: &Run, session: &Session, id: &str) -> Result<Content, Error> {
        let Version { id: version, value } = match self.get(run, session, id, Which::Configured)? {
            Found::Here(version) => version,
            Found::Nothing { error, .. } => return Ok(Content::missing(error)),
        };
        let help = "a JSON object is needed, `{\"FIELD\": \"KEY\"}`; for secrets that are just a key write `secrets: {FIELD: NAME}`";
        let text = match value {
            Text::Text(text) => text,
            Text::Binary(_) => return Err(Error::new("is kept as SecretBinary, not as text", help)),
        };
        match Object::parse(text.expose()) {
            Ok(object) => Ok(Content::of(object, version)),
            Err(error) => Err(Error::new(format!("what it holds {error}"), help)),
        }
    }

    /// One session is for one region: the first ARN's, unless keyring.yaml names another.
    fn refuse_other_regions(&self, session: &Session) -> Result<(), Error> {
        if self.config.region.is_some() {
            return Ok(());
        }
        let mut regions =
            self.config.secret.iter().chain(self.config.secrets.values()).filter_map(|id| region_of_arn(id));
        match regions.find(|region| *region != session.region()) {
            Some(other) => Err(Error::new(
                format!("an ARN is of {other}, but {} is asked", session.region()),
                "name secrets of one region; `byField` can take each ring from another place",
            )),
            None => Ok(()),
        }
    }
}

impl Place for Secret {
    fn describe(&self) -> String {
        let names: Vec<&str> =
            self.config.secret.iter().chain(self.config.secrets.values()).map(String::as_str).collect();
        let kind = if self.config.secret.is_some() { "AWS secret" } else { "AWS secrets" };
        format!("{kind} {}{}", names.join(", "), self.account.describe())
    }

    fn identity(&self) -> String {
        let config::Aws { secret, secrets, version, stage, .. } = &self.config;
        format!("aws {} {secret:?} {secrets:?} {version:?} {stage:?}", self.account.identity())
    }

    fn login(&self) -> Option<String> {
        self.account.login()
    }

    fn read(&self, run: &Run) -> Result<Content, Error> {
        let session = self.account.session(run)?;
        self.refuse_other_regions(session)?;
        match &self.config.secret {
            Some(id) => self.read_object(run, session, id),
            None => self.read_each(run, session),
        }
    }

    fn warnings(&self) -> Vec<Finding> {
        self.account.is_plain().then(|| plain_http(&self.describe())).into_iter().collect()
    }

    fn writable(&self) -> Option<&dyn Writable> {
        Some(self)
    }
}

/// Why an action was refused.
pub fn refused(run: &Run, reply: &Reply, action: &str, id: &str, kms: &str) -> Error {
    let asked = Asked { action: &format!("secretsmanager:{action}"), of: &format!("secret {id}"), id, kms };
    reply.error(run, &asked)
}

fn version_of(reply: &Reply) -> Result<Version, Error> {
    let odd = |what: &str| {
        Error::new(
            format!("answered 200, but {what}"),
            "is the endpoint that of Secrets Manager, or that of something before it?",
        )
    };
    let body = reply.object()?;
    let value = match (body.text("SecretString"), body.text("SecretBinary")) {
        (Some(Ok(text)), _) => Text::Text(text),
        (_, Some(Ok(text))) => {
            let bytes = STANDARD.decode(text.expose()).map_err(|_| odd("SecretBinary is not base64"))?;
            Text::Binary(KeyText::from(bytes))
        }
        _ => return Err(odd("without a value")),
    };
    Ok(Version { id: body.word("VersionId"), value })
}

fn nothing(run: &Run, session: &Session, reply: &Reply, id: &str) -> Found {
    let is_without_value = reply.message().contains(NO_VALUE);
    let help = match is_without_value {
        true => format!("`aws secretsmanager list-secret-version-ids --secret-id {id}` shows what is there"),
        false => {
            format!("check name, region and account: `aws secretsmanager list-secrets --region {}`", session.region())
        }
    };
    Found::Nothing {
        is_without_value,
        error: Error::new(format!("answered {}", reply.told(run)), help).because(Why::Missing),
    }
}
