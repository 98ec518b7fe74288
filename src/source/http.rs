//! Requests to a store: TLS always verified, no redirect followed, sizes bounded, the run's deadline, and another try
//! only where that can help.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rand::TryRng as _;
use rand::rngs::SysRng;
use ureq::Agent;
use ureq::http::{self, Method, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use super::address::Origin;
use super::{Error, Run, Why, proxy};

/// More is no key store's answer: Vault's own limit is 1 MiB, that of AWS 64 KiB.
const BODY_MAX_BYTES: u64 = 4 << 20;
/// How long a connection may take, of all the time there is.
const CONNECT: Duration = Duration::from_secs(5);
/// It doubles with each try.
const FIRST_WAIT: Duration = Duration::from_millis(150);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A server, and how it is reached.
pub struct Client {
    agent: Agent,
    base: String,
}

/// Who vouches for the server, and as whom we come.
#[derive(Default)]
pub struct Tls {
    /// Certificates that are trusted instead of the system's.
    pub roots: Option<Vec<Certificate<'static>>>,
    /// Our own certificate.
    pub own: Option<ClientCert>,
}

/// A request to be sent.
pub struct Request<'r> {
    /// `GET`, `POST`.
    pub method: Method,
    /// What follows the server: `/v1/secret/data/obs`.
    pub path: &'r str,
    /// Names and values; a value may be a token.
    pub headers: Vec<(&'r str, Zeroizing<String>)>,
    /// What is sent.
    pub body: Option<&'r [u8]>,
    /// Statuses beside 429 and 5xx after which another try can help.
    pub retried: &'r [u16],
    /// Whether it may be sent again when nobody knows if it arrived.
    pub repeatable: bool,
}

/// What the server answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The server's time, as it writes it.
    pub date: Option<String>,
    /// All of the body.
    pub body: Zeroizing<Vec<u8>>,
    /// What there is to say of other tries, behind what was answered: `, tried 4 times`.
    pub tried: String,
}

impl Answer {
    /// Of what kind a failure is that the status tells, where nothing more is known.
    pub fn why(&self) -> Why {
        match self.status {
            401 | 403 => Why::Refused,
            404 => Why::Missing,
            // The last three are Vault's: a standby, or one that is behind.
            429 | 500..=599 | 412 | 472 | 473 => Why::Unreachable,
            _ => Why::Other,
        }
    }
}

/// What went wrong before there was an answer.
struct Failure {
    message: String,
    help: String,
    /// The request surely did not arrive.
    not_sent: bool,
    /// Another try can help.
    passing: bool,
    /// There is no time left.
    late: bool,
}

