//! A stand-in for a Kubernetes API server, since no real one can run here: it knows Secrets of one namespace, to be
//! read. The kubectl that asks it is the real one.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Serves until the process ends.
pub struct Api {
    port: u16,
    secret: Arc<Mutex<Value>>,
}

impl Api {
    /// A cluster with one Secret, `NAMESPACE/NAME`.
    pub fn with(secret: &str, data: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let held = Arc::new(Mutex::new(object(secret, data)));
        let served = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || answer(stream, &served.lock().expect("unbroken").clone()));
            }
        });
        Self { port, secret: held }
    }

    /// What the cluster holds from now on.
    pub fn set(&self, secret: &str, data: &[(&str, &str)]) {
        *self.secret.lock().expect("unbroken") = object(secret, data);
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        let cluster = json!({"name": "stand-in", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}});
        let context =
            json!({"name": "stand-in", "context": {"cluster": "stand-in", "user": "", "namespace": "default"}});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
            "clusters": [cluster], "contexts": [context], "users": []
        });
        config.to_string()
    }
}

/// The variables under which the program finds kubectl and the stand-in.
pub fn variables(folder: &Path, kubectl: &Path) -> [(&'static str, String); 3] {
    let path = kubectl.parent().expect("a folder").display().to_string();
    [
        ("PATH", path),
        ("KUBECONFIG", folder.join("kubeconfig").display().to_string()),
        ("HOME", folder.display().to_string()),
    ]
}

fn object(secret: &str, data: &[(&str, &str)]) -> Value {
    let (namespace, name) = secret.split_once('/').expect("NAMESPACE/NAME");
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(field, key)| ((*field).to_owned(), STANDARD.encode(key).into())).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace}, "data": data
    })
}

fn answer(mut stream: TcpStream, secret: &Value) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let _headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (status, body) = respond(path, secret);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn respond(path: &str, secret: &Value) -> (&'static str, Value) {
    let metadata = &secret["metadata"];
    let own = format!(
        "/api/v1/namespaces/{}/secrets/{}",
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"].as_str().unwrap_or_default()
    );
    match path {
        "/api" => ("200 OK", json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => ("200 OK", json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})),
        "/api/v1" => {
            let resource = json!({
                "name": "secrets", "singularName": "secret", "namespaced": true, "kind": "Secret", "verbs": ["get"]
            });
            ("200 OK", json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]}))
        }
        // kubectl looks whether it is the namespace that is missing.
        path if own.starts_with(&format!("{path}/secrets/")) => {
            ("200 OK", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": metadata["namespace"]}}))
        }
        path if path == own => ("200 OK", secret.clone()),
        path => {
            let name = path.rsplit('/').next().unwrap_or_default();
            let message = format!("secrets \"{name}\" not found");
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "NotFound",
                "code": 404
            });
            ("404 Not Found", status)
        }
    }
}
