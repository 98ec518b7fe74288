//! Credentials of a role, from the Security Token Service: for other credentials, or for a web identity.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::path::Path;

use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::service::{Asked, Reply, Service, element};
use super::settings::{Api, Settings, variable};
use super::sigv4::encoded;
use crate::source::{Error, Run, read_word};

/// What a session is called in AWS's logs, unless somebody says otherwise.
const SESSION: &str = "helm-keyring";

/// A role that is taken on.
pub struct Role<'r> {
    /// `arn:aws:iam::ACCOUNT:role/NAME`
    pub arn: &'r str,
    /// What the session is called.
    pub session: Option<&'r str>,
    /// What the role's owner wants to hear.
    pub external_id: Option<&'r str>,
    /// In seconds; default: an hour.
    pub duration: Option<&'r str>,
}

/// As a pod of EKS, or a job of a CI system, has it in its variables.
///
/// # Errors
/// A token without a role, a login that is refused.
pub fn of_variables(run: &Run, settings: &Settings) -> Result<Option<Credentials>, Error> {
    let Some(file) = variable("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
    let arn = variable("AWS_ROLE_ARN").ok_or_else(|| {
        Error::new("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not", "set AWS_ROLE_ARN to the role's ARN")
    })?;
    let session = variable("AWS_ROLE_SESSION_NAME");
    let role = Role { arn: &arn, session: session.as_deref(), external_id: None, duration: None };
    with_web_identity(run, settings, &role, &file, format!("web identity, role {arn}")).map(Some)
}

/// A role for the token in a file.
///
/// # Errors
/// No token; a role that does not trust it.
pub fn with_web_identity(
    run: &Run,
    settings: &Settings,
    role: &Role<'_>,
    file: &str,
    login: String,
) -> Result<Credentials, Error> {
    let token = read_word(Path::new(file), "the web identity's token")?;
    run.learn(token.as_bytes());
    let mut form = form("AssumeRoleWithWebIdentity", role);
    form.push(("WebIdentityToken", &token));
    let reply = ask(run, settings, &form, None)?;
    taken_on(run, &reply, role, "sts:AssumeRoleWithWebIdentity", login)
}

/// A role for other credentials.
///
/// # Errors
/// A role that these may not take on.
pub fn assume_role(
    run: &Run,
    settings: &Settings,
    role: &Role<'_>,
    base: &Credentials,
    login: String,
) -> Result<Credentials, Error> {
    let mut form = form("AssumeRole", role);
    form.extend(role.external_id.map(|id| ("ExternalId", id)));
    let reply = ask(run, settings, &form, Some(base))?;
    taken_on(run, &reply, role, "sts:AssumeRole", login)
}

fn form<'r>(action: &'r str, role: &Role<'r>) -> Vec<(&'r str, &'r str)> {
    let mut form = vec![
        ("Action", action),
        ("Version", "2011-06-15"),
        ("RoleArn", role.arn),
        ("RoleSessionName", role.session.unwrap_or(SESSION)),
    ];
    form.extend(role.duration.map(|seconds| ("DurationSeconds", seconds)));
    form
}

fn ask(run: &Run, settings: &Settings, form: &[(&str, &str)], base: Option<&Credentials>) -> Result<Reply, Error> {
    let mut body = Zeroizing::new(String::with_capacity(16 << 10));
    for (name, value) in form {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(name);
        body.push('=');
        body.push_str(&Zeroizing::new(encoded(value, "")));
    }
    let service = Service::new(settings, Api::Sts, settings.region()?.as_deref())?;
    let headers = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")];
    service.ask(run, "aws login", &headers, body.as_bytes(), base)
}

fn taken_on(run: &Run, reply: &Reply, role: &Role<'_>, action: &str, login: String) -> Result<Credentials, Error> {
    if reply.status() != 200 {
        let of = format!("{}, and the role's trust policy must name who takes it on", role.arn);
        let error = reply.error(run, &Asked { action, of: &of, id: role.arn, kms: "" });
        return Err(Error::new(format!("taking on {} failed: STS {}", role.arn, error.message), error.help));
    }
    let text = |name: &str| element(reply.body(), name).filter(|text| !text.is_empty());
    match (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken")) {
        (Some(id), Some(secret), token) => Ok(Credentials::new(run, &id, secret, token, login)),
        _ => Err(Error::new(
            format!("taking on {} failed: STS answered without credentials", role.arn),
            "is the endpoint that of STS? AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL",
        )),
    }
}
