//! One server under one login: its address, its certificates, the token, and what it says of a failure.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::http::Method;
use ureq::tls::{ClientCert, PemItem, PrivateKey, parse_pem};
use zeroize::Zeroizing;

use super::login::{Login, Token};
use super::mount::Mount;
use crate::config::{self, VaultAuth};
use crate::source::address::{is_plain, shown};
use crate::source::http::{Answer, Client, Request, Tls, certificates};
use crate::source::json::Object;
use crate::source::{Error, Run, Why};

/// How long the end of a login may take.
const REVOKE: Duration = Duration::from_secs(2);
/// So many of the server's messages are told.
const WORDS_MAX: usize = 3;
/// Statuses of Vault alone that pass: 412 (a write has not arrived at this node yet), 472 and 473 (a standby).
const PASSING: [u16; 3] = [412, 472, 473];

/// A server, and as whom it is asked. Nothing is sent before a path is read.
pub struct Server {
    address: Option<String>,
    namespace: Option<String>,
    ca_cert: Option<PathBuf>,
    auth: VaultAuth,
    run: Arc<Run>,
    session: OnceLock<Result<Session, Error>>,
    closed: OnceLock<()>,
}

/// A server that knows us.
pub struct Session {
    client: Client,
    namespace: Option<String>,
    token: Token,
    pub(super) mounts: Mutex<Vec<Mount>>,
}

impl Server {
    /// The server of a path.
    pub fn new(config: &config::Vault, run: Arc<Run>) -> Self {
        Self {
            address: config.address.clone(),
            namespace: config.namespace.clone(),
            ca_cert: config.ca_cert.clone(),
            auth: config.auth.clone(),
            run,
            session: OnceLock::new(),
            closed: OnceLock::new(),
        }
    }

    /// Whether both are the same server under the same login.
    pub fn is_same(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// What tells it from others.
    pub(super) fn identity(&self) -> String {
        format!("{:?} {:?} {:?} {:?}", self.address, self.namespace, self.ca_cert, self.auth)
    }

    /// The address, in words.
    pub(super) fn describe(&self) -> String {
        match self.address.clone().or_else(|| variable("ADDR")) {
            Some(address) => shown(&address).unwrap_or_else(|| "an address that is none".to_owned()),
            None => "an unknown address".to_owned(),
        }
    }

    /// As whom, as far as that is known.
    pub(super) fn login(&self) -> Option<String> {
        let namespace = self.namespace.clone().or_else(|| variable("NAMESPACE"));
        let login = match self.session.get() {
            Some(Ok(session)) => session.token.login.clone(),
            _ => Login::new(&self.auth).describe(),
        };
        Some(namespace.map_or(login.clone(), |namespace| format!("{login}, namespace {namespace}")))
    }

    /// Whether keys would cross a network without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.address.clone().or_else(|| variable("ADDR")).is_some_and(|address| is_plain(&address))
    }

    /// The server, asked for the first time: several threads wait for one login.
    pub(super) fn session(&self) -> Result<&Session, Error> {
        self.session.get_or_init(|| self.begin()).as_ref().map_err(Clone::clone)
    }

