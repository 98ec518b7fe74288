//! What must not slip through `check`, and what it must leave alone: odd files, as repositories hold them.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use common::{KEYS, Run, folder, keyring};

/// A usable key in values; `K` in the texts below.
const VALUES: &str = "secrets:\n  keysEncryption:\n    userEncryptionKey: K\n";

/// Runs `check` in a repository with these files; `K` and `L` stand for two keys.
fn run(files: &[(&str, &str)], args: &str) -> Run {
    let named = |text: &str| text.replace("K\n", &format!("{}\n", KEYS[0])).replace("L\n", &format!("{}\n", KEYS[1]));
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (*name, named(text))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let dir = folder(&[&files[..], &[(".git/HEAD", "")]].concat());
    keyring(dir.path(), &[&["check"][..], &args.split_whitespace().collect::<Vec<_>>()].concat(), &[], "")
}

/// The ids of what is found in one file.
fn ids(name: &str, text: &str) -> Vec<String> {
    let run = run(&[(name, text)], "");
    let heads = run.stdout.lines().filter_map(|line| Some(line.split_once('[')?.1.split_once("]: ")?.0.to_owned()));
    heads.collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

const PLAIN: &str = "key-in-plaintext";

#[test]
fn a_key_is_seen_wherever_it_is_written() {
    let inside = |by| indented(VALUES, by);
    let application = |name: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source:\n    chart: lightrun\n    helm:\n      {name}: |\n{}",
            inside(8)
        )
    };
    let listed =
        format!("apiVersion: v1\nkind: List\nitems:\n  - {}", indented(&application("values"), 4).trim_start());
    let secret = |part: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{part}:\n  values.yaml: |\n{}", inside(4))
    };
    for (what, name, text) in [
        ("another ending", "v.yml", VALUES.to_owned()),
        ("CRLF", "v.yaml", VALUES.replace("K\n", &format!("{}\r\n", KEYS[0]))),
        ("a byte order mark", "v.yaml", format!("\u{feff}{VALUES}")),
        ("a list", "helmfile.yaml", format!("releases:\n  - values:\n      - {}", inside(8).trim_start())),
        ("services at the top", "v.yaml", format!("services: {{api: {{port: 1}}}}\n{VALUES}")),
        ("a resource of somebody else's", "c.yaml", format!("apiVersion: a/v1\nkind: B\nspec:\n{}", inside(2))),
        ("a misspelt name", "v.yaml", VALUES.replace("userEncryptionKey", "userEncryptionkey")),
        ("a misspelt holder", "v.yaml", VALUES.replace("keysEncryption", "keyEncryption")),
        ("an upper mapping twice", "v.yaml", format!("{VALUES}secrets: {{other: 1}}\n")),
        ("an alias twice", "v.yaml", format!("obs:\n{}obs: {{a: 1}}\n", inside(2))),
        ("a list of objects", "l.yaml", listed),
        ("a template that is YAML", "c/templates/a.yaml", application("values")),
        ("a template that is none", "c/templates/a.yaml", format!("{{{{- if .x }}}}\n{VALUES}{{{{- end }}}}\n")),
        ("a templated values file", "values.yaml.gotmpl", format!("a: {{{{ .x }}}}\n{VALUES}")),
        ("values in a Secret", "s.yaml", secret("stringData")),
        ("an odd line beside it", ".env", "my-var=1\nDEVMESH_ENCRYPTION_KEY=K\n".to_owned()),
        ("a file of variables", "prod.env", "export\tENCRYPTION_MASTER_KEY = K\n".to_owned()),
        ("a script", "deploy.sh", "#!/bin/sh\nset -e\nexport ENCRYPTION_MASTER_KEY=K\nrun\n".to_owned()),
        ("a Secret that becomes variables", "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  DEVMESH_ENCRYPTION_KEY: K\n".to_owned()),
        ("a Secret that SOPS left in part", "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  devmesh-encryption-key: K\nsops: {mac: x}\n".to_owned()),
        ("a block of text", "v.yaml", VALUES.replace(": K", ": |\n      K")),
        ("broken YAML", "v.yaml", format!("{VALUES}a: [\n")),
    ] {
        let chart = ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
        let run = run(&[(name, &text), chart], "");
        assert!(run.stdout.contains(&format!("error[{PLAIN}]")), "{what}:\n{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, 1, "{what}");
        assert!(!run.stdout.contains(&KEYS[0][..12]), "{what}:\n{}", run.stdout);
    }
}

#[test]
fn what_is_lost_by_a_second_name_is_told() {
    assert_eq!(ids("v.yaml", &format!("{VALUES}secrets: {{other: 1}}\n")), [PLAIN, "duplicate-field"]);
    let twice = format!("obs:\n{}obs: {{a: 1}}\n", indented(VALUES, 2));
    assert_eq!(ids("v.yaml", &twice), [PLAIN, "duplicate-field"]);
}

