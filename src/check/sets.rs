//! Values that are deployed together: merged as Helm would, and judged as a whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::{ConfigMap, Deployment};
use super::home::Home;
use crate::config::{Instance, Mode, Selection, Source};
use crate::lock::{Lock, Owner};
use crate::profile::Profile;
use crate::render::UserValues;
use crate::report::{Finding, Place};
use crate::rules::{self, Deployed, unreadable};
use crate::values::{self, Found, Known, Merged, Request};
use crate::yaml::{Data, Value};

/// What is expected of a set.
#[derive(Default)]
pub struct Expected<'e> {
    /// The keys come from outside the chart.
    pub external: bool,
    /// A deploy step brings the key into the values.
    pub injected: bool,
    /// How strict it is.
    pub mode: Mode,
    /// The lock, and whose lines speak of it.
    pub lock: Option<(&'e Lock, Owner<'e>)>,
}

impl<'e> Expected<'e> {
    /// What an environment of keyring.yaml says.
    pub fn of(pair: &'e Selection, lock: Option<&'e Lock>) -> Self {
        Self {
            external: pair.has_external_source(),
            injected: matches!(pair.source, Some(Source::Values { injected: true })),
            mode: pair.mode,
            lock: lock.and_then(|lock| Some((lock, pair.owner()?))),
        }
    }
}

/// A chart in the values that may be a profile's.
pub struct Candidate<'c> {
    /// The profile.
    pub profile: &'c Profile,
    /// Where its values are.
    pub instance: Instance,
    /// Whether it certainly is the profile's, so that a key is missing rather than of no concern.
    pub certain: bool,
    /// Values paths that switch it; the first that says something counts.
    pub conditions: Vec<String>,
}

impl<'c> Candidate<'c> {
    /// A chart that keyring.yaml names.
    pub fn of(pair: &'c Selection) -> Self {
        Self { profile: &pair.profile, instance: pair.instance.clone(), certain: true, conditions: Vec::new() }
    }

    /// The charts of a folder, or of a name, that are a profile's; else perhaps one that only its values tell.
    fn all(profile: &'c Profile, chart: Option<&str>, local: &About, certain: bool) -> Vec<Self> {
        let at = |prefix: &str, conditions: &[String]| Self {
            profile,
            instance: Instance { values: Some(prefix.to_owned()), secret: None },
            certain,
            conditions: conditions.to_vec(),
        };
        let is_it = |name: &str| profile.charts.iter().any(|chart| chart == name);
        if chart.is_some_and(is_it) || is_it(&local.name) {
            return vec![at("", &[])];
        }
        let own = local.dependencies.iter().filter(|dependency| is_it(&dependency.name));
        let found: Vec<Self> = own.map(|dependency| at(&dependency.key, &dependency.conditions)).collect();
        match found.is_empty() {
            true => vec![Self { profile, instance: Instance::default(), certain: false, conditions: Vec::new() }],
            false => found,
        }
    }

    /// Those in a chart's folder, or in values without one.
    pub fn in_folder(profile: &'c Profile, folder: Option<&Path>) -> Vec<Self> {
        Self::all(profile, None, &folder.map(about_chart).unwrap_or_default(), true)
    }

    fn is_off(&self, known: &Known) -> bool {
        let Known::Values(merged) = known else { return false };
        let said = |path: &String| match merged.at(path) {
            Found::Value(Value { data: Data::Bool(on), .. }) => Some(*on),
            _ => None,
        };
        self.conditions.iter().find_map(said) == Some(false)
    }
}

/// What has been judged as a whole: no file of it is judged alone.
#[derive(Default)]
pub struct Judged {
    files: BTreeSet<PathBuf>,
}

impl Judged {
    /// Whether a file is part of a set.
    pub fn has(&self, file: &str) -> bool {
        self.files.contains(&canonical(Path::new(file)))
    }

