//! A source whose failures say nothing of the store: what is said under Argo CD, every user of the Application reads.

use crate::keyring::Numbered;
use crate::profile::FieldSpec;
use crate::report::Finding;
use crate::source::{Error, Source, Why};

/// A source for people who must not know where it is.
pub struct Quiet {
    /// The real one.
    pub source: Box<dyn Source>,
    /// What it is called: kind and keyring.
    pub name: String,
}

impl Source for Quiet {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        self.source.fetch(rings).map_err(|error| Error {
            message: match error.why {
                Why::Unreachable => "the store cannot be reached, or cannot answer now",
                Why::TooLate => "the store did not answer in time",
                Why::Refused => "the store refuses access",
                Why::Missing => "the store has no such keys",
                Why::Other => "the store gave no keys",
            }
            .to_owned(),
            help: match error.why {
                Why::Unreachable | Why::TooLate => "refresh once the store answers again; whoever runs the sidecar: `helm-keyring argocd test` there says more",
                Why::Refused | Why::Missing | Why::Other => "whoever runs the sidecar: `helm-keyring argocd test` there says more",
            }
            .to_owned(),
            login: None,
            why: error.why,
        })
    }

    /// They are about the place, so for whoever configured it.
    fn warnings(&self) -> Vec<Finding> {
        Vec::new()
    }
}
