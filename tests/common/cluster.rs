//! A stand-in for a Kubernetes API server, since no real one can run here: it keeps objects as JSON in memory and runs
//! nothing. It answers what real Helm (3 and 4) and real kubectl ask, no more: no users, no admission, no defaults but
//! those of Secrets, no controllers. Jobs and Pods count as completed the moment they are created.
//!
//! Field owners are kept per manager as the text it last wrote, not as `managedFields`: enough to drop what a manager
//! no longer applies, and to refuse an apply over a change by another hand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What the stand-in knows: group and version, plural, kind, whether it is in a namespace.
const RESOURCES: [(&str, &str, &str, bool); 15] = [
    ("v1", "namespaces", "Namespace", false),
    ("v1", "secrets", "Secret", true),
    ("v1", "configmaps", "ConfigMap", true),
    ("v1", "services", "Service", true),
    ("v1", "serviceaccounts", "ServiceAccount", true),
    ("v1", "pods", "Pod", true),
    ("apps/v1", "deployments", "Deployment", true),
    ("apps/v1", "statefulsets", "StatefulSet", true),
    ("apps/v1", "daemonsets", "DaemonSet", true),
    ("batch/v1", "jobs", "Job", true),
    ("batch/v1", "cronjobs", "CronJob", true),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true),
    ("networking.k8s.io/v1", "ingresses", "Ingress", true),
    ("rbac.authorization.k8s.io/v1", "roles", "Role", true),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", true),
];

type Resource = (&'static str, &'static str, &'static str, bool);
/// Plural, namespace (empty if it has none), name.
type Key = (&'static str, String, String);
/// The status code and the body; as an error, a `Status`.
type Answer = Result<(u16, Value), (u16, Value)>;

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    /// What each manager last wrote of an object.
    written: BTreeMap<(Key, String), Value>,
    version: u64,
}

/// Serves until the process ends.
pub struct Cluster {
    port: u16,
    shared: Arc<Mutex<State>>,
}

impl Cluster {
    /// A cluster with nothing but the namespace `default`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cluster = Self { port, shared: Arc::default() };
        cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}));
        let shared = Arc::clone(&cluster.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        cluster
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

    /// Creates or replaces an object, and its namespace if need be; by nobody's hand as far as field owners go.
    pub fn put(&self, object: Value) {
        let known = |of: &&Resource| of.0 == object["apiVersion"] && of.2 == object["kind"];
        let of = RESOURCES.iter().find(known).expect("a known kind");
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        if of.3 && self.get("namespaces", "", namespace).is_none() {
            self.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        }
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let key = (of.1, if of.3 { namespace.to_owned() } else { String::new() }, name);
        let mut state = lock(&self.shared);
        let object = state.admit(of, &key, object).expect("an object the API takes");
        state.store(&key, object);
    }

    /// The object as it is; `namespace` is empty for what is in none.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let state = lock(&self.shared);
        let mut found = state.objects.iter().filter(|(key, _)| key.0 == plural && key.1 == namespace && key.2 == name);
        found.next().map(|(_, object)| object.clone())
    }

    /// Deletes the object, if there is one.
    pub fn remove(&self, plural: &str, namespace: &str, name: &str) {
        let of = RESOURCES.iter().find(|of| of.1 == plural).expect("a known plural");
        lock(&self.shared).delete(&(of.1, namespace.to_owned(), name.to_owned()));
    }
}

