//! From what `keyring.yaml` says to a source: one run, shared connections, equal places only once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::by_field::Part;
use super::{ByField, Dir, Env, Run, Sealed, Source, Stats, Stored};
use super::{aws, exec, kubernetes, sops, vault};
use crate::config::{self, Selection, Source as SourceConfig};
use crate::sealed::GivenMasterKey;

/// All sources of one run. Opening one reads nothing yet.
pub struct Sources {
    run: Arc<Run>,
    vaults: RefCell<Vec<Arc<vault::Server>>>,
    accounts: RefCell<Vec<Arc<aws::Account>>>,
    alone: bool,
}

impl Sources {
    /// Sources that must answer within this time, all together.
    #[must_use]
    pub fn within(allowed: Duration) -> Self {
        Self::of(Run::within(allowed))
    }

    /// Sources of a run.
    #[must_use]
    pub fn of(run: Run) -> Self {
        Self { run: Arc::new(run), vaults: RefCell::default(), accounts: RefCell::default(), alone: false }
    }

    /// Somebody vouches that nobody else writes to a store which could not tell.
    #[must_use]
    pub fn alone(self, alone: bool) -> Self {
        Self { alone, ..self }
    }

    /// What it has cost so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.run.stats()
    }

    /// The run itself, for what is asked beside the configured sources.
    #[must_use]
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Opens a source for a selection; `None` for keys in the chart's values, and for `live`, which is a Secret's.
    /// `master` knows where the master key of a sealed file is.
    pub fn open(
        &self,
        source: &SourceConfig,
        selection: &Selection,
        master: &dyn Fn(Option<&Path>) -> GivenMasterKey,
    ) -> Option<Box<dyn Source>> {
        let run = || Arc::clone(&self.run);
        Some(match source {
            SourceConfig::Values { .. } | SourceConfig::Live => return None,
            SourceConfig::Env(names) => Box::new(Env::of_process(names.clone())),
            SourceConfig::Dir { path } => Box::new(Dir { path: path.clone() }),
            SourceConfig::Sealed { file, master_key_file } => Box::new(Sealed {
                file: file.clone(),
                environment: selection.environment.clone(),
                master: master(master_key_file.as_deref()),
            }),
            SourceConfig::Vault(config::Stored { place, names }) => {
                let place = vault::Path::new(self.vault(place), place, self.alone);
                Box::new(Stored::new(Arc::new(place), names.clone(), run()))
            }
            SourceConfig::Aws(config::Stored { place, names }) => {
                let place = aws::Secret::new(self.account(place), place);
                Box::new(Stored::new(Arc::new(place), names.clone(), run()))
            }
            SourceConfig::Sops(config::Stored { place, names }) => {
                Box::new(Stored::new(Arc::new(sops::File::new(place)), names.clone(), run()))
            }
            SourceConfig::Exec(config::Stored { place, names }) => {
                Box::new(Stored::new(Arc::new(exec::Command::new(place, selection)), names.clone(), run()))
            }
            SourceConfig::Kubernetes(config::Stored { place, names }) => {
                let place = kubernetes::Secret::new(place, selection.namespace.as_deref());
                Box::new(Stored::new(Arc::new(place), names.clone(), run()))
            }
            SourceConfig::ByField(parts) => {
                let open = |(rings, source): (Vec<String>, SourceConfig)| {
                    Some(Part { rings, source: self.open(&source, selection, master)? })
                };
                Box::new(ByField::new(together(parts).into_iter().filter_map(open).collect()))
            }
        })
    }

    /// Ends logins of our own now, so that it counts; else they end when all sources are dropped.
    pub fn close(&self) {
        self.vaults.borrow().iter().for_each(|server| server.close());
    }

    fn vault(&self, place: &config::Vault) -> Arc<vault::Server> {
        let server = vault::Server::new(place, Arc::clone(&self.run));
        shared(&mut self.vaults.borrow_mut(), server, vault::Server::is_same)
    }

    fn account(&self, place: &config::Aws) -> Arc<aws::Account> {
        shared(&mut self.accounts.borrow_mut(), aws::Account::new(place), aws::Account::is_same)
    }
}

/// Fields whose keys lie in one place, and that place with the names of all of them.
fn together(parts: &BTreeMap<String, SourceConfig>) -> Vec<(Vec<String>, SourceConfig)> {
    let mut together: Vec<(Vec<String>, SourceConfig)> = Vec::new();
    for (name, part) in parts {
        let found = together.iter_mut().find_map(|(rings, known)| Some((rings, known.joined(part)?, known)));
        match found {
            Some((rings, joined, known)) => {
                rings.push(name.clone());
                *known = joined;
            }
            None => together.push((vec![name.clone()], part.clone())),
        }
    }
    together
}

fn shared<T>(known: &mut Vec<Arc<T>>, new: T, is_same: fn(&T, &T) -> bool) -> Arc<T> {
    if let Some(same) = known.iter().find(|known| is_same(known, &new)) {
        return Arc::clone(same);
    }
    let new = Arc::new(new);
    known.push(Arc::clone(&new));
    new
}
