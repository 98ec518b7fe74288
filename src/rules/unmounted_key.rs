//! A pod that does not see every key.

use super::{Look, Manifests, rule};
use crate::held::fields;
use crate::profile::Slot;
use crate::render::Survey;
use crate::report::{Finding, list};

rule!(
    "unmounted-key",
    Error,
    "A pod that reads keys of a ring, but not all that its Secret holds.",
    Look::Manifests(look)
);

/// A ring that is delivered and that no pod reads.
pub fn unread(field: &str, secret: &str) -> Finding {
    Finding::warning("unmounted-key", format!("no pod in the stream reads `{field}` of Secret `{secret}`"))
        .help("check the chart's volumes and `secretKeyRef`s")
}

fn look(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    manifests.surveys.iter().flat_map(|survey| of_survey(manifests, survey)).collect()
}

fn of_survey(manifests: &Manifests<'_, '_>, survey: &Survey<'_, '_, '_>) -> Vec<Finding> {
    let Some(secret) = &survey.secret else { return Vec::new() };
    let held: Vec<(&str, usize)> = fields(&secret.object, |name| survey.spec.slot(name))
        .into_iter()
        .filter(|field| matches!(field.slot, Slot::Number(_)) && !field.value.is_blank())
        .map(|field| (field.name, field.ring))
        .collect();
    let mut found = Vec::new();
    for pod in &survey.pods {
        for volume in &pod.volumes {
            let Some(items) = &volume.items else { continue };
            let named: Vec<&str> = items.items().iter().filter_map(|item| item.get("key")?.text()).collect();
            let rings: Vec<usize> = named.iter().filter_map(|name| Some(survey.spec.slot(name)?.0)).collect();
            let missing = held.iter().filter(|(name, ring)| rings.contains(ring) && !named.contains(name));
            let missing: Vec<String> = missing.map(|(name, _)| format!("`{name}`")).collect();
            if !missing.is_empty() {
                let at = pod.document.offset + volume.items_at;
                found.push(
                    Finding::refused(
                        "unmounted-key",
                        format!("{} does not see {}", pod.object.title(), list(&missing)),
                    )
                    .at((manifests.place)(at..at + "items".len()))
                    .found(format!("Secret `{}` holds it, and what it encrypted cannot be read", survey.name))
                    .help("let `helm-keyring render` complete the list, or add the items in the chart"),
                );
            }
        }
    }
    found
}