    fn begin(&self) -> Result<Session, Error> {
        let login = Login::new(&self.auth);
        let ambient = variable("ADDR");
        if let (Some(own), Some(ambient)) = (&self.address, &ambient)
            && login.is_ambient()
            && shown(own).map(|own| own.to_ascii_lowercase()) != shown(ambient).map(|other| other.to_ascii_lowercase())
        {
            return Err(Error::new(
                "VAULT_ADDR names another server, and what is at hand to log in with may be for that one",
                "unset VAULT_ADDR, or set it to the server that keyring.yaml names; no token is sent to a wrong one",
            ));
        }
        let address = self.address.clone().or(ambient).ok_or_else(|| {
            Error::new("no address is known", "set VAULT_ADDR, or `address: https://HOST:8200` in keyring.yaml")
        })?;
        let client = Client::new(&address, self.tls()?)?;
        let namespace = self.namespace.clone().or_else(|| variable("NAMESPACE")).filter(|name| !name.is_empty());
        if namespace.as_ref().is_some_and(|name| !name.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Error::new(
                "VAULT_NAMESPACE holds what no namespace can",
                "check it for blanks and line breaks",
            ));
        }
        let mut session = Session { client, namespace, token: Token::none(), mounts: Mutex::default() };
        session.token = login.token(&self.run, &session)?;
        Ok(session)
    }

    fn tls(&self) -> Result<Tls, Error> {
        let file = self.ca_cert.clone().or_else(|| variable("CACERT").map(PathBuf::from));
        let roots = match (file, variable("CAPATH")) {
            (Some(file), _) => Some(certificates(&file)?),
            (None, Some(folder)) => Some(certificates_of_folder(Path::new(&folder))?),
            (None, None) => None,
        };
        let own = match (variable("CLIENT_CERT"), variable("CLIENT_KEY")) {
            (Some(certificate), Some(key)) => Some(client_certificate(Path::new(&certificate), Path::new(&key))?),
            (None, None) => None,
            _ => {
                return Err(Error::new(
                    "only one of VAULT_CLIENT_CERT and VAULT_CLIENT_KEY is set",
                    "set both, or none",
                ));
            }
        };
        Ok(Tls { roots, own })
    }

    /// Ends the login, if it was ours.
    pub fn close(&self) {
        let Some(Ok(session)) = self.session.get() else { return };
        if session.token.is_own && self.closed.set(()).is_ok() {
            // Also when all time is over: a token that nobody ends stays for hours. If it cannot be, it ends by itself.
            let run = Run::within(REVOKE);
            if session.ask(&run, "vault revoke", Method::POST, "/v1/auth/token/revoke-self", Some(b"")).is_ok() {
                self.run.count("vault revoke");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl Session {
    /// Asks, repeated where that can help: reads and logins.
    pub(super) fn ask(
        &self,
        run: &Run,
        kind: &str,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, Error> {
        self.send(run, kind, method, path, body, true)
    }

    /// Writes: sent again only if it surely did not arrive.
    pub(super) fn write(&self, run: &Run, method: Method, path: &str, body: &[u8]) -> Result<Reply, Error> {
        self.send(run, "vault write", method, path, Some(body), false)
    }

    fn send(
        &self,
        run: &Run,
        kind: &str,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        repeatable: bool,
    ) -> Result<Reply, Error> {
        // An agent asks for the first of these, so that no web page can make a browser send it.
        let mut headers = vec![("X-Vault-Request", Zeroizing::new("true".to_owned()))];
        headers.extend(self.namespace.iter().map(|name| ("X-Vault-Namespace", Zeroizing::new(name.clone()))));
        headers.extend(self.token.text().map(|token| ("X-Vault-Token", token)));
        if body.is_some() {
            let merge = method == Method::PATCH;
            let kind = if merge { "application/merge-patch+json" } else { "application/json" };
            headers.push(("Content-Type", Zeroizing::new(kind.to_owned())));
        }
        let retried = if repeatable { &PASSING[..] } else { &[] };
        let request = Request { method, path, headers, body, retried, repeatable };
        self.client.send(run, kind, &request).map(Reply)
    }

    /// Why it is not allowed. A token that may not even look at itself may be none any more.
    pub(super) fn denied(&self, run: &Run, reply: &Reply, right: &str, path: &str) -> Error {
        let needed = format!("the login's policy needs `{right}` on `{path}`");
        let help = match self.may_be_no_token(run) {
            true => format!("the token may be expired, revoked or another server's: log in anew; else {needed}"),
            false => needed,
        };
        Error::new(format!("access refused: {}", reply.told(run)), help).because(Why::Refused)
    }

    /// Whether the server does not know the token, or at least does not say so. One that was just given is known.
    pub(super) fn may_be_no_token(&self, run: &Run) -> bool {
        let look = || self.ask(run, "vault lookup", Method::GET, "/v1/auth/token/lookup-self", None);
        !self.token.is_own && look().is_ok_and(|own| own.status() == 403)
    }
}

/// What the server answered.
pub struct Reply(Answer);

impl Reply {
    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The body, an object.
    pub fn object(&self) -> Result<Object, Error> {
        Object::parse(&self.0.body).map_err(|error| {
            Error::new(
                format!("answered {} with a body that {error}", self.status()),
                "is this the server's own address, or that of something before it?",
            )
        })
    }

    /// Status, and the server's own words for it: nothing else of the body.
    pub fn told(&self, run: &Run) -> String {
        let words = Object::parse(&self.0.body).ok().and_then(|body| body.words("errors")).unwrap_or_default();
        let first: Vec<String> = words.into_iter().filter(|word| !word.trim().is_empty()).take(WORDS_MAX).collect();
        match first.is_empty() {
            true => format!("{} without a word{}", self.status(), self.0.tried),
            false => format!("{} {}{}", self.status(), run.scrubbed(&first.join("; ")), self.0.tried),
        }
    }

    /// A status that nobody expects here.
    pub fn unexpected(&self, run: &Run) -> Error {
        let told = self.told(run);
        let help = match self.status() {
            503 if told.contains("sealed") => "unseal it, and have a look why it was sealed",
            500..=599 => "look at the server's own log and health: GET /v1/sys/health",
            429 => "too many requests for its quota: ask for fewer at once, or raise the quota",
            412 | 472 | 473 => "the node is behind or a standby: ask the active one, or a balancer that finds it",
            404 => "check address, namespace, mount and path",
            _ => "look at the server's own log",
        };
        Error::new(format!("answered {told}"), help).because(self.0.why())
    }

    /// Why a login fails.
    pub fn why_no_login(&self) -> Why {
        if self.0.why() == Why::Unreachable { Why::Unreachable } else { Why::Refused }
    }
}

/// `BAO_…`, then `VAULT_…`, as OpenBao's own command line has it. Empty is unset.
pub(super) fn variable(name: &str) -> Option<String> {
    ["BAO", "VAULT"].iter().find_map(|prefix| std::env::var(format!("{prefix}_{name}")).ok().filter(|v| !v.is_empty()))
}

fn certificates_of_folder(folder: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, Error> {
    let failed = |why: String| Error::new(format!("the CA folder {} {why}", folder.display()), "check VAULT_CAPATH");
    let entries = std::fs::read_dir(folder).map_err(|error| failed(format!("cannot be read ({error})")))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    let found: Vec<_> = files.filter_map(|file| certificates(&file).ok()).flatten().collect();
    if found.is_empty() { Err(failed("holds no certificate".to_owned())) } else { Ok(found) }
}

fn client_certificate(certificate: &Path, key: &Path) -> Result<ClientCert, Error> {
    let chain = certificates(certificate)?;
    let failed = |why: String| Error::new(format!("the key {} {why}", key.display()), "check VAULT_CLIENT_KEY");
    let pem = std::fs::read(key).map(Zeroizing::new).map_err(|error| failed(format!("cannot be read ({error})")))?;
    let own = |item| if let PemItem::PrivateKey(key) = item { Some(key) } else { None };
    let key: Option<PrivateKey<'static>> = parse_pem(&pem).filter_map(Result::ok).find_map(own);
    key.map(|key| ClientCert::new_with_certs(&chain, key)).ok_or_else(|| failed("holds no key in PEM".to_owned()))
}

/// The lock of the known mounts; a panic elsewhere ends the process.
pub(super) fn known<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
