//! What speaks against a stream as a whole: no target, half a profile, a Secret that nobody sees to.

use std::collections::BTreeSet;

use super::stream::{Document, Part, Stream};
use super::survey::{self, Survey};
use crate::config::Selection;
use crate::profile::{Profile, SecretSpec};
use crate::report::{Finding, Refusal, list};

/// A second instance of the chart that no keyring sees to would go out with a made-up key.
pub(super) fn refuse_unclaimed(
    stream: &Stream<'_>,
    profile: &Profile,
    documents: &[Document<'_>],
    claimed: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let Some((document, secret)) = survey::unclaimed(documents, profile, claimed).into_iter().next() else {
        return Ok(());
    };
    Err(Finding::refused("unclaimed-secret", format!("no keyring sees to Secret `{}`", secret.name))
        .at(stream.place_in(document, secret.offset()))
        .found(format!("it has fields of profile {}: whatever the chart put there would be applied", profile.name))
        .help("add a keyring with `instance: {secret: NAME}` for it to keyring.yaml")
        .into())
}

/// Half a profile: a Secret that the profile describes is not found, and another one has its field.
pub(super) fn refuse_misnamed(
    stream: &Stream<'_>,
    selection: &Selection,
    documents: &[Document<'_>],
    surveys: &[Survey<'_, '_, '_>],
) -> Result<(), Refusal> {
    let found = |spec: &SecretSpec| surveys.iter().any(|survey| std::ptr::eq(survey.spec, spec));
    for spec in selection.profile.secrets.iter().filter(|spec| !found(spec)) {
        let taken: BTreeSet<&str> = surveys.iter().map(|survey| survey.name.as_str()).collect();
        if let Some(held) = survey::misnamed(documents, spec, &taken).into_iter().next() {
            let title = format!("{} has `{}`, but no Secret of the profile has this name", held.title, held.field);
            let mut finding = Finding::refused("no-target", title).at(stream.place(held.offset));
            if let Some(name) = &spec.name {
                finding = finding.found(format!("the profile looks for a Secret named `{name}`"));
            }
            return Err(finding
                .help("mend the name in the profile, or say `instance: {secret: …}` in keyring.yaml")
                .help("pass `--allow-no-target` if it is another chart's field")
                .into());
        }
    }
    Ok(())
}

pub(super) fn no_target(selections: &[Selection]) -> Finding {
    let mut finding = Finding::refused("no-target", "the stream has no place for any key");
    for selection in selections {
        let fields: Vec<String> = selection.profile.rings().map(|(_, ring)| format!("`{}`", ring.name)).collect();
        finding = finding.found(format!(
            "keyring {}: looked for a Secret with {}, and for pods that read one",
            selection.keyring,
            list(&fields)
        ));
    }
    finding
        .help("check the chart, the profile and `instance`; pass `--allow-no-target` if a render without keys is meant")
}

/// Two keyrings may share a document only where their edits stay apart; whole documents are replaced, so they may not.
pub(super) fn refuse_overlap(parts: &[Part], edits: &[Part]) -> Result<(), Refusal> {
    let overlap =
        edits.iter().any(|(edit, _)| parts.iter().any(|(part, _)| part.start < edit.end && edit.start < part.end));
    if overlap {
        return Err(Finding::refused("two-keyrings", "two keyrings would edit one document")
            .found("its pods have one annotation, over all keys that they read")
            .help("make it one keyring: a profile may describe several Secrets")
            .into());
    }
    Ok(())
}