/// The variables under which a program finds kubectl and the stand-in.
pub fn variables(folder: &Path, kubectl: &Path) -> [(&'static str, String); 3] {
    let path = kubectl.parent().expect("a folder").display().to_string();
    [
        ("PATH", path),
        ("KUBECONFIG", folder.join("kubeconfig").display().to_string()),
        ("HOME", folder.display().to_string()),
    ]
}

fn lock(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The object as it would be stored over what is there, or the refusal.
    fn admit(&self, of: &Resource, key: &Key, mut object: Value) -> Result<Value, (u16, Value)> {
        let live = self.objects.get(key);
        let own = |field: &str, other: String| live.map_or(other.into(), |live| live["metadata"][field].clone());
        let version = own("resourceVersion", String::new());
        let sent = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !sent.is_empty() && sent != version {
            return Err(failure(409, "Conflict", format!("{} {:?}: the object has been modified", of.1, key.2)));
        }
        (object["apiVersion"], object["kind"]) = (of.0.into(), of.2.into());
        object["metadata"]["name"] = key.2.clone().into();
        if of.3 {
            object["metadata"]["namespace"] = key.1.clone().into();
        }
        object["metadata"]["resourceVersion"] = version;
        object["metadata"]["uid"] = own("uid", format!("00000000-0000-4000-8000-{:012x}", self.version + 1));
        object["metadata"]["creationTimestamp"] = own("creationTimestamp", "2026-01-01T00:00:00Z".into());
        match of.2 {
            "Secret" => secret(&mut object, live)?,
            "Job" => {
                let condition = json!({"type": "Complete", "status": "True", "reason": "CompletionsReached"});
                object["status"] = json!({"succeeded": 1, "conditions": [condition]});
            }
            "Pod" => object["status"] = json!({"phase": "Succeeded"}),
            _ => {}
        }
        Ok(object)
    }

    /// Stores, unless nothing changes.
    fn store(&mut self, key: &Key, mut object: Value) {
        if self.objects.get(key) != Some(&object) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            self.objects.insert(key.clone(), object);
        }
    }

    /// Deletes the object, with all that is in it if it is a namespace.
    fn delete(&mut self, key: &Key) {
        self.version += 1;
        let gone = |of: &Key| of == key || (key.0 == "namespaces" && of.1 == key.2);
        self.objects.retain(|of, _| !gone(of));
        self.written.retain(|(of, _), _| !gone(of));
    }
}

/// What the API does to a Secret: folds `stringData` into `data`, wants base64, keeps what is immutable.
fn secret(object: &mut Value, live: Option<&Value>) -> Result<(), (u16, Value)> {
    let strings = object.as_object_mut().and_then(|object| object.remove("stringData")).unwrap_or_default();
    for (field, text) in strings.as_object().unwrap_or(&Map::new()) {
        let text = text.as_str().ok_or_else(|| failure(400, "BadRequest", format!("stringData.{field}: no string")))?;
        object["data"][field] = STANDARD.encode(text).into();
    }
    for (field, text) in object["data"].as_object().unwrap_or(&Map::new()) {
        if text.as_str().is_none_or(|text| STANDARD.decode(text).is_err()) {
            return Err(failure(400, "BadRequest", format!("data.{field}: illegal base64 data")));
        }
    }
    if object["type"].is_null() {
        object["type"] = "Opaque".into();
    }
    let Some(live) = live else { return Ok(()) };
    let frozen = live["immutable"] == true && (object["immutable"] != true || object["data"] != live["data"]);
    if frozen || object["type"] != live["type"] {
        let name = &live["metadata"]["name"];
        return Err(failure(422, "Invalid", format!("Secret {name} is invalid: field is immutable")));
    }
    Ok(())
}