#[test]
fn parameters_rotate_too() {
    let application = |parameter: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source:\n    chart: nginx\n    helm:\n      parameters: [{{name: secrets.keysEncryption.rotateKey, {parameter}}}]\n"
        )
    };
    assert_eq!(ids("a.yaml", &application("value: \"true\"")), ["rotate-in-gitops"]);
    assert_eq!(ids("a.yaml", &application("value: \"false\", forceString: true")), ["unsafe-scalar"]);
    assert!(ids("a.yaml", &application("value: \"false\"")).is_empty());
}

#[test]
fn every_alias_of_the_chart_is_judged_and_one_that_is_off_is_not() {
    let chart = "apiVersion: v2\nname: u\nversion: 0.1.0\ndependencies:\n  - {name: lightrun, version: 3.50.0, alias: blue}\n  - {name: lightrun, version: 3.50.0, alias: green, condition: green.enabled}\n";
    let application = |values: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source:\n    path: c\n    helm:\n      valuesObject: {values}\n"
        )
    };
    let count = |values: &str| {
        let run = run(&[("c/Chart.yaml", chart), ("a.yaml", &application(values))], "");
        run.stdout.matches("error[auto-generated-key]").count()
    };
    let empty = "{secrets: {keysEncryption: {userEncryptionKey: \"\"}}}";
    assert_eq!(count(&format!("{{blue: {empty}, green: {empty}}}")), 2);
    assert_eq!(count(&format!("{{blue: {empty}, green: {{enabled: false, secrets: {{}}}}}}")), 1);
}

