//! Which keyrings a run sees to, and what it must know of the others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{Config, Overrides, Selection};
use crate::lock::Lock;
use crate::profile::{self, Profile};
use crate::report::{Finding, Refusal, list};

/// The keyrings of a run, and what it must know of the others.
#[derive(Default)]
pub struct Chosen {
    /// Those that the run sees to.
    pub selections: Vec<Selection>,
    /// Names of Secrets that keyrings outside of this run see to.
    pub claimed: BTreeSet<String>,
    /// Profiles of keyrings that have no such environment.
    pub guarded: Vec<Profile>,
    /// The lock; `None` where there is no configuration file beside which it could lie.
    pub lock: Option<Lock>,
}

impl From<Selection> for Chosen {
    fn from(selection: Selection) -> Self {
        Self { selections: vec![selection], ..Self::default() }
    }
}

impl Chosen {
    /// These keyrings of a configuration file. `is_named`: somebody named the one keyring, and so knows that the others
    /// are rendered elsewhere.
    ///
    /// # Errors
    /// A profile of another keyring that cannot be read.
    pub fn among(selections: Vec<Selection>, config: &Config, is_named: bool, lock: Lock) -> Result<Self, Refusal> {
        let lock = Some(lock);
        let own = selections.first().map(|selection| (selection.keyring.clone(), selection.environment.clone()));
        match own {
            Some((keyring, Some(environment))) if is_named => {
                let claimed = config.secrets_of_others(&keyring, &environment);
                Ok(Self { selections, claimed, guarded: Vec::new(), lock })
            }
            _ => {
                let guarded = config.profiles_of_others(&selections)?;
                Ok(Self { selections, claimed: BTreeSet::new(), guarded, lock })
            }
        }
    }

    /// Without a configuration file: the one shipped profile that the stream has a place for, or the one that was named.
    ///
    /// # Errors
    /// No profile fits, or several do; an environment that only a configuration file could have.
    pub fn by_stream(
        stream: &[u8],
        overrides: &Overrides,
        allow_no_target: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, Refusal> {
        if let Some(environment) = &overrides.environment {
            return Err(Finding::usage(
                "no-config",
                format!("environment {environment} was asked for, but there is no keyring.yaml"),
            )
            .found("looked from the working directory upward to the repository's root")
            .help("write one with `helm-keyring init`, or name it with `--config`")
            .into());
        }
        if let Some(reference) = &overrides.profile {
            return Ok(Selection::without_config(profile::load(reference, Path::new(""))?, overrides)?.into());
        }
        let shipped = profile::shipped_names().filter_map(profile::shipped).collect::<Result<_, _>>()?;
        let mut matching = super::matching(stream, shipped)?;
        match (matching.pop(), matching.is_empty()) {
            (Some(profile), true) => {
                findings.push(Finding::note(
                    "profile",
                    format!("no keyring.yaml; profile {} fits the stream", profile.name),
                ));
                Ok(Selection::without_config(profile, overrides)?.into())
            }
            (Some(last), false) => {
                let names: Vec<String> = matching.into_iter().chain([last]).map(|profile| profile.name).collect();
                Err(Finding::usage("ambiguous-profile", format!("profiles {} fit the stream", list(&names)))
                    .help("choose one with `--profile`")
                    .into())
            }
            (None, _) if allow_no_target => Ok(Self::default()),
            (None, _) => {
                let names: Vec<&str> = profile::shipped_names().collect();
                Err(Finding::refused("no-target", "no shipped profile fits the stream, and there is no keyring.yaml")
                    .found(format!("shipped profiles: {}", list(&names)))
                    .help("for another chart, write a profile (docs/profiles.md) and pass it with `--profile`")
                    .help("pass `--allow-no-target` if a render without keys is meant")
                    .into())
            }
        }
    }
}
