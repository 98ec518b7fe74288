//! A user of AWS: a folder with a keyring.yaml, variables, and moto.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::json;

use crate::common::{KEYS, Run, lock_numbered};
use crate::home::{Home, PAIR, STREAM, keys_in};
use crate::moto::{Moto, REGION};
use crate::stand_in::StandIn;

const OWNER: &str = "lightrun/production";
/// What stands in a user's variables, and what `c4nary` is in must never be said.
pub const ID: &str = "AKIDOFVARIABLES";
pub const SECRET: &str = "c4nary/secret/of/an/access/key";
pub const TOKEN: &str = "c4nary-session-token";

/// A folder with this source, its keys locked; the variables of a user, and moto.
pub struct User {
    pub home: Home,
}

impl User {
    pub fn new(source: &str) -> Self {
        let config = format!(
            "apiVersion: helm-keyring/v1\nkeyrings:\n  lightrun:\n    profile: lightrun\n    environments:\n      \
             production:\n        source: {{aws-secrets-manager: {{{source}}}}}\n"
        );
        Self::with(Home::with(&config, &[]))
    }

    pub fn with(home: Home) -> Self {
        let mut user = Self { home };
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("PATH", "/usr/bin:/bin"),
        ] {
            user.set(name, value);
        }
        user.set("HOME", &user.home.path().display().to_string());
        user.set("AWS_ENDPOINT_URL", &Moto::shared().url());
        user
    }

    /// With this secret, which holds the first of the known keys.
    pub fn of_secret(name: &str, keys: &[&str]) -> Self {
        Moto::shared().secret(name, &object(keys));
        Self::new(&format!("secret: {name}")).locked(keys)
    }

    pub fn locked(self, keys: &[&str]) -> Self {
        lock_numbered(self.home.path(), OWNER, keys);
        self
    }

    /// Behind a server that sees everything.
    pub fn behind(mut self, server: &StandIn) -> Self {
        self.set("AWS_ENDPOINT_URL", &server.url());
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.home.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.home.variables.retain(|(own, _)| own != name);
    }

    /// Without credentials in the variables.
    pub fn anonymous(mut self) -> Self {
        self.unset("AWS_ACCESS_KEY_ID");
        self.unset("AWS_SECRET_ACCESS_KEY");
        self
    }

    pub fn aws(self, config: &str, credentials: &str) -> Self {
        self.home.write(".aws/config", config);
        self.home.write(".aws/credentials", credentials);
        self
    }

    pub fn run(&self, command: &str) -> Run {
        self.run_on(command, "")
    }

    pub fn run_on(&self, command: &str, stdin: &str) -> Run {
        let run = self.home.run_on(command, stdin);
        no_secret_in(&run.stderr);
        run
    }

    pub fn render(&self) -> Run {
        self.run_on("render -e production", &STREAM.replace("@KEY@", "made-up-by-the-chart"))
    }

    pub fn delivers(&self, keys: &[&str]) {
        assert_eq!(keys_in(&self.render().done().stdout), keys);
    }

    /// A refusal of the source, which says all of these.
    pub fn fails(&self, words: &[&str]) {
        let run = self.render();
        run.refused(3, "source-failed");
        words.iter().for_each(|word| assert!(run.stderr.contains(word), "no `{word}` in:\n{}", run.stderr));
    }
}

/// A folder with a profile of two fixed fields, and this source.
pub fn store(source: &str) -> Home {
    let config = format!(
        "apiVersion: helm-keyring/v1\nkeyrings:\n  store:\n    profile: profile.yaml\n    environments:\n      \
         production:\n        source: {source}\n"
    );
    Home::with(&config, &[("profile.yaml", PAIR)])
}

pub fn no_secret_in(text: &str) {
    let lower = text.to_lowercase();
    for secret in KEYS.iter().chain(&[SECRET, TOKEN, "c4nary"]) {
        assert!(!lower.contains(&secret.to_lowercase()), "{secret} in:\n{text}");
    }
}

pub fn object(keys: &[&str]) -> String {
    let members = keys.iter().enumerate().map(|(n, key)| (format!("encryption-key-{n}"), json!(key)));
    serde_json::Value::Object(members.collect()).to_string()
}

/// A server before moto, which changes nothing.
pub fn witness() -> StandIn {
    StandIn::new(|request| Moto::shared().forward(request))
}

/// As whom, and in which region, secrets were asked for.
pub fn signed(server: &StandIn) -> Vec<(String, String, String)> {
    let seen = server.seen();
    let actions = seen.iter().map(|request| {
        let (id, region) = request.signed().unwrap_or_default();
        (request.action(), id.to_owned(), region.to_owned())
    });
    actions.collect()
}

pub fn one_get(id: &str, region: &str) -> Vec<(String, String, String)> {
    vec![("GetSecretValue".to_owned(), id.to_owned(), region.to_owned())]
}
