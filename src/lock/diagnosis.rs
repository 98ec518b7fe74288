//! What happened to keys that do not match the lock, in words. No part of a key, only fingerprints, which are public.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::form::Print;
use super::{Entry, Line, Lock, Owner, difference, field_of, fields, forget_command};
use crate::key::{FingerprintError, Form, KeyText};
use crate::profile::{FieldName, FieldSpec, Slot};
use crate::report::{Exit, Finding, list};

/// What is wrong with a locked key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The source has no such key, or the chart has no field for it any more.
    Missing,
    /// Another text stands in its place.
    Changed,
}

/// A key of the source.
pub(super) struct HeldKey<'c> {
    /// Its number in the source.
    pub(super) number: u32,
    /// Its number in the lock, if it is locked. Below 0 where the source has more old keys than the lock has numbers.
    pub(super) at: i64,
    pub(super) print: Print<'c>,
}

/// One ring, as it is locked and as the source holds it.
pub(super) struct Comparison<'c> {
    pub(super) lock: &'c Lock,
    pub(super) owner: Owner<'c>,
    pub(super) spec: &'c FieldSpec,
    /// By number. Not empty.
    pub(super) locked: BTreeMap<i64, &'c Entry>,
    /// In ascending order.
    pub(super) held: Vec<HeldKey<'c>>,
}

/// Why a key in a locked key's place is not the locked one.
enum Cause<'c> {
    OtherSpelling,
    /// The same key with something around it: in words.
    Dressed(&'static str),
    /// The key of another line.
    Elsewhere(&'c Entry),
    Unknown,
}

impl<'c> Comparison<'c> {
    /// The highest locked number.
    pub(super) fn top(&self) -> Option<i64> {
        self.locked.keys().next_back().copied()
    }

    pub(super) fn held_at(&self, number: i64) -> Option<&HeldKey<'c>> {
        self.held.iter().find(|key| key.at == number)
    }

    /// Fields that the chart has for this ring; none: as many as there are numbers.
    fn fields(&self) -> Option<i64> {
        fields(self.spec).and_then(|fields| i64::try_from(fields).ok())
    }

    /// Whether the chart has a field for the key of this number.
    pub(super) fn is_delivered(&self, number: i64) -> bool {
        let last = self.held.last().map(|key| key.at);
        self.fields().is_none_or(|fields| last.is_some_and(|last| number > last - fields))
    }

    /// The field of a locked key, as long as no other is added, in backquotes.
    fn name(&self, number: i64) -> String {
        self.name_below(number, self.top())
    }

    /// The field in which a key of the source is delivered, in backquotes.
    pub(super) fn held_name(&self, key: &HeldKey<'_>) -> String {
        self.name_below(key.at, self.held.last().map(|key| key.at))
    }

    fn name_below(&self, number: i64, active: Option<i64>) -> String {
        let below = active.map_or(0, |active| active - number);
        let previous = self.spec.field(Slot::Previous).filter(|_| below == 1);
        match (&self.spec.name, previous) {
            (FieldName::Fixed(_), Some(previous)) => format!("`{previous}`"),
            (FieldName::Fixed(name), None) if below == 0 => format!("`{name}`"),
            (FieldName::Fixed(name), None) => format!("an older key of `{name}`"),
            (FieldName::Numbered(..), _) => format!("`{}`", field_of(self.spec, u32::try_from(number).unwrap_or(0))),
        }
    }

    fn names<'n>(&self, numbers: impl IntoIterator<Item = &'n i64>) -> String {
        list(&numbers.into_iter().map(|number| self.name(*number)).collect::<Vec<_>>())
    }

    /// A key that is not locked yet, and whose key it is too.
    pub(super) fn new_key(&self, key: &HeldKey<'_>) -> String {
        let name = match &self.spec.name {
            FieldName::Numbered(..) => self.held_name(key),
            FieldName::Fixed(name) => format!("`{name}` (number {})", key.at),
        };
        match self.elsewhere(&key.print.fingerprint) {
            Some(entry) => format!("{name} (the same key as {})", self.other_name(&entry.line)),
            None => name,
        }
    }

    /// A line outside this ring with this fingerprint; the nearest: own, then the same keyring's, then any.
    fn elsewhere(&self, fingerprint: &str) -> Option<&'c Entry> {
        let own = |line: &Line| line.is_of(self.owner) && self.spec.slot(&line.field).is_some();
        let same = self.lock.entries.iter().filter(|entry| entry.line.fingerprint == fingerprint && !own(&entry.line));
        same.min_by_key(|entry| {
            let line = &entry.line;
            (!line.is_of(self.owner), line.keyring != self.owner.keyring)
        })
    }

    /// A locked key outside this ring: `encryption-key-0` in backquotes, and whose, if it is another's.
    fn other_name(&self, line: &Line) -> String {
        match line.is_of(self.owner) {
            true => format!("`{}`", line.field),
            false => format!("`{}` of {}", line.field, line.owner()),
        }
    }

    fn mismatch(&self, title: String, numbers: &[i64]) -> Finding {
        let places = numbers.iter().filter_map(|number| self.locked.get(number)?.place.clone());
        places.fold(Finding::error(Exit::Lock, "lock-mismatch", title), |finding, place| finding.at(place))
    }

    fn difference(&self, number: i64) -> Option<String> {
        let (entry, key) = (self.locked.get(&number)?, self.held_at(number)?);
        Some(difference(&entry.line, key.print.spelling, &key.print.fingerprint))
    }

    /// What a user types who lets locked keys go.
    fn forget(&self, numbers: &[i64]) -> String {
        let field = |number: &i64| match &self.spec.name {
            FieldName::Numbered(..) => field_of(self.spec, u32::try_from(*number).unwrap_or(0)),
            FieldName::Fixed(name) if Some(*number) == self.top() => name.clone(),
            FieldName::Fixed(name) => self.spec.previous.as_ref().unwrap_or(name).clone(),
        };
        let mut fields: Vec<String> = numbers.iter().map(field).collect();
        fields.dedup();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        format!("only if no data needs the locked key any more: {}", forget_command(self.owner, &fields))
    }
}

