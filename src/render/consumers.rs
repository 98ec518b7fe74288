//! Consumers see every key, read the right Secret, and restart when a key is added.

use std::collections::BTreeSet;

use super::decided::Decided;
use super::survey::FoundPod;
use crate::manifest::{Cursor, EditError, New, Patch, SecretVolume};
use crate::profile::{FieldName, FieldSpec, SecretSpec, Slot};

/// The annotation on the pod templates of consumers. Its value changes whenever a key that the pod reads does.
pub const ANNOTATION: &str = "helm-keyring/fingerprint";

/// Makes every list of `items` that names a numbered ring name all of its keys.
///
/// # Errors
/// A list that cannot be edited, or a path that does not tell how the next one is called.
pub fn complete<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    pod: &FoundPod<'t, 'a>,
    rings: &[Decided<'_>],
) -> Result<(), EditError> {
    for list in pod.volumes.iter().filter_map(|volume| volume.items.as_ref()) {
        for ring in rings.iter().filter(|ring| matches!(ring.spec().name, FieldName::Numbered(..))) {
            complete_list(patch, list, ring)?;
        }
    }
    Ok(())
}

fn complete_list<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    list: &Cursor<'t, 'a>,
    ring: &Decided<'_>,
) -> Result<(), EditError> {
    let items = list.items();
    let mut named = BTreeSet::new();
    let mut keep = Vec::new();
    let mut model = None;
    for (i, item) in items.iter().enumerate() {
        let field = item.get("key").and_then(|key| key.text()).filter(|field| ring.spec().slot(field).is_some());
        match field {
            Some(field) if !named.insert(field) => {}
            Some(_) => {
                keep.push(i);
                model = Some(i);
            }
            None => keep.push(i),
        }
    }
    let Some(model) = model else { return Ok(()) };
    let missing: Vec<String> = ring.fields().into_iter().filter(|name| !named.contains(name.as_str())).collect();
    if missing.is_empty() && keep.len() == items.len() {
        return Ok(());
    }
    let copies =
        missing.iter().map(|field| renamed(&items[model], ring.spec(), field)).collect::<Result<Vec<_>, _>>()?;
    patch.complete_items(list, &keep, model, &copies)
}

/// The scalars of an item that name its key, and what they are for another field.
fn renamed<'t, 'a>(
    item: &Cursor<'t, 'a>,
    ring: &FieldSpec,
    field: &str,
) -> Result<Vec<(Cursor<'t, 'a>, String)>, EditError> {
    let layout = || EditError::Layout { what: "an item of the volume".into(), offset: item.node.start };
    let key = item.get("key").ok_or_else(layout)?;
    let old = key.text().ok_or_else(layout)?;
    let path = item.get("path").ok_or_else(layout)?;
    let new_path = path_for(path.text().ok_or_else(layout)?, old, ring, field).ok_or_else(layout)?;
    Ok(vec![(key, field.to_owned()), (path, new_path)])
}

/// `p/encryption-key-0` becomes `p/encryption-key-3`, `0.key` becomes `3.key`: the one place that tells the number.
fn path_for(path: &str, old: &str, ring: &FieldSpec, new: &str) -> Option<String> {
    if path.contains(old) {
        return Some(path.replace(old, new));
    }
    let (Some(Slot::Number(old)), Some(Slot::Number(new))) = (ring.slot(old), ring.slot(new)) else { return None };
    let old = old.to_string();
    let stands_alone = |at: usize| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !digit(path[..at].chars().next_back()) && !digit(path[at + old.len()..].chars().next())
    };
    let places: Vec<usize> = path.match_indices(&old).map(|(at, _)| at).filter(|at| stands_alone(*at)).collect();
    let [at] = places[..] else { return None };
    Some(format!("{}{new}{}", &path[..at], &path[at + old.len()..]))
}

/// Points a pod's volumes and references at another Secret.
///
/// # Errors
/// A volume that shows other fields of the Secret too.
pub fn repoint<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    pod: &FoundPod<'t, 'a>,
    spec: &SecretSpec,
    name: &str,
) -> Result<(), EditError> {
    let scalars = pod.volumes.iter().map(|volume| (&volume.secret, shows_only_keys(volume, spec)));
    let references = pod.references.iter().map(|reference| (&reference.secret, true));
    for (secret, may_move) in scalars.chain(references) {
        if secret.text() == Some(name) {
            continue;
        }
        if !may_move {
            return Err(EditError::Layout {
                what: "a volume with other fields of the Secret beside the keys".into(),
                offset: secret.node.start,
            });
        }
        patch.replace(secret, name)?;
    }
    Ok(())
}