impl Client {
    /// A client for `scheme://host[:port]`.
    ///
    /// # Errors
    /// An address that is none, or holds more than that.
    pub fn new(base: &str, tls: Tls) -> Result<Self, Error> {
        let origin = Origin::of(base)?;
        let mut builder = TlsConfig::builder().client_cert(tls.own);
        if origin.is_https {
            builder = builder.root_certs(tls.roots.map_or_else(system_roots, specific));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("helm-keyring/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .tls_config(builder.build());
        // As Go does: what listens on this machine is behind no proxy.
        let proxy = match origin.is_local {
            true => None,
            false => proxy::of_environment(origin.is_https, &origin.host, origin.port)?,
        };
        config = config.proxy(proxy);
        Ok(Self { agent: config.build().new_agent(), base: origin.text })
    }

    /// `scheme://host[:port]`
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request and gives the answer, whatever its status, after tries that could help. `kind` is what it is
    /// counted as.
    ///
    /// # Errors
    /// No answer, none in time, none that may be read.
    pub fn send(&self, run: &Run, kind: &str, request: &Request<'_>) -> Result<Answer, Error> {
        self.send_while(run, kind, request, &|_| false)
    }

    /// As [`Client::send`]; `passes` knows more answers that were refused unread and after which another try can help.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_while(
        &self,
        run: &Run,
        kind: &str,
        request: &Request<'_>,
        passes: &dyn Fn(&Answer) -> bool,
    ) -> Result<Answer, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            run.count(kind);
            let left = run.deadline().left().ok_or_else(|| self.too_late(run, kind))?;
            let (wait, done) = match self.once(request, left) {
                Ok((answer, wait)) if may_pass(request, answer.status) || passes(&answer) => (wait, Ok(answer)),
                Ok((answer, _)) => return Ok(answer),
                Err(failure) if failure.passing && (request.repeatable || failure.not_sent) => (None, Err(failure)),
                Err(failure) if failure.late => return Err(self.too_late(run, kind)),
                Err(failure) => return Err(failed(run, failure, tries)),
            };
            let asked = wait.map(|wait| wait.as_secs());
            let wait = wait.unwrap_or_else(|| with_jitter(tries));
            let is_over = run.deadline().left().is_none_or(|left| left <= wait);
            if is_over || tries == run.tries() {
                let tried = tried(tries) + &asked.filter(|_| is_over).map(no_time_for).unwrap_or_default();
                return match done {
                    Ok(answer) => Ok(Answer { tried, ..answer }),
                    Err(failure) => Err(failed(run, failure, tries)),
                };
            }
            thread::sleep(wait);
        }
    }

    fn once(&self, request: &Request<'_>, left: Duration) -> Result<(Answer, Option<Duration>), Failure> {
        let uri: Uri = format!("{}{}", self.base, request.path).parse().map_err(|_| {
            Failure::certain("the path makes no address", "check the path for characters that no address has")
        })?;
        let mut builder = http::Request::builder().method(request.method.clone()).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.as_str());
        }
        let no_header = |_| {
            Failure::certain("a token has characters that no header can hold", "is the token's file the right one?")
        };
        let sent = match request.body {
            Some(body) => {
                let request = builder.body(body).map_err(no_header)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
            None => {
                let request = builder.body(()).map_err(no_header)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
        };
        let mut response = sent.map_err(|error| Failure::of(&error, left))?;
        let status = response.status().as_u16();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (date, location, wait) = (header("date"), header("location"), header("retry-after"));
        if (300..400).contains(&status) {
            return Err(redirected(status, location.as_deref()));
        }
        let mut body = Zeroizing::new(Vec::with_capacity(16 << 10));
        let reader = response.body_mut().with_config().limit(u64::MAX).reader();
        let read = reader.take(BODY_MAX_BYTES + 1).read_to_end(&mut body);
        read.map_err(|error| Failure::of(&ureq::Error::from(error), left))?;
        // So says Go's server, which is Vault's and that of Kubernetes.
        if status == 400 && body.starts_with(b"Client sent an HTTP request to an HTTPS server") {
            return Err(Failure::certain(
                "speaks TLS at this port, and was asked without",
                "write the address with https://",
            ));
        }
        if body.len() as u64 > BODY_MAX_BYTES {
            return Err(Failure::certain(
                format!("answered {status} with more than {} MiB", BODY_MAX_BYTES >> 20),
                "is this the store's own address, or that of something before it?",
            ));
        }
        let wait = wait.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        Ok((Answer { status, date, body, tried: String::new() }, wait))
    }

    fn too_late(&self, run: &Run, kind: &str) -> Error {
        Error::new(
            format!("{} did not answer within {} (asked for: {kind})", self.base, run.deadline().in_words()),
            "can it be reached from here? a firewall, a proxy or a network policy may swallow what is sent; --timeout gives it longer",
        )
        .because(Why::TooLate)
    }
}

fn may_pass(request: &Request<'_>, status: u16) -> bool {
    let passes = matches!(status, 429 | 500 | 502 | 503 | 504) || request.retried.contains(&status);
    // A gateway may have lost the answer to a request that did arrive.
    passes && (request.repeatable || matches!(status, 429 | 503) || request.retried.contains(&status))
}

