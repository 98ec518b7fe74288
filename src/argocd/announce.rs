//! What Argo CD's user interface shows of the plugin: its parameters, and what holds where the Application sets none.
//!
//! Everyone who sees the Application sees this, and Argo CD keeps it: it holds no secret.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::access::own_profile;
use super::parameters::{KNOWN, Kind, Known};
use super::repository::Repository;
use super::secrecy::harmless;
use crate::config::{self, Config};
use crate::profile;
use crate::schema::read_text;
use crate::yaml::Value;

/// A chart with more values is not for a form.
const VALUES_MAX: usize = 500;

/// The announcement, as JSON. What cannot be read of the repository is left out: `generate` says what is wrong with it.
pub fn announce(repository: &Repository) -> Json {
    let defaults = Defaults::of(repository);
    KNOWN.iter().map(|known| defaults.announced(known)).collect()
}

/// What holds where nothing is set.
struct Defaults {
    values: Map<String, Json>,
    keyring: Option<String>,
    environment: Option<String>,
}

impl Defaults {
    fn of(repository: &Repository) -> Self {
        let config = repository
            .nearest(config::FILE)
            .and_then(|file| repository.file(&file, "keyring.yaml").ok())
            .and_then(|file| Config::read(&repository.chart().join(file)).ok());
        let keys = config.iter().flat_map(|config| keys(config, repository)).collect::<Vec<_>>();
        let only = |names: Vec<&String>| match names[..] {
            [name] => Some(name.clone()),
            _ => None,
        };
        let keyring = config.as_ref().and_then(|config| only(config.keyrings.keys().collect()));
        let environments =
            config.iter().flat_map(|config| config.keyrings.values()).flat_map(|k| k.environments.keys());
        let mut environments: Vec<&String> = environments.collect();
        environments.sort();
        environments.dedup();
        Self { values: values(repository, &keys), keyring, environment: only(environments) }
    }

    fn announced(&self, known: &Known) -> Json {
        let mut announced = Map::new();
        let mut set = |name: &str, value: Json| announced.insert(name.to_owned(), value);
        set("name", json!(known.name));
        set("title", json!(known.title));
        set("tooltip", json!(known.title));
        set("itemType", json!(if known.kind == Kind::Switch { "boolean" } else { "string" }));
        set("collectionType", json!(known.kind.member()));
        let text = match known.name {
            "keyring" => self.keyring.clone(),
            "environment" => self.environment.clone(),
            "dependency-build" => Some("auto".to_owned()),
            _ if known.kind == Kind::Switch => Some("false".to_owned()),
            _ => None,
        };
        match known.kind {
            Kind::Text | Kind::Switch => set("string", json!(text.unwrap_or_default())),
            Kind::List => set("array", json!([])),
            Kind::Map if known.name == "helm-parameters" => set("map", Json::Object(self.values.clone())),
            Kind::Map => set("map", json!({})),
        };
        Json::Object(announced)
    }
}

/// Where in the values the keys of the profiles stand, as far as these can be read.
fn keys(config: &Config, repository: &Repository) -> Vec<String> {
    let references = config.keyrings.values().map(|keyring| own_profile(repository, config.folder(), &keyring.profile));
    let profiles = references.filter_map(|reference| profile::load(&reference.ok()?, Path::new("")).ok());
    profiles
        .flat_map(|profile| {
            profile.rings().filter_map(|(_, ring)| Some(ring.values.as_ref()?.key.clone())).collect::<Vec<_>>()
        })
        .collect()
}

/// The chart's own values, as far as they are certainly no secret.
fn values(repository: &Repository, keys: &[String]) -> Map<String, Json> {
    let text = repository
        .named("values.yaml", "the chart's values")
        .ok()
        .and_then(|file| read_text(&repository.chart().join(file)).ok());
    let Some(values) = text.and_then(|text| Value::parse(&text, 0).ok()) else { return Map::new() };
    let is_key = |path: &str| {
        keys.iter()
            .any(|key| path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    harmless(&values, VALUES_MAX)
        .into_iter()
        .filter(|(path, _)| !is_key(path))
        .map(|(path, text)| (path, Json::String(text)))
        .collect()
}
