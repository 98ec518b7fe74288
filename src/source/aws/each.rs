//! One secret a key: all are asked side by side, and numbered ones until no more are there.

use std::sync::OnceLock;
use std::thread;

use super::account::Session;
use super::secret::{Found, Secret, Text, Which};
use crate::source::place::{Content, Value};
use crate::source::{Error, Run};

/// So many numbers of a field are asked at once.
const ROUND: u32 = 4;
/// So many numbers in a row that are not there are the end; one alone is a gap, and what follows it must be seen.
const END: u32 = 2;
const SIDE_BY_SIDE: usize = 8;
/// Where the number stands.
pub const NUMBER: &str = "{n}";

/// A field, and the name of its secrets.
struct Field<'c> {
    field: &'c str,
    id: &'c str,
    /// The next number to ask for; `None`: nothing more.
    next: Option<u32>,
    missing_in_a_row: u32,
}

/// A secret to be asked for.
struct Wanted {
    /// Which field it is of.
    of: usize,
    member: String,
    id: String,
}

impl Field<'_> {
    fn is_numbered(&self) -> bool {
        self.id.contains(NUMBER)
    }

    /// What is to be asked for now.
    fn wanted(&self, of: usize) -> Vec<Wanted> {
        let Some(next) = self.next else { return Vec::new() };
        let count = if self.is_numbered() { ROUND } else { 1 };
        let name = |text: &str, number: u32| text.replace(NUMBER, &number.to_string());
        (next..next.saturating_add(count))
            .map(|number| Wanted { of, member: name(self.field, number), id: name(self.id, number) })
            .collect()
    }

    fn advance(&mut self) {
        let goes_on = self.is_numbered() && self.missing_in_a_row < END;
        self.next = self.next.filter(|_| goes_on).and_then(|next| next.checked_add(ROUND));
    }
}

impl Secret {
    /// Reads one secret a key: members have the names of the profile's fields.
    pub(super) fn read_each(&self, run: &Run, session: &Session) -> Result<Content, Error> {
        let fields = self.config.secrets.iter();
        let mut fields: Vec<Field<'_>> =
            fields.map(|(field, id)| Field { field, id, next: Some(0), missing_in_a_row: 0 }).collect();
        let mut content = Content::default();
        let mut first_missing = None;
        loop {
            let wanted: Vec<Wanted> = fields.iter().enumerate().flat_map(|(of, field)| field.wanted(of)).collect();
            if wanted.is_empty() {
                break;
            }
            let found = side_by_side(&wanted, |one| self.get(run, session, &one.id, Which::Configured));
            for (one, found) in wanted.into_iter().zip(found) {
                let Some(field) = fields.get_mut(one.of) else { continue };
                match found.map_err(|error| named(&one.id, error))? {
                    Found::Here(version) => {
                        let (Text::Text(key) | Text::Binary(key)) = version.value;
                        field.missing_in_a_row = 0;
                        content.members.insert(one.member, Value::Text(key));
                    }
                    // The secret is there, but not the version: that is no end of the numbers.
                    Found::Nothing { is_without_value: true, error } => return Err(named(&one.id, error)),
                    Found::Nothing { error, .. } => {
                        field.missing_in_a_row += 1;
                        first_missing.get_or_insert_with(|| named(&one.id, error));
                    }
                }
            }
            fields.iter_mut().for_each(Field::advance);
        }
        content.missing = first_missing.filter(|_| content.members.is_empty());
        Ok(content)
    }
}

/// Of several secrets, which one failed.
fn named(id: &str, error: Error) -> Error {
    Error { message: format!("{id}: {}", error.message), ..error }
}

/// All at once, a few at a time, in their order.
fn side_by_side<T: Sync, R: Send + Sync>(items: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut done = Vec::with_capacity(items.len());
    for part in items.chunks(SIDE_BY_SIDE) {
        let places: Vec<OnceLock<R>> = part.iter().map(|_| OnceLock::new()).collect();
        thread::scope(|scope| {
            for (item, place) in part.iter().zip(&places) {
                let one = &one;
                scope.spawn(move || place.get_or_init(|| one(item)));
            }
        });
        done.extend(places.into_iter().filter_map(OnceLock::into_inner));
    }
    done
}
