//! Looking at a stream without changing it: whose it is, which pods read keys, which hooks hold one.

use std::collections::BTreeSet;

use super::stream::Stream;
use super::survey::{self, Survey};
use crate::config::{Instance, Selection};
use crate::held;
use crate::manifest::Cursor;
use crate::profile::{Profile, SecretSpec};
use crate::report::{Finding, Refusal};

/// Shipped profiles that have a place in the stream, for a run without a configuration file.
pub fn matching(bytes: &[u8], profiles: Vec<Profile>) -> Result<Vec<Profile>, Refusal> {
    let stream = Stream::new(bytes);
    let mut found = Vec::new();
    for profile in profiles {
        let instance = Instance::default();
        let documents = survey::read(&stream, &profile, &instance)?;
        if !survey::survey(&stream, &documents, &profile, &instance)?.is_empty() {
            found.push(profile);
        }
    }
    Ok(found)
}

/// Gives `look` what a stream holds of each profile. A stream that is not one render of it (two instances, a document
/// that cannot be read) tells nothing certain, and is left out.
pub fn surveyed(bytes: &[u8], profiles: &[Profile], instance: &Instance, look: &mut dyn FnMut(&[Survey<'_, '_, '_>])) {
    let stream = Stream::new(bytes);
    for profile in profiles {
        let Ok(documents) = survey::read(&stream, profile, instance) else { continue };
        if let Ok(surveys) = survey::survey(&stream, &documents, profile, instance) {
            look(&surveys);
        }
    }
}

/// The pods of a stream that read keys of a keyring, each with every field that it reads. A pod that mounts the whole
/// Secret reads every field that the Secret has in the stream.
///
/// # Errors
/// A stream that cannot be read as that keyring's.
pub fn mounts(bytes: &[u8], selection: &Selection) -> Result<Vec<(String, String)>, Refusal> {
    let stream = Stream::new(bytes);
    let documents = survey::read(&stream, &selection.profile, &selection.instance)?;
    let surveys = survey::survey(&stream, &documents, &selection.profile, &selection.instance)?;
    let mut found = Vec::new();
    for survey in &surveys {
        let slot = |name: &str| survey.spec.slot(name);
        let held: Vec<&str> = survey
            .secret
            .iter()
            .flat_map(|secret| held::fields(&secret.object, slot))
            .map(|field| field.name)
            .collect();
        for pod in survey.consumers() {
            let named = survey::named_fields(pod).into_iter().map(|field| field.name);
            let whole = pod.volumes.iter().any(|volume| volume.items.is_none());
            let all = held.iter().copied().filter(|_| whole);
            found.extend(named.chain(all).map(|field| (pod.object.title(), field.to_owned())));
        }
    }
    Ok(found)
}

/// Secrets of Helm hooks that hold keys of a keyring: Helm 3 applies them as the chart rendered them.
///
/// # Errors
/// Where they stand.
pub fn refuse_hooks(bytes: &[u8], selection: &Selection) -> Result<(), Refusal> {
    let stream = Stream::new(bytes);
    let mut refused = Vec::new();
    for piece in stream.holding(&BTreeSet::from(["helm.sh/hook"])) {
        // What cannot be parsed was no hook for Helm either.
        let Ok(document) = stream.parse(piece) else { continue };
        for object in document.objects().iter().filter(|object| object.is_secret()) {
            // Helm asks the document, which may be a list of its own.
            let roots = [Some(object.root.clone()), Cursor::root(&document.tree)];
            let is_hook =
                roots.iter().flatten().any(|root| root.at(&["metadata", "annotations", "helm.sh/hook"]).is_some());
            let spec_holds = |spec| !held::fields(object, |name| SecretSpec::slot(spec, name)).is_empty();
            if is_hook && selection.profile.secrets.iter().any(spec_holds) {
                refused.push(
                    Finding::refused("key-in-hook", format!("{} is a hook, and holds keys", object.title()))
                        .at(stream.place_in(&document, object.offset()))
                        .found("Helm 3 hands no hook to a post-renderer: the key that the chart made up would be applied")
                        .help("use the pipe (`helm template … | helm-keyring render`), Helm 4, or take the hook annotation out of the chart's Secret"),
                );
            }
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Refusal(refused)) }
}