/// At least one finding for at least one fault.
pub(super) fn findings(
    comparison: &Comparison<'_>,
    faults: &BTreeMap<i64, Fault>,
) -> Result<Vec<Finding>, FingerprintError> {
    let moves = moves(comparison, faults);
    if !moves.is_empty() {
        return Ok(vec![moved(comparison, faults, &moves)?]);
    }
    let numbers = |wanted: Fault| faults.iter().filter(move |(_, fault)| **fault == wanted).map(|(number, _)| *number);
    let missing: Vec<i64> = numbers(Fault::Missing).collect();
    let mut found = Vec::new();
    if !missing.is_empty() {
        found.push(gone(comparison, &missing));
    }
    let mut unknown = Vec::new();
    let mut foreign: BTreeMap<Owner<'_>, Vec<(i64, &Entry)>> = BTreeMap::new();
    for number in numbers(Fault::Changed) {
        match cause(comparison, number)? {
            Cause::OtherSpelling => found.push(other_spelling(comparison, number)),
            Cause::Dressed(how) => found.push(dressed(comparison, number, how)),
            Cause::Elsewhere(entry) => foreign.entry(entry.line.owner()).or_default().push((number, entry)),
            Cause::Unknown => unknown.push(number),
        }
    }
    found.extend(foreign.into_iter().map(|(owner, keys)| others(comparison, owner, &keys)));
    if !unknown.is_empty() {
        found.push(replaced(comparison, &unknown));
    }
    Ok(found)
}

/// A locked key of this ring that stands in another place: its number, and the source's key.
type Move<'m> = (i64, &'m HeldKey<'m>);

fn moves<'m>(comparison: &'m Comparison<'_>, faults: &BTreeMap<i64, Fault>) -> Vec<Move<'m>> {
    let holds = |key: &HeldKey<'_>, number: i64| {
        comparison.locked.get(&number).is_some_and(|entry| entry.line.fingerprint == key.print.fingerprint)
    };
    let from = |key: &HeldKey<'_>| {
        let in_place_of_another = faults.contains_key(&key.at);
        let lost = faults.keys().find(|number| holds(key, **number));
        lost.or_else(|| comparison.locked.keys().find(|number| in_place_of_another && holds(key, **number))).copied()
    };
    let is_out_of_place = |key: &&HeldKey<'_>| !holds(key, key.at);
    comparison.held.iter().filter(is_out_of_place).filter_map(|key| Some((from(key)?, key))).collect()
}

