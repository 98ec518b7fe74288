//! How a service of AWS is asked, and what it says of a failure.

use ureq::http::Method;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::settings::{Api, Settings};
use super::sigv4::{Scope, Unsigned, authorization};
use super::time;
use crate::source::http::{Answer, Client, Request};
use crate::source::json::Object;
use crate::source::{Error, Run, Why};

/// Requests are refused from five minutes on.
const SKEW_SECONDS: u64 = 4 * 60;
/// Where STS is asked when no region is known, and what it is signed for.
const GLOBAL_REGION: &str = "us-east-1";

/// A service in a region.
pub struct Service {
    client: Client,
    api: Api,
    region: String,
}

impl Service {
    /// A service; without a region, the one address that STS has for all.
    ///
    /// # Errors
    /// An address that is none, a CA that cannot be read.
    pub fn new(settings: &Settings, api: Api, region: Option<&str>) -> Result<Self, Error> {
        let client = Client::new(&settings.address(api, region)?, settings.tls()?)?;
        Ok(Self { client, api, region: region.unwrap_or(GLOBAL_REGION).to_owned() })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Sends a request, signed if somebody signs it. AWS makes sure that none of ours does harm when it arrives twice.
    ///
    /// # Errors
    /// No answer.
    pub fn ask(
        &self,
        run: &Run,
        kind: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        signer: Option<&Credentials>,
    ) -> Result<Reply, Error> {
        let base = self.client.base();
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        let mut headers: Vec<(&str, Zeroizing<String>)> = [("Host", host)]
            .iter()
            .chain(headers)
            .map(|(name, value)| (*name, Zeroizing::new((*value).to_owned())))
            .collect();
        if let Some(credentials) = signer {
            let stamp = time::stamp(time::now());
            headers.push(("X-Amz-Date", Zeroizing::new(stamp.clone())));
            headers.extend(credentials.token.iter().map(|token| ("X-Amz-Security-Token", token.clone())));
            let unsigned = Unsigned { method: "POST", path: "/", headers: &headers, body };
            let scope = Scope { stamp: &stamp, region: &self.region, service: self.api.name() };
            let signature = authorization(&unsigned, &scope, &credentials.key_id, &credentials.secret)
                .map_err(|_| Error::new("no signature can be made", "report this: it cannot be"))?;
            headers.push(("Authorization", Zeroizing::new(signature)));
        }
        let request =
            Request { method: Method::POST, path: "/", headers, body: Some(body), retried: &[], repeatable: true };
        let passes = |answer: &Answer| is_passing(&code(answer));
        self.client.send_while(run, kind, &request, &passes).map(Reply)
    }
}

/// Errors of AWS after which another try can help, though they come as 400.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "PriorRequestNotComplete"
            | "IDPCommunicationError"
    )
}

/// The name of an error: JSON has it as `com.amazonaws.secretsmanager#Name`, XML as `<Code>Name</Code>`.
fn code(answer: &Answer) -> String {
    if answer.status < 400 {
        return String::new();
    }
    let told = match Object::parse(&answer.body) {
        Ok(body) => body.word("__type").or_else(|| body.word("code")),
        Err(_) => element(&answer.body, "Code").map(|text| text.to_string()),
    };
    let told = told.unwrap_or_default();
    let short = told.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    short.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

/// The text of the first XML element of this name; enough for the answers of STS.
pub fn element(body: &[u8], name: &str) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let mut plain = Zeroizing::new(inner.trim().to_owned());
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
        if plain.contains(entity) {
            plain = Zeroizing::new(plain.replace(entity, character));
        }
    }
    Some(plain)
}

/// What a service answered.
pub struct Reply(Answer);

/// What a request was for, for the words of its failure.
pub struct Asked<'a> {
    /// What a policy must allow: `secretsmanager:GetSecretValue`.
    pub action: &'a str,
    /// What it was asked of, in words: `secret obs/keys`.
    pub of: &'a str,
    /// What is to be typed for it: `obs/keys`.
    pub id: &'a str,
    /// What of KMS it takes.
    pub kms: &'a str,
}

impl Reply {
    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// All of the body.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The name of an error.
    pub fn code(&self) -> String {
        code(&self.0)
    }

    /// AWS's own words for an error. Never for a message before [`Run::scrubbed`].
    pub fn message(&self) -> String {
        let told = match Object::parse(&self.0.body) {
            Ok(body) => body.word("message").or_else(|| body.word("Message")),
            Err(_) => element(&self.0.body, "Message").map(|text| text.to_string()),
        };
        told.unwrap_or_default()
    }

