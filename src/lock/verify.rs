//! Whether the source delivers what is locked.

use std::collections::BTreeMap;

use super::diagnosis::{self, Comparison, Fault, HeldKey};
use super::form::Print;
use super::{Entry, Line, Lock, Owner, claims, field_of, fields, forget_command, no_fingerprint, quoted};
use crate::key::{FingerprintError, KeyText};
use crate::keyring;
use crate::profile::{FieldName, FieldSpec, Profile, Slot};
use crate::report::{Exit, Finding, Place, Refusal, list};
use crate::rules::lock_behind;

/// What a source holds of one ring: key texts by number, untouched, gaps and all. A fixed ring's active key has the
/// highest number.
pub struct Held<'h> {
    /// How the chart spells this ring.
    pub spec: &'h FieldSpec,
    /// What came from the source.
    pub keys: &'h BTreeMap<u32, KeyText>,
}

/// What the lock says of a key that the source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is locked, so data is encrypted with it: deliver it as it is, whatever the policy says.
    Locked,
    /// It is newer than every locked key. To be judged as a new key, and delivered.
    New {
        /// The number that its line in the lock will have.
        number: u32,
    },
    /// It is older than every locked key of a fixed ring: its line was taken out.
    Released,
}

/// A key of the source, in the form to deliver.
pub struct Checked {
    /// Its number in the source.
    pub number: u32,
    /// For a locked key the form that is locked, else the text as it came.
    pub key: KeyText,
    /// What the lock says of it.
    pub standing: Standing,
}

/// A source that delivers every locked key.
pub struct Verified {
    /// All keys of every ring, in the order that they were given.
    pub rings: Vec<Vec<Checked>>,
    /// Warnings: `lock-behind` where keys are not locked yet, `released-key`.
    pub findings: Vec<Finding>,
}

/// Compares what a source holds of some rings with the lock. Compute-heavy for keys that are readable text only, and
/// once for each.
///
/// # Errors
/// All with exit code 4: a ring without a line (`no-lock`), lines that cannot belong together (`lock-gap`), a locked
/// key that is not there or not the same (`lock-mismatch`, with what happened to it). With exit code 5, if there is no
/// memory for a fingerprint.
pub fn verify(lock: &Lock, owner: Owner<'_>, rings: &[Held<'_>]) -> Result<Verified, Refusal> {
    let mut refused = without_line(lock, owner, &rings.iter().map(|held| held.spec).collect::<Vec<_>>());
    let mut checked = Vec::new();
    let mut behind = Vec::new();
    let mut released = Vec::new();
    for held in rings.iter().filter(|held| !lock.lines_of_ring(owner, held.spec).is_empty()) {
        if let Some(finding) = disorder(lock, owner, held.spec) {
            refused.push(finding);
            continue;
        }
        match check(lock, owner, held).map_err(no_fingerprint)? {
            Ring::Fits { keys, new, old } => {
                checked.push(keys);
                behind.extend(new);
                released.extend(old);
            }
            Ring::Faulty(findings) => refused.extend(findings),
        }
    }
    if !refused.is_empty() {
        return Err(Refusal(refused));
    }
    let mut findings = Vec::new();
    if !behind.is_empty() {
        findings.push(lock_behind::warning(lock, owner, &behind));
    }
    findings.extend(released.iter().map(|field| released_key(lock, owner, field)));
    Ok(Verified { rings: checked, findings })
}

/// What the lock says of the keys of one ring, where nobody asks for the keys themselves.
pub struct LockedRing<'s> {
    /// How the chart spells this ring.
    pub spec: &'s FieldSpec,
    /// A line a key, from the lowest number to the active one; at least one.
    pub lines: Vec<Line>,
}

impl LockedRing<'_> {
    /// The fields that the keys are delivered in, and the line of each.
    pub fn delivered(&self) -> Vec<(String, &Line)> {
        keyring::delivered(self.spec, &self.lines)
    }
}

/// The locked keys of some rings. No key is compared with them.
///
/// # Errors
/// With exit code 4: a ring without a line (`no-lock`), lines that cannot belong together (`lock-gap`), more of them than
/// the chart has fields for (`lock-mismatch`).
pub fn locked<'s>(lock: &Lock, owner: Owner<'_>, rings: &[&'s FieldSpec]) -> Result<Vec<LockedRing<'s>>, Refusal> {
    let mut refused = without_line(lock, owner, rings);
    refused.extend(rings.iter().filter_map(|spec| disorder(lock, owner, spec)));
    if !refused.is_empty() {
        return Err(Refusal(refused));
    }
    let ring = |spec: &&'s FieldSpec| LockedRing {
        spec,
        lines: lock.lines_of_ring(owner, spec).into_iter().cloned().collect(),
    };
    Ok(rings.iter().map(ring).collect())
}