fn failed(run: &Run, failure: Failure, tries: u32) -> Error {
    let why = match &failure {
        Failure { late: true, .. } => Why::TooLate,
        Failure { not_sent: true, .. } | Failure { passing: true, .. } => Why::Unreachable,
        _ => Why::Other,
    };
    Error::new(run.scrubbed(&failure.message) + &tried(tries), failure.help).because(why)
}

fn tried(tries: u32) -> String {
    if tries > 1 { format!(", tried {tries} times") } else { String::new() }
}

fn no_time_for(seconds: u64) -> String {
    format!("; it asks to come back in {seconds} s, which --timeout leaves no time for")
}

impl Failure {
    fn certain(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), not_sent: false, passing: false, late: false }
    }

    /// What is known of an error. Its words name no header and no body.
    fn of(error: &ureq::Error, left: Duration) -> Self {
        use ureq::Error as E;
        let told = error.to_string();
        let before =
            |message: String, help: &str| Self { not_sent: true, passing: true, ..Self::certain(message, help) };
        let during = |message: String, help: &str| Self { passing: true, ..Self::certain(message, help) };
        match error {
            E::HostNotFound => before("its host name is not known here".to_owned(), "check the address and the DNS"),
            E::Timeout(ureq::Timeout::Resolve) => {
                before("its host name could not be resolved in time".to_owned(), "check the DNS")
            }
            // What the standard library says of every failed look-up.
            E::Io(error) if told.contains("failed to lookup address") => {
                before(format!("its host name is not known here ({error})"), "check the address and the DNS")
            }
            E::Timeout(ureq::Timeout::Connect) if left > CONNECT => before(
                format!("no connection within {} seconds", CONNECT.as_secs()),
                "check the address, firewalls and network policies",
            ),
            E::Timeout(_) => Self { late: true, ..Self::certain("no answer in time", "look at the server's own log") },
            E::ConnectionFailed => before("cannot be reached".to_owned(), "check the address; does the server run?"),
            E::ConnectProxyFailed(_) => Self::certain("the proxy refused to connect", "check HTTPS_PROXY and NO_PROXY"),
            E::InvalidProxyUrl => Self::certain("the proxy's address is none", "check HTTPS_PROXY"),
            E::LargeResponseHeader(..) => {
                Self::certain("answered with too large headers", "is this the store's own address?")
            }
            E::Protocol(_) => Self::certain("did not answer in HTTP", "check scheme and port: does it speak https?"),
            _ if is_about_certificates(&told) => Self::certain(certificate(&told), certificate_help(&told)),
            E::Rustls(_) | E::Tls(_) | E::Pem(_) => no_tls(&told),
            E::Io(error) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::NetworkUnreachable
                | std::io::ErrorKind::HostUnreachable => {
                    before(format!("cannot be reached ({error})"), "check address and port; does the server run?")
                }
                // TLS 1.3 says so when the request was sent already.
                _ if told.contains("received fatal alert") => no_tls(&told),
                _ if told.contains("InvalidMessage") || told.contains("corrupt message") => {
                    Self::certain("does not speak TLS at this port", "check scheme and port: is it http://?")
                }
                _ => during(
                    format!("the connection broke ({})", plain(&told)),
                    "look at the server's own log, and at what stands between",
                ),
            },
            _ => Self::certain(format!("cannot be asked ({})", plain(&told)), "check the address"),
        }
    }
}

fn no_tls(told: &str) -> Failure {
    Failure::certain(
        format!("TLS failed ({})", plain(told)),
        "check scheme and port: does it speak https there? does it want a client's certificate (VAULT_CLIENT_CERT)?",
    )
}

fn plain(told: &str) -> String {
    told.strip_prefix("io: ").unwrap_or(told).chars().take(160).collect()
}

fn is_about_certificates(told: &str) -> bool {
    told.contains("certificate") || told.contains("UnknownIssuer")
}

fn certificate(told: &str) -> String {
    let why = if told.contains("UnknownIssuer") {
        "no CA that is trusted here has issued it"
    } else if told.contains("not valid for name") || told.contains("NotValidForName") {
        "it is for another host name"
    } else if told.contains("not valid yet") || told.contains("NotValidYet") {
        "it is not valid yet"
    } else if told.contains("xpired") {
        "it has expired"
    } else {
        return format!("its certificate is refused ({})", plain(told));
    };
    format!("its certificate is refused: {why}")
}

