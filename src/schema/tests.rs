use std::path::Path;

use crate::config::testing::{read, refused};
use crate::report::Exit;

use super::*;

/// Asserts the messages for a keyring.yaml with these lines below `profile`, the fourth line.
#[track_caller]
fn refuses(lines: &str, messages: &str) {
    let head = "apiVersion: helm-keyring/v1\nkeyrings:\n  app:\n    profile: mine.yaml\n";
    assert_eq!(refused(read(&format!("{head}{lines}"))), messages.trim_start());
}

#[test]
fn a_misspelt_property_is_told_the_nearest_word() {
    refuses(
        "    enviroments: {}\n",
        "
error[unknown-property]: `enviroments` is no property of a keyring
  --> keyring.yaml:5:5
   = note: a keyring has `annotate`, `emit`, `environments`, `instance`, `keep`, `profile`, `secretStore` and `template`
   = help: did you mean `environments`?
",
    );
}

#[test]
fn a_property_in_the_wrong_place_is_told_the_right_one() {
    refuses(
        "    namespace: obs\n    environments: {production: {}}\n",
        "
error[unknown-property]: `namespace` is no property of a keyring
  --> keyring.yaml:5:5
   = note: a keyring has `annotate`, `emit`, `environments`, `instance`, `keep`, `profile`, `secretStore` and `template`
   = help: it is a property of an environment: move it there
",
    );
}

#[test]
fn what_could_be_a_key_is_not_repeated() {
    refuses(
        "    environments: {production: {k3y8bytes+and/more+key/text/0123456789abc=: 3}}\n",
        "
error[unknown-property]: this is no property of an environment
  --> keyring.yaml:5:33
   = note: an environment has `annotate`, `emit`, `instance`, `keep`, `mode`, `namespace`, `secretStore`, `source`, `template` and `values`
   = help: take it out, or look it up in docs/
",
    );
}

#[test]
fn missing_properties_are_said_at_what_lacks_them() {
    refuses(
        "    environments:\n      production:\n        source:\n          dir: {}\n",
        "
error[missing-property]: the source `dir` needs `path`, and `dir` has none
  --> keyring.yaml:8:11
   = help: add `path`: The folder, relative to keyring.yaml.
",
    );
    assert_eq!(
        refused(read("keyrings: {app: {profile: mine.yaml}}\n")),
        "\
error[missing-property]: keyring.yaml needs `apiVersion`, and this file has none
  --> keyring.yaml:1:1
   = help: add `apiVersion`: The version of this file's format.

error[missing-property]: a keyring needs `environments`, and `app` has none
  --> keyring.yaml:1:12
   = help: add `environments`: The environments by name. Each has its own keys.
"
    );
}

#[test]
fn a_value_of_the_wrong_type() {
    refuses(
        "    annotate: maybe\n    environments: {production: {namespace: 12, values: [a.yaml, null]}, staging: }\n",
        "
error[property-type]: `annotate` must be true or false
  --> keyring.yaml:5:15
   = note: found text
   = help: Whether the pods that read the keys get an annotation that restarts them after a rotation. Default: true.

error[property-type]: `namespace` must be text
  --> keyring.yaml:6:44
   = note: found a number
   = help: put it in quotes

error[property-type]: item 2 of `values` must be text
  --> keyring.yaml:6:65
   = note: found null
   = help: fill it in or take it out. A values file.

error[property-type]: `staging` must be a mapping
  --> keyring.yaml:6:73
   = note: found null
   = help: fill it in or take it out. One place where the application runs, with keys of its own.
",
    );
}

#[test]
fn an_empty_file() {
    assert_eq!(
        refused(read("# nothing yet\n")),
        "\
error[property-type]: this file must be a mapping
  --> keyring.yaml:1:1
   = note: found null
   = help: fill it in or take it out. Which keyrings and environments there are, and where their keys come from. It never holds a key.
"
    );
}

#[test]
fn a_word_that_is_none_of_those_allowed() {
    refuses(
        "    emit: secret\n    environments: {production: {mode: production}}\n",
        "
error[wrong-value]: `emit` must be `Secret`, `ExternalSecret` or `none`
  --> keyring.yaml:5:11
   = note: found another word
   = help: did you mean `Secret`?

error[wrong-value]: `mode` must be `gitops` or `dev`
  --> keyring.yaml:6:39
   = note: found another word
   = help: write `gitops` or `dev`
",
    );
}

#[test]
fn a_text_of_the_wrong_form() {
    refuses(
        "    environments: {production: {namespace: Obs}}\n",
        "
error[wrong-value]: `namespace` must be a namespace: at most 63 small letters, digits and '-', with a letter or a digit at both ends
  --> keyring.yaml:5:44
   = note: found text of another form
   = help: The Kubernetes namespace. The environment is recognised by it.
",
    );
}