/// A request, read whole.
struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    content_type: String,
    body: Vec<u8>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = || -> Option<String> {
            let mut line = String::new();
            (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
        };
        let first = line()?;
        let (method, target) = first.strip_suffix(" HTTP/1.1")?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = line()?.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let mut body = Vec::new();
        if header("transfer-encoding") == "chunked" {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = u64::from_str_radix(size.trim(), 16).ok()?;
                reader.by_ref().take(size).read_to_end(&mut body).ok()?;
                reader.read_line(&mut String::new()).ok()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = header("content-length").parse().unwrap_or(0);
            reader.by_ref().take(length).read_to_end(&mut body).ok()?;
        }
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            method: method.to_owned(),
            path: decoded(path),
            query: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
            content_type: header("content-type"),
            body,
        })
    }

    /// The body's object or patch.
    fn object(&self) -> Value {
        match self.body.strip_prefix(b"k8s\0") {
            Some(envelope) => protobuf_secret(first(envelope, 2)),
            None => serde_json::from_slice(&self.body)
                .unwrap_or_else(|_| yaml(std::str::from_utf8(&self.body).expect("UTF-8"))),
        }
    }

    fn asks(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// Whether the selectors take this object: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas.
    fn selects(&self, object: &Value) -> bool {
        let takes = |selector: &str, look: &dyn Fn(&str) -> Option<String>| {
            selector.split(',').filter(|term| !term.is_empty()).all(|term| {
                if let Some((field, value)) = term.split_once("!=") {
                    look(field).as_deref() != Some(value)
                } else if let Some((field, value)) = term.split_once('=') {
                    look(field).as_deref() == Some(value.trim_start_matches('='))
                } else {
                    look(term.trim_start_matches('!')).is_none() == term.starts_with('!')
                }
            })
        };
        let label = |name: &str| object["metadata"]["labels"][name].as_str().map(str::to_owned);
        let field = |path: &str| object.pointer(&format!("/{}", path.replace('.', "/")))?.as_str().map(str::to_owned);
        takes(self.asks("labelSelector"), &label) && takes(self.asks("fieldSelector"), &field)
    }
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().replace('+', " ").into_bytes();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).expect("percent encoding"));
        bytes.extend(rest.replace('+', " ").into_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Answers the requests of one connection.
fn serve(mut stream: TcpStream, shared: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    while let Some(request) = Request::read(&mut reader) {
        if ["1", "true"].contains(&request.asks("watch")) {
            let _gone = watch(&mut stream, shared, &request);
            return;
        }
        let (Ok((code, body)) | Err((code, body))) = answer(shared, &request);
        let (body, kind) = (body.to_string(), "Content-Type: application/json");
        let head = format!("HTTP/1.1 {code} \r\n{kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// A watch: what is there, and then nothing until the client goes or its time is over, since nothing here changes by
/// itself.
fn watch(stream: &mut TcpStream, shared: &Mutex<State>, request: &Request) -> std::io::Result<usize> {
    stream.write_all(b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
    let Some(place) = Place::of(&request.path) else { return Ok(0) };
    let (found, version) = place.list(&lock(shared), request);
    let end = json!({"resourceVersion": version, "annotations": {"k8s.io/initial-events-end": "true"}});
    let end = json!({"apiVersion": place.of.0, "kind": place.of.2, "metadata": end});
    let events = found.into_iter().map(|object| ("ADDED", object)).chain([("BOOKMARK", end)]);
    for (change, object) in events {
        stream.write_all(format!("{}\n", json!({"type": change, "object": object})).as_bytes())?;
    }
    let seconds = request.asks("timeoutSeconds").parse().unwrap_or(300);
    stream.set_read_timeout(Some(Duration::from_secs(seconds)))?;
    stream.read(&mut [0])
}

/// What a path names: a resource, in a namespace or all (empty), one object or all.
struct Place {
    of: &'static Resource,
    namespace: String,
    name: Option<String>,
}

impl Place {
    fn of(path: &str) -> Option<Self> {
        let path: Vec<&str> = path.split('/').skip(1).collect();
        let (version, rest) = match path[..] {
            ["api", version, ref rest @ ..] => (version.to_owned(), rest),
            ["apis", group, version, ref rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, plural, name) = match *rest {
            [plural] => ("", plural, None),
            [plural, name] => ("", plural, Some(name)),
            ["namespaces", namespace, plural] => (namespace, plural, None),
            ["namespaces", namespace, plural, name] => (namespace, plural, Some(name)),
            _ => return None,
        };
        let of = RESOURCES.iter().find(|of| of.0 == version && of.1 == plural)?;
        Some(Self { of, namespace: namespace.to_owned(), name: name.map(str::to_owned) })
    }

    /// The objects here that the request selects, and the version of all.
    fn list(&self, state: &State, request: &Request) -> (Vec<Value>, String) {
        let here = |key: &Key| key.0 == self.of.1 && (self.namespace.is_empty() || key.1 == self.namespace);
        let found = state.objects.iter().filter(|(key, object)| here(key) && request.selects(object));
        (found.map(|found| found.1.clone()).collect(), state.version.to_string())
    }
}

fn failure(code: u16, reason: &str, message: String) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code
    });
    (code, status)
}

fn answer(shared: &Mutex<State>, request: &Request) -> Answer {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    let mut versions: Vec<&str> = RESOURCES.iter().map(|of| of.0).filter(|version| *version != "v1").collect();
    versions.dedup();
    let body = match path[..] {
        ["version"] => json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => {
            let group = |version: &&str| {
                let (group, number) = version.split_once('/').expect("GROUP/VERSION");
                let version = json!({"groupVersion": version, "version": number});
                json!({"name": group, "versions": [version], "preferredVersion": version})
            };
            json!({"apiVersion": "v1", "kind": "APIGroupList", "groups": versions.iter().map(group).collect::<Vec<_>>()})
        }
        ["api", version] => resources(version),
        ["apis", group, version] => resources(&format!("{group}/{version}")),
        // All that clients look for here is the parameter that leaves the validation of fields to the server.
        ["openapi", "v3"] => {
            let url = |path: String| (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
            let named = versions.iter().map(|version| url(format!("apis/{version}")));
            json!({"paths": named.chain([url("api/v1".to_owned())]).collect::<Map<_, _>>()})
        }
        ["openapi", "v3", _, ref version @ ..] => openapi(&version.join("/")),
        _ => match Place::of(&request.path) {
            Some(place) => return objects(shared, request, &place),
            None => return Err(failure(404, "NotFound", "the server could not find the requested resource".into())),
        },
    };
    Ok((200, body))
}

fn resources(version: &str) -> Value {
    let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    let one = |of: &Resource| {
        let singular = of.2.to_lowercase();
        json!({"name": of.1, "singularName": singular, "namespaced": of.3, "kind": of.2, "verbs": verbs})
    };
    let all: Vec<Value> = RESOURCES.iter().filter(|of| of.0 == version).map(one).collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": all})
}

fn openapi(version: &str) -> Value {
    let (group, number) = version.split_once('/').unwrap_or(("", version));
    let one = |of: &Resource| {
        let kind = json!({"group": group, "version": number, "kind": of.2});
        let parameter = json!({"name": "fieldValidation", "in": "query", "schema": {"type": "string"}});
        let patch = json!({"parameters": [parameter], "responses": {}, "x-kubernetes-group-version-kind": kind});
        (format!("/{}/{{name}}", of.1), json!({"patch": patch}))
    };
    let paths: Map<String, Value> = RESOURCES.iter().filter(|of| of.0 == version).map(one).collect();
    json!({"openapi": "3.0.0", "info": {"title": "stand-in", "version": "0"}, "paths": paths})
}

/// Reads or changes objects.
fn objects(shared: &Mutex<State>, request: &Request, place: &Place) -> Answer {
    let of = place.of;
    let missing = |kind: &str, name: &str| failure(404, "NotFound", format!("{kind} {name:?} not found"));
    let mut state = lock(shared);
    let name = match (&place.name, request.method.as_str()) {
        (Some(name), _) => name.clone(),
        (None, "POST") => request.object()["metadata"]["name"].as_str().expect("a name").to_owned(),
        (None, "GET") => {
            let (items, version) = place.list(&state, request);
            let (kind, metadata) = (format!("{}List", of.2), json!({"resourceVersion": version}));
            return Ok((200, json!({"apiVersion": of.0, "kind": kind, "metadata": metadata, "items": items})));
        }
        (None, method) => return Err(failure(405, "MethodNotAllowed", format!("{method} of all {}", of.1))),
    };
    let key = (of.1, place.namespace.clone(), name);
    let live = state.objects.get(&key).cloned();
    let found = || live.clone().ok_or_else(|| missing(of.1, &key.2));
    let (dry, manager) = (!request.asks("dryRun").is_empty(), request.asks("fieldManager").to_owned());
    let owner = (key.clone(), manager);
    let before = state.written.get(&owner).cloned().unwrap_or_default();
    let (mut object, mut written) = (Value::Null, before.clone());
    match (request.method.as_str(), request.content_type.split(';').next().unwrap_or_default()) {
        ("GET", _) => return Ok((200, found()?)),
        ("DELETE", _) => {
            let gone = found()?;
            if !dry {
                state.delete(&key);
            }
            let details = json!({"name": key.2, "kind": of.1, "uid": gone["metadata"]["uid"]});
            return Ok((200, json!({"apiVersion": "v1", "kind": "Status", "status": "Success", "details": details})));
        }
        ("POST", _) if live.is_some() => {
            return Err(failure(409, "AlreadyExists", format!("{} {:?} already exists", of.1, key.2)));
        }
        ("POST" | "PUT", "application/json" | "application/vnd.kubernetes.protobuf") => {
            if request.method == "PUT" {
                found()?;
            }
            written = request.object();
            merge(&mut object, &written);
        }
        ("PATCH", "application/apply-patch+yaml") => {
            written = request.object();
            object = live.clone().unwrap_or_default();
            let mut conflicts = Vec::new();
            differ(&object, &before, &written, "", &mut conflicts);
            if !conflicts.is_empty() && request.asks("force") != "true" {
                let message = format!("Apply failed with conflicts with another manager: {}", conflicts.join(", "));
                return Err(failure(409, "Conflict", message));
            }
            prune(&mut object, &before, &written);
            merge(&mut object, &written);
        }
        ("PATCH", "application/merge-patch+json" | "application/strategic-merge-patch+json") => {
            object = found()?;
            merge(&mut object, &request.object());
            merge(&mut written, &request.object());
        }
        (_, kind) => return Err(failure(415, "UnsupportedMediaType", format!("{} of {kind:?}", request.method))),
    }
    if of.3 && !state.objects.contains_key(&("namespaces", String::new(), key.1.clone())) {
        return Err(missing("namespaces", &key.1));
    }
    let object = state.admit(of, &key, object)?;
    let code = if live.is_some() { 200 } else { 201 };
    if dry {
        return Ok((code, object));
    }
    state.store(&key, object);
    state.written.insert(owner, written);
    Ok((code, state.objects[&key].clone()))
}

/// The fields of a protobuf message that are no numbers: Helm writes its releases so, whatever the server prefers.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(message: &mut &[u8]) -> Option<u64> {
        let length = message.iter().position(|byte| *byte < 128)? + 1;
        let (bytes, rest) = message.split_at(length);
        *message = rest;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 127)))
    }
    let mut found = Vec::new();
    while let Some((tag, size)) = number(&mut message).and_then(|tag| Some((tag, number(&mut message)?))) {
        if tag & 7 == 2 {
            let (field, rest) = message.split_at(usize::try_from(size).expect("a size"));
            found.push((tag >> 3, field));
            message = rest;
        }
    }
    found
}