fn certificate_help(told: &str) -> &'static str {
    if told.contains("UnknownIssuer") {
        "name the file of your CA (`caCert`, VAULT_CACERT, AWS_CA_BUNDLE; a pod's is ca.crt), or add it to the system's; verification cannot be turned off"
    } else if told.contains("alid for name") || told.contains("ValidForName") {
        "use the name that stands in the certificate"
    } else {
        "have it renewed; is the clock of this machine right?"
    }
}

/// A token is for one server: none is sent to another, and none of ours forwards a request.
fn redirected(status: u16, location: Option<&str>) -> Failure {
    let to = match location {
        Some(path) if path.starts_with('/') => "to another path".to_owned(),
        url => url.and_then(Origin::of_url).map_or_else(|| "elsewhere".to_owned(), |origin| format!("to {origin}")),
    };
    Failure::certain(
        format!("answered {status}: it sends {to}, and a token goes to no other place"),
        "if that is right, write that address down; behind a balancer, let it forward instead",
    )
}

fn with_jitter(tries: u32) -> Duration {
    let mut byte = [0];
    // Without randomness everybody waits the same, that is all.
    let _ = SysRng.try_fill_bytes(&mut byte);
    let wait = (FIRST_WAIT * 2_u32.saturating_pow(tries - 1)).min(LAST_WAIT);
    wait * (256 + u32::from(byte[0])) / 512
}

/// What the system trusts, as Go reads it (`SSL_CERT_FILE`, `SSL_CERT_DIR`); Mozilla's list where there is nothing.
fn system_roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if certificates.is_empty() { RootCerts::WebPki } else { specific(certificates) }
}

fn specific(certificates: Vec<Certificate<'static>>) -> RootCerts {
    RootCerts::Specific(Arc::new(certificates))
}

/// The certificates of a PEM file.
///
/// # Errors
/// A file that cannot be read, or holds none.
pub fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let help = "it must hold certificates in PEM: -----BEGIN CERTIFICATE-----";
    if file.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(Error::new(format!("the CA file {} is no regular file", file.display()), help));
    }
    let bytes = std::fs::read(file)
        .map_err(|error| Error::new(format!("the CA file {} cannot be read ({error})", file.display()), help))?;
    certificates_in(&bytes)
        .ok_or_else(|| Error::new(format!("the CA file {} holds no certificate", file.display()), help))
}

/// The certificates of a PEM text; `None` if it holds none, or something broken.
pub fn certificates_in(pem: &[u8]) -> Option<Vec<Certificate<'static>>> {
    let items: Vec<PemItem<'static>> = parse_pem(pem).collect::<Result<_, _>>().ok()?;
    let certificate = |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None };
    let found: Vec<_> = items.into_iter().filter_map(certificate).collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_stand_in_pem() {
        let file = |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tls").join(name));
        let (ca, other, key) = (file("ca.pem").unwrap(), file("other-ca.pem").unwrap(), file("good.key").unwrap());
        let count = |parts: &[&[u8]]| certificates_in(&parts.concat()).map(|found| found.len());
        assert_eq!(count(&[&ca]), Some(1));
        assert_eq!(count(&[b"# a comment\n", &ca, &key, &other]), Some(2));
        assert_eq!(count(&[&key]), None);
        assert_eq!(count(&[]), None);
        assert_eq!(count(&[b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]), None);
        assert_eq!(count(&[&ca[..ca.len() / 2]]), None);
    }

    #[test]
    fn waits_grow_and_differ() {
        for (tries, most) in [(1, FIRST_WAIT), (2, FIRST_WAIT * 2), (4, FIRST_WAIT * 8), (9, LAST_WAIT)] {
            assert!((0..20).all(|_| (most / 2..=most).contains(&with_jitter(tries))));
        }
    }
}
