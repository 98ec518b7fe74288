//! What rules look at.

use crate::config::Mode;
use crate::key::{self, KeyText, Misfit, Policy, Reference, Weakness};
use crate::lock::{Lock, Owner};
use crate::manifest::Object;
use crate::profile::{FieldSpec, Profile};
use crate::render::{Survey, UserKey, UserValues};
use crate::report::Place;
use crate::values::Known;
use crate::yaml::{Node, Value};

/// Where a key text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// In a chart's values.
    Values,
    /// In a Secret.
    Secret,
    /// In a ConfigMap.
    ConfigMap,
    /// As the value of an environment variable: in a manifest, an `.env` or a compose file.
    Variable,
    /// In a file of its own, of the source `dir`.
    Source,
    /// In a line of a text that cannot be parsed.
    Line,
}

impl std::fmt::Display for Stands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Values => "values",
            Self::Secret => "a Secret",
            Self::ConfigMap => "a ConfigMap",
            Self::Variable => "an environment variable",
            Self::Source => "a file of its own",
            Self::Line => "a line of text",
        })
    }
}

/// A text that stands where a key belongs. It is never empty.
pub struct Key<'p> {
    /// The ring that it belongs to.
    pub spec: &'p FieldSpec,
    /// What messages call it: a values path, a field, a variable.
    pub name: String,
    /// The text.
    pub text: KeyText,
    /// Where it is written.
    pub place: Place,
    /// What it stands in.
    pub stands: Stands,
    /// Whether that is a file that can be committed.
    pub committed: bool,
    /// Judged once, for several rules ask.
    weakness: Option<Weakness>,
}

impl<'p> Key<'p> {
    /// A key, and where it stands.
    pub fn new(
        spec: &'p FieldSpec,
        name: String,
        text: KeyText,
        place: Place,
        stands: Stands,
        committed: bool,
    ) -> Self {
        let weakness = key::weakness(&text);
        Self { spec, name, text, place, stands, committed, weakness }
    }

    /// The reference that it is instead of a key.
    pub fn reference(&self) -> Option<Reference> {
        key::unresolved(&self.text)
    }

    /// Why the application would not take it.
    pub fn misfit(&self) -> Option<Misfit> {
        self.spec.policy.judge(&self.text).err()
    }

    /// Why it can be guessed.
    pub fn weakness(&self) -> Option<Weakness> {
        self.weakness
    }

    /// Whether data could be encrypted with it, and nobody could guess it. A line's end behind it hides nothing.
    pub fn is_usable(&self) -> bool {
        let fits = self.misfit().is_none_or(|misfit| misfit.is_only_a_newline());
        self.reference().is_none() && fits && self.weakness().is_none()
    }
}

/// A mapping that holds something at a profile's values path, as it is written in one document.
pub struct ValuesSeen<'v, 'a> {
    /// The profile.
    pub profile: &'v Profile,
    /// The mapping in which the profile's paths begin.
    pub value: &'v Value,
    /// The same, as it is written: with what stands twice.
    pub node: &'v Node<'a>,
    /// Tells where a span of the value stands.
    pub place: &'v dyn Fn(std::ops::Range<usize>) -> Place,
    /// Tells where a span of the node stands.
    pub place_in_document: &'v dyn Fn(std::ops::Range<usize>) -> Place,
}

/// Values that are deployed together.
pub struct Deployed<'d> {
    /// Who deploys them, for messages: `environment production of keyring app`, `Application/lightrun`.
    pub title: String,
    /// Where that is said.
    pub place: Place,
    /// How the chart spells its keys.
    pub profile: &'d Profile,
    /// The values.
    pub known: &'d Known,
    /// The same, as the profile reads them.
    pub user: UserValues<'d>,
    /// Whether the keys come from outside the chart.
    pub external: bool,
    /// Whether a deploy step brings the key into the values.
    pub injected: bool,
    /// How strict it is.
    pub mode: Mode,
    /// Whether it is certain that the chart is the profile's: its values lack keys, rather than having none.
    pub certain: bool,
    /// The lock and whose lines in it speak of these keys.
    pub lock: Option<(&'d Lock, Owner<'d>)>,
}

/// A key in the values that none of its ring's lines locks.
pub struct NotLocked {
    /// Where it stands.
    pub place: Place,
    /// What is locked instead.
    pub locked: Vec<String>,
    /// The lock knows texts; another spelling may be the same key.
    pub may_be_spelled_otherwise: bool,
}

impl Deployed<'_> {
    /// The keys in the values that the lock does not know, of the rings that it has lines of.
    pub fn not_locked(&self) -> Vec<NotLocked> {
        let Some((lock, owner)) = self.lock else { return Vec::new() };
        let mut found = Vec::new();
        for (_, ring) in self.profile.rings() {
            let Ok(UserKey::Given { key, place }) = self.user.key(ring) else { continue };
            let lines = lock.lines_of_ring(owner, ring);
            let is_a_key = key::unresolved(&key).is_none() && ring.policy.judge(&key).is_ok();
            let is_locked = || lines.iter().any(|line| lock.form(line, &key).is_ok_and(|form| form.is_some()));
            if is_a_key && !lines.is_empty() && !is_locked() {
                found.push(NotLocked {
                    place,
                    locked: lines.iter().map(|line| line.title()).collect(),
                    may_be_spelled_otherwise: matches!(ring.policy, Policy::Bytes { .. }),
                });
            }
        }
        found
    }
}

/// Rendered manifests: one file, or stdin.
pub struct Manifests<'m, 'a> {
    /// Its objects with the place of each.
    pub objects: &'m [(Object<'m, 'a>, usize)],
    /// The profiles.
    pub profiles: &'m [Profile],
    /// What the stream holds of each Secret of each profile.
    pub surveys: &'m [Survey<'m, 'a, 'm>],
    /// Where bytes of the stream stand.
    pub place: &'m dyn Fn(std::ops::Range<usize>) -> Place,
}
