//! A name that nearly is one that the chart reads.

use super::{Look, ValuesSeen, rule};
use crate::report::{Finding, distance};
use crate::schema::shown;
use crate::yaml::Value;

rule!("unknown-field", Warning, "A misspelt name near one that the chart reads its key from.", Look::Values(look));

/// Shorter names are too often near to others by chance.
const NAME_LEN_MIN: usize = 6;
/// So many letters may differ.
const DISTANCE_MAX: usize = 2;

fn look(values: &ValuesSeen<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in values.profile.values_paths() {
        let steps: Vec<&str> = path.split('.').collect();
        near(values, values.value, &steps, path, &mut found);
    }
    found
}

/// Follows the path, through names that are exact or nearly so; a way that is not exact ends at its leaf.
fn near(values: &ValuesSeen<'_, '_>, at: &Value, steps: &[&str], path: &str, found: &mut Vec<Finding>) {
    let Some((step, rest)) = steps.split_first() else { return };
    for (name, entry) in at.map().into_iter().flatten() {
        if name == step {
            near(values, &entry.value, rest, path, found);
        } else if is_near(name, step) && leads_on(&entry.value, rest) {
            let written = shown(name).unwrap_or_else(|| "this name".to_owned());
            found.push(
                Finding::warning("unknown-field", format!("{written} is not a name that the chart reads"))
                    .at((values.place)(entry.key.start..entry.key.end))
                    .found(format!("the chart looks for its key at {path}; what stands elsewhere has no effect"))
                    .help(format!("did you mean `{step}`?")),
            );
        }
    }
}

/// The texts at ways that are nearly the path, and not the path.
pub fn near_values<'v>(at: &'v Value, steps: &[&str]) -> Vec<&'v Value> {
    let mut found = Vec::new();
    collect(at, steps, false, &mut found);
    found
}

fn collect<'v>(at: &'v Value, steps: &[&str], is_near_already: bool, found: &mut Vec<&'v Value>) {
    let Some((step, rest)) = steps.split_first() else {
        found.extend(is_near_already.then_some(at).filter(|value| value.text().is_some()));
        return;
    };
    for (name, entry) in at.map().into_iter().flatten() {
        if name == step || is_near(name, step) {
            collect(&entry.value, rest, is_near_already || name != step, found);
        }
    }
}

/// Whether a name could be a misspelt `known`: another case, or a letter or two, but not the first.
pub fn is_near(name: &str, known: &str) -> bool {
    let first = |word: &str| word.as_bytes().first().map(u8::to_ascii_lowercase);
    name != known
        && first(name) == first(known)
        && (name.eq_ignore_ascii_case(known)
            || (known.len() >= NAME_LEN_MIN
                && name.len().abs_diff(known.len()) <= DISTANCE_MAX
                && distance(&name.to_lowercase(), &known.to_lowercase()) <= DISTANCE_MAX))
}

/// Whether the rest of the path is there, exact or nearly so.
fn leads_on(value: &Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let mut entries = value.map().into_iter().flatten();
    entries.any(|(name, entry)| (name == step || is_near(name, step)) && leads_on(&entry.value, rest))
}
