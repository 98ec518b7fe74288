use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::Overrides;
use crate::report::human;

fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/charts")
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn config(plan: &Plan) -> Config {
    Config::parse(Path::new(FILE), plan.text.clone()).unwrap()
}

#[test]
fn a_chart_under_an_alias_with_everything_written_out() {
    let plan = plan(&charts().join("umbrella"), &charts(), None).unwrap();
    assert_eq!(plan.text, include_str!("../../testdata/config/init-umbrella.yaml"));
    assert_eq!(
        human(&plan.notes),
        "\
note[environment-assumed]: the environment `production` is a guess
   = note: there is no values-<environment>.yaml in the chart, beside it or here
   = help: rename it in keyring.yaml, and add the others
"
    );
}

#[test]
fn every_written_file_can_be_used() {
    for chart in ["lightrun", "devmesh", "umbrella"] {
        let plan = plan(&charts().join(chart), &charts(), None).unwrap();
        let selections = config(&plan).select(&Overrides::default()).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(selections.len(), 1, "{chart}");
    }
}

#[test]
fn environments_are_the_values_files_of_the_chart_beside_it_and_here() {
    let chart = "name: renamed\n";
    let values = "secrets: {keysEncryption: {userEncryptionKey: null}}\n";
    let folder = folder(&[
        ("deploy/values.yaml", ""),
        ("deploy/values-production.yaml", ""),
        ("deploy/values-no.yaml", ""),
        ("deploy/values-a b.yaml", ""),
        ("deploy/app/Chart.yaml", chart),
        ("deploy/app/values.yaml", values),
        ("deploy/app/values-production.yaml", ""),
        ("values-production.yaml", ""),
    ]);
    let plan = plan(&folder.path().join("deploy/app"), folder.path(), None).unwrap();
    let keyring = &config(&plan).keyrings["renamed"];
    assert_eq!(keyring.profile, "lightrun");
    assert_eq!(keyring.settings.instance.values, None);
    let files = |environment: &str| keyring.environments[environment].values.join(" ");
    assert_eq!(keyring.environments.len(), 2);
    assert_eq!(files("no"), "deploy/values.yaml deploy/values-no.yaml");
    assert_eq!(
        files("production"),
        "deploy/values.yaml values-production.yaml deploy/values-production.yaml deploy/app/values-production.yaml"
    );
    assert!(human(&plan.notes).starts_with(
        "note[environment-name]: this values file does not name an environment\n  --> deploy/values-a b.yaml\n"
    ));
}

#[test]
fn dependencies_of_dependencies_have_dotted_names() {
    let folder = folder(&[
        ("Chart.yaml", "name: whole\ndependencies: [{name: part, alias: first}, {name: part, alias: second}]\n"),
        ("charts/part/Chart.yaml", "name: part\ndependencies: [{name: lightrun}]\n"),
    ]);
    let plan = plan(folder.path(), folder.path(), None).unwrap();
    let config = config(&plan);
    let values: Vec<(&str, Option<&str>)> = config
        .keyrings
        .iter()
        .map(|(name, keyring)| (name.as_str(), keyring.settings.instance.values.as_deref()))
        .collect();
    assert_eq!(values, [("lightrun", Some("first.lightrun")), ("lightrun-2", Some("second.lightrun"))]);
}

#[test]
fn a_chart_that_depends_on_itself_ends() {
    let folder = folder(&[(
        "Chart.yaml",
        "name: loop\ndependencies: [{name: loop, repository: \"file://.\"}, {name: loop, alias: l, repository: \"file://.\"}]\n",
    )]);
    assert!(plan(folder.path(), folder.path(), None).is_err());
}

#[test]
fn no_profile_fits() {
    let chart = charts().join("ledger");
    assert_eq!(
        plan(&chart, &charts(), None).unwrap_err().to_string(),
        "\
error[no-profile-fits]: no shipped profile fits this chart
   = note: looked at ledger; the shipped profiles are devmesh and lightrun
   = help: write a profile (docs/profiles.md shows how), then: helm-keyring init --profile FILE
"
    );
    let own = plan(&chart, &charts(), Some("../profiles/ledger.yaml")).unwrap();
    assert_eq!(config(&own).keyrings["ledger"].profile, "../profiles/ledger.yaml");
}

#[test]
fn the_only_chart_below_is_found() {
    let root = folder(&[("a/b/app/Chart.yaml", ""), ("a/b/app/charts/sub/Chart.yaml", ""), (".hidden/Chart.yaml", "")]);
    assert_eq!(chart_below(root.path()).unwrap(), root.path().join("a/b/app"));
    fs::create_dir(root.path().join("c")).unwrap();
    fs::write(root.path().join("c/Chart.yaml"), "").unwrap();
    assert_eq!(
        chart_below(root.path()).unwrap_err().to_string(),
        "\
error[several-charts]: there are several charts here
   = note: the charts are a/b/app and c
   = help: name one: helm-keyring init FOLDER
"
    );
    assert_eq!(
        chart_below(&root.path().join(".hidden/none")).unwrap_err().to_string(),
        "\
error[no-chart]: there is no chart here
   = note: no folder at or below the working directory holds a Chart.yaml
   = help: name the chart's folder: helm-keyring init FOLDER
"
    );
}

#[test]
fn a_folder_without_a_chart() {
    let message = plan(&charts(), &charts(), None).unwrap_err().to_string();
    assert!(message.starts_with("error[no-chart]: there is no chart in this folder\n"), "{message}");
}