/// Lines of `owner` that no ring of the profile claims: locked keys that nothing delivers.
pub fn strangers(lock: &Lock, owner: Owner<'_>, profile: &Profile) -> Vec<Finding> {
    let is_own = |field: &str| profile.rings().any(|(_, spec)| claims(spec, field));
    let lost = lock.entries.iter().filter(|entry| entry.line.is_of(owner) && !is_own(&entry.line.field));
    let finding = |entry: &Entry| {
        Finding::error(
            Exit::Lock,
            "lock-mismatch",
            format!(
                "{} of {owner} is locked, and the profile `{}` has no such field",
                entry.line.title(),
                profile.name
            ),
        )
        .at(entry.place.clone())
        .found("a locked key encrypted data, and nothing would deliver it")
        .help("did the profile change? Give the field its old name again, or let `keyring.yaml` name the old profile")
        .help(format!("only if no data needs the key any more: {}", forget_command(owner, &[&entry.line.field])))
    };
    lost.map(finding).collect()
}

/// Why there must be a lock.
pub const VOUCHES: &str = "without a lock nothing tells whether these keys are the ones that data was encrypted with";

/// Says that the lock has no line at all for a keyring and environment.
pub fn nothing_locked(lock: &Lock, owner: Owner<'_>) -> Finding {
    let command = |verb: &str| format!("`helm-keyring {verb} -e {}`", owner.environment);
    Finding::error(Exit::Lock, "no-lock", format!("{owner} has no lock"))
        .at(Place::file(lock.file()))
        .found(VOUCHES)
        .help("was it locked before? Then take its lines back from git")
        .help(format!("new installation: {}", command("lock")))
        .help(format!("already running: {} first", command("adopt")))
}

