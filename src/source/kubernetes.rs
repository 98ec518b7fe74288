//! The source `kubernetes`: a Secret of a cluster, through the user's `kubectl`, or with a pod's own token.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::http::{Client, Request, Tls, certificates};
use super::json::Object;
use super::place::{Content, Place, Value};
use super::{Error, Kubectl, Run, read_word};
use crate::config;
use crate::key::KeyText;
use crate::schema::shown;

/// Where Kubernetes puts a pod's token, its CA and its namespace.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A Secret.
pub struct Secret {
    config: config::Kubernetes,
    /// As configured for the source, else for the environment.
    namespace: Option<String>,
}

impl Secret {
    /// A Secret of a namespace: the configured one, else the environment's.
    pub fn new(config: &config::Kubernetes, namespace: Option<&str>) -> Self {
        let namespace = config.namespace.clone().or_else(|| namespace.map(str::to_owned));
        Self { config: config.clone(), namespace }
    }

    fn kubectl(&self) -> Kubectl {
        Kubectl { context: self.config.context.clone(), namespace: self.namespace.clone() }
    }

    fn folder(&self) -> PathBuf {
        self.config.service_account.clone().unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT))
    }

    fn in_cluster(&self, run: &Run) -> Result<Zeroizing<Vec<u8>>, Error> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(host), Some(port)) = (variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT"))
        else {
            return Err(Error::new(
                "this is no pod: KUBERNETES_SERVICE_HOST is not set",
                "outside of the cluster take `inCluster` out, and kubectl is asked",
            ));
        };
        let folder = self.folder();
        let token = read_word(&folder.join("token"), "the pod's token")?;
        run.learn(token.as_bytes());
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None => read_word(&folder.join("namespace"), "the pod's namespace")?.to_string(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let roots = Some(certificates(&folder.join("ca.crt"))?);
        let client = Client::new(&format!("https://{host}:{port}"), Tls { roots, own: None })?;
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{}", self.config.secret);
        let headers = vec![
            ("Authorization", Zeroizing::new(format!("Bearer {}", *token))),
            ("Accept", Zeroizing::new("application/json".to_owned())),
        ];
        let request = Request { method: Method::GET, path: &path, headers, body: None, retried: &[], repeatable: true };
        let answer = client.send(run, "kubernetes get", &request)?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let words = Object::parse(&answer.body).ok().and_then(|status| status.word("message")).unwrap_or_default();
        let help = match answer.status {
            401 => "the pod's token is refused: is it expired, or another cluster's?".to_owned(),
            403 => format!(
                "the pod's service account needs `get` on Secret {} in namespace {namespace}",
                self.config.secret
            ),
            404 => format!("check name and namespace: `kubectl get secret -n {namespace}`"),
            429 => "it has too many requests: run this again later".to_owned(),
            _ => "look at the API server's health".to_owned(),
        };
        let words = Some(run.scrubbed(&words)).filter(|words| !words.is_empty());
        let words = words.map_or_else(|| " without a word".to_owned(), |words| format!(": {words}"));
        Err(Error::new(format!("the API server answered {}{words}{}", answer.status, answer.tried), help)
            .because(answer.why()))
    }
}

impl Place for Secret {
    fn describe(&self) -> String {
        match self.config.in_cluster {
            true => {
                let namespace = self.namespace.as_deref().unwrap_or("the pod's own");
                format!("Secret {} in namespace {namespace}, of this cluster", self.config.secret)
            }
            false => format!("Secret {}{}", self.config.secret, self.kubectl()),
        }
    }

    fn identity(&self) -> String {
        format!("{:?} {:?}", self.config, self.namespace)
    }

    fn login(&self) -> Option<String> {
        Some(match self.config.in_cluster {
            true => format!("the pod's token in {}", self.folder().display()),
            false => "kubectl's own".to_owned(),
        })
    }

    fn read(&self, run: &Run) -> Result<Content, Error> {
        let printed: Zeroizing<Vec<u8>> = match self.config.in_cluster {
            true => self.in_cluster(run)?,
            false => {
                let name = std::slice::from_ref(&self.config.secret);
                Zeroizing::new(self.kubectl().secrets(run, name)?.as_bytes().to_vec())
            }
        };
        let odd = |why: &str| Error::new(format!("what was answered {why}"), "check that it is a Secret of Kubernetes");
        let secret = Object::parse(&printed).map_err(|error| odd(&error.to_string()))?;
        if secret.word("kind").as_deref() != Some("Secret") {
            return Err(odd("is no Secret"));
        }
        let data = secret.object("data").map_err(|error| odd(&error.to_string()))?.unwrap_or_default();
        let metadata = secret.object("metadata").ok().flatten().unwrap_or_default();
        let mut content = Content { version: metadata.word("resourceVersion"), ..Content::default() };
        for (name, text) in data.texts() {
            let value = match text {
                Ok(text) => Value::Text(
                    decoded(&text).ok_or_else(|| odd(&format!("holds a {} that is not base64", in_data(name))))?,
                ),
                Err(kind) => Value::Other(kind),
            };
            content.members.insert(name.to_owned(), value);
        }
        Ok(content)
    }
}

/// A field in words: its name, unless a key slipped into it.
fn in_data(name: &str) -> String {
    shown(name).map_or_else(|| "field".to_owned(), |name| format!("field {name}"))
}

fn decoded(text: &KeyText) -> Option<KeyText> {
    STANDARD.decode(text.expose()).ok().map(KeyText::from)
}
