//! One text on its way through those who know a kind of document each.

use std::path::Path;

use super::documents::Document;
use super::facts::Facts;
use super::text::Text;
use super::values::{self, Mapping};
use crate::key::{self, KeyText, Reference};
use crate::profile::{FieldSpec, Profile};
use crate::report::Place;
use crate::rules::{self, Key, Stands};

/// A text, what is known of where it lies, and what it has told so far.
pub struct Reader<'r, 'p> {
    /// The text.
    pub text: &'r Text<'r>,
    /// The root of its repository.
    pub root: &'r Path,
    /// How charts spell their keys.
    pub profiles: &'p [Profile],
    /// How its values are to be taken.
    pub taken: Taken,
    /// What it told.
    pub facts: &'r mut Facts<'p>,
}

/// How values are to be taken.
#[derive(Clone, Copy, Default)]
pub struct Taken {
    /// A file of which nobody knows what it is merged with: an empty key may be filled elsewhere.
    pub lone: bool,
    /// SOPS encrypted it: `ENC[…]` is no reference left unresolved.
    pub sops: bool,
    /// Somebody puts parameters in first: `{{ … }}` is no reference left unresolved.
    pub template: bool,
}

impl<'r, 'p> Reader<'r, 'p> {
    /// A reader that has read nothing yet.
    pub fn new(text: &'r Text<'r>, root: &'r Path, profiles: &'p [Profile], facts: &'r mut Facts<'p>) -> Self {
        Self { text, root, profiles, taken: Taken::default(), facts }
    }

    /// Does something with the values taken in another way.
    pub fn taking<T>(&mut self, taken: Taken, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.taken, taken);
        let done = read(self);
        self.taken = before;
        done
    }

    /// Looks at YAML that stands in a string of the text; what is no YAML, or no mapping, is only text.
    pub fn embedded(&mut self, text: &Text<'_>) {
        let Ok(documents) = Document::all(text) else { return };
        let (root, profiles, taken) = (self.root, self.profiles, self.taken);
        let mut inner = Reader { taken, ..Reader::new(text, root, profiles, &mut *self.facts) };
        for document in &documents {
            if let Some(node) = document.tree.root.as_ref().filter(|_| document.value.map().is_some()) {
                values::look(Mapping::of(document, node), &mut inner);
            }
        }
    }

    /// Takes a text for a key, unless it is empty or somebody else will put the key there.
    pub fn key(&mut self, spec: &'p FieldSpec, name: &str, key: &str, place: Place, stands: Stands) {
        let key = KeyText::from(key.as_bytes().to_vec());
        let expected = match key::unresolved(&key) {
            Some(Reference::Sops) => self.taken.sops,
            Some(Reference::Template) => self.taken.template,
            _ => key.is_empty(),
        };
        if !expected {
            let committed = self.text.committed;
            self.judged(Key::new(spec, name.to_owned(), key, place, stands, committed));
        }
    }

    /// Takes a text for a key where only a usable one is worth a word.
    pub fn usable_key(&mut self, spec: &'p FieldSpec, name: &str, key: &str, place: Place, stands: Stands) {
        let text = KeyText::from(key.as_bytes().to_vec());
        let key = Key::new(spec, name.to_owned(), text, place, stands, self.text.committed);
        if key.is_usable() {
            self.judged(key);
        }
    }

    /// Judges a key, and keeps it to be compared with the others.
    pub fn judged(&mut self, key: Key<'p>) {
        self.facts.findings.extend(rules::of_key(&key));
        self.facts.keys.push(key);
    }

    /// The ring that an application reads through this variable.
    pub fn ring_of_variable(&self, name: &str) -> Option<&'p FieldSpec> {
        let mut rings = self.profiles.iter().flat_map(Profile::rings).map(|(_, ring)| ring);
        rings.find(|ring| ring.variable.as_deref() == Some(name))
    }

    /// The ring that has this field.
    pub fn ring_of_field(&self, name: &str) -> Option<&'p FieldSpec> {
        let mut rings = self.profiles.iter().flat_map(Profile::rings).map(|(_, ring)| ring);
        rings.find(|ring| ring.slot(name).is_some())
    }
}
