//! What a key must be like. A new one is refused where an old one, which data is encrypted with, is only warned about.

use crate::key::{self, KeyText, Policy, Weakness};
use crate::keyring::{self, Numbered, Ring};
use crate::profile::{FieldSpec, Slot};
use crate::report::{Exit, Finding, Refusal};
use crate::rules::{key_length, made_up_key, placeholder_key, unresolved_reference, weak_key};

/// A key on its way into a ring.
pub struct Candidate {
    /// Its number where it comes from.
    pub number: u32,
    /// Its text, untouched.
    pub key: KeyText,
    /// Whether no data can be encrypted with it yet.
    pub is_new: bool,
}

/// How strictly keys are judged.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'j> {
    /// Where the keys come from, for messages.
    pub from: &'j str,
    /// Outside of dev mode a made-up key is refused.
    pub gitops: bool,
    /// Whether a newline at the end of a new key may be an editor's.
    pub trims: bool,
}

impl Judge<'_> {
    /// A ring that keeps the invariant and whose keys fit the policy, each new one without the newline that may end it.
    ///
    /// # Errors
    /// All that speaks against its keys, else a gap among their numbers.
    pub fn ring<'p>(
        &self,
        spec: &'p FieldSpec,
        keys: Vec<Candidate>,
        findings: &mut Vec<Finding>,
    ) -> Result<Ring<'p>, Refusal> {
        let newest = keys.iter().map(|candidate| candidate.number).max();
        let mut fit = Numbered::new();
        let mut refused = Vec::new();
        for Candidate { number, key, is_new } in keys {
            let name = field_name(spec, number, Some(number) == newest);
            match self.key(spec, &name, key, is_new, findings) {
                Ok(key) => drop(fit.insert(number, key)),
                Err(finding) => refused.push(finding),
            }
        }
        if !refused.is_empty() {
            return Err(Refusal(refused));
        }
        Ring::new(spec, fit).map_err(|error| {
            let finding = Finding::error(Exit::Source, "broken-keyring", format!("{}: {error}", self.from));
            let finding = match error {
                keyring::Error::Gap { .. } => finding.help("bring the missing key back; never renumber the others"),
                keyring::Error::Empty(_) => finding
                    .help("new installation: put a first key there; into a sealed file, `helm-keyring sealed add` does")
                    .help("already running: `helm-keyring adopt` takes over its keys"),
            };
            finding.into()
        })
    }

    /// A key as it is delivered. What speaks against a new one is only said of another.
    ///
    /// # Errors
    /// An unresolved reference, a made-up key; of a new key also a wrong length and weakness.
    pub fn key(
        &self,
        spec: &FieldSpec,
        name: &str,
        key: KeyText,
        is_new: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<KeyText, Finding> {
        if let Some(reference) = key::unresolved(&key) {
            return Err(unresolved_reference::finding(name, &reference.to_string()));
        }
        if self.gitops && key::is_made_up(&key) {
            return Err(made_up_key::finding(name));
        }
        let trimmed = match spec.policy.judge(&key) {
            // Only of what is new: what is there already is what encrypted the data.
            Err(misfit) if is_new && self.trims && misfit.is_only_a_newline() => key.without_one_newline(),
            // Where any text would do, a line's end is still an editor's or a shell's.
            Ok(_) if is_new && self.trims && spec.policy == Policy::Any && key::decode(&key).spelling.newline => {
                key.without_one_newline().filter(|rest| !rest.is_empty())
            }
            _ => None,
        };
        if trimmed.is_some() {
            let title = format!("`{name}`: the newline at its end was taken off");
            findings.push(Finding::note("trimmed-newline", title).help("store it without one (`printf %s`)"));
        }
        let key = trimmed.unwrap_or(key);
        match spec.policy.judge(&key) {
            Err(misfit) if is_new => return Err(key_length::finding(name, &spec.policy, &misfit)),
            Err(misfit) => findings.push(key_length::of_an_old_one(name, &spec.policy, &misfit)),
            Ok(seen) => {
                findings.extend(seen.note.map(|note| Finding::note("key-length", format!("`{name}`: {seen}, {note}"))))
            }
        }
        match key::weakness(&key) {
            Some(weakness) if is_new => return Err(guessable(name, &weakness)),
            Some(weakness) if weak_key::is_placeholder(&weakness) => {
                findings.push(placeholder_key::of_an_old_one(name, &weakness));
            }
            Some(weakness) => findings.push(weak_key::of_an_old_one(name, &weakness)),
            None => findings.extend(weak_key::few_bits(name, &key).filter(|_| is_new && spec.policy != Policy::Any)),
        }
        Ok(key)
    }
}

/// The field of a ring's key; of a fixed ring the active key's, or the previous one's.
pub fn field_name(spec: &FieldSpec, number: u32, is_newest: bool) -> String {
    spec.field(Slot::Number(number))
        .or_else(|| spec.field(Slot::Previous).filter(|_| !is_newest))
        .unwrap_or_else(|| spec.name.to_string())
}

/// The field that the first key of a ring has.
pub fn first_field(ring: &FieldSpec) -> String {
    ring.field(Slot::Number(0)).unwrap_or_else(|| ring.name.to_string())
}

fn guessable(name: &str, weakness: &Weakness) -> Finding {
    if weak_key::is_placeholder(weakness) {
        placeholder_key::finding(name, weakness)
    } else {
        weak_key::finding(name, weakness)
    }
}