    /// Status, name and AWS's own words: nothing else of the body.
    pub fn told(&self, run: &Run) -> String {
        let words = [self.status().to_string(), self.code(), run.scrubbed(&self.message())];
        match words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().as_slice() {
            [status] => format!("{status} without a word"),
            [status, rest @ ..] => format!("{status} {}", rest.join(": ")),
            [] => String::new(),
        }
    }

    /// A body that should be an object.
    pub fn object(&self) -> Result<Object, Error> {
        Object::parse(&self.0.body).map_err(|error| {
            Error::new(
                format!("answered {} with a body that {error}", self.status()),
                "is the endpoint that of the service, or that of something before it?",
            )
        })
    }

    /// Why it failed, and what to check.
    pub fn error(&self, run: &Run, asked: &Asked<'_>) -> Error {
        let message = format!("answered {}", self.told(run));
        let now = time::now();
        let theirs = self.0.date.as_deref().and_then(time::of_http);
        if let Some(theirs) = theirs.filter(|theirs| theirs.abs_diff(now) > SKEW_SECONDS) {
            let way = if now < theirs { "behind" } else { "ahead of" };
            return Error::new(
                format!("{message}; the clock here is {} minutes {way} that of AWS", theirs.abs_diff(now) / 60),
                "set the clock of this machine (NTP): a signature counts for five minutes",
            );
        }
        let is_refused =
            |code: &str| code.starts_with("AccessDenied") || code.contains("Token") || code.contains("Signature");
        let why = if is_refused(&self.code()) { Why::Refused } else { self.0.why() };
        Error::new(message, self.help(asked)).because(why)
    }

    fn help(&self, asked: &Asked<'_>) -> String {
        let Asked { action, of, id, kms } = asked;
        let message = self.message().to_ascii_lowercase();
        match self.code().as_str() {
            "AccessDeniedException" | "AccessDenied" if message.contains("kms") => {
                format!("the login's policy, and that of the secret's KMS key, need `{kms}` on that key")
            }
            "AccessDeniedException" | "AccessDenied" => {
                format!("the login's policy needs `{action}` on {of}; with a KMS key of your own also `{kms}` on that key")
            }
            "DecryptionFailure" | "EncryptionFailure" => format!(
                "is the secret's KMS key enabled, and not to be deleted? the login needs `{kms}` on it"
            ),
            "InvalidRequestException" if message.contains("delet") => format!(
                "it is to be deleted; take that back: `aws secretsmanager restore-secret --secret-id {id}`"
            ),
            "InvalidRequestException" if message.contains("replica") => {
                "this region has a copy only: name the region of the secret itself".to_owned()
            }
            "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "InvalidToken" => {
                "AWS does not know this access key: was it deleted or turned off, is it of another partition, or is its session token missing (AWS_SESSION_TOKEN)?".to_owned()
            }
            "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => {
                "the credentials have expired: get new ones".to_owned()
            }
            "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
                "the secret access key does not belong to the access key id, or something between changes requests".to_owned()
            }
            "InvalidIdentityToken" | "IDPRejectedClaim" => {
                "is the token of the issuer that the role trusts, and are its audience and subject those of the role's trust policy?".to_owned()
            }
            code if is_passing(code) => "too many requests at once: try again later".to_owned(),
            "ValidationException" | "InvalidParameterException" => "check the name of the secret".to_owned(),
            _ if self.status() >= 500 => "look at https://health.aws.amazon.com, and try again later".to_owned(),
            _ => "check region, endpoint and name".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply(Answer { status, date: None, body: Zeroizing::new(body.as_bytes().to_vec()), tried: String::new() })
    }

    #[test]
    fn an_error_is_told_in_short() {
        let run = Run::within(std::time::Duration::from_secs(1));
        run.learn(b"c4nary-secret");
        for (body, told) in [
            (
                r#"{"__type":"com.amazonaws.secretsmanager#DecryptionFailure","Message":"no"}"#,
                "400 DecryptionFailure: no",
            ),
            (
                r#"{"__type":"ThrottlingException:http://x/","message":"c4nary-secret!"}"#,
                "400 ThrottlingException: ***!",
            ),
            (
                "<E><Error><Code>AccessDenied</Code><Message>a &amp;lt; b</Message></Error></E>",
                "400 AccessDenied: a &lt; b",
            ),
            ("<html>c4nary</html>", "400 without a word"),
            ("{}", "400 without a word"),
        ] {
            assert_eq!(reply(400, body).told(&run), told);
        }
        assert_eq!(reply(200, r#"{"code": "x"}"#).code(), "");
    }
}
