//! What one file tells.

use super::ignores::Ignore;
use crate::report::{Finding, Place};
use crate::rules::Key;
use crate::values::{Layer, Request};

/// What was seen in one file.
#[derive(Default)]
pub struct Facts<'p> {
    /// What rules said of it.
    pub findings: Vec<Finding>,
    /// What they say only if nobody merges the file with others.
    pub lone: Vec<Finding>,
    /// Texts that stand where keys belong.
    pub keys: Vec<Key<'p>>,
    /// What deploys a chart.
    pub deployments: Vec<Deployment>,
    /// ConfigMaps, from which a HelmRelease may take values.
    pub config_maps: Vec<ConfigMap>,
    /// Comments that silence findings.
    pub ignores: Vec<Ignore>,
}

/// Who deploys a chart with which values. No `Debug`: the values may hold keys.
pub struct Deployment {
    /// For messages: `Application/lightrun`.
    pub title: String,
    /// Where the chart is named.
    pub place: Place,
    /// The chart's name in its repository, if that is said.
    pub chart: Option<String>,
    /// The namespace that it goes to.
    pub namespace: Option<String>,
    /// Its values, from the lowest to the highest.
    pub request: Request,
    /// Values that come out of a ConfigMap, below `request`.
    pub from: Vec<ValuesFrom>,
    /// Why its values cannot be known.
    pub unknown: Option<String>,
    /// Whether a plugin renders it, and brings the keys.
    pub plugin: bool,
}

/// An item of `valuesFrom`.
pub struct ValuesFrom {
    /// The ConfigMap's namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The key in it.
    pub key: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A ConfigMap, as far as values may come out of it.
pub struct ConfigMap {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its texts by key.
    pub data: Vec<(String, Layer)>,
}
