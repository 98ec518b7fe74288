//! `keyring.lock`: a line with the fingerprint of every key in use, so that a key that was replaced or lost is seen
//! before it is delivered.
//!
//! Of a ring of numbered fields every key has a line, from 0 on. Of a fixed field every generation has one: the same
//! `field`, and a `number` that counts up at each rotation; the highest is active. The format, and what it gives
//! away, is in `docs/lock-format.md`.
//!
//! | file | question |
//! |---|---|
//! | `text` | how is the lock read and written? |
//! | `form` | with or without a newline: in which form is a key the locked one? |
//! | `verify` | does the source deliver what is locked? |
//! | `diagnosis` | if not, what happened to the keys? |
//! | `since` | did a commit take out or change a line? |

mod diagnosis;
mod form;
#[cfg(test)]
mod mishaps;
mod since;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod verify;

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

use rand::TryRng;
use rand::rngs::SysRng;

pub use text::SCHEMA;
pub use verify::{Checked, Held, LockedRing, Standing, VOUCHES, Verified, locked, nothing_locked, strangers, verify};

use crate::key::{self, FingerprintError, KeyText, SALT_LEN, Spelling};
use crate::profile::{FieldName, FieldSpec, Profile, Slot};
use crate::report::{Exit, Finding, Place, Refusal, list, nearest};

/// Characters of a fingerprint that tell two keys apart at a glance.
const SHORT_LEN: usize = 8;

/// Whose keys: those of one keyring in one environment. Written `lightrun/production`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner<'o> {
    /// The keyring's name in `keyring.yaml`.
    pub keyring: &'o str,
    /// The environment's name.
    pub environment: &'o str,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.keyring, self.environment)
    }
}

/// One locked key. Public: it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The keyring's name.
    pub keyring: String,
    /// The environment's name.
    pub environment: String,
    /// The field of a numbered key (`encryption-key-0`), or the name of a fixed ring.
    pub field: String,
    /// The number of a numbered key, or the generation of a fixed ring's.
    pub number: u32,
    /// How the text writes the key's bytes.
    pub spelling: Spelling,
    /// 32 characters, see [`key::fingerprint`].
    pub fingerprint: String,
}

impl Line {
    /// Whose key it is.
    pub fn owner(&self) -> Owner<'_> {
        Owner { keyring: &self.keyring, environment: &self.environment }
    }

    /// The first characters of the fingerprint, for people.
    pub fn short_fingerprint(&self) -> &str {
        short(&self.fingerprint)
    }

    fn is_of(&self, owner: Owner<'_>) -> bool {
        self.owner() == owner
    }

    /// Whether both lines speak of the same key, whatever they say of it.
    fn is_about_the_same(&self, other: &Self) -> bool {
        self.owner() == other.owner() && self.field == other.field && self.number == other.number
    }

    /// `encryption-key-1` in backquotes; the number too where the field does not show it.
    pub fn title(&self) -> String {
        match self.field.contains(&self.number.to_string()) {
            true => format!("`{}`", self.field),
            false => format!("`{}` (number {})", self.field, self.number),
        }
    }

    /// By keyring, environment, field and number; in fields, digits count as the numbers that they write.
    fn order(&self, other: &Self) -> Ordering {
        let by_field = || parts(&self.field).cmp(parts(&other.field)).then_with(|| self.field.cmp(&other.field));
        self.owner().cmp(&other.owner()).then_with(by_field).then_with(|| self.number.cmp(&other.number))
    }
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..SHORT_LEN).unwrap_or(fingerprint)
}

/// A part of a field's name: digits without zeros before them, by length first; or anything else.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'f> {
    Digits(usize, &'f [u8]),
    Other(&'f [u8]),
}

fn parts(field: &str) -> impl Iterator<Item = Part<'_>> {
    let bytes = field.as_bytes();
    bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).map(|part| {
        if !part.first().is_some_and(u8::is_ascii_digit) {
            return Part::Other(part);
        }
        let zeros = part.iter().take_while(|digit| **digit == b'0').count();
        Part::Digits(part.len() - zeros, &part[zeros..])
    })
}