    /// Merges and judges one set.
    pub fn set(
        &mut self,
        title: &str,
        place: &Place,
        request: &Request,
        candidates: &[Candidate<'_>],
        expected: &Expected<'_>,
    ) -> Vec<Finding> {
        self.note(request);
        match values::read(request) {
            Ok(known) => judge(title, place, &known, candidates, expected),
            // Only once parameters are in is it YAML; and what another chart is given is its own business.
            Err(_) if request.layers.iter().any(|layer| layer.text.contains("{{")) => Vec::new(),
            Err(_) if !candidates.iter().any(|candidate| candidate.certain) => Vec::new(),
            Err(error) => {
                let place = error.place().unwrap_or_else(|| place.clone());
                vec![unreadable::finding(place, &error.reason())]
            }
        }
    }

    /// Merges and judges what deploys a chart.
    pub fn deployment(&mut self, mut deployment: Deployment, all: &Repository<'_>) -> Vec<Finding> {
        let mut layers = Vec::new();
        for from in &deployment.from {
            let fits = |map: &&ConfigMap| {
                map.name == from.name && is_expected(map.namespace.as_deref(), from.namespace.as_deref())
            };
            let found =
                all.config_maps.iter().find(fits).and_then(|map| map.data.iter().find(|(key, _)| *key == from.key));
            match found {
                Some((_, layer)) => layers.push(layer.clone()),
                None if from.optional => {}
                None => deployment.unknown = Some("a ConfigMap of `valuesFrom` is not in this repository".to_owned()),
            }
        }
        layers.append(&mut deployment.request.layers);
        deployment.request.layers = layers;
        // What lies below something unknown may be set by it: only what lies above is certain.
        let mut request = std::mem::take(&mut deployment.request);
        if deployment.unknown.is_some() {
            self.note(&request);
            request.files.clear();
        }
        let local = request.chart.as_deref().map(about_chart).unwrap_or_default();
        request.chart = request.chart.filter(|_| deployment.unknown.is_none());
        let Deployment { title, place, chart, namespace, unknown, plugin, .. } = &deployment;
        let mut found = Vec::new();
        for profile in all.profiles {
            let external = *plugin || all.homes.iter().any(|home| home.supplies(profile, namespace.as_deref()));
            let said = all.homes.iter().find_map(|home| home.values_of(profile, namespace.as_deref()));
            let expected = Expected {
                external,
                injected: said.is_some_and(|pair| pair.mode == Mode::Gitops),
                mode: said.map_or(Mode::Gitops, |pair| pair.mode),
                lock: None,
            };
            let certain = unknown.is_none();
            let candidates = Candidate::all(profile, chart.as_deref(), &local, certain);
            found.extend(self.set(title, place, &request, &candidates, &expected));
        }
        found
    }

    fn note(&mut self, request: &Request) {
        let layers = request.layers.iter().map(|layer| PathBuf::from(&layer.file));
        self.files.extend(request.files.iter().map(PathBuf::from).chain(layers).map(|file| canonical(&file)));
    }
}

/// What is known of the repository when its deployments are judged.
pub struct Repository<'r> {
    /// How charts spell their keys.
    pub profiles: &'r [Profile],
    /// Its keyring.yaml files.
    pub homes: &'r [Home],
    /// Its ConfigMaps.
    pub config_maps: &'r [ConfigMap],
}

fn judge(
    title: &str,
    place: &Place,
    known: &Known,
    candidates: &[Candidate<'_>],
    expected: &Expected<'_>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_off(known)) {
        let Candidate { profile, instance, certain, .. } = candidate;
        let Ok(user) = UserValues::new(known, profile, instance) else { continue };
        // What another chart's profile would look for is not missing here.
        if !certain && !matches!(known, Known::Values(merged) if holds_any(merged, profile, instance)) {
            continue;
        }
        found.extend(rules::of_deployed(&Deployed {
            title: title.to_owned(),
            place: place.clone(),
            profile,
            known,
            user,
            external: expected.external,
            injected: expected.injected,
            mode: expected.mode,
            certain: *certain,
            lock: expected.lock,
        }));
    }
    found
}

/// Whether the mapping that would hold a key of the profile is there.
fn holds_any(merged: &Merged, profile: &Profile, instance: &Instance) -> bool {
    let prefix: Vec<&str> =
        instance.values.iter().flat_map(|prefix| prefix.split('.')).filter(|p| !p.is_empty()).collect();
    fn below(value: &Value, path: &[&str], depth: usize) -> bool {
        let here = value.at(path.iter().copied()).is_some();
        here || (depth > 0 && value.map().into_iter().flatten().any(|(_, entry)| below(&entry.value, path, depth - 1)))
    }
    let Some(start) = merged.value.at(prefix.iter().copied()) else { return false };
    profile.values_paths().iter().any(|path| {
        let steps: Vec<&str> = path.split('.').collect();
        let holders =
            steps.split_last().map_or(&[][..], |(_, holders)| if holders.is_empty() { &steps } else { holders });
        below(start, holders, if prefix.is_empty() { 2 } else { 0 })
    })
}

/// The name of a chart, and its dependencies.
#[derive(Default)]
struct About {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Under which it has its values.
    key: String,
    /// Values paths that switch it.
    conditions: Vec<String>,
}

fn about_chart(folder: &Path) -> About {
    let text = crate::schema::read_text(&folder.join("Chart.yaml")).unwrap_or_default();
    let Ok(about) = Value::parse(&text, 0) else { return About::default() };
    let word = |value: &Value, key: &str| value.get(key).and_then(Value::text).map(str::to_owned);
    let listed = match about.get("dependencies").map(|list| &list.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let dependencies = listed.iter().filter_map(|item| {
        let name = word(item, "name")?;
        let conditions = word(item, "condition").unwrap_or_default();
        Some(Dependency {
            key: word(item, "alias").unwrap_or_else(|| name.clone()),
            conditions: conditions
                .split(',')
                .map(|path| path.trim().to_owned())
                .filter(|path| !path.is_empty())
                .collect(),
            name,
        })
    });
    About { name: word(&about, "name").unwrap_or_default(), dependencies: dependencies.collect() }
}

/// Whether two namespaces may be the same: one that nobody names is any.
pub fn is_expected(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
