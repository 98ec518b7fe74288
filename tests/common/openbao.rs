//! A real OpenBao, in memory, on a free port of this machine; it ends with the value.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::openbao_binary;

/// Where a server's words are kept.
const WORDS: &str = "stdout";
/// The token that may do everything.
pub const ROOT: &str = "root-token-of-the-tests";

/// A running server.
pub struct OpenBao {
    process: Child,
    folder: TempDir,
    pub address: String,
    is_tls: bool,
}

impl OpenBao {
    pub fn start() -> Self {
        Self::with(false)
    }

    /// With certificates of its own CA.
    pub fn with_tls() -> Self {
        Self::with(true)
    }

    /// Another test may take the port, or the one beside it, between our look and the server's start.
    fn with(is_tls: bool) -> Self {
        (0..5).find_map(|_| Self::try_start(is_tls)).expect("OpenBao starts")
    }

    fn try_start(is_tls: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let words = File::create(folder.path().join(WORDS)).expect("a file");
        let mut command = Command::new(openbao_binary());
        command.args(["server", "-dev", "-dev-no-store-token", &format!("-dev-root-token-id={ROOT}")]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if is_tls {
            command.args(["-dev-tls".to_owned(), format!("-dev-tls-cert-dir={}", folder.path().display())]);
        }
        command.env_clear().env("HOME", folder.path()).stdout(words).stderr(Stdio::null());
        let process = command.spawn().expect("bao starts");
        let scheme = if is_tls { "https" } else { "http" };
        let mut server = Self { process, folder, address: format!("{scheme}://127.0.0.1:{port}"), is_tls };
        let begun = Instant::now();
        while !server.is_ready() {
            if server.process.try_wait().expect("its state").is_some() {
                return None;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "OpenBao does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn is_ready(&self) -> bool {
        // Before it has started, who answers may be the server of another test, which was given the port first. The KV
        // engine comes a moment after the server itself.
        let words = std::fs::read_to_string(self.folder.path().join(WORDS)).unwrap_or_default();
        words.contains("server started!")
            && (!self.is_tls || self.ca().exists())
            && self.try_ask("GET", "sys/internal/ui/mounts/secret/x", None, "").0 == 200
    }

    /// Its CA, where it has one.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("vault-ca.pem")
    }

    /// Asks as root; what fails ends the test.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.ask_in("", method, path, body)
    }

    pub fn ask_in(&self, namespace: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, text) = self.try_ask(method, path, body, namespace);
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn try_ask(&self, method: &str, path: &str, body: Option<Value>, namespace: &str) -> (u16, String) {
        use ureq::tls::{Certificate, RootCerts, TlsConfig};
        let mut config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        if self.is_tls {
            let Ok(pem) = std::fs::read(self.ca()) else { return (0, String::new()) };
            let Ok(ca) = Certificate::from_pem(&pem) else { return (0, String::new()) };
            config = config.tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[ca])).build());
        }
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address))
            .header("X-Vault-Token", ROOT)
            .header("X-Vault-Namespace", namespace)
            .body(body.map(|body| body.to_string()).unwrap_or_default())
            .expect("a request");
        match config.build().new_agent().run(request) {
            Ok(mut answer) => (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    /// Writes a path of the KV 2 engine `secret`; gives its version.
    pub fn put(&self, path: &str, fields: &[(&str, &str)]) -> u64 {
        let data: serde_json::Map<String, Value> =
            fields.iter().map(|(field, text)| ((*field).to_owned(), (*text).into())).collect();
        let done = self.ask("POST", &format!("secret/data/{path}"), Some(serde_json::json!({ "data": data })));
        done["data"]["version"].as_u64().expect("a version")
    }

    /// What a path of the KV 2 engine `secret` holds.
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", &format!("secret/data/{path}"), None)["data"]["data"].clone()
    }

    /// Gives a token that may do what a policy says.
    pub fn token(&self, name: &str, policy: &str) -> String {
        self.policy(name, policy);
        let given = self.ask("POST", "auth/token/create", Some(serde_json::json!({"policies": [name], "ttl": "1h"})));
        given["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    pub fn policy(&self, name: &str, policy: &str) {
        self.ask("POST", &format!("sys/policies/acl/{name}"), Some(serde_json::json!({ "policy": policy })));
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