#[test]
fn what_cannot_be_known_is_not_missing() {
    let chart = [
        ("c/Chart.yaml", "apiVersion: v2\nname: lightrun\nversion: 3.50.0\n"),
        ("c/values.yaml", "secrets:\n  keysEncryption:\n    userEncryptionKey: \"\"\n"),
    ];
    let application = |helm: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source: {{path: c, helm: {{{helm}}}}}\n"
        )
    };
    for (helm, code) in [
        ("valueFiles: [values.yaml]", 1),
        ("valueFiles: [\"secrets://prod.yaml\"]", 0),
        ("valueFiles: [\"envs/*.yaml\"]", 0),
        ("valueFiles: [$elsewhere/prod.yaml]", 0),
        ("fileParameters: [{name: secrets.keysEncryption.userEncryptionKey, path: key}]", 0),
        ("valueFiles: [$elsewhere/prod.yaml], valuesObject: {secrets: {keysEncryption: {userEncryptionKey: \"\"}}}", 1),
    ] {
        let text = application(helm);
        let run = run(&[&chart[..], &[("a.yaml", text.as_str())]].concat(), "");
        assert_eq!(run.code, code, "{helm}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn healthy_files_give_nothing() {
    for (name, text) in [
        ("playbook.yaml", "secrets: {{ vault_secrets }}\n{% if x %}\na: 1\n{% endif %}\n"),
        ("helmfile.yaml", "releases:\n{{- range .Values.secrets }}\n  - name: {{ . }}\n{{- end }}\n"),
        (
            "set.yaml",
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec:\n  generators: [{list: {elements: [{env: a}]}}]\n  template:\n    spec:\n      source:\n        chart: nginx\n        helm:\n          parameters: [{name: a, value: \"{{ .env | upper }}\"}]\n          values: |\n            {{- if eq .env \"a\" }}\n            b: 1\n            {{- end }}\n",
        ),
        (".env", "DEVMESH_ENCRYPTION_KEY=ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops_mac=ENC[x]\n"),
        (
            "compose.yaml",
            "services:\n  a:\n    environment:\n      DEVMESH_ENCRYPTION_KEY: ENC[AES256_GCM,data:x]\nsops: {mac: x, lastmodified: y}\n",
        ),
        (
            "README.md",
            "Say `userEncryptionKey: K`, as in\n\n    userEncryptionKey: iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=\n",
        ),
        (
            "deploy.sh",
            "export DEVMESH_ENCRYPTION_KEY=$(vault read key)\nhelm --set secrets.keysEncryption.userEncryptionKey=$KEY\n",
        ),
    ] {
        assert_eq!(ids(name, text), [""; 0], "{name}");
    }
}

#[test]
fn an_address_in_a_store_is_no_key_of_a_wrong_length() {
    for reference in ["vault:secret/data/app#key", "op://vault/item/field", "\"#{KEY}#\"", "__KEY__"] {
        let text = VALUES.replace(": K\n", &format!(": {reference}\n"));
        assert_eq!(ids("v.yaml", &text), ["unresolved-reference"], "{reference}");
    }
}

#[test]
fn one_file_under_two_names_is_one_file() {
    let run = run(&[("v.yaml", VALUES)], ". v.yaml ./v.yaml -f v.yaml");
    assert_eq!(run.stdout.matches("error[").count(), 1, "{}", run.stdout);
    assert!(run.stdout.ends_with("1 error in 1 file; 1 file checked\n"), "{}", run.stdout);
}

#[test]
fn a_gitignore_above_the_repository_is_another_s() {
    let values = VALUES.replace(": K\n", &format!(": {}\n", KEYS[0]));
    let dir = folder(&[(".gitignore", "*\n"), ("repo/.git/HEAD", ""), ("repo/v.yaml", &values)]);
    let run = keyring(&dir.path().join("repo"), &["check"], &[], "");
    run.reported(1, PLAIN);
}

#[test]
fn settings_are_found_from_anywhere() {
    let config = "apiVersion: helm-keyring/v1\ncheck: {rules: {key-in-plaintext: note}}\nkeyrings: {app: {profile: lightrun, environments: {a: {}}}}\n";
    let values = VALUES.replace(": K\n", &format!(": {}\n", KEYS[0]));
    let dir =
        folder(&[("repo/.git/HEAD", ""), ("repo/keyring.yaml", config), ("repo/sub/v.yaml", &values), ("else/x", "")]);
    for (from, path) in [
        ("repo", "sub"),
        ("repo/sub", "."),
        ("repo/sub", "v.yaml"),
        ("else", "../repo/sub/v.yaml"),
        ("else", "../repo"),
    ] {
        let run = keyring(&dir.path().join(from), &["check", path], &[], "");
        assert_eq!(run.code, 0, "{from}: {path}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("note[key-in-plaintext]"), "{from}: {path}: {}", run.stdout);
    }
}

#[test]
fn a_broken_keyring_yaml_stops_nothing_else() {
    let run = run(&[("keyring.yaml", "apiVersion: helm-keyring/v1\nkeyrings: {\n"), ("v.yaml", VALUES)], "");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stdout.contains("error[not-yaml]") && run.stdout.contains(&format!("error[{PLAIN}]")),
        "{}",
        run.stdout
    );
}

#[test]
fn what_is_asked_for_and_not_there_is_an_error() {
    run(&[], "-f nowhere.yaml").refused(5, "unreadable-file");
    run(&[], "--chart nowhere").refused(5, "unreadable-file");
    run(&[], "-").refused(1, "empty-input");
}

#[test]
fn code_scanning_names_files_from_the_root_of_the_repository() {
    let values = VALUES.replace(": K\n", &format!(": {}\n", KEYS[0]));
    let dir = folder(&[("repo/.git/HEAD", ""), ("repo/sub/v.yaml", &values)]);
    let result = |from: &str, path: &str| {
        let run = keyring(&dir.path().join(from), &["check", path, "--format", "sarif"], &[], "");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let result = report["runs"][0]["results"][0].clone();
        (
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone(),
            result["partialFingerprints"].clone(),
        )
    };
    let first = result("repo", ".");
    assert_eq!(first.0, "sub/v.yaml");
    assert_eq!(result("repo/sub", "v.yaml"), first);
    assert_eq!(result("repo/sub", ".."), first);
    assert_eq!(result("repo", &dir.path().join("repo").display().to_string()), first);
}

#[test]
fn a_name_that_may_be_a_key_is_not_shown() {
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: encryption-keys}}\ndata: {{devmesh-encryption-key: eA==}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {0}}}\nspec:\n  containers:\n    - name: a\n      env: [{{name: A, valueFrom: {{secretKeyRef: {{name: encryption-keys, key: {0}}}}}}}]\n",
        KEYS[2]
    );
    let run = run(&[("p.yaml", &text)], "");
    assert!(run.stdout.contains("error[dangling-key-ref]: Pod/(no valid name) reads a field"), "{}", run.stdout);
    assert!(!run.stdout.contains(&KEYS[2][..12]));
}

#[test]
fn render_says_the_same_of_values_as_check() {
    let stream = include_str!("../testdata/streams/lightrun-small.yaml").replace("@KEY@", KEYS[0]);
    let values = VALUES.replace(": K\n", &format!(": {}\n", KEYS[0]));
    let render = |values: &str| {
        let dir = folder(&[("v.yaml", values)]);
        keyring(dir.path(), &["render", "-f", "v.yaml"], &[], &stream)
    };
    render(&values).done();
    render(&format!("{values}    rotateKey: 0\n")).refused(1, "wrong-type");
    render(&format!("a: 1\nsecrets: {{b: 1}}\n{values}")).refused(1, "duplicate-field");
    let misspelt = render(&format!("{values}    rotatekey: true\n"));
    assert!(misspelt.done().stderr.contains("warning[unknown-field]"), "{}", misspelt.stderr);
}
