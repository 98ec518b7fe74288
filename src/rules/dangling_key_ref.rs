//! A reference to a field that its Secret does not hold.

use super::{Look, Manifests, rule};
use crate::held::fields;
use crate::profile::Slot;
use crate::render::{Survey, named_fields};
use crate::report::{Finding, list, nearest};
use crate::schema::shown;

rule!(
    "dangling-key-ref",
    Error,
    "A volume item or secretKeyRef that names a key which its Secret does not hold.",
    Look::Manifests(look)
);

/// A field that is read and not there.
pub fn finding(name: &str, reader: &str, delivered: &[String]) -> Finding {
    let quoted: Vec<String> = delivered.iter().map(|name| format!("`{name}`")).collect();
    // A key may have been pasted where its name belongs.
    let shown = shown(name).unwrap_or_else(|| "a field".to_owned());
    let finding = Finding::refused("dangling-key-ref", format!("{reader} reads {shown}, which is not delivered"))
        .found(format!("the Secret holds nothing but {}", list(&quoted)));
    match nearest(name, delivered.iter().map(String::as_str)) {
        Some(meant) => finding.help(format!("did the chart mean `{meant}`?")),
        None => finding.help("mend the reference in the chart"),
    }
}

fn look(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    manifests.surveys.iter().flat_map(|survey| of_survey(manifests, survey)).collect()
}

fn of_survey(manifests: &Manifests<'_, '_>, survey: &Survey<'_, '_, '_>) -> Vec<Finding> {
    let Some(secret) = &survey.secret else { return Vec::new() };
    let held: Vec<String> =
        fields(&secret.object, |name| survey.spec.slot(name)).iter().map(|field| field.name.to_owned()).collect();
    let mut found = Vec::new();
    for pod in &survey.pods {
        for field in named_fields(pod).into_iter().filter(|field| !held.iter().any(|held| held == field.name)) {
            let is_ours = match survey.spec.slot(field.name) {
                Some((_, Slot::Previous)) => !field.optional,
                Some(_) => true,
                None => survey.spec.only_these_fields,
            };
            if is_ours {
                let at = pod.document.offset + field.offset;
                let place = (manifests.place)(at..at + field.name.len());
                found.push(finding(field.name, &pod.object.title(), &held).at(place));
            }
        }
    }
    found
}
