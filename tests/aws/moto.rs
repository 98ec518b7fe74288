//! moto: a server that answers as Secrets Manager, STS and IAM do.
#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::common::root;
use crate::stand_in::{Request, Response, client};

/// The region of all tests that name none.
pub const REGION: &str = "eu-central-1";

/// A server; it ends when its stdin is closed: with the value, or with the test.
pub struct Moto {
    child: Child,
    stdin: Option<ChildStdin>,
    scheme: &'static str,
    port: u16,
}

impl Moto {
    /// One for all tests, each of which has secrets of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        Self::start_with("http", &[])
    }

    /// A server that speaks TLS, and puts `ca.pem` into this folder.
    pub fn with_tls(folder: &Path) -> Self {
        Self::start_with("https", &[folder.as_os_str()])
    }

    fn start_with(scheme: &'static str, arguments: &[&OsStr]) -> Self {
        let mut python = Command::new("python3");
        let packages = python.args(["-B", "tools/packages.py", "tests/aws/requirements.txt"]).current_dir(root());
        let output = packages.output().expect("python3 starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let packages = String::from_utf8(output.stdout).unwrap();
        let mut child = Command::new("python3")
            .args(["-B", "tests/aws/server.py"])
            .args(arguments)
            .current_dir(root())
            .env("PYTHONPATH", packages.trim_end())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("moto prints its port");
        Self { stdin: child.stdin.take(), child, scheme, port }
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Passes a request on.
    pub fn forward(&self, request: &Request) -> Response {
        let mut builder = ureq::http::Request::builder().method(request.method.as_str());
        builder = builder.uri(format!("{}{}", self.url(), request.path));
        for (name, value) in &request.headers {
            if !["content-length", "connection", "accept-encoding"].contains(&name.as_str()) {
                builder = builder.header(name, value);
            }
        }
        let mut response = client().run(builder.body(request.body.as_slice()).unwrap()).expect("moto answers");
        let body = response.body_mut().read_to_vec().unwrap();
        Response { status: response.status().as_u16(), headers: Vec::new(), body }
    }

    fn ask(&self, service: &str, region: &str, headers: &[(&str, &str)], body: String) -> (u16, String) {
        let credential = format!("test/20260101/{region}/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let mut all = vec![("authorization".to_owned(), signature)];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = body.into_bytes();
        let request = Request { method: "POST".to_owned(), path: "/".to_owned(), headers: all, body };
        let response = self.forward(&request);
        (response.status, String::from_utf8(response.body).unwrap())
    }

    /// An action of Secrets Manager in a region.
    pub fn call_in(&self, region: &str, action: &str, body: &Value) -> Value {
        let target = format!("secretsmanager.{action}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let (status, text) = self.ask("secretsmanager", region, &headers, body.to_string());
        assert_eq!(status, 200, "{action}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn call(&self, action: &str, body: &Value) -> Value {
        self.call_in(REGION, action, body)
    }

    /// An action of another service.
    pub fn form(&self, service: &str, form: &str) -> String {
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let (status, text) = self.ask(service, "us-east-1", &headers, form.to_owned());
        assert_eq!(status, 200, "{form}: {text}");
        text
    }

    /// A secret that is this text; its ARN.
    pub fn secret(&self, name: &str, text: &str) -> String {
        let made = self.call("CreateSecret", &json!({"Name": name, "SecretString": text}));
        made["ARN"].as_str().unwrap().to_owned()
    }

    pub fn binary(&self, name: &str, bytes: &[u8]) {
        self.call("CreateSecret", &json!({"Name": name, "SecretBinary": STANDARD.encode(bytes)}));
    }

    /// Another version; its id.
    pub fn version(&self, name: &str, text: &str) -> String {
        let made = self.call("PutSecretValue", &json!({"SecretId": name, "SecretString": text}));
        made["VersionId"].as_str().unwrap().to_owned()
    }

    /// The text of a stage.
    pub fn text(&self, name: &str, stage: &str) -> String {
        let got = self.call("GetSecretValue", &json!({"SecretId": name, "VersionStage": stage}));
        got["SecretString"].as_str().unwrap().to_owned()
    }

    /// All labels of all versions, sorted.
    pub fn labels(&self, name: &str) -> Vec<String> {
        let told = self.call("DescribeSecret", &json!({"SecretId": name}));
        let versions = told["VersionIdsToStages"].as_object().unwrap().values();
        let labels = versions.flat_map(|labels| labels.as_array().unwrap());
        let mut labels: Vec<String> = labels.map(|label| label.as_str().unwrap().to_owned()).collect();
        labels.sort();
        labels
    }

    /// From now on credentials, signatures and policies are checked.
    pub fn check_credentials(&self) {
        let request = ureq::http::Request::builder().method("POST").uri(format!("{}/moto-api/reset-auth", self.url()));
        assert_eq!(client().run(request.body("0").unwrap()).unwrap().status(), 200);
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