/// One finding for all rings that the lock knows nothing of.
fn without_line(lock: &Lock, owner: Owner<'_>, rings: &[&FieldSpec]) -> Vec<Finding> {
    let unlocked = rings.iter().filter(|spec| lock.lines_of_ring(owner, spec).is_empty());
    let names: Vec<String> = unlocked.map(|spec| spec.name.to_string()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let finding =
        |title: String| Finding::error(Exit::Lock, "no-lock", title).at(Place::file(lock.file())).found(VOUCHES);
    let command = |verb: &str| format!("`helm-keyring {verb} -e {}`", owner.environment);
    if lock.lines_of(owner).next().is_none() {
        return vec![nothing_locked(lock, owner)];
    }
    let finding = finding(format!("the lock has no line for {} of {owner}", list(&quoted(&names))));
    vec![
        finding
            .help("was it locked before? Then take its lines back from git")
            .help(format!("a field that is new to the profile: {}", command("lock"))),
    ]
}

/// Lines of one ring that contradict each other or the profile.
fn disorder(lock: &Lock, owner: Owner<'_>, spec: &FieldSpec) -> Option<Finding> {
    let entries = lock.entries_of_ring(owner, spec);
    let lowest = match spec.name {
        FieldName::Numbered(..) => 0,
        FieldName::Fixed(_) => entries.first().map_or(0, |entry| entry.line.number),
    };
    let is_odd =
        |entry: &Entry| matches!(spec.slot(&entry.line.field), Some(Slot::Number(n)) if n != entry.line.number);
    if let Some(odd) = entries.iter().find(|entry| is_odd(entry)) {
        let (field, number) = (&odd.line.field, odd.line.number);
        return Some(
            Finding::error(Exit::Lock, "lock-gap", format!("`{field}` of {owner} cannot have the number {number}"))
                .at(odd.place.clone())
                .found("this line was changed by hand")
                .help(format!("take the line back from git: `git log -p {}`", lock.file())),
        );
    }
    if let Some(finding) =
        fields(spec).filter(|fields| entries.len() > *fields).map(|_| too_many(owner, spec, &entries))
    {
        return Some(finding);
    }
    let (missing, above) = (lowest..).zip(&entries).find(|(number, entry)| *number != entry.line.number)?;
    let title = match spec.name {
        FieldName::Numbered(..) => {
            format!("the lock lacks `{}` of {owner}, and has {}", field_of(spec, missing), above.line.title())
        }
        FieldName::Fixed(_) => {
            format!(
                "the lock lacks number {missing} of `{}` of {owner}, and has number {}",
                spec.name, above.line.number
            )
        }
    };
    Some(
        Finding::error(Exit::Lock, "lock-gap", title)
            .at(above.place.clone())
            .found("a line was taken out; nobody could tell whether its key is still the same")
            .help(format!("take the line back from git: `git log -p {}`", lock.file())),
    )
}

/// More locked keys than the chart has fields for: an older one would not be delivered.
fn too_many(owner: Owner<'_>, spec: &FieldSpec, entries: &[&Entry]) -> Finding {
    let name = spec.name.to_string();
    let title = format!("{} keys of `{name}` of {owner} are locked, and the chart has fields for fewer", entries.len());
    let finding = entries
        .iter()
        .fold(Finding::error(Exit::Lock, "lock-mismatch", title), |finding, entry| finding.at(entry.place.clone()));
    let finding = finding.found("what the oldest encrypted could not be read any more");
    let finding = match spec.previous {
        Some(_) => finding,
        None => finding.help(format!("did the profile lose the `previous` field of `{name}`? Put it back")),
    };
    let field = spec.previous.as_ref().unwrap_or(&name);
    finding.help(format!("only if no data needs the older keys any more: {}", forget_command(owner, &[field])))
}

enum Ring {
    Fits { keys: Vec<Checked>, new: Vec<String>, old: Vec<String> },
    Faulty(Vec<Finding>),
}

fn check(lock: &Lock, owner: Owner<'_>, held: &Held<'_>) -> Result<Ring, FingerprintError> {
    let entries = lock.entries_of_ring(owner, held.spec);
    let locked: BTreeMap<i64, &Entry> = entries.iter().map(|entry| (i64::from(entry.line.number), *entry)).collect();
    let mut keys = Vec::new();
    for (number, key) in held.keys {
        keys.push(HeldKey { number: *number, at: i64::from(*number), print: Print::new(key, &lock.salt)? });
    }
    let mut comparison = Comparison { lock, owner, spec: held.spec, locked, held: keys };
    comparison.align(Align::ByContent)?;
    let (forms, faults) = judged(&comparison)?;
    if faults.is_empty() {
        return Ok(fitting(comparison, forms));
    }
    // Told by field: the active key is the last one, whatever it is.
    comparison.align(Align::ByField)?;
    let (_, faults) = judged(&comparison)?;
    diagnosis::findings(&comparison, &faults).map(Ring::Faulty)
}

enum Align {
    /// The highest locked key stands where it is found.
    ByContent,
    /// The last key stands for the highest locked one.
    ByField,
}

impl Comparison<'_> {
    /// Gives the keys of a fixed ring, which a source numbers from its oldest, the numbers of the lock.
    fn align(&mut self, how: Align) -> Result<(), FingerprintError> {
        let (FieldName::Fixed(_), Some(top)) = (&self.spec.name, self.top()) else { return Ok(()) };
        let found = match how {
            Align::ByContent => self.rank_of(top)?,
            Align::ByField => None,
        };
        let rank = found.unwrap_or(self.held.len().saturating_sub(1));
        for (place, key) in (0..).zip(&mut self.held) {
            key.at = top + place - i64::try_from(rank).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Where the key that is locked at `number` stands among the source's keys.
    fn rank_of(&self, number: i64) -> Result<Option<usize>, FingerprintError> {
        let Some(entry) = self.locked.get(&number) else { return Ok(None) };
        for (rank, key) in self.held.iter().enumerate().rev() {
            if key.print.fingerprint == entry.line.fingerprint
                || key.print.form(&entry.line, &self.lock.salt)?.is_some()
            {
                return Ok(Some(rank));
            }
        }
        Ok(None)
    }
}

/// The forms of the locked keys, and what is wrong with the others.
type Judged = (BTreeMap<i64, KeyText>, BTreeMap<i64, Fault>);

fn judged(comparison: &Comparison<'_>) -> Result<Judged, FingerprintError> {
    let mut forms = BTreeMap::new();
    let mut faults = BTreeMap::new();
    for (&number, entry) in &comparison.locked {
        match comparison.held_at(number) {
            None => {
                faults.insert(number, Fault::Missing);
            }
            Some(key) => match key.print.form(&entry.line, &comparison.lock.salt)? {
                Some(_) if !comparison.is_delivered(number) => {
                    faults.insert(number, Fault::Missing);
                }
                Some(form) => {
                    forms.insert(number, form);
                }
                None => {
                    faults.insert(number, Fault::Changed);
                }
            },
        }
    }
    Ok((forms, faults))
}

fn fitting(comparison: Comparison<'_>, mut forms: BTreeMap<i64, KeyText>) -> Ring {
    let (mut keys, mut new, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for held in &comparison.held {
        let above = comparison.top().is_none_or(|top| held.at > top);
        let (key, standing) = match (forms.remove(&held.at), u32::try_from(held.at)) {
            (Some(form), _) => (form, Standing::Locked),
            (None, Ok(number)) if above => (held.print.key.duplicate(), Standing::New { number }),
            (None, _) => (held.print.key.duplicate(), Standing::Released),
        };
        match standing {
            Standing::Locked => {}
            Standing::New { .. } => new.push(comparison.new_key(held)),
            Standing::Released if comparison.is_delivered(held.at) => old.push(comparison.held_name(held)),
            Standing::Released => {}
        }
        keys.push(Checked { number: held.number, key, standing });
    }
    Ring::Fits { keys, new, old }
}

fn released_key(lock: &Lock, owner: Owner<'_>, name: &str) -> Finding {
    Finding::warning("released-key", format!("{name} of {owner} holds a key that the lock does not know"))
        .at(Place::file(lock.file()))
        .found("it is older than every locked key; it is delivered all the same")
        .help("was it released? Then take it out of the source too; a sealed file keeps it until the next rotation")
}
