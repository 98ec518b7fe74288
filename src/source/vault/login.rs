//! Logins: a token that is there, or one that is given for an AppRole, a pod's token or a JSON web token.

use std::path::{Path, PathBuf};

use ureq::http::Method;
use zeroize::Zeroizing;

use super::path::encoded;
use super::server::{Session, variable};
use crate::config::VaultAuth;
use crate::source::json::Object;
use crate::source::{Error, Run, read_word};

/// Where Kubernetes puts a pod's token.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A way to a token.
pub struct Login<'a> {
    auth: &'a VaultAuth,
}

/// A token, and how it came.
pub struct Token {
    text: Option<Zeroizing<String>>,
    /// Whether it was given to this run, which ends it.
    pub is_own: bool,
    /// As whom, in words.
    pub login: String,
}

impl Token {
    /// Before any login.
    pub fn none() -> Self {
        Self { text: None, is_own: false, login: String::new() }
    }

    /// For the header.
    pub fn text(&self) -> Option<Zeroizing<String>> {
        self.text.clone()
    }
}

impl<'a> Login<'a> {
    /// The configured way.
    pub fn new(auth: &'a VaultAuth) -> Self {
        Self { auth }
    }

    /// Whether what it logs in with lies around, for any server: in a variable or in a usual place.
    pub fn is_ambient(&self) -> bool {
        match self.auth {
            VaultAuth::Token { file } | VaultAuth::AppRole { secret_id_file: file, .. } => file.is_none(),
            VaultAuth::Kubernetes { token_file: file, .. } | VaultAuth::Jwt { token_file: file, .. } => file.is_none(),
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        let role = |role: Option<&str>| role.map(|role| format!("role {role} ")).unwrap_or_default();
        match self.auth {
            VaultAuth::Token { file: Some(file) } => format!("the token in {}", file.display()),
            VaultAuth::Token { file: None } => "the token of VAULT_TOKEN or ~/.vault-token".to_owned(),
            VaultAuth::Kubernetes { role: name, .. } => {
                format!("Kubernetes {}at auth/{}", role(Some(name)), self.mount())
            }
            VaultAuth::AppRole { .. } => format!("AppRole at auth/{}", self.mount()),
            VaultAuth::Jwt { role: name, .. } => format!("JWT {}at auth/{}", role(name.as_deref()), self.mount()),
        }
    }

    fn mount(&self) -> String {
        let (given, default) = match self.auth {
            VaultAuth::Token { .. } => (&None, "token"),
            VaultAuth::Kubernetes { mount, .. } => (mount, "kubernetes"),
            VaultAuth::AppRole { mount, .. } => (mount, "approle"),
            VaultAuth::Jwt { mount, .. } => (mount, "jwt"),
        };
        given.clone().unwrap_or_else(|| default.to_owned())
    }

    /// A token: the one that is there, or a new one.
    ///
    /// # Errors
    /// Nothing to log in with, or a login that is refused.
    pub fn token(&self, run: &Run, session: &Session) -> Result<Token, Error> {
        match self.auth {
            VaultAuth::Token { file: Some(file) } => existing(run, read_word(file, "the token")?, self.describe()),
            VaultAuth::Token { file: None } => ambient(run),
            VaultAuth::Kubernetes { role, token_file, .. } => {
                let file = token_file.clone().unwrap_or_else(|| PathBuf::from(POD_TOKEN));
                let jwt = read_word(&file, "the pod's token")?;
                self.given(run, session, &[("role", role)], &[("jwt", &jwt)])
            }
            VaultAuth::AppRole { role_id, secret_id_file, .. } => {
                let role = role_id.clone().or_else(|| variable("ROLE_ID")).ok_or_else(|| {
                    Error::new("no role id is known", "set `roleId` in keyring.yaml, or VAULT_ROLE_ID")
                })?;
                let secret = match secret_id_file {
                    Some(file) => Some(read_word(file, "the secret id")?),
                    None => variable("SECRET_ID").map(Zeroizing::new),
                };
                let secret: Vec<(&str, &str)> = secret.iter().map(|id| ("secret_id", id.as_str())).collect();
                self.given(run, session, &[("role_id", &role)], &secret)
            }
            VaultAuth::Jwt { role, token_file, .. } => {
                let jwt = match token_file {
                    Some(file) => read_word(file, "the JSON web token")?,
                    None => variable("JWT").map(Zeroizing::new).ok_or_else(|| {
                        Error::new("no JSON web token is at hand", "name its file (`tokenFile`), or set VAULT_JWT")
                    })?,
                };
                let role: Vec<(&str, &str)> = role.iter().map(|role| ("role", role.as_str())).collect();
                self.given(run, session, &role, &[("jwt", &jwt)])
            }
        }
    }

    fn given(
        &self,
        run: &Run,
        session: &Session,
        open: &[(&str, &str)],
        secret: &[(&str, &str)],
    ) -> Result<Token, Error> {
        let mut body = Object::default();
        open.iter().chain(secret).for_each(|(name, text)| body.set(name, text));
        secret.iter().for_each(|(_, text)| run.learn(text.as_bytes()));
        let path = format!("/v1/auth/{}/login", encoded(&self.mount()));
        let reply = session.ask(run, "vault login", Method::POST, &path, Some(body.to_json().as_bytes()))?;
        if reply.status() != 200 {
            let refused = Error::new(format!("the login was refused: {}", reply.told(run)), self.help(reply.status()));
            return Err(refused.because(reply.why_no_login()));
        }
        let no_token =
            || Error::new("the login gave no token", format!("is auth/{} the right mount of this kind?", self.mount()));
        let auth = reply.object()?.object("auth").map_err(|_| no_token())?.ok_or_else(no_token)?;
        let text =
            auth.word("client_token").map(Zeroizing::new).filter(|text| !text.is_empty()).ok_or_else(no_token)?;
        run.learn(text.as_bytes());
        // A batch token has nothing on the server that could be ended.
        let is_own = auth.word("token_type").as_deref() != Some("batch");
        Ok(Token { text: Some(text), is_own, login: self.describe() })
    }

    fn help(&self, status: u16) -> String {
        let mount = self.mount();
        match (status, self.auth) {
            (404, _) => format!("no login is mounted at auth/{mount} in this namespace"),
            (_, VaultAuth::Kubernetes { role, .. }) => {
                format!("does role {role} of auth/{mount} bind this pod's service account, namespace and audience?")
            }
            (_, VaultAuth::AppRole { .. }) => {
                "role id and secret id must be of one role; a secret id may be used up or too old".to_owned()
            }
            (_, VaultAuth::Jwt { .. }) => {
                format!("do the claims and the audience fit the role of auth/{mount}? is it expired?")
            }
            (_, VaultAuth::Token { .. }) => "log in anew".to_owned(),
        }
    }
}

fn existing(run: &Run, text: Zeroizing<String>, login: String) -> Result<Token, Error> {
    run.learn(text.as_bytes());
    Ok(Token { text: Some(text), is_own: false, login })
}

/// As the command line of Vault finds it.
fn ambient(run: &Run) -> Result<Token, Error> {
    if let Some(token) = variable("TOKEN") {
        return existing(run, Zeroizing::new(token), "the token of VAULT_TOKEN".to_owned());
    }
    let file = std::env::var_os("HOME").map(|home| Path::new(&home).join(".vault-token"));
    match file.filter(|file| file.exists()) {
        Some(file) => existing(run, read_word(&file, "the token")?, "the token in ~/.vault-token".to_owned()),
        None => Err(Error::new(
            "there is no token",
            "log in with `vault login`, set VAULT_TOKEN, or configure `auth` in keyring.yaml",
        )),
    }
}
