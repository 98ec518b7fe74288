//! Whether what the configuration says about Secrets and fields fits the profile.

use std::collections::BTreeMap;

use crate::profile::{FieldSpec, Profile, Slot};
use crate::report::{Finding, Place, list, nearest};
use crate::schema::shown;

use super::{SecretNames, Selection, Source, clash};

/// What does not fit. `place` knows where the property at a path below the environment or keyring is written.
pub(super) fn findings<P: Into<Option<Place>>>(selection: &Selection, place: impl Fn(&str) -> P) -> Vec<Finding> {
    let profile = &selection.profile;
    let place = |path: &str| place(path).into();
    let mut findings = Vec::new();
    match &selection.instance.secret {
        Some(SecretNames::One(_)) if profile.secrets.len() > 1 => {
            findings.push(one_name(profile, place("instance/secret")))
        }
        Some(SecretNames::ById(names)) => findings.extend(ids(profile, names, &place)),
        _ => {}
    }
    if let Some(source) = &selection.source {
        let found = of_source(profile, source, "source", &place);
        // What is misnamed is told first.
        findings.extend(if found.is_empty() { clash::findings(profile, source, "source", &place) } else { found });
    }
    findings
}

/// What a source says about fields; `path` is where it is written, below the environment.
fn of_source(profile: &Profile, source: &Source, path: &str, place: &dyn Fn(&str) -> Option<Place>) -> Vec<Finding> {
    let kind = source.name();
    match source {
        Source::Env(variables) => fields(profile, variables, "a variable", &format!("{path}/{kind}"), place),
        Source::ByField(parts) => by_field(profile, parts, &format!("{path}/{kind}"), place),
        Source::Aws(stored) if !stored.place.secrets.is_empty() && !stored.names.fields.is_empty() => {
            vec![
                Finding::usage("field-contradiction", "`secrets` and `fields` both name the keys of a field")
                    .at(place(&format!("{path}/{kind}/fields")))
                    .help("with one secret a key there are no other names: take `fields` out"),
            ]
        }
        Source::Aws(stored) if !stored.place.secrets.is_empty() => {
            fields(profile, &stored.place.secrets, "a secret", &format!("{path}/{kind}/secrets"), place)
        }
        source => source.names().map_or_else(Vec::new, |names| {
            fields(profile, &names.fields, "a name in the store", &format!("{path}/{kind}/fields"), place)
        }),
    }
}

/// Each ring has exactly one source.
fn by_field(
    profile: &Profile,
    parts: &BTreeMap<String, Source>,
    path: &str,
    place: &dyn Fn(&str) -> Option<Place>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (field, source) in parts {
        let own = format!("{path}/{field}");
        match profile.rings().any(|(_, ring)| ring.name.to_string() == *field) {
            true => findings.extend(of_source(profile, source, &own, place)),
            false => findings.push(unknown_field(profile, field, place(&own))),
        }
    }
    let missing: Vec<String> = profile.rings().map(|(_, ring)| ring.name.to_string()).collect();
    let missing: Vec<String> =
        missing.into_iter().filter(|name| !parts.contains_key(name)).map(|name| format!("`{name}`")).collect();
    if findings.is_empty() && !missing.is_empty() {
        findings.push(
            Finding::usage("field-without-source", format!("`byField` names no source for {}", list(&missing)))
                .at(place(path))
                .help("name one for each field of the profile"),
        );
    }
    findings
}

fn one_name(profile: &Profile, place: Option<Place>) -> Finding {
    Finding::usage("secret-id", "`secret` has one name, but the profile has several Secrets")
        .at(place)
        .found(format!("the Secrets of the profile are {}", list(&known_ids(profile))))
        .help("write a name for each: `secret: {ID: NAME}`")
}

fn known_ids(profile: &Profile) -> Vec<&str> {
    profile.secrets.iter().filter_map(|secret| secret.id.as_deref()).collect()
}

fn ids(profile: &Profile, names: &BTreeMap<String, String>, place: &dyn Fn(&str) -> Option<Place>) -> Vec<Finding> {
    let known = known_ids(profile);
    let unknown = names.keys().filter(|id| !known.contains(&id.as_str()));
    unknown
        .map(|id| {
            let finding = Finding::usage("secret-id", format!("the profile has no Secret {}", name(id)))
                .at(place(&format!("instance/secret/{id}")))
                .found(match known.is_empty() {
                    true => "the Secret of the profile has no `id`".into(),
                    false => format!("the Secrets of the profile are {}", list(&known)),
                });
            match (nearest(id, known.iter().copied()), known.is_empty()) {
                (Some(meant), _) => finding.help(format!("did you mean `{meant}`?")),
                (None, true) => finding.help("write the name alone: `secret: NAME`"),
                (None, false) => finding.help("use an `id` of the profile"),
            }
        })
        .collect()
}

