//! Credentials that ECS and EKS (Pod Identity) give to a container, at an address that they put into its variables.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::net::IpAddr;
use std::path::Path;

use ureq::http::{Method, Uri};
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::settings::{Settings, variable};
use crate::source::http::{Client, Request, Tls};
use crate::source::json::Object;
use crate::source::{Error, Run, read_word};

/// Where ECS answers.
const ECS: &str = "http://169.254.170.2";
/// Where credentials may be asked without TLS, beside this machine itself: ECS and EKS.
const WITHOUT_TLS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// The container's credentials, if it has such variables.
///
/// # Errors
/// An address that is not trusted, no answer, none that holds credentials.
pub fn find(run: &Run, settings: &Settings) -> Result<Option<Credentials>, Error> {
    let relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{ECS}{path}"));
    let Some(url) = relative.or_else(|| variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) else { return Ok(None) };
    let (base, path) = trusted(&url)?;
    let client = Client::new(&base, if base.starts_with("https:") { settings.tls()? } else { Tls::default() })?;
    let mut headers = vec![("Accept", Zeroizing::new("application/json".to_owned()))];
    headers.extend(token()?.map(|token| ("Authorization", token)));
    headers.iter().skip(1).for_each(|(_, token)| run.learn(token.as_bytes()));
    let request = Request { method: Method::GET, path: &path, headers, body: None, retried: &[], repeatable: true };
    let help = "check the task's role (ECS), or the Pod Identity association of the service account (EKS)";
    let answer = client.send(run, "aws login", &request).map_err(|error| {
        Error::new(format!("the container's credentials cannot be had: {base} {}", error.message), help)
    })?;
    let odd = |why: String| Error::new(format!("the container's credentials cannot be had: {base} {why}"), help);
    let body = Object::parse(&answer.body);
    if answer.status != 200 {
        let words = body.ok().and_then(|body| body.word("message")).unwrap_or_default();
        return Err(odd(format!("answered {} {}", answer.status, run.scrubbed(&words)).trim_end().to_owned()));
    }
    let body = body.map_err(|error| odd(format!("answered with a body that {error}")))?;
    let role = body.word("RoleArn").map(|role| format!(", role {}", run.scrubbed(&role))).unwrap_or_default();
    Credentials::of_json(run, &body, "Token", format!("the container's credentials{role}"))
        .map(Some)
        .ok_or_else(|| odd("answered without credentials".to_owned()))
}

/// Scheme and host, and the path: if credentials, and the token for them, may be had from there.
fn trusted(url: &str) -> Result<(String, String), Error> {
    let refused = |why: &str| {
        Error::new(
            format!("the address of the container's credentials {why}"),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this machine or to the addresses of ECS and EKS",
        )
    };
    let uri: Uri = url.parse().map_err(|_| refused("is none"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(refused("is none")) };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = host.parse().ok();
    let known = |address: &IpAddr| {
        address.is_loopback()
            || WITHOUT_TLS.iter().any(|known| known.parse::<IpAddr>().is_ok_and(|known| known == *address))
    };
    let is_trusted = match scheme {
        "https" => true,
        "http" => host == "localhost" || address.as_ref().is_some_and(known),
        _ => false,
    };
    if !is_trusted {
        return Err(refused("is one that anybody could answer at"));
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((format!("{scheme}://{authority}"), path.to_owned()))
}

/// What the address wants to see.
fn token() -> Result<Option<Zeroizing<String>>, Error> {
    match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => read_word(Path::new(&file), "the container's token").map(Some),
        None => Ok(variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Zeroizing::new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_nobody_else_has_go_without_tls() {
        for (url, base, path) in [
            ("http://169.254.170.23/v1/credentials", "http://169.254.170.23", "/v1/credentials"),
            ("http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]", "/v1/credentials"),
            ("http://169.254.170.2/a?b=c", "http://169.254.170.2", "/a?b=c"),
            ("http://127.0.0.9:80", "http://127.0.0.9:80", "/"),
            ("http://localhost:1/x", "http://localhost:1", "/x"),
            ("https://example.com/x", "https://example.com", "/x"),
        ] {
            assert_eq!(trusted(url).unwrap(), (base.to_owned(), path.to_owned()), "{url}");
        }
        for url in [
            "http://example.com/x",
            "http://169.254.169.254/x",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1@example.com/",
            "ftp://127.0.0.1/",
            "127.0.0.1",
            "",
        ] {
            assert!(trusted(url).is_err(), "{url}");
        }
    }
}
