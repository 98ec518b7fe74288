//! Where profiles come from: the shipped files beside this one, or a user's file.

use std::collections::HashSet;
use std::path::Path;

use crate::report::{Finding, Refusal, list, nearest};
use crate::schema::{Document, shown};

use super::{FieldName, FieldSpec, Profile, Slot};

/// The JSON Schema of a profile.
pub const SCHEMA: &str = include_str!("../../schema/profile.schema.json");

/// A shipped file's name, which is its profile's name, stands here once.
macro_rules! shipped_files {
    ($($name:literal),*) => { &[$(($name, include_str!(concat!($name, ".yaml")))),*] };
}

/// The shipped profiles: a file's name and its text.
const SHIPPED: &[(&str, &str)] = shipped_files!("devmesh", "lightrun");

/// The names of the shipped profiles.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// A shipped profile; `None` if there is none of this name. Not validated at run time: a test does it.
pub fn shipped(name: &str) -> Option<Result<Profile, Refusal>> {
    let (name, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
    Some(Document::parse(format!("{name}.yaml"), (*text).to_owned()).and_then(|document| document.trusted()))
}

/// The profile of this name, or in this file, relative to `base`.
///
/// # Errors
/// A name that is not shipped, a file that cannot be read, or one that is no profile.
pub fn load(reference: &str, base: &Path) -> Result<Profile, Refusal> {
    match shipped(reference) {
        Some(profile) => profile,
        None if is_file(reference, base) => checked(&Document::read(&base.join(reference))?),
        None => Err(unknown(reference).into()),
    }
}

/// Whether a file is meant: what looks like a path, or is there.
fn is_file(reference: &str, base: &Path) -> bool {
    let yaml = [".yaml", ".yml", ".json"].iter().any(|ending| reference.ends_with(ending));
    yaml || reference.contains('/') || base.join(reference).is_file()
}

fn unknown(reference: &str) -> Finding {
    let names: Vec<&str> = shipped_names().collect();
    let title = match shown(reference) {
        Some(name) => format!("there is no shipped profile {name}"),
        None => "there is no shipped profile of this name".into(),
    };
    let finding = Finding::usage("unknown-profile", title).found(format!("shipped are {}", list(&names)));
    match nearest(reference, names) {
        Some(meant) => finding.help(format!("did you mean `{meant}`?")),
        None => finding.help("for a profile of your own give its file, as in profiles/mine.yaml (docs/profiles.md)"),
    }
}

/// A user's profile: validated, and without contradictions that a schema cannot see.
fn checked(document: &Document) -> Result<Profile, Refusal> {
    let profile: Profile = document.checked(SCHEMA)?;
    let rings = rings(&profile);
    let mut findings = ids(&profile, document);
    findings.extend(rings.iter().flat_map(|(pointer, field)| contradictions(field, pointer, document)));
    findings.extend(overlaps(&rings, document));
    if findings.is_empty() { Ok(profile) } else { Err(Refusal(findings)) }
}

/// Every ring with the JSON pointer to it.
fn rings(profile: &Profile) -> Vec<(String, &FieldSpec)> {
    let secrets = profile.secrets.iter().enumerate();
    let fields = secrets.flat_map(|(i, secret)| secret.fields.iter().enumerate().map(move |(j, field)| (i, j, field)));
    fields.map(|(i, j, field)| (format!("/secrets/{i}/fields/{j}"), field)).collect()
}

/// Several Secrets need an `id` each, and no two the same: `instance.secret` names them by it.
fn ids(profile: &Profile, document: &Document) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let several = profile.secrets.len() > 1;
    let mut findings = Vec::new();
    for (i, secret) in profile.secrets.iter().enumerate() {
        let title = match &secret.id {
            None if several => "a profile with several Secrets needs an `id` for each",
            Some(id) if !seen.insert(id) => "this `id` stands in the profile a second time",
            _ => continue,
        };
        findings.push(
            Finding::usage("secret-id", title)
                .at(document.place_of(&format!("/secrets/{i}/id")))
                .help("give each Secret an `id` of its own; keyring.yaml names the Secrets by it"),
        );
    }
    findings
}

/// What a numbered field cannot have, and what it must have.
fn contradictions(field: &FieldSpec, pointer: &str, document: &Document) -> Vec<Finding> {
    let numbered = matches!(field.name, FieldName::Numbered(..));
    let mut findings = Vec::new();
    let mut wrong = |property: &str, title: &str, help: &str| {
        let place = document.place_of(&format!("{pointer}/{property}"));
        findings.push(Finding::usage("field-contradiction", title).at(place).help(help));
    };
    if numbered && field.previous.is_some() {
        wrong(
            "previous",
            "a numbered field has no `previous` one",
            "take `previous` out: the lower numbers are the keys before",
        );
    }
    if field.previous.as_deref().is_some_and(|previous| field.name.to_string() == previous) {
        wrong("previous", "`previous` is the field itself", "name the field that holds the key before the active one");
    }
    match field.variable.as_deref().map(|variable| variable.contains("{n}")) {
        Some(false) if numbered => {
            wrong("variable", "the variable of a numbered field needs `{n}`", "write `{n}` where the number stands");
        }
        Some(true) if !numbered => {
            wrong(
                "variable",
                "the variable of a fixed field has no number",
                "take `{n}` out, here or write it in `name` too",
            );
        }
        _ => {}
    }
    findings
}

