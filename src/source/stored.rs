//! Keys in a place of a store: which member of it is which field's key, and how the store writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::place::{Content, Members, Place, Value, Writable};
use super::{
    Addition, Change, Error, Files, Numbered, Remote, Run, Source, Store, Why, by_ring, refuse_almost_a_field, slots,
};
use crate::config::{Encoding, Names};
use crate::key::KeyText;
use crate::keyring::fixed;
use crate::lock;
use crate::profile::{FieldName, FieldSpec, Slot};
use crate::report::Finding;

/// A key text longer than this is a mistake.
const MAX_BYTES: usize = 64 << 10;
const NO_KEY: &str = "put the key there, or take the field away";

/// A place, and the names of the keys in it.
pub struct Stored {
    place: Arc<dyn Place>,
    names: Names,
    run: Arc<Run>,
}

impl Stored {
    /// Keys in a place, under these names. It is read when the first source of the run needs its keys.
    pub fn new(place: Arc<dyn Place>, names: Names, run: Arc<Run>) -> Self {
        run.expect(&place);
        Self { place, names, run }
    }

    fn content(&self) -> Result<Arc<Content>, Error> {
        self.run.content(&self.place)
    }

    fn writable(&self) -> Option<&dyn Writable> {
        self.place.writable()
    }

    fn rings(&self, content: &Content, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let specs: Vec<FieldSpec> = rings.iter().map(|ring| self.names.of(ring)).collect();
        refuse_almost_a_field(&specs.iter().collect::<Vec<_>>(), content.members.keys().map(String::as_str))?;
        specs.iter().map(|spec| self.ring(content, spec)).collect()
    }

    fn ring(&self, content: &Content, spec: &FieldSpec) -> Result<Numbered, Error> {
        let key = |slot| spec.field(slot).and_then(|name| self.key(content, &name).transpose()).transpose();
        match spec.name {
            FieldName::Fixed(ref name) => match (key(Slot::Previous)?, key(Slot::Active)?) {
                (Some(_), None) => Err(Error::new(
                    format!("has the key before `{name}`, and no `{name}`"),
                    "bring the active key back; which one was it? `helm-keyring verify` knows",
                )),
                (previous, active) => Ok(fixed(previous, active)),
            },
            FieldName::Numbered(..) => {
                let slots = content.members.keys().filter_map(|name| spec.slot(name));
                let numbers = slots.filter_map(|slot| if let Slot::Number(n) = slot { Some(n) } else { None });
                let keys = numbers.map(|n| Ok(key(Slot::Number(n))?.map(|key| (n, key))));
                keys.filter_map(Result::transpose).collect()
            }
        }
    }

    fn key(&self, content: &Content, name: &str) -> Result<Option<KeyText>, Error> {
        let text = match content.members.get(name) {
            None => return Ok(None),
            Some(Value::Other(kind)) => {
                let help = match *kind {
                    "null" => NO_KEY,
                    "a number" => "write the key as a text, in quotes: a number may lose digits",
                    _ => "write the key there as a text",
                };
                return Err(Error::new(format!("`{name}` is {kind}, where a text was expected"), help));
            }
            Some(Value::Text(text)) => text,
        };
        if text.expose().trim_ascii().is_empty() {
            let what = if text.is_empty() { "empty" } else { "nothing but white space" };
            return Err(Error::new(format!("`{name}` is {what}"), NO_KEY));
        }
        if text.len() > MAX_BYTES {
            return Err(Error::new(format!("`{name}` is longer than 64 KiB"), "it cannot be a key"));
        }
        match self.names.encoding {
            None => Ok(Some(text.duplicate())),
            Some(Encoding::Base64) => {
                // `base64` breaks its lines.
                let bytes: Zeroizing<Vec<u8>> =
                    Zeroizing::new(text.expose().iter().copied().filter(|b| !b.is_ascii_whitespace()).collect());
                let decoded = STANDARD.decode(&bytes).map_err(|_| {
                    Error::new(
                        format!("`{name}` is not base64, which `encoding: base64` says"),
                        "take `encoding` out if the store has the key text as it is",
                    )
                })?;
                Ok(Some(KeyText::from(decoded)))
            }
        }
    }

    /// How the store writes a key text.
    fn encoded(&self, key: &KeyText) -> KeyText {
        match self.names.encoding {
            None => key.duplicate(),
            Some(Encoding::Base64) => KeyText::from(STANDARD.encode(key.expose())),
        }
    }
}

