//! As whom AWS is asked, and where: one login for all secrets of a region.

use std::sync::OnceLock;

use super::credentials::{self, Credentials};
use super::imds;
use super::service::{Reply, Service};
use super::settings::{Api, Settings};
use crate::config;
use crate::source::address::{is_plain, shown};
use crate::source::json::Object;
use crate::source::{Error, Run};

/// Secrets Manager of a region, under one login. Nothing is sent before a secret is read.
pub struct Account {
    settings: Settings,
    session: OnceLock<Result<Session, Error>>,
}

/// An account whose credentials are known.
pub struct Session {
    service: Service,
    credentials: Credentials,
}

impl Account {
    /// The account of a place.
    pub fn new(place: &config::Aws) -> Self {
        Self { settings: Settings::new(place), session: OnceLock::new() }
    }

    /// Whether both are the same place under the same login.
    pub fn is_same(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// What tells it from others.
    pub(super) fn identity(&self) -> String {
        self.settings.identity()
    }

    /// Where it is, in words, as far as that is known.
    pub(super) fn describe(&self) -> String {
        let region = match self.session.get() {
            Some(Ok(session)) => Some(session.region().to_owned()),
            _ => self.settings.region().ok().flatten(),
        };
        let region = region.map(|region| format!(" in {region}")).unwrap_or_default();
        match self.own_endpoint() {
            Some(address) => {
                let shown = shown(&address).unwrap_or_else(|| "an address that is none".to_owned());
                format!("{region} at {shown}")
            }
            None => region,
        }
    }

    /// The endpoint, where it is not AWS's own.
    fn own_endpoint(&self) -> Option<String> {
        self.settings.endpoint(Api::SecretsManager).ok().flatten()
    }

    /// As whom, as far as that is known.
    pub(super) fn login(&self) -> Option<String> {
        match self.session.get() {
            Some(Ok(session)) => Some(session.credentials.login.clone()),
            _ => self.settings.profile.as_ref().map(|name| format!("profile {name}")),
        }
    }

    /// Whether keys would cross a network without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.own_endpoint().is_some_and(|address| is_plain(&address))
    }

    /// The account, asked for the first time: several threads wait for one login.
    pub(super) fn session(&self, run: &Run) -> Result<&Session, Error> {
        self.session.get_or_init(|| self.begin(run)).as_ref().map_err(Clone::clone)
    }

    fn begin(&self, run: &Run) -> Result<Session, Error> {
        let known = self.settings.region()?;
        let credentials = credentials::find(run, &self.settings)?;
        let region = match known {
            None if credentials.of_machine => imds::region(run)?,
            known => known,
        };
        let region = region.ok_or_else(|| {
            Error::new("no region is known", "set `region` in keyring.yaml, or AWS_REGION, or `region` in the profile")
        })?;
        Ok(Session { service: Service::new(&self.settings, Api::SecretsManager, Some(&region))?, credentials })
    }
}

impl Session {
    /// The region.
    pub(super) fn region(&self) -> &str {
        self.service.region()
    }

    /// Asks for an action: `GetSecretValue`.
    pub(super) fn ask(&self, run: &Run, kind: &str, action: &str, body: &Object) -> Result<Reply, Error> {
        let target = format!("secretsmanager.{action}");
        let headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target.as_str())];
        self.service.ask(run, kind, &headers, body.to_json().as_bytes(), Some(&self.credentials))
    }
}