#[test]
fn a_name_of_the_wrong_form() {
    refuses(
        "    environments: {\"a b\": {}}\n",
        "
error[wrong-name]: in `environments` this must be a name: at most 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends
  --> keyring.yaml:5:20
   = note: found a name of another form
   = help: rename it
",
    );
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_explained() {
    refuses(
        "    instance: {secret: {web: Web}}\n    environments: {production: {instance: {secret: [web]}}}\n",
        "
error[wrong-value]: `web` must be a Secret's name: small letters, digits, '-' and '.', with a letter or a digit at both ends
  --> keyring.yaml:5:30
   = note: found text of another form
   = help: The name of a Secret.

error[wrong-value]: `secret` must be a Secret's name, or a name for each id of the profile
  --> keyring.yaml:6:52
   = note: found a list
   = help: The Secret's name, where more than one Secret could be meant. Where the profile has several Secrets: their names by id.
",
    );
}

#[test]
fn an_environment_has_one_source() {
    refuses(
        "    environments:\n      production: {source: {dir: {path: keys}, env: {}}}\n      staging: {source: {}}\n",
        "
error[wrong-value]: `source` must have only one of `aws-secrets-manager`, `byField`, `dir`, `env`, `exec`, `kubernetes`, `sealed`, `sops`, `values` or `vault`
  --> keyring.yaml:6:20
   = help: Where the keys come from, such as {sealed: {file: FILE}} or {vault: {path: PATH}}; docs/sources.md has them all. Without it they stand in the chart's values.

error[wrong-value]: `source` must have one of `aws-secrets-manager`, `byField`, `dir`, `env`, `exec`, `kubernetes`, `sealed`, `sops`, `values` or `vault`
  --> keyring.yaml:7:17
   = help: Where the keys come from, such as {sealed: {file: FILE}} or {vault: {path: PATH}}; docs/sources.md has them all. Without it they stand in the chart's values.
",
    );
}

#[test]
fn no_environment_hides_another() {
    refuses(
        "    environments:\n      production: {}\n      production: {mode: dev}\n",
        "
error[duplicate-property]: `production` stands here a second time
  --> keyring.yaml:7:7
   = note: it stands at keyring.yaml:6:7 already; YAML would silently keep only one of the two
   = help: rename one of the two, or take it out
",
    );
}

#[test]
fn no_environment_changes_its_name() {
    refuses(
        "    environments:\n      no: {}\n",
        "
error[misread-name]: `no` is not read as the text that it is
  --> keyring.yaml:6:7
   = note: YAML takes words like no, on and y for booleans, and 0x1 and 1e3 for numbers
   = help: put the name in quotes
",
    );
    let quoted = "apiVersion: helm-keyring/v1\nkeyrings: {app: {profile: a, environments: {\"no\": {}, 1: {}}}}\n";
    assert_eq!(read(quoted).unwrap().keyrings["app"].environments.len(), 2);
}

#[test]
fn nothing_is_merged() {
    refuses(
        "    environments:\n      production: &p {namespace: obs}\n      staging:\n        <<: *p\n",
        "
error[merge-key]: the merge key `<<` is not read here
  --> keyring.yaml:8:9
   = note: which of two equal properties a merge keeps differs from reader to reader
   = help: write the properties out
",
    );
}

#[test]
fn a_second_document_is_not_passed_over() {
    refuses(
        "    environments: {production: {}}\n---\nkeyrings: {}\n",
        "
error[second-document]: this file holds more than one YAML document
  --> keyring.yaml
   = help: keep one, and take out the line `---` between them
",
    );
}

#[test]
fn broken_yaml() {
    refuses(
        "    environments: {]\n",
        "
error[not-yaml]: this is not YAML: mismatched bracket '{' closed by ']'
  --> keyring.yaml:5:19
   = help: mend the line; often the indentation or a quote before it is wrong
",
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = read_text(folder.path()).unwrap_err();
    assert_eq!(refusal.exit(), Exit::Io);
    assert_eq!(
        refusal.to_string().replace(&folder.path().display().to_string(), "FOLDER"),
        "\
error[unreadable-file]: this file cannot be read
  --> FOLDER
   = note: Is a directory (os error 21)
   = help: check the path and the permissions
"
    );
    let latin1 = folder.path().join("latin1");
    std::fs::write(&latin1, b"\xe9").unwrap();
    assert!(read_text(&latin1).unwrap_err().to_string().contains("not text in UTF-8"));
    assert!(read_text(Path::new("/dev/zero")).unwrap_err().to_string().contains("larger than 16 MiB"));
}

#[test]
fn only_what_cannot_be_a_key_is_shown() {
    assert_eq!(shown("encryption-key-{n}").as_deref(), Some("`encryption-key-{n}`"));
    for word in ["", "two words", "k=", "0123456789abcdef0123456789abcdef"] {
        assert_eq!(shown(word), None, "{word}");
    }
}

#[test]
fn places_are_found_by_json_pointers() {
    let document = Document::parse("f", "a:\n  - b: 1\n  - c: 2\n".to_owned()).unwrap();
    assert_eq!(document.find("/a/1/c").unwrap().to_string(), "f:3:5");
    assert_eq!(document.find("/a/1/d"), None);
    assert_eq!(document.place_of("/a/1/d/e").to_string(), "f:3:5");
    assert_eq!(document.place_of("/z").to_string(), "f:1:1");
}

/// Both schemas are valid, say for each property what it is for, and define alike what they both define.
#[test]
fn the_schemas_are_in_order() {
    let schemas = [crate::config::SCHEMA, crate::profile::SCHEMA]
        .map(|schema| serde_json::from_str::<serde_json::Value>(schema).unwrap());
    for schema in &schemas {
        assert!(jsonschema::meta::is_valid(schema));
        undescribed(schema, schema, "");
    }
    let [keyring, profile] = schemas;
    for (name, definition) in keyring["$defs"].as_object().unwrap() {
        assert!(profile["$defs"].get(name).is_none_or(|other| other == definition), "{name}");
    }
}

fn undescribed(schema: &serde_json::Value, node: &serde_json::Value, path: &str) {
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        let referred = || schema.pointer(property["$ref"].as_str()?.strip_prefix('#')?)?.get("description");
        assert!(property.get("description").or_else(referred).is_some(), "{path}/{name} has no description");
    }
    for (name, child) in node.as_object().into_iter().flatten() {
        undescribed(schema, child, &format!("{path}/{name}"));
        child.as_array().into_iter().flatten().for_each(|child| undescribed(schema, child, path));
    }
}