impl Source for Stored {
    fn describe(&self) -> String {
        self.place.describe()
    }

    fn fetch(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        let content = self.content()?;
        if let Some(error) = &content.missing {
            return Err(error.clone().with_login(self.place.login()));
        }
        let found = self.rings(&content, rings)?;
        for key in found.iter().flat_map(BTreeMap::values) {
            self.run.learn(key.expose());
        }
        match rings.iter().zip(&found).find(|(_, keys)| keys.is_empty()) {
            Some((ring, _)) => Err(self.without_keys(&content, ring)),
            None => Ok(found),
        }
    }

    fn warnings(&self) -> Vec<Finding> {
        let mut found = self.place.warnings();
        found.extend(self.content().iter().flat_map(|content| content.warnings.iter().cloned()));
        found
    }

    fn store(&self) -> Option<&dyn Store> {
        self.writable().map(|_| self as &dyn Store)
    }
}

impl Stored {
    fn without_keys(&self, content: &Content, ring: &FieldSpec) -> Error {
        let stored = self.names.of(ring);
        let first = stored.field(Slot::Number(0)).or_else(|| stored.field(Slot::Active)).unwrap_or_default();
        let count = match content.members.len() {
            0 => "it is empty".to_owned(),
            1 => "it has one member, of another name".to_owned(),
            count => format!("it has {count} members, of other names"),
        };
        Error::new(
            format!("has no `{first}`: {count}"),
            format!("check the path; where the store has other names, say so: `fields: {{\"{}\": NAME}}`", ring.name),
        )
        .because(Why::Missing)
    }
}

impl Store for Stored {
    fn held(&self, rings: &[&FieldSpec]) -> Result<Vec<Numbered>, Error> {
        self.rings(&*self.content()?, rings)
    }

    fn folder(&self) -> Option<PathBuf> {
        self.writable()?.folder()
    }

    fn places(&self, spec: &FieldSpec) -> Option<usize> {
        lock::fields(spec)
    }

    fn with(&self, additions: &[Addition<'_>]) -> Result<Change, Error> {
        let place = self.writable().ok_or_else(not_writable)?;
        let before = self.content()?;
        let mut members = Members::new();
        for (spec, added) in by_ring(additions) {
            let stored = self.names.of(spec);
            let mut keys = self.ring(&before, &stored)?;
            let old = slots(&stored, &keys)?;
            for addition in added {
                addition.append_to(&mut keys)?;
            }
            for (name, key) in slots(&stored, &keys)? {
                let own = old.iter().find(|(own, _)| *own == name);
                if own.is_some_and(|(_, old)| old.same_as(&key)) {
                    continue;
                }
                let is_anothers = own.is_none() && before.members.contains_key(&name);
                if is_anothers || members.insert(name.clone(), self.encoded(&key)).is_some() {
                    return Err(Error::new(
                        format!("`{name}` is there already, for something else"),
                        "give each field a name of its own in the store: `fields`",
                    ));
                }
            }
        }
        if members.is_empty() {
            return Ok(Change::default());
        }
        for key in members.values() {
            self.run.learn(key.expose());
        }
        let prepared = place.prepare(&self.run, &before, &members);
        Ok(match prepared.map_err(|error| error.with_login(self.place.login()))? {
            Some(Files { files, since }) => Change { files, since, remote: Vec::new() },
            None => {
                let (place, run) = (Arc::clone(&self.place), Arc::clone(&self.run));
                Change { remote: vec![Box::new(Put { place, run, before, members })], ..Change::default() }
            }
        })
    }

    fn forget(&self) {
        self.run.forget(self.place.as_ref());
    }
}

/// Members on their way into a store.
struct Put {
    place: Arc<dyn Place>,
    run: Arc<Run>,
    before: Arc<Content>,
    members: Members,
}

impl Remote for Put {
    fn describe(&self) -> String {
        self.place.describe()
    }

    fn put(&self) -> Result<(), Error> {
        match self.place.writable() {
            Some(place) => {
                let done = place.put(&self.run, &self.before, &self.members);
                done.map_err(|error| error.with_login(self.place.login()))
            }
            None => Err(not_writable()),
        }
    }
}

fn not_writable() -> Error {
    Error::new("cannot be written to from here", "put the key there yourself")
}
