//! A key in `stringData`.

use super::{Look, Manifests, rule};
use crate::held::fields;
use crate::manifest::Cursor;
use crate::profile::SecretSpec;
use crate::report::Finding;

rule!(
    "key-in-string-data",
    Warning,
    "A key in a Secret's stringData, which wins over data and of which server-side apply keeps no record.",
    Look::Manifests(look)
);

/// What SOPS decrypts comes out as `data` of a Secret that somebody else makes.
fn is_encrypted(value: &Cursor<'_, '_>) -> bool {
    value.text().is_some_and(|text| text.starts_with("ENC["))
}

fn look(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let specs = manifests.profiles.iter().flat_map(|profile| &profile.secrets);
    for spec in specs {
        for (secret, offset) in manifests.objects.iter().filter(|(object, _)| object.kind == "Secret") {
            let held = fields(secret, |name| SecretSpec::slot(spec, name));
            for field in
                held.iter().filter(|field| !field.encoded && !field.value.is_blank() && !is_encrypted(&field.value))
            {
                let span = &field.value.node.span;
                found.push(
                    Finding::warning("key-in-string-data", format!("`{}` of {} stands in stringData", field.name, secret.title()))
                        .at((manifests.place)(offset + span.start..offset + span.end))
                        .found("it wins over `data`, nobody sees it in the cluster any more, and a key of digits is printed unredacted")
                        .help("`helm-keyring render` moves it to `data`"),
                );
            }
        }
    }
    found
}
