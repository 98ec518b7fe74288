//! Two fields under one name in a store: the next rotation of the one would write over the other.

use std::collections::BTreeMap;

use crate::profile::{FieldName, FieldSpec, Profile};
use crate::report::{Finding, Place};
use crate::schema::shown;

use super::{Names, Source};

/// So many numbers are tried where two numbered names may meet (`key-{n}` and `key-1{n}`).
const NUMBERS: u32 = 30;

/// What two fields of a source have in common. `path` is where the source is written.
pub(super) fn findings(
    profile: &Profile,
    source: &Source,
    path: &str,
    place: &dyn Fn(&str) -> Option<Place>,
) -> Vec<Finding> {
    let rings: Vec<&FieldSpec> = profile.rings().map(|(_, ring)| ring).collect();
    let mut findings = Vec::new();
    for (index, ring) in rings.iter().enumerate() {
        let Some((own, names)) = of_ring(source, ring) else { continue };
        let own_name = ring.previous.as_ref().filter(|_| names.len() > 1).and(names.get(1));
        if own_name.is_some_and(|previous| meet(previous, &names[0])) {
            findings.push(finding(&ring.name.to_string(), "the key before it", place(path)));
        }
        for other in rings.iter().skip(index + 1) {
            let Some((others, other_names)) = of_ring(source, other) else { continue };
            let is_one_place = own == others || own.joined(others).is_some();
            let meets = names.iter().any(|name| other_names.iter().any(|other| meet(name, other)));
            if is_one_place && meets {
                findings.push(finding(&ring.name.to_string(), &format!("`{}`", other.name), place(path)));
            }
        }
    }
    findings
}

/// The source of a ring, and the names that it has there: the ring's own, and that of the key before.
fn of_ring<'s>(source: &'s Source, ring: &FieldSpec) -> Option<(&'s Source, Vec<FieldName>)> {
    let part = match source {
        Source::ByField(parts) => parts.get(&ring.name.to_string())?,
        source => source,
    };
    let stored = match part {
        // Here the secrets have the names.
        Source::Aws(aws) if !aws.place.secrets.is_empty() => {
            let named = |name: String| aws.place.secrets.get(&name).cloned().unwrap_or(name);
            renamed(ring, &named)
        }
        Source::Env(variables) => {
            let named = |name: String| variables.get(&name).cloned().unwrap_or(name);
            renamed(ring, &named)
        }
        part => part.names().unwrap_or(&Names { fields: BTreeMap::new(), encoding: None }).of(ring),
    };
    let previous = stored.previous.map(FieldName::Fixed);
    Some((part, std::iter::once(stored.name).chain(previous).collect()))
}

fn renamed(ring: &FieldSpec, name: &dyn Fn(String) -> String) -> FieldSpec {
    FieldSpec { name: name(ring.name.to_string()).into(), previous: ring.previous.clone().map(name), ..ring.clone() }
}

/// Whether both can be the same name.
fn meet(one: &FieldName, other: &FieldName) -> bool {
    holds(one, other) || holds(other, one)
}

fn holds(one: &FieldName, other: &FieldName) -> bool {
    match (one, other) {
        (FieldName::Fixed(one), FieldName::Fixed(other)) => one == other,
        (FieldName::Fixed(_), FieldName::Numbered(..)) => false,
        (FieldName::Numbered(..), FieldName::Fixed(other)) => number_in(one, other),
        (FieldName::Numbered(..), FieldName::Numbered(before, after)) => {
            (0..NUMBERS).any(|number| number_in(one, &format!("{before}{number}{after}")))
        }
    }
}

fn number_in(numbered: &FieldName, name: &str) -> bool {
    let FieldName::Numbered(before, after) = numbered else { return false };
    let digits = name.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
    digits.and_then(|digits| digits.parse().ok()).is_some_and(|number: u32| format!("{before}{number}{after}") == name)
}

fn finding(one: &str, other: &str, place: Option<Place>) -> Finding {
    let one = shown(one).unwrap_or_else(|| "a field".to_owned());
    Finding::usage("field-contradiction", format!("{one} and {other} have the same name in the store"))
        .at(place)
        .found("the next rotation of the one would write over the other")
        .help("give each a name of its own: `fields`")
}