fn moved(
    comparison: &Comparison<'_>,
    faults: &BTreeMap<i64, Fault>,
    moves: &[Move<'_>],
) -> Result<Finding, FingerprintError> {
    let owner = comparison.owner;
    let numbers: Vec<i64> = faults.keys().copied().collect();
    let finding = comparison.mismatch(moved_title(comparison, faults, moves), &numbers);
    let is_numbered = matches!(comparison.spec.name, FieldName::Numbered(..));
    let first = comparison.held.first().map(|key| key.at).filter(|first| is_numbered && *first > 0);
    let mut notes: Vec<String> = first.map(|first| format!("the source starts at {first}")).into_iter().collect();
    for (from, key) in moves {
        let held = comparison.name(*from);
        notes.push(match comparison.is_delivered(key.at) {
            true => format!("{} now holds what {held} held", comparison.held_name(key)),
            false => format!("the chart has no field for what {held} held"),
        });
    }
    for key in &comparison.held {
        let is_faulty = faults.contains_key(&key.at) && !moves.iter().any(|(_, moved)| moved.at == key.at);
        if is_faulty {
            let name = comparison.held_name(key);
            notes.push(match cause(comparison, key.at)? {
                Cause::Elsewhere(entry) => format!("{name} is the key of {}", comparison.other_name(&entry.line)),
                Cause::OtherSpelling => format!("{name} has another spelling"),
                Cause::Dressed(how) => format!("{name} is the locked key {how}"),
                Cause::Unknown => format!("{name} is a key that the lock does not know"),
            });
        }
    }
    let is_there = |number: &&i64| moves.iter().any(|(from, _)| from == *number);
    let fingerprint = |number: &i64| &comparison.locked[number].line.fingerprint;
    let nowhere = numbers.iter().filter(|number| {
        !is_there(number) && !comparison.held.iter().any(|key| key.print.fingerprint == *fingerprint(number))
    });
    notes.extend(nowhere.map(|number| format!("the source no longer has what {} held", comparison.name(*number))));
    let finding = notes.into_iter().fold(finding, Finding::found);
    let pushed_out: Vec<i64> = match comparison.fields() {
        Some(_) => numbers
            .into_iter()
            .filter(|number| !moves.iter().any(|(from, key)| from == number && comparison.is_delivered(key.at)))
            .collect(),
        None => Vec::new(),
    };
    let finding = finding
        .help(format!("put the keys of {owner} back into the places that they had; a key never changes its place"));
    Ok(if pushed_out.is_empty() { finding } else { finding.help(comparison.forget(&pushed_out)) })
}

fn moved_title(comparison: &Comparison<'_>, faults: &BTreeMap<i64, Fault>, moves: &[Move<'_>]) -> String {
    let owner = comparison.owner;
    if let [(from, key)] = moves
        && !faults.contains_key(from)
    {
        let copy = comparison.held_name(key);
        return format!("{copy} of {owner} now holds the same key as {}", comparison.name(*from));
    }
    if let [(a, to_b), (b, to_a)] = moves
        && to_b.at == *b
        && to_a.at == *a
    {
        return format!("{} of {owner} are swapped", comparison.names([a.min(b), a.max(b)]));
    }
    let top = comparison.top();
    match &comparison.spec.name {
        FieldName::Numbered(..) => format!("the keys of {owner} were renumbered"),
        FieldName::Fixed(name) if moves.iter().any(|(_, key)| Some(key.at) == top) => {
            format!("`{name}` of {owner} is back at an older key: an old copy, or a restored backup?")
        }
        FieldName::Fixed(name) => format!("the new `{name}` of {owner} pushes out a key that is still locked"),
    }
}

fn gone(comparison: &Comparison<'_>, missing: &[i64]) -> Finding {
    let owner = comparison.owner;
    let (lowest, highest) = (comparison.held.first().map(|key| key.at), comparison.held.last().map(|key| key.at));
    let names = comparison.names(missing);
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let is_numbered = matches!(comparison.spec.name, FieldName::Numbered(..));
    let at_start = is_numbered && lowest.is_some_and(|lowest| missing.iter().all(|number| *number < lowest));
    let at_end = is_numbered && highest.is_some_and(|highest| missing.iter().all(|number| *number > highest));
    let title = match (lowest, highest) {
        (Some(lowest), _) if at_start => format!("the source of {owner} starts at {lowest}: {names} {verb} gone"),
        (_, Some(highest)) if at_end => format!("the source of {owner} ends at {highest}: {names} {verb} gone"),
        _ => format!("{names} of {owner} {verb} gone from the source"),
    };
    let finding = comparison.mismatch(title, missing);
    let finding = match at_end {
        true => finding.found("an old copy, or a restored backup? The newest key is the one that encrypts"),
        false => finding.found("what it encrypted could not be read any more"),
    };
    let finding = finding.help("bring it back exactly as it was: from the store's older versions, or from a backup");
    if at_end || !is_numbered { finding.help(comparison.forget(missing)) } else { finding }
}

fn cause<'c>(comparison: &Comparison<'c>, number: i64) -> Result<Cause<'c>, FingerprintError> {
    let (Some(entry), Some(key)) = (comparison.locked.get(&number), comparison.held_at(number)) else {
        return Ok(Cause::Unknown);
    };
    if key.print.fingerprint == entry.line.fingerprint {
        return Ok(Cause::OtherSpelling);
    }
    if let Some(entry) = comparison.elsewhere(&key.print.fingerprint) {
        return Ok(Cause::Elsewhere(entry));
    }
    let salt = &comparison.lock.salt;
    for (how, text) in undressed(key.print.key) {
        if Print::new(&text, salt)?.form(&entry.line, salt)?.is_some() {
            return Ok(Cause::Dressed(how));
        }
    }
    Ok(Cause::Unknown)
}

