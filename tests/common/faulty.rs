//! A stand-in for a store's server, which fails as it is told. It is no Vault and no Kubernetes: it knows nothing but
//! the answers that a test gives it for each path, and counts what it was asked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::common::root;

/// Longer than any test lets the program wait.
const FOREVER: Duration = Duration::from_secs(30);
/// The client has read what was sent before.
const A_MOMENT: Duration = Duration::from_millis(50);

/// What the server does with a request.
#[derive(Clone)]
pub enum Answer {
    /// Answers; the connection stays open.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Sends these bytes, and closes.
    Raw(Vec<u8>),
    /// Sends these bytes, and the other end learns that nobody is there any more.
    Reset(Vec<u8>),
    /// Sends these bytes, then nothing.
    Hang(Vec<u8>),
    /// Sends these bytes, one every 100 ms.
    Drip(Vec<u8>),
    /// Sends the first, then the second until nobody listens.
    Endless(Vec<u8>, Vec<u8>),
}

pub use Answer::{Drip, Endless, Hang, Raw, Reset, Whole};

impl Answer {
    /// The same with one more header.
    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Whole(status, mut headers, body) => {
                headers.push((name, value.into()));
                Whole(status, headers, body)
            }
            other => other,
        }
    }

    /// The bytes of a whole answer.
    pub fn bytes(&self) -> Vec<u8> {
        let Whole(status, headers, body) = self else { panic!("no whole answer") };
        let mut bytes = format!("HTTP/1.1 {status} \r\nContent-Type: application/json\r\n").into_bytes();
        headers.iter().for_each(|(name, value)| bytes.extend(format!("{name}: {value}\r\n").bytes()));
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        [bytes, body.clone()].concat()
    }
}

/// An answer with a body.
pub fn answer(status: u16, body: impl AsRef<[u8]>) -> Answer {
    Whole(status, Vec::new(), body.as_ref().to_vec())
}

/// The start of an answer, with these headers and whatever body comes after it.
pub fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n").into_bytes()
}

/// Answers by path, one after the other; the last one stays.
pub type Script = BTreeMap<String, Vec<Answer>>;

/// A request that arrived.
#[derive(Clone)]
pub struct Request {
    pub path: String,
    /// All headers, and the body behind an empty line.
    pub rest: String,
}

pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<Request>>>,
    /// Held, so that nobody else gets the port.
    _listener: TcpListener,
}

impl Server {
    /// A server with a certificate of `testdata/tls`, or without TLS.
    pub fn start(script: Script, certificate: Option<&str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let server = Self {
            port: listener.local_addr().expect("an address").port(),
            asked: Arc::clone(&asked),
            _listener: listener.try_clone().expect("the same port"),
        };
        let tls = certificate.map(tls);
        let script = Arc::new(script);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (tls, script, asked) = (tls.clone(), Arc::clone(&script), Arc::clone(&asked));
                thread::spawn(move || match tls {
                    None => converse(connection, &script, &asked),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("a session");
                        converse(StreamOwned::new(session, connection), &script, &asked);
                    }
                });
            }
        });
        server
    }

    /// What arrived.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `NAME`, or `NAME and asks` for one that asks for the client's certificate too.
fn tls(name: &str) -> Arc<ServerConfig> {
    let (name, asks_for_ours) = name.strip_suffix(" and asks").map_or((name, false), |name| (name, true));
    let file = |name: &str, end: &str| root().join("testdata/tls").join(format!("{name}.{end}"));
    let certificate = CertificateDer::from_pem_file(file(name, "pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file(name, "key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().expect("versions of TLS");
    let config = match asks_for_ours {
        false => config.with_no_client_auth(),
        true => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(file("ca", "pem")).expect("a certificate")).expect("a CA");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    Arc::new(config.with_single_cert(vec![certificate], key).expect("a pair"))
}

fn converse(mut stream: impl Read + Write, script: &Script, asked: &Mutex<Vec<Request>>) {
    while let Some(first) = until(&mut stream, "\r\n") {
        // A hello of TLS, or anything else that is no HTTP.
        if !first.starts_with(|c: char| c.is_ascii_uppercase()) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request");
            return;
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let before = asked.iter().filter(|request| request.path == path).count();
            asked.push(Request { path: path.clone(), rest: String::new() });
            let answers = script.get(&path).map_or(&[][..], Vec::as_slice);
            answers.get(before).or(answers.last()).cloned().unwrap_or_else(|| no_route(&path))
        };
        if let Reset(bytes) = &answer {
            let _ = stream.write_all(bytes);
            thread::sleep(A_MOMENT);
            // A connection that is closed with bytes unread is reset.
            return;
        }
        let Some(rest) = rest(&mut stream) else { return };
        if let Some(last) = asked.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().rfind(|r| r.path == path) {
            last.rest = rest;
        }
        if say(&mut stream, &answer).is_err() || !matches!(answer, Whole(..)) {
            return;
        }
    }
    // What was sent last, an alert of TLS maybe, is read before the connection ends.
    thread::sleep(A_MOMENT);
}

fn no_route(path: &str) -> Answer {
    let route = path.trim_start_matches("/v1/");
    answer(404, format!(r#"{{"errors":["no handler for route \"{route}\". route entry not found."]}}"#))
}

fn say(stream: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    match answer {
        Whole(..) => stream.write_all(&answer.bytes())?,
        Raw(bytes) | Reset(bytes) => stream.write_all(bytes)?,
        Hang(bytes) => {
            stream.write_all(bytes)?;
            stream.flush()?;
            thread::sleep(FOREVER);
        }
        Drip(bytes) => {
            for byte in bytes {
                stream.write_all(std::slice::from_ref(byte))?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Endless(first, again) => {
            stream.write_all(first)?;
            loop {
                stream.write_all(again)?;
            }
        }
    }
    stream.flush()
}

/// The headers and the body of a request.
fn rest(stream: &mut impl Read) -> Option<String> {
    let head = until(stream, "\r\n\r\n")?;
    let lower = head.to_ascii_lowercase();
    let len = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; len.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(format!("{head}{}", String::from_utf8_lossy(&body)))
}

/// One byte after the other: what follows stays where it is.
fn until(stream: &mut impl Read, end: &str) -> Option<String> {
    let (mut text, mut byte) = (Vec::new(), [0_u8]);
    while !text.ends_with(end.as_bytes()) && byte[0] < 0x80 && byte[0] != 0x16 {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A port where so many wait to be let in that nobody else is answered.
pub struct Crowded {
    pub port: u16,
    _held: (TcpListener, Vec<TcpStream>),
}

impl Crowded {
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&address, A_MOMENT * 4).ok());
        let held: Vec<TcpStream> = waiting.take(10_000).collect();
        Self { port: address.port(), _held: (listener, held) }
    }
}
