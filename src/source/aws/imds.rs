//! Credentials and region that EC2 gives to a machine: its metadata service, version 2.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>

use std::time::Duration;

use ureq::http::Method;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::settings::{is_true, variable};
use crate::source::http::{Answer, Client, Request, Tls};
use crate::source::json::Object;
use crate::source::{Error, Run};

/// Where there is no such service, nothing answers at all.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// How long a token counts, in seconds.
const TOKEN_TTL: &str = "300";

/// The metadata service, and our token for it.
struct Machine {
    client: Client,
    token: Zeroizing<String>,
}

/// The credentials of the machine's role, if this is a machine of EC2 and has one.
///
/// # Errors
/// A service that answers, but not with credentials.
pub fn find(run: &Run) -> Result<Option<Credentials>, Error> {
    let Some(machine) = Machine::find(run)? else { return Ok(None) };
    let odd = |what: &str| {
        Error::new(format!("EC2's metadata service {what}"), "check the instance's role, or set other credentials")
    };
    let roles = machine.get(run, ROLES)?;
    let names = String::from_utf8_lossy(&roles.body);
    let Some(role) = names.lines().next().map(str::trim).filter(|_| roles.status == 200) else { return Ok(None) };
    if role.is_empty() || !role.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)) {
        return Err(odd("names no role that could be one"));
    }
    let answer = machine.get(run, &format!("{ROLES}{role}"))?;
    if answer.status != 200 {
        return Err(odd(&format!("answered {} for role {role}", answer.status)));
    }
    let body = Object::parse(&answer.body).map_err(|error| odd(&format!("answered with a body that {error}")))?;
    if let Some(code) = body.word("Code").filter(|code| code != "Success") {
        return Err(odd(&format!("has no credentials for role {role}: {}", run.scrubbed(&code))));
    }
    let credentials = Credentials::of_json(run, &body, "Token", format!("EC2 instance role {role}"))
        .ok_or_else(|| odd("answered without credentials"))?;
    Ok(Some(Credentials { of_machine: true, ..credentials }))
}

/// The machine's region.
///
/// # Errors
/// As [`find`].
pub fn region(run: &Run) -> Result<Option<String>, Error> {
    let Some(machine) = Machine::find(run)? else { return Ok(None) };
    let answer = machine.get(run, "/latest/meta-data/placement/region")?;
    let region = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let is_one = region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    Ok((answer.status == 200 && is_one && !region.is_empty()).then_some(region))
}

impl Machine {
    fn find(run: &Run) -> Result<Option<Self>, Error> {
        if is_true("AWS_EC2_METADATA_DISABLED") {
            return Ok(None);
        }
        let client = Client::new(&address(), Tls::default())?;
        let headers = vec![("X-aws-ec2-metadata-token-ttl-seconds", Zeroizing::new(TOKEN_TTL.to_owned()))];
        let path = "/latest/api/token";
        let request = Request { method: Method::PUT, path, headers, body: Some(b""), retried: &[], repeatable: true };
        run.count("aws login");
        let short = Run::within(run.deadline().left().unwrap_or_default().min(FIRST_ANSWER));
        // What does not answer, or not like this, is no machine of EC2.
        let Ok(answer) = client.send(&short, "aws login", &request) else { return Ok(None) };
        let token = String::from_utf8(answer.body.to_vec()).map(Zeroizing::new).ok();
        let token = token.filter(|token| answer.status == 200 && !token.trim().is_empty());
        token.iter().for_each(|token| run.learn(token.as_bytes()));
        Ok(token.map(|token| Self { client, token: Zeroizing::new(token.trim().to_owned()) }))
    }

    fn get(&self, run: &Run, path: &str) -> Result<Answer, Error> {
        let headers = vec![("X-aws-ec2-metadata-token", self.token.clone())];
        let request = Request { method: Method::GET, path, headers, body: None, retried: &[], repeatable: true };
        self.client.send(run, "aws login", &request).map_err(|error| {
            Error::new(
                format!("EC2's metadata service {}", error.message),
                "AWS_EC2_METADATA_DISABLED=true turns it off",
            )
        })
    }
}

fn address() -> String {
    let is_six =
        || variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| match is_six() {
        true => "http://[fd00:ec2::254]".to_owned(),
        false => "http://169.254.169.254".to_owned(),
    })
}