/// Sources tell keys apart by the names of their fields, so each name may occur once in a whole profile.
fn overlaps(rings: &[(String, &FieldSpec)], document: &Document) -> Vec<Finding> {
    let later = rings.iter().enumerate();
    later
        .filter_map(|(i, (pointer, field))| {
            let (first, _) = rings[..i].iter().find(|(_, earlier)| overlap(earlier, field))?;
            let first = document.place_of(&format!("{first}/name"));
            let place = document.place_of(&format!("{pointer}/name"));
            let finding = Finding::usage("field-twice", "a field of this name is in the profile already").at(place);
            Some(
                finding
                    .found(format!("the first one stands at {first}"))
                    .help("take one of the two out: keys are told apart by their fields' names"),
            )
        })
        .collect()
}

fn overlap(one: &FieldSpec, other: &FieldSpec) -> bool {
    let claims = |a: &FieldSpec, b: &FieldSpec| {
        [Slot::Number(0), Slot::Active, Slot::Previous]
            .into_iter()
            .filter_map(|slot| a.field(slot))
            .any(|name| b.slot(&name).is_some())
    };
    claims(one, other) || claims(other, one)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::testing::{assert_documents, code_blocks, project_file};
    use crate::key::Policy;
    use crate::report::Exit;

    const LEDGER: &str = include_str!("../../testdata/profiles/ledger.yaml");

    fn read(text: &str) -> Result<Profile, Refusal> {
        checked(&Document::parse("mine.yaml", text.to_owned())?)
    }

    /// Asserts the messages for a profile with these fields in its only Secret, which start in line 6.
    #[track_caller]
    fn refuses(fields: &str, messages: &str) {
        let head = "apiVersion: helm-keyring/v1\nkind: Profile\nname: mine\nsecrets:\n- fields:\n";
        assert_eq!(read(&format!("{head}{fields}")).unwrap_err().to_string(), messages.trim_start());
    }

    #[test]
    fn every_profile_of_this_folder_is_shipped_and_valid() {
        let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/profile")).unwrap();
        let files =
            folder.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "yaml"));
        assert_eq!(files.count(), SHIPPED.len());
        for (name, text) in SHIPPED {
            assert_eq!(read(text).unwrap_or_else(|refusal| panic!("{refusal}")).name, *name);
            assert_eq!(shipped(name).unwrap().unwrap().name, *name);
        }
    }

    #[test]
    fn the_documented_profile_is_the_tested_one() {
        let document = project_file("docs/profiles.md");
        assert_eq!(code_blocks(&document, "yaml"), [LEDGER]);
        assert_documents(&document, SCHEMA);
    }

    #[test]
    fn a_file_is_read_relative_to_its_base() {
        let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"));
        let profile = load("profiles/ledger.yaml", base).unwrap();
        let rings: Vec<String> = profile.rings().map(|(_, field)| field.name.to_string()).collect();
        assert_eq!(rings, ["storage-key", "cookie-secret", "token-key"]);
        assert_eq!(profile.secrets[0].fields[0].policy, Policy::bytes(32));
        assert_eq!(profile.secrets[1].fields[0].policy, Policy::MinCharacters(32));
    }

    #[test]
    fn policies_in_every_form() {
        let policy = |written: &str| {
            let text = LEDGER.replace("{minCharacters: 32}", written);
            read(&text).map(|profile| profile.secrets[1].fields[0].policy)
        };
        let hex = crate::key::SpellingSet { raw: false, base64: false, hex: true };
        assert_eq!(policy("any"), Ok(Policy::Any));
        assert_eq!(policy("{bytes: 16}"), Ok(Policy::bytes(16)));
        assert_eq!(policy("{bytes: 16, spellings: [hex]}"), Ok(Policy::Bytes { len: 16, spellings: hex }));
        for wrong in
            ["{}", "{bytes: 0}", "{bytes: 16, minCharacters: 4}", "{minCharacters: 4, spellings: [hex]}", "none", "32"]
        {
            assert!(policy(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_policy() {
        refuses(
            "  - {name: key, policy: {minCharcters: 32}}\n  - {name: other, policy: {bytes: 16, minCharacters: 4}}\n",
            "
error[unknown-property]: `minCharcters` is no property of a policy
  --> mine.yaml:6:26
   = note: a policy has `bytes`, `minCharacters` and `spellings`
   = help: did you mean `minCharacters`?

error[wrong-value]: `policy` must have only one of `bytes` or `minCharacters`
  --> mine.yaml:7:19
   = help: {bytes: 32}: exactly so many bytes. {minCharacters: 32}: at least so many characters.
",
        );
    }

    #[test]
    fn a_field_has_one_number_at_most() {
        refuses(
            "  - name: key-{n}-{n}\n",
            "
error[wrong-value]: `name` must be a field's name: letters, digits, '-', '_' and '.', and at most one {n} for the number
  --> mine.yaml:6:11
   = note: found text of another form
   = help: The field's name. With {n} it is a numbered ring: {n} stands for 0, 1, 2 and so on.
",
        );
        for wrong in ["{n}", "..", ".", "a/b", "\"\"", "a b"] {
            assert!(read(&LEDGER.replace("name: token-key", &format!("name: {wrong}"))).is_err(), "{wrong}");
        }
        for right in ["\"{n}.key\"", ".key", "a_B-1.{n}", "key{n}"] {
            assert!(read(&LEDGER.replace("name: token-key", &format!("name: {right}"))).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_secret_has_a_name_with_one_star_at_most() {
        for wrong in ["\"*\"", "\"a*b*\"", "a-", "\"A*\"", "\"a..b\"", "\"*-\""] {
            assert!(read(&LEDGER.replace("\"*-ledger-web\"", wrong)).is_err(), "{wrong}");
        }
        for right in ["a", "a.b-c", "\"a-*\"", "\"*-a\"", "\"a-*-b\""] {
            assert!(read(&LEDGER.replace("\"*-ledger-web\"", right)).is_ok(), "{right}");
        }
    }

    #[test]
    fn no_field_stands_twice_in_a_profile() {
        refuses(
            "  - name: key-{n}\n  - {name: key, previous: key-1}\n",
            "
error[field-twice]: a field of this name is in the profile already
  --> mine.yaml:7:6
   = note: the first one stands at mine.yaml:6:5
   = help: take one of the two out: keys are told apart by their fields' names
",
        );
        assert!(read(&LEDGER.replace("token-key", "storage-key")).unwrap_err().to_string().contains("field-twice"));
    }

    #[test]
    fn numbered_and_fixed_fields_do_not_mix() {
        refuses(
            "  - {name: key-{n}, previous: old, variable: KEY}\n  - {name: one, variable: 'ONE_{n}', previous: one}\n"
                .replace("key-{n}", "'key-{n}'")
                .as_str(),
            "
error[field-contradiction]: a numbered field has no `previous` one
  --> mine.yaml:6:23
   = help: take `previous` out: the lower numbers are the keys before

error[field-contradiction]: the variable of a numbered field needs `{n}`
  --> mine.yaml:6:38
   = help: write `{n}` where the number stands

error[field-contradiction]: `previous` is the field itself
  --> mine.yaml:7:38
   = help: name the field that holds the key before the active one

error[field-contradiction]: the variable of a fixed field has no number
  --> mine.yaml:7:17
   = help: take `{n}` out, here or write it in `name` too
",
        );
    }

    #[test]
    fn several_secrets_are_told_apart() {
        assert_eq!(
            read(&LEDGER.replace("- id: web", "- id: db")).unwrap_err().to_string(),
            "\
error[secret-id]: this `id` stands in the profile a second time
  --> mine.yaml:17:5
   = help: give each Secret an `id` of its own; keyring.yaml names the Secrets by it
"
        );
        let without = LEDGER.replace("  - id: web\n    name:", "  - name:");
        assert!(read(&without).unwrap_err().to_string().contains("needs an `id` for each"));
    }

    #[test]
    fn a_profile_that_is_not_shipped() {
        let refusal = load("ligthrun", Path::new("")).unwrap_err();
        assert_eq!(refusal.exit(), Exit::Usage);
        assert_eq!(
            refusal.to_string(),
            "\
error[unknown-profile]: there is no shipped profile `ligthrun`
   = note: shipped are devmesh and lightrun
   = help: did you mean `lightrun`?
"
        );
        assert_eq!(
            load("ledger", Path::new("")).unwrap_err().to_string(),
            "\
error[unknown-profile]: there is no shipped profile `ledger`
   = note: shipped are devmesh and lightrun
   = help: for a profile of your own give its file, as in profiles/mine.yaml (docs/profiles.md)
"
        );
    }

    #[test]
    fn a_profile_that_is_not_there() {
        let refusal = load("profiles/nowhere.yaml", Path::new("base")).unwrap_err();
        assert_eq!(refusal.exit(), Exit::Io);
        assert_eq!(
            refusal.to_string(),
            "\
error[unreadable-file]: this file cannot be read
  --> base/profiles/nowhere.yaml
   = note: No such file or directory (os error 2)
   = help: check the path and the permissions
"
        );
    }
}