fn shows_only_keys(volume: &SecretVolume<'_, '_>, spec: &SecretSpec) -> bool {
    let names = volume.items.iter().flat_map(|items| items.items());
    names.into_iter().all(|item| item.get("key").and_then(|key| key.text()).is_some_and(|key| spec.slot(key).is_some()))
}

/// A pod that must not start without the keys is not told that they are optional: the Secret that another program makes
/// may come after the pod, and after a rotation it is the old one for a moment.
///
/// # Errors
/// A layout that cannot be edited.
pub fn require<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    pod: &FoundPod<'t, 'a>,
    rings: &[Decided<'_>],
) -> Result<(), EditError> {
    let delivered: Vec<String> = rings.iter().flat_map(Decided::fields).collect();
    let is_there = |field: &Cursor<'t, 'a>| field.text().is_some_and(|name| delivered.iter().any(|d| d == name));
    let all_there = |volume: &SecretVolume<'t, 'a>| {
        let names = volume.items.iter().flat_map(|items| items.items());
        names.into_iter().all(|item| item.get("key").is_some_and(|key| is_there(&key)))
    };
    let volumes = pod.volumes.iter().filter(|volume| volume.optional && all_there(volume)).map(|v| &v.source);
    let references = pod.references.iter().filter(|r| r.optional && is_there(&r.key)).map(|r| &r.source);
    for source in volumes.chain(references) {
        patch.remove_entries(source, &|key| key == "optional")?;
    }
    Ok(())
}

/// The template that is to be annotated. A Job's cannot be changed once it exists, and a Job restarts nothing.
pub fn template<'p, 't, 'a>(pod: &'p FoundPod<'t, 'a>) -> Option<&'p Cursor<'t, 'a>> {
    pod.pod.template.as_ref().filter(|_| pod.object.kind != "Job")
}

/// Sets the annotation that restarts the pods of a template when one of the keys that they read changes.
///
/// # Errors
/// A template that cannot be edited.
pub fn annotate<'t, 'a>(
    patch: &mut Patch<'t, 'a>,
    template: &Cursor<'t, 'a>,
    fingerprint: String,
) -> Result<(), EditError> {
    let entry = |value: String| vec![(ANNOTATION.to_owned(), New::text(value))];
    match (template.get("metadata"), template.at(&["metadata", "annotations", ANNOTATION])) {
        (_, Some(present)) if present.text() == Some(fingerprint.as_str()) => {}
        (_, Some(present)) => patch.replace(&present, &fingerprint)?,
        (Some(metadata), None) if !metadata.node.entries().is_empty() => {
            patch.put(&metadata, "annotations", "", entry(fingerprint))?
        }
        (_, None) => {
            patch.put(template, "metadata", "spec", vec![("annotations".to_owned(), New::Map(entry(fingerprint)))])?
        }
    }
    Ok(())
}

/// Whether a pod reads any field of a ring. A volume without items shows all of them.
pub fn reads(pod: &FoundPod<'_, '_>, spec: &SecretSpec, ring: usize) -> bool {
    let whole = pod.volumes.iter().any(|volume| volume.items.is_none());
    whole || super::survey::named_fields(pod).iter().any(|field| spec.slot(field.name).is_some_and(|(r, _)| r == ring))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Policy;

    #[test]
    fn the_path_of_another_number_follows_its_pattern() {
        let ring = FieldSpec {
            name: "key-{n}".to_owned().into(),
            previous: None,
            variable: None,
            policy: Policy::Any,
            values: None,
            consumers: Vec::new(),
        };
        let path = |path: &str| path_for(path, "key-1", &ring, "key-12");
        assert_eq!(path("key-1").as_deref(), Some("key-12"));
        assert_eq!(path("a/key-1.txt").as_deref(), Some("a/key-12.txt"));
        assert_eq!(path("k1").as_deref(), Some("k12"));
        assert_eq!(path("v2/1").as_deref(), Some("v2/12"));
        for unclear in ["key", "1/1", "k10"] {
            assert_eq!(path(unclear), None, "{unclear}");
        }
    }
}
