//! What a key must be like. A new one is refused where an old one, which data is encrypted with, is only warned about.

use crate::key::{self, KeyText, Policy};
use crate::keyring::{self, Numbered, Ring};
use crate::profile::{FieldSpec, Slot};
use crate::report::{Exit, Finding, Refusal};

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
            return Err(unresolved(name, &reference.to_string()));
        }
        if self.gitops && key::is_made_up(&key) {
            return Err(Finding::refused("made-up-key", format!("`{name}` was made up in dev mode"))
                .found("it carries the mark of a made-up key; outside dev no such key is delivered")
                .help("make a real one: `helm-keyring keygen`"));
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
            Err(misfit) if is_new => return Err(wrong_length(name, &spec.policy, &misfit.to_string())),
            Err(misfit) => findings.push(
                Finding::warning("key-length", format!("`{name}`: {misfit}"))
                    .found(format!("expected {}", spec.policy)),
            ),
            Ok(seen) => {
                findings.extend(seen.note.map(|note| Finding::note("key-length", format!("`{name}`: {seen}, {note}"))))
            }
        }
        if let Some(weakness) = key::weakness(&key) {
            let title = format!("`{name}` can be guessed: {weakness}");
            if is_new {
                return Err(Finding::refused("weak-key", title).help("make a random one: `helm-keyring keygen`"));
            }
            findings.push(Finding::warning("weak-key", title));
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

/// A reference that something else was to resolve.
pub fn unresolved(name: &str, reference: &str) -> Finding {
    Finding::refused("unresolved-reference", format!("`{name}` is {reference}"))
        .found("its letters themselves would become the key")
        .help("resolve it before the render, or let helm-keyring fetch the key from a source")
}

fn wrong_length(name: &str, policy: &Policy, misfit: &str) -> Finding {
    Finding::refused("key-length", format!("`{name}`: {misfit}")).found(format!("expected {policy}")).help(
        "make one: `helm-keyring keygen`; a key that data is already encrypted with must be kept: `helm-keyring adopt`",
    )
}