/// What the text may be without something that people and tools put around keys.
fn undressed(key: &KeyText) -> Vec<(&'static str, KeyText)> {
    let text = key.expose();
    let line = text.trim_ascii();
    let inner = match line {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => Some(inner.to_vec()),
        _ => None,
    };
    [
        ("with whitespace around it", (line.len() < text.len()).then(|| line.to_vec())),
        ("with quotes around it", inner),
        ("in base64 once more", STANDARD.decode(line).ok()),
    ]
    .into_iter()
    .filter_map(|(how, text)| Some((how, KeyText::from(text?))))
    .collect()
}

fn other_spelling(comparison: &Comparison<'_>, number: i64) -> Finding {
    let title = format!("{} of {} has another spelling", comparison.name(number), comparison.owner);
    let finding = comparison.mismatch(title, &[number]);
    let (Some(entry), Some(key)) = (comparison.locked.get(&number), comparison.held_at(number)) else { return finding };
    let (found, locked) = (key.print.spelling, entry.line.spelling);
    finding.found(format!("same bytes, other spelling: {found}, was {locked}")).help(format!(
        "write it as {locked} in the source again: the application gets the text, not the bytes behind it"
    ))
}

fn dressed(comparison: &Comparison<'_>, number: i64, how: &str) -> Finding {
    let title = format!("{} of {} is the locked key {how}", comparison.name(number), comparison.owner);
    let finding = comparison.mismatch(title, &[number]);
    comparison.difference(number).into_iter().fold(finding, Finding::found).help("take that off again in the source")
}

/// Keys that are those of another environment, another keyring, or another ring of the same Secret.
fn others(comparison: &Comparison<'_>, owner: Owner<'_>, keys: &[(i64, &Entry)]) -> Finding {
    let own = comparison.owner;
    let numbers: Vec<i64> = keys.iter().map(|(number, _)| *number).collect();
    let names = comparison.names(&numbers);
    let whose = if owner.keyring == own.keyring { owner.environment.to_owned() } else { owner.to_string() };
    let title = match (owner == own, keys.len()) {
        (true, 1) => format!("{names} of {own} now holds what {} held", comparison.other_name(&keys[0].1.line)),
        (true, _) => format!("{names} of {own} now hold what other fields held"),
        (false, 1) => format!("{names} of {own} is now the key that {whose} has"),
        (false, _) => format!("{names} of {own} are now the keys that {whose} has"),
    };
    let finding = comparison.mismatch(title, &numbers);
    let finding = keys.iter().fold(finding, |finding, (number, entry)| {
        let same = format!("{}: the same key as {}", comparison.name(*number), comparison.other_name(&entry.line));
        finding.at(entry.place.clone()).found(same)
    });
    match owner == own {
        true => finding.help("give each field its own key again"),
        false => finding.help(format!(
            "let the source of {own} read its own keys: is the path, the namespace or the cluster that of {whose}?"
        )),
    }
}

fn replaced(comparison: &Comparison<'_>, numbers: &[i64]) -> Finding {
    let (names, owner) = (comparison.names(numbers), comparison.owner);
    let title = match numbers {
        [_] => format!("{names} of {owner} is another key than the locked one"),
        _ if numbers.len() == comparison.locked.len() => {
            format!("none of the locked keys of {owner} is in the source: another path, another store?")
        }
        _ => format!("{names} of {owner} are other keys than the locked ones"),
    };
    let mut finding = comparison.mismatch(title, numbers);
    for number in numbers {
        let difference = comparison.difference(*number).into_iter();
        finding =
            difference.fold(finding, |finding, words| finding.found(format!("{}: {words}", comparison.name(*number))));
    }
    let forms = numbers.iter().filter_map(|number| {
        Some((comparison.locked.get(number)?.line.spelling.form, comparison.held_at(*number)?.print.spelling.form))
    });
    let forms: Vec<(Form, Form)> = forms.collect();
    let is_encoded = |form: Form| matches!(form, Form::Base64 | Form::HexLower | Form::HexUpper);
    if forms.iter().any(|(locked, found)| is_encoded(*locked) && !is_encoded(*found)) {
        finding = finding.found("an encoded key became other text: was it cut off, or changed on its way?");
    }
    if forms.contains(&(Form::Text, Form::Text)) {
        finding = finding.found("fingerprints of readable text depend on the lock's salt: was that line changed?");
    }
    finding
        .help("bring the locked key back exactly as it was: from the store's older versions, or from a backup")
        .help("a new key never takes an old one's place: `helm-keyring rotate` adds it behind the others")
        .help(comparison.forget(numbers))
}
