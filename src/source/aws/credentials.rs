//! Credentials, and in which order they are looked for.

use zeroize::Zeroizing;

use super::settings::{Settings, variable};
use super::{container, imds, profile, sts};
use crate::source::json::Object;
use crate::source::{Error, Run};

/// What signs a request.
pub struct Credentials {
    /// The access key's id, which is no secret.
    pub key_id: String,
    /// The access key's secret.
    pub secret: Zeroizing<String>,
    /// The session's token, for credentials that end.
    pub token: Option<Zeroizing<String>>,
    /// As whom, in words.
    pub login: String,
    /// Whether EC2 gave them to this machine, which can tell its region then.
    pub of_machine: bool,
}

impl Credentials {
    /// Credentials; from now on their secrets are hidden.
    pub fn new(
        run: &Run,
        key_id: &str,
        secret: Zeroizing<String>,
        token: Option<Zeroizing<String>>,
        login: String,
    ) -> Self {
        let token = token.filter(|token| !token.is_empty());
        run.learn(secret.as_bytes());
        token.iter().for_each(|token| run.learn(token.as_bytes()));
        Self { key_id: key_id.to_owned(), secret, token, login, of_machine: false }
    }

    /// As JSON has them; the token's name is not the same everywhere.
    pub fn of_json(run: &Run, object: &Object, token: &str, login: String) -> Option<Self> {
        let text = |name: &str| Some(Zeroizing::new(object.word(name)?)).filter(|text| !text.is_empty());
        Some(Self::new(run, &text("AccessKeyId")?, text("SecretAccessKey")?, text(token), login))
    }
}

/// The first credentials that are there. A profile that keyring.yaml names is the only one that counts.
///
/// # Errors
/// None anywhere; some that are not whole, or are refused.
pub fn find(run: &Run, settings: &Settings) -> Result<Credentials, Error> {
    if let Some(name) = &settings.profile {
        return profile::credentials(run, settings, name)?.ok_or_else(|| {
            Error::new(
                format!("profile `{name}` names no credentials"),
                format!("give it some: `aws configure --profile {name}`; or take `profile` out of keyring.yaml"),
            )
        });
    }
    if let Some(found) = of_variables(run)? {
        return Ok(found);
    }
    if let Some(found) = sts::of_variables(run, settings)? {
        return Ok(found);
    }
    let name = settings.profile_name();
    // Nobody has named `default`: it need not be there.
    if (variable("AWS_PROFILE").is_some() || settings.files()?.profile(&name).is_some())
        && let Some(found) = profile::credentials(run, settings, &name)?
    {
        return Ok(found);
    }
    if let Some(found) = container::find(run, settings)? {
        return Ok(found);
    }
    imds::find(run)?.ok_or_else(|| {
        Error::new(
            format!(
                "there are no credentials: no AWS_ACCESS_KEY_ID, no AWS_WEB_IDENTITY_TOKEN_FILE, none in profile \
                 `{name}`, none of a container, and no EC2 instance role"
            ),
            "set AWS_PROFILE or `profile` in keyring.yaml, or log in as you do for `aws`; in a pod: an IAM role for its service account",
        )
    })
}

/// What stands in the variables themselves.
///
/// # Errors
/// Half of it.
pub fn of_variables(run: &Run) -> Result<Option<Credentials>, Error> {
    let secret = variable("AWS_SECRET_ACCESS_KEY").map(Zeroizing::new);
    let half = |missing: &str, there: &str| {
        Error::new(format!("{there} is set, and {missing} is not"), "set both, or neither to use a profile or a role")
    };
    match (variable("AWS_ACCESS_KEY_ID"), secret) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
        (None, Some(_)) => Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (Some(id), Some(secret)) => {
            let token = variable("AWS_SESSION_TOKEN").map(Zeroizing::new);
            let login = "the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
            Ok(Some(Credentials::new(run, &id, secret, token, login)))
        }
    }
}