/// A line, and where it was read.
#[derive(Debug, Clone)]
struct Entry {
    line: Line,
    place: Option<Place>,
}

/// A whole lock: the salt for passphrases, and a line a key, in order.
#[derive(Debug, Clone)]
pub struct Lock {
    file: String,
    salt: [u8; SALT_LEN],
    entries: Vec<Entry>,
}

/// Two locks are equal when they say the same, whatever their files are called.
impl PartialEq for Lock {
    fn eq(&self, other: &Self) -> bool {
        self.salt == other.salt && self.lines().eq(other.lines())
    }
}

impl Lock {
    /// A lock without lines; `file` is what messages call it.
    pub fn new(file: impl Into<String>, salt: [u8; SALT_LEN]) -> Self {
        Self { file: file.into(), salt, entries: Vec::new() }
    }

    /// What stands for a file that is not there: no lines, to be asked and not to be written.
    pub fn missing(file: impl Into<String>) -> Self {
        Self::new(file, [0; SALT_LEN])
    }

    /// A lock without lines, with a new random salt.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn with_random_salt(file: impl Into<String>) -> Result<Self, Refusal> {
        let mut salt = [0; SALT_LEN];
        SysRng.try_fill_bytes(&mut salt).map_err(|error| {
            Finding::error(Exit::Io, "no-randomness", "the operating system gives no random bytes")
                .found(error.to_string())
                .help("run it where `/dev/urandom` or `getrandom` works")
        })?;
        Ok(Self::new(file, salt))
    }

    /// Reads the lock at `path`; `None` if there is no such file, which is a lock without a line for anybody.
    ///
    /// # Errors
    /// A file that cannot be read (exit code 5), and those of [`Lock::parse`].
    pub fn read(path: &Path) -> Result<Option<Self>, Refusal> {
        text::read(path)
    }

    /// Reads a lock; `file` is what messages call it. Lines may stand in any order.
    ///
    /// # Errors
    /// All with exit code 4: what is no lock of this version, a merge conflict, two lines about the same key.
    pub fn parse(file: impl Into<String>, text: &str) -> Result<Self, Refusal> {
        text::parse(file.into(), text)
    }

    /// The whole file: always the same bytes for the same lines.
    pub fn to_text(&self) -> String {
        text::written(self)
    }

    /// What messages call it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The salt of its header.
    pub fn salt(&self) -> &[u8; SALT_LEN] {
        &self.salt
    }

    /// All lines in order.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.entries.iter().map(|entry| &entry.line)
    }

    /// The lines of one keyring in one environment. Without any, nothing is locked there yet.
    pub fn lines_of(&self, owner: Owner<'_>) -> impl Iterator<Item = &Line> {
        self.lines().filter(move |line| line.is_of(owner))
    }

    /// The lines of one ring, from the lowest number to the highest.
    pub fn lines_of_ring(&self, owner: Owner<'_>, spec: &FieldSpec) -> Vec<&Line> {
        self.entries_of_ring(owner, spec).into_iter().map(|entry| &entry.line).collect()
    }

    fn entries_of_ring(&self, owner: Owner<'_>, spec: &FieldSpec) -> Vec<&Entry> {
        let own = |line: &Line| line.is_of(owner) && claims(spec, &line.field);
        let mut entries: Vec<&Entry> = self.entries.iter().filter(|entry| own(&entry.line)).collect();
        entries.sort_by_key(|entry| entry.line.number);
        entries
    }

    /// The other lines that lock the same key: reuse, where they belong to another environment or keyring.
    pub fn same_key<'l>(&'l self, line: &'l Line) -> impl Iterator<Item = &'l Line> {
        self.lines().filter(|other| other.fingerprint == line.fingerprint && !other.is_about_the_same(line))
    }

    /// Keys that stand in more than one line: each with all its lines, in order.
    pub fn reused(&self) -> Vec<Vec<&Line>> {
        let mut lines: Vec<&Line> = self.lines().collect();
        lines.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        let groups = lines.chunk_by(|a, b| a.fingerprint == b.fingerprint);
        let mut reused: Vec<Vec<&Line>> = groups.filter(|group| group.len() > 1).map(<[&Line]>::to_vec).collect();
        reused.sort_by(|a, b| a[0].order(b[0]));
        reused
    }

    /// Where a line of this lock is written.
    pub fn place_of(&self, line: &Line) -> Option<Place> {
        self.entries.iter().find(|entry| entry.line == *line).and_then(|entry| entry.place.clone())
    }

    /// The fingerprint that a key has in this lock. Tens of milliseconds for a key that is readable text.
    ///
    /// # Errors
    /// If there is no memory for it (exit code 5).
    pub fn fingerprint(&self, key: &KeyText) -> Result<String, Refusal> {
        key::fingerprint(key, &self.salt).map_err(no_fingerprint)
    }

    /// The form of a source's text that `line` locks: the text as it is, or with one newline more or less at its end.
    /// `None` if it is another key or another spelling.
    ///
    /// # Errors
    /// As [`Lock::fingerprint`].
    pub fn form(&self, line: &Line, key: &KeyText) -> Result<Option<KeyText>, Refusal> {
        let print = form::Print::new(key, &self.salt).map_err(no_fingerprint)?;
        print.form(line, &self.salt).map_err(no_fingerprint)
    }

    /// Locks a key, exactly as it is delivered. A key that is locked already, just so, is left as it is.
    ///
    /// # Errors
    /// A line about this key that says something else (exit code 4: no line is ever changed), a number that would leave
    /// a gap, a name that a lock cannot hold, and those of [`Lock::fingerprint`].
    pub fn add(&mut self, owner: Owner<'_>, spec: &FieldSpec, number: u32, key: &KeyText) -> Result<(), Refusal> {
        let line = Line {
            keyring: owner.keyring.to_owned(),
            environment: owner.environment.to_owned(),
            field: field_of(spec, number),
            number,
            spelling: key::decode(key).spelling,
            fingerprint: self.fingerprint(key)?,
        };
        text::refuse_names(&line)?;
        if let Some(entry) = self.entries.iter().find(|entry| entry.line.is_about_the_same(&line)) {
            return if entry.line == line { Ok(()) } else { Err(locked_otherwise(entry, &line).into()) };
        }
        self.refuse_gap(owner, spec, &line)?;
        let place = self.entries.partition_point(|entry| entry.line.order(&line).is_lt());
        self.entries.insert(place, Entry { line, place: None });
        Ok(())
    }

    fn refuse_gap(&self, owner: Owner<'_>, spec: &FieldSpec, line: &Line) -> Result<(), Refusal> {
        let next = match (self.lines_of_ring(owner, spec).last(), &spec.name) {
            (Some(highest), _) => highest.number.saturating_add(1),
            (None, FieldName::Numbered(..)) => 0,
            (None, FieldName::Fixed(_)) => line.number,
        };
        if line.number <= next {
            return Ok(());
        }
        Err(Finding::error(Exit::Lock, "lock-gap", format!("{} of {owner} cannot be locked yet", line.title()))
            .at(Place::file(&*self.file))
            .found(format!("the next number is {next}: a keyring grows without a gap"))
            .help("lock the keys below it first")
            .into())
    }

    /// Takes out what is locked about some fields, and gives it back. Only for a user who typed them out.
    ///
    /// Of a fixed field this is the active key's line; of its `previous` field, all lines below the active key's. Where
    /// the profile names no `previous` field, the older lines go first.
    ///
    /// # Errors
    /// If nothing is locked about one of the fields (exit code 2).
    pub fn forget<S: AsRef<str>>(
        &mut self,
        owner: Owner<'_>,
        profile: &Profile,
        fields: &[S],
    ) -> Result<Vec<Line>, Refusal> {
        let mut meant: Vec<Line> = Vec::new();
        for field in fields.iter().map(AsRef::as_ref) {
            let lines = self.meant(owner, profile, field);
            if lines.is_empty() {
                return Err(self.nothing_to_forget(owner, field).into());
            }
            meant.extend(lines.into_iter().cloned());
        }
        self.entries.retain(|entry| !meant.contains(&entry.line));
        Ok(meant)
    }

    fn meant(&self, owner: Owner<'_>, profile: &Profile, field: &str) -> Vec<&Line> {
        let ring = profile.rings().find_map(|(_, spec)| Some((spec, spec.slot(field)?)));
        let Some((spec, slot @ (Slot::Active | Slot::Previous))) = ring else {
            return self.lines_of(owner).filter(|line| line.field == field).collect();
        };
        let mut older = self.lines_of_ring(owner, spec);
        let active = older.pop();
        let only_older = slot == Slot::Previous || (spec.previous.is_none() && !older.is_empty());
        if only_older { older } else { active.into_iter().collect() }
    }

    fn nothing_to_forget(&self, owner: Owner<'_>, field: &str) -> Finding {
        let fields: Vec<&str> = self.lines_of(owner).map(|line| line.field.as_str()).collect();
        let finding = Finding::usage("no-such-field", format!("nothing is locked about that field of {owner}"))
            .at(Place::file(&*self.file))
            .found(match fields.is_empty() {
                true => format!("the lock has no line of {owner}"),
                false => format!("the lock has {}", list(&quoted(&fields))),
            });
        match nearest(field, fields) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help("look at the lock for the fields that are locked"),
        }
    }
}

