//! Different fields from different sources. Fields whose keys lie in one place are one part, so that it is read and
//! written as a whole.

use std::path::PathBuf;

use super::{Addition, Change, Error, Numbered, Source, Store};
use crate::profile::FieldSpec;
use crate::report::{Finding, list};

/// Sources, each for some rings.
pub struct ByField {
    parts: Vec<Part>,
}

/// Rings that have one source.
pub struct Part {
    /// Their names, as the profile writes them.
    pub rings: Vec<String>,
    /// Where their keys are.
    pub source: Box<dyn Source>,
}

impl ByField {
    /// Each ring stands in one part.
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    fn part(&self, ring: &FieldSpec) -> Result<&Part, Error> {
        let name = ring.name.to_string();
        self.parts.iter().find(|part| part.rings.contains(&name)).ok_or_else(|| {
            Error::new(format!("no source is configured for `{name}`"), "name one under `source: {byField: …}`")
        })
    }

    fn store_of(&self, ring: &FieldSpec) -> Result<&dyn Store, Error> {
        let part = self.part(ring)?;
        part.source.store().ok_or_else(|| {
            Error::new(
                format!("helm-keyring cannot write to {}, where `{}` is", part.source.describe(), ring.name),
                "put the key there yourself, then run `helm-keyring lock`",
            )
        })
    }

    /// Asks each part for all its rings at once, and puts the answers into the order of the rings.
    fn each(
        &self,
        rings: &[&FieldSpec],
        ask: impl Fn(&dyn Source, &[&FieldSpec]) -> Result<Vec<Numbered>, Error>,
    ) -> Result<Vec<Numbered>, Error> {
        rings.iter().try_for_each(|ring| self.part(ring).map(drop))?;
        let mut found: Vec<Numbered> = rings.iter().map(|_| Numbered::new()).collect();
        for part in &self.parts {
            let is_own = |ring: &FieldSpec| part.rings.contains(&ring.name.to_string());
            let own: Vec<&FieldSpec> = rings.iter().copied().filter(|ring| is_own(ring)).collect();
            if own.is_empty() {
                continue;
            }
            let names: Vec<String> = own.iter().map(|ring| format!("`{}`", ring.name)).collect();
            let told = |error: Error| Error { message: format!("for {}: {}", list(&names), error.message), ..error };
            let mut answers = ask(part.source.as_ref(), &own).map_err(told)?.into_iter();
            for (ring, found) in rings.iter().zip(&mut found).filter(|(ring, _)| is_own(ring)) {
                *found = answers.next().ok_or_else(|| Error::new(format!("no answer for `{}`", ring.name), ""))?;
            }
        }
        Ok(found)
    }
}

impl Source for ByField {
    fn describe(&self) -> String {
        let names: Vec<String> = self.parts.iter().map(|part| part.source.describe()).collect();
        list(&names)
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        self.each(rings, |source, rings| source.fetch(rings))
    }

    fn warnings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for finding in self.parts.iter().flat_map(|part| part.source.warnings()) {
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
        found
    }

    fn store(&self) -> Option<&dyn Store> {
        self.parts.iter().any(|part| part.source.store().is_some()).then_some(self)
    }
}

impl Store for ByField {
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        self.each(rings, |source, rings| source.store().map_or_else(|| source.fetch(rings), |store| store.held(rings)))
    }

    /// There may be several; the folder of `keyring.yaml` keeps two runs apart all the same.
    fn folder(&self) -> Option<PathBuf> {
        None
    }

    fn places(&self, spec: &FieldSpec) -> Option<usize> {
        self.store_of(spec).ok()?.places(spec)
    }

    fn with(&self, additions: &[Addition<'_>]) -> Result<Change, Error> {
        additions.iter().try_for_each(|addition| self.store_of(addition.spec).map(drop))?;
        let mut change = Change::default();
        for part in &self.parts {
            let is_own = |addition: &&Addition<'_>| part.rings.contains(&addition.spec.name.to_string());
            let own: Vec<Addition<'_>> = additions.iter().filter(is_own).map(Addition::again).collect();
            if let (Some(store), false) = (part.source.store(), own.is_empty()) {
                let Change { files, since, remote } = store.with(&own)?;
                change.files.extend(files);
                change.since.extend(since);
                change.remote.extend(remote);
            }
        }
        Ok(change)
    }

    fn forget(&self) {
        self.parts.iter().filter_map(|part| part.source.store()).for_each(Store::forget);
    }
}
