//! Which texts are worth parsing: those that hold a word of a profile, or of what deploys charts.

use std::fs::File;
use std::path::Path;

use aho_corasick::AhoCorasick;

use crate::profile::Profile;
use crate::report::{Finding, Refusal};

/// Words of documents that deploy a chart or make a Secret, whether or not they name a key.
const DEPLOYING: [&str; 5] =
    ["argoproj.io/", "helm.toolkit.fluxcd.io/", "generators.external-secrets.io/", "generatorRef", "ConfigMap"];
/// Shorter steps of a values path stand everywhere.
const STEP_LEN_MIN: usize = 6;

/// Finds the words of all profiles at once, in any case.
pub struct Interest {
    words: AhoCorasick,
    /// From this one on, the words are not names of keys.
    first_other: usize,
    /// From this one on, they are steps in front of a leaf, which count where a name begins: `imagePullSecrets` stands in
    /// nearly every values file, and is not `secrets`.
    first_step: usize,
}

impl Interest {
    /// For these profiles.
    ///
    /// # Errors
    /// Profiles with more words than can be looked for.
    pub fn new(profiles: &[Profile]) -> Result<Self, Refusal> {
        let (mut words, mut steps) = (Vec::new(), Vec::new());
        for profile in profiles {
            for (_, ring) in profile.rings() {
                words.extend(ring.markers());
                words.extend(ring.variable.as_deref());
            }
            for path in profile.values_paths() {
                let (holders, leaf) = path.rsplit_once('.').unwrap_or(("", path));
                words.push(leaf);
                steps.extend(holders.split('.').filter(|step| step.len() >= STEP_LEN_MIN));
            }
        }
        let first_other = words.len();
        words.extend(DEPLOYING);
        let first_step = words.len();
        words.extend(steps);
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        let words = words.map_err(|_| Finding::usage("profile", "too many profiles"))?;
        Ok(Self { words, first_other, first_step })
    }

    /// Whether a text holds any of them.
    pub fn has(&self, text: &[u8]) -> bool {
        let goes_on =
            |at: usize| at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric);
        let mut found = self.words.find_overlapping_iter(text);
        found.any(|word| word.pattern().as_usize() < self.first_step || !goes_on(word.start()))
    }

    /// Whether a text holds the name of a key.
    pub fn names(&self, text: &[u8]) -> bool {
        self.words.find_overlapping_iter(text).any(|word| word.pattern().as_usize() < self.first_other)
    }

    /// Whether a file of any size holds any of the words.
    pub fn has_in_file(&self, path: &Path) -> bool {
        File::open(path).is_ok_and(|file| self.words.stream_find_iter(file).next().is_some_and(|found| found.is_ok()))
    }

    /// Whether a text in UTF-16 holds any of the words.
    pub fn has_in_utf16(&self, bytes: &[u8]) -> bool {
        let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let letters = || bytes.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>();
        is_utf16 && self.has(&zeroize::Zeroizing::new(letters()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_count_where_a_name_begins() {
        let profiles = [crate::profile::shipped("lightrun").unwrap().unwrap()];
        let interest = Interest::new(&profiles).unwrap();
        for text in ["secrets:", "a: {Secrets: {}}", "a.secrets.b", "myUserEncryptionKey:", "imagePullSecrets, secrets"]
        {
            assert!(interest.has(text.as_bytes()), "{text}");
        }
        for text in ["", "imagePullSecrets: []", "secret: a", "key: a"] {
            assert!(!interest.has(text.as_bytes()), "{text}");
        }
        assert!(interest.names(b"rotatekey: {{ x }}") && !interest.names(b"secrets: {{ x }} argoproj.io/v1"));
    }
}
