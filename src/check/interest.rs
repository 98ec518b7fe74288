//! Which texts are worth parsing: those that hold a word of a profile, or of what deploys charts.

use aho_corasick::AhoCorasick;

use crate::profile::Profile;
use crate::report::Refusal;

/// Words of documents that deploy a chart or make a Secret, whether or not they name a key.
const DEPLOYING: [&str; 5] =
    ["argoproj.io/", "helm.toolkit.fluxcd.io/", "generators.external-secrets.io/", "generatorRef", "kind: ConfigMap"];
/// Shorter steps of a values path stand everywhere.
const STEP_LEN_MIN: usize = 6;

/// Finds the words of all profiles at once, in any case.
pub struct Interest(AhoCorasick);

impl Interest {
    /// For these profiles.
    ///
    /// # Errors
    /// Profiles with more words than can be looked for.
    pub fn new(profiles: &[Profile]) -> Result<Self, Refusal> {
        let mut words: Vec<&str> = DEPLOYING.to_vec();
        for profile in profiles {
            for (_, ring) in profile.rings() {
                words.extend(ring.markers());
                words.extend(ring.variable.as_deref());
            }
            for path in profile.values_paths() {
                let steps: Vec<&str> = path.split('.').collect();
                let leaf = steps.len().saturating_sub(1);
                words.extend(
                    steps.iter().enumerate().filter(|(i, s)| *i == leaf || s.len() >= STEP_LEN_MIN).map(|(_, s)| *s),
                );
            }
        }
        let found = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        found.map(Self).map_err(|_| crate::report::Finding::usage("profile", "too many profiles").into())
    }

    /// Whether a text holds any of them.
    pub fn has(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}