/// A field is named by its pattern (`encryption-key-{n}`) or, one of them alone, in full (`encryption-key-0`).
fn fields(
    profile: &Profile,
    names: &BTreeMap<String, String>,
    what: &str,
    path: &str,
    place: &dyn Fn(&str) -> Option<Place>,
) -> Vec<Finding> {
    // Variables alone can be named number by number.
    let is_field = |name: &str| {
        let is_slot = |ring: &FieldSpec| match ring.slot(name) {
            Some(Slot::Number(_)) => path.ends_with("/env"),
            slot => slot.is_some(),
        };
        profile.rings().any(|(_, ring)| ring.name.to_string() == name || is_slot(ring))
    };
    let mut findings = Vec::new();
    for (field, name) in names {
        let place = place(&format!("{path}/{field}"));
        if !is_field(field) {
            findings.push(unknown_field(profile, field, place));
        } else if field.contains("{n}") != name.contains("{n}") || name.matches("{n}").count() > 1 {
            findings.push(number_in_one(field.contains("{n}"), what, place));
        }
    }
    findings
}

fn unknown_field(profile: &Profile, field: &str, place: Option<Place>) -> Finding {
    let of_ring = |(_, ring): (usize, &FieldSpec)| [Some(ring.name.to_string()), ring.previous.clone()];
    let known: Vec<String> = profile.rings().flat_map(of_ring).flatten().collect();
    let finding = Finding::usage("no-such-field", format!("the profile has no field {}", name(field)))
        .at(place)
        .found(format!("its fields are {}", list(&known)));
    match nearest(field, known.iter().map(String::as_str)) {
        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
        None => finding.help("use a field of the profile"),
    }
}

fn number_in_one(in_field: bool, what: &str, place: Option<Place>) -> Finding {
    let help = match in_field {
        true => "write `{n}` where the number stands".to_owned(),
        false => format!("take `{{n}}` out of {}", what.replacen("a ", "the ", 1)),
    };
    Finding::usage("field-contradiction", format!("{what} has a `{{n}}` where its field has one, and only there"))
        .at(place)
        .help(help)
}

fn name(name: &str) -> String {
    shown(name).unwrap_or_else(|| "of this name".into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::testing::refused;
    use crate::config::{Config, Overrides};

    /// A file beside the example profile, with these lines from line 5 on.
    fn select(lines: &str) -> String {
        let text = format!("apiVersion: helm-keyring/v1\nkeyrings:\n  ledger:\n    profile: ledger.yaml\n{lines}");
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/profiles/keyring.yaml"));
        let folder = format!("{}/", path.parent().unwrap().display());
        refused(Config::parse(path, text).unwrap().select(&Overrides::default())).replace(&folder, "")
    }

    #[test]
    fn secrets_are_named_by_the_ids_of_the_profile() {
        assert_eq!(
            select("    instance: {secret: {wbe: front}}\n    environments: {production: {instance: {values: a}}}\n"),
            "\
error[secret-id]: the profile has no Secret `wbe`
  --> keyring.yaml:5:25
   = note: the Secrets of the profile are db and web
   = help: use an `id` of the profile
"
        );
        assert_eq!(
            select("    environments: {production: {instance: {secret: front}}}\n"),
            "\
error[secret-id]: `secret` has one name, but the profile has several Secrets
  --> keyring.yaml:5:44
   = note: the Secrets of the profile are db and web
   = help: write a name for each: `secret: {ID: NAME}`
"
        );
    }

    #[test]
    fn variables_are_for_fields_of_the_profile() {
        assert_eq!(
            select(
                "    environments:\n      production:\n        source:\n          env:\n            tokenkey: A\n            storage-key-previous: B\n            cookie-secret: C_{n}\n"
            ),
            "\
error[field-contradiction]: a variable has a `{n}` where its field has one, and only there
  --> keyring.yaml:11:13
   = help: take `{n}` out of the variable

error[no-such-field]: the profile has no field `tokenkey`
  --> keyring.yaml:9:13
   = note: its fields are storage-key, storage-key-previous, cookie-secret and token-key
   = help: did you mean `token-key`?
"
        );
    }
}