/// The `field` of the line of a ring's key.
fn field_of(spec: &FieldSpec, number: u32) -> String {
    spec.field(Slot::Number(number)).unwrap_or_else(|| spec.name.to_string())
}

/// How many keys of a ring the chart has fields for; `None`: as many as there are numbers.
pub fn fields(spec: &FieldSpec) -> Option<usize> {
    matches!(spec.name, FieldName::Fixed(_)).then(|| 1 + usize::from(spec.previous.is_some()))
}

/// Whether a line about `field` is about this ring.
fn claims(spec: &FieldSpec, field: &str) -> bool {
    matches!(spec.slot(field), Some(Slot::Number(_) | Slot::Active))
}

/// `helm-keyring lock -e production --forget encryption-key-0` in backquotes.
pub fn forget_command(owner: Owner<'_>, fields: &[&str]) -> String {
    let flags: String = fields.iter().map(|field| format!(" --forget {field}")).collect();
    format!("`helm-keyring lock -e {} --keyring {}{flags}`", owner.environment, owner.keyring)
}

fn locked_otherwise(entry: &Entry, new: &Line) -> Finding {
    let title = format!("{} of {} is locked already, as another key or spelling", new.title(), new.owner());
    Finding::error(Exit::Lock, "lock-mismatch", title)
        .at(entry.place.clone())
        .found(difference(&entry.line, new.spelling, &new.fingerprint))
        .help("a line of the lock is never changed: a new key gets the next number")
}

/// `locked as base64 vcf746a5, the source has hex-lower vcf746a5`
fn difference(line: &Line, spelling: Spelling, fingerprint: &str) -> String {
    let (locked, found) = (line.short_fingerprint(), short(fingerprint));
    format!("locked as {} {locked}, the source has {spelling} {found}", line.spelling)
}

fn no_fingerprint(error: FingerprintError) -> Refusal {
    Finding::error(Exit::Io, "no-fingerprint", error.to_string())
        .help("give the process more memory: a key that is readable text takes 19 MiB")
        .into()
}

fn quoted<S: AsRef<str>>(words: &[S]) -> Vec<String> {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect()
}