fn first(message: &[u8], number: u64) -> &[u8] {
    fields(message).into_iter().find(|field| field.0 == number).map_or(&[], |field| field.1)
}

/// The one kind that is ever sent as protobuf: a Secret with name, labels, data and type.
fn protobuf_secret(secret: &[u8]) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let map = |message, number, value: &dyn Fn(&[u8]) -> String| -> Map<String, Value> {
        let entries = fields(message).into_iter().filter(|field| field.0 == number);
        entries.map(|(_, entry)| (text(first(entry, 1)), value(first(entry, 2)).into())).collect()
    };
    let metadata = first(secret, 1);
    json!({
        "metadata": {"name": text(first(metadata, 1)), "labels": map(metadata, 11, &text)},
        "data": map(secret, 2, &|bytes| STANDARD.encode(bytes)),
        "type": text(first(secret, 3))
    })
}

/// The body of an apply patch may be YAML.
fn yaml(text: &str) -> Value {
    helm_keyring::yaml::Value::parse(text, 0).expect("YAML").to_json()
}

/// Lays a JSON merge patch or a strategic one over `target`. A strategic patch says itself by what its lists are
/// merged, in `$setElementOrder`; any other list is replaced.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() || patch.get("$patch").is_some_and(|how| how == "replace") {
        *target = json!({});
    }
    for (field, value) in patch {
        if let Some(list) = field.strip_prefix("$setElementOrder/") {
            merge_list(&mut target[list], items(patch.get(list)), items(Some(value)));
        } else if value.is_null() {
            target.as_object_mut().and_then(|target| target.remove(field));
        } else if !field.starts_with('$') && !patch.contains_key(&format!("$setElementOrder/{field}")) {
            merge(&mut target[field], value);
        }
    }
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Merges the changed items of a list into it; `order` holds only what tells items apart, or a list of mere values.
fn merge_list(target: &mut Value, changes: &[Value], order: &[Value]) {
    let Some(fields) = order.first().and_then(Value::as_object) else {
        *target = order.into();
        return;
    };
    let same = |a: &Value, b: &Value| fields.keys().all(|field| a.get(field) == b.get(field));
    let mut merged = items(Some(target)).to_vec();
    for change in changes {
        let old = merged.iter().position(|item| same(item, change)).map(|place| merged.remove(place));
        if change.get("$patch").is_none_or(|how| how != "delete") {
            let mut item = old.unwrap_or_default();
            merge(&mut item, change);
            merged.push(item);
        }
    }
    merged.sort_by_key(|item| order.iter().position(|other| same(item, other)).unwrap_or(order.len()));
    *target = merged.into();
}

/// Drops what this manager wrote before and writes no longer.
fn prune(live: &mut Value, before: &Value, now: &Value) {
    let (Some(live), Some(before)) = (live.as_object_mut(), before.as_object()) else { return };
    for (field, old) in before {
        let Some(value) = live.get_mut(field) else { continue };
        if now.get(field).is_some() || (value.is_object() && old.is_object()) {
            prune(value, old, &now[field]);
        }
        if now.get(field).is_none() && value.as_object().is_none_or(Map::is_empty) {
            live.remove(field);
        }
    }
}

/// The fields that another hand has changed since this manager last wrote them, and that it would change back.
fn differ(live: &Value, before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    for (field, value) in now.as_object().into_iter().flatten() {
        let (path, live, before) = (format!("{path}.{field}"), &live[field], &before[field]);
        if value.is_object() && live.is_object() {
            differ(live, before, value, &path, found);
        } else if !live.is_null() && !before.is_null() && live != before && live != value {
            found.push(path);
        }
    }
}
