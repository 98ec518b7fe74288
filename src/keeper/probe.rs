//! `source test`: what a source gives, key by key, and what would be said of each. Nothing is compared with the lock but
//! fingerprints, so it works before there is one.

use super::Keeper;
use crate::judge::{Judge, field_name};
use crate::key;
use crate::lock::Lock;
use crate::report::{Finding, Refusal, Severity};

/// One key that a source gave.
pub struct Probed {
    /// The field that it goes to.
    pub field: String,
    /// What its text is: `44 base64 characters (32 bytes)`.
    pub text: String,
    /// At most so many bits, for somebody who guesses.
    pub bits: Option<u32>,
    /// Under the lock's salt.
    pub fingerprint: String,
    /// Whether the lock has a line with this fingerprint for the keyring and environment.
    pub is_locked: bool,
    /// `ok`, `warned of`, `refused`.
    pub verdict: &'static str,
}

impl Keeper<'_> {
    /// All keys that the source gives now, and what is to be said of them: errors too.
    ///
    /// # Errors
    /// A source that fails.
    pub fn probe(&self, lock: &Lock) -> Result<(Vec<Probed>, Vec<Finding>), Refusal> {
        let numbered = self.fetch()?;
        let mut findings = self.source.warnings();
        let from = self.source.describe();
        let judge = Judge { from: &from, gitops: true, trims: true };
        let mut rows = Vec::new();
        for (spec, keys) in self.specs().into_iter().zip(numbered) {
            let newest = keys.keys().next_back().copied();
            for (number, key) in keys {
                let field = field_name(spec, number, Some(number) == newest);
                let fingerprint = lock.fingerprint(&key)?;
                let is_locked = lock.lines_of(self.owner).any(|line| line.fingerprint == fingerprint);
                let (text, bits) = (in_words(spec, &key), u32::try_from(key::bits_at_most(&key)).ok());
                let mut said = Vec::new();
                let verdict = match judge.key(spec, &field, key, !is_locked, &mut said) {
                    Err(finding) => {
                        findings.push(finding);
                        "refused"
                    }
                    Ok(_) if said.iter().any(|finding| finding.severity == Severity::Warning) => "warned of",
                    Ok(_) => "ok",
                };
                findings.extend(said);
                rows.push(Probed { field, text, bits, fingerprint, is_locked, verdict });
            }
        }
        Ok((rows, findings))
    }
}

/// Both say counts and kinds only.
fn in_words(spec: &crate::profile::FieldSpec, key: &key::KeyText) -> String {
    match spec.policy.judge(key) {
        Ok(seen) => seen.to_string(),
        Err(misfit) => misfit.to_string(),
    }
}
