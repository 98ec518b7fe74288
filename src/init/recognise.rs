//! Which charts of a tree have keys, and which profile says how.

use std::collections::HashSet;
use std::path::Path;

use crate::profile::{self, Profile};
use crate::report::{Finding, Refusal, list};

use super::chart::Instance;

/// A keyring to write: a chart, and the profile that fits it.
pub(super) struct Keyring {
    /// Its name.
    pub name: String,
    /// The name or file of the profile, as `keyring.yaml` is to say it.
    pub reference: String,
    /// The profile.
    pub profile: Profile,
    /// Under which name the chart's values lie.
    pub values: Option<String>,
}

/// A keyring for each chart that a profile fits. A user's own profile that fits none is taken for the chart itself.
pub(super) fn keyrings(instances: &[Instance], base: &Path, own: Option<&str>) -> Result<Vec<Keyring>, Refusal> {
    let references: Vec<&str> = own.map_or_else(|| profile::shipped_names().collect(), |own| vec![own]);
    let mut keyrings = Vec::new();
    for reference in references {
        let profile = profile::load(reference, base)?;
        let fitting = instances.iter().filter(|instance| fits(&profile, instance));
        keyrings.extend(fitting.map(|instance| keyring(reference, &profile, instance)));
        if keyrings.is_empty() && own.is_some() {
            keyrings.extend(instances.first().map(|whole| keyring(reference, &profile, whole)));
        }
    }
    if keyrings.is_empty() {
        return Err(nothing_fits(instances).into());
    }
    make_unique(&mut keyrings);
    Ok(keyrings)
}

/// A profile fits a chart of a name that it knows, and one that has all its places for a user's key.
fn fits(profile: &Profile, instance: &Instance) -> bool {
    let paths: Vec<&str> = key_paths(profile).collect();
    let has = |path: &&str| instance.defaults.iter().any(|defaults| defaults.at(path.split('.')).is_some());
    profile.charts.contains(&instance.chart) || (!paths.is_empty() && paths.iter().all(has))
}

/// Where users' keys stand in the chart's values.
pub(super) fn key_paths(profile: &Profile) -> impl Iterator<Item = &str> {
    profile.rings().filter_map(|(_, field)| Some(field.values.as_ref()?.key.as_str()))
}

fn keyring(reference: &str, profile: &Profile, instance: &Instance) -> Keyring {
    let last = instance.values.as_deref().and_then(|path| path.rsplit('.').next());
    Keyring {
        name: last.unwrap_or(&instance.chart).to_owned(),
        reference: reference.to_owned(),
        profile: profile.clone(),
        values: instance.values.clone(),
    }
}

/// Two keyrings of one name get numbers.
fn make_unique(keyrings: &mut [Keyring]) {
    let mut taken = HashSet::new();
    for keyring in keyrings {
        let name = keyring.name.clone();
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        if let Some(free) = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name)) {
            keyring.name.clone_from(&free);
            taken.insert(free);
        }
    }
}

fn nothing_fits(instances: &[Instance]) -> Finding {
    let charts: Vec<&str> = instances.iter().map(|instance| instance.chart.as_str()).collect();
    let shipped: Vec<&str> = profile::shipped_names().collect();
    Finding::usage("no-profile-fits", "no shipped profile fits this chart")
        .found(format!("looked at {}; the shipped profiles are {}", list(&charts), list(&shipped)))
        .help("write a profile (docs/profiles.md shows how), then: helm-keyring init --profile FILE")
}
