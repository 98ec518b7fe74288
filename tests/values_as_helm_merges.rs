//! Values against the real Helm, 3.19 and 4.3: what both print as `.Values` is what [`helm_keyring::values`] reads.
//!
//! Where the two differ we follow Helm 4. The differences are written where they show: `helm3` in
//! `testdata/values/cases.yaml`, and the constants of this file.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use helm_keyring::values::{Known, Request, Set, SetKind, read};
use serde_json::{Map, Value as Json};

const TEMPLATE: &str = "kind: ConfigMap\ndata: {values: {{ .Values | toJson | quote }} }\n";

#[test]
fn cases_merge_as_both_helms_merge_them() {
    let table: Table = serde_yaml::from_str(include_str!("../testdata/values/cases.yaml")).expect("cases");
    assert!(table.cases.len() >= 40);
    let failures = in_parallel(&table.cases, |case| {
        let dir = tempfile::tempdir().expect("a folder");
        let chart = dir.path().join("root");
        write_chart(&table.charts[&case.chart], &chart);
        check(case, dir.path(), &chart)
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_charts_of_this_project_merge_as_both_helms_merge_them() {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/charts");
    let mut inputs = Vec::new();
    for chart in files_in(&charts) {
        inputs.extend(files_in(&chart.join("ci")).into_iter().map(|values| (chart.clone(), values)));
    }
    assert!(inputs.len() >= 10, "only {} values files under {}", inputs.len(), charts.display());
    let failures = in_parallel(&inputs, |(chart, values)| {
        let dir = tempfile::tempdir().expect("a folder");
        let copy = dir.path().join("root");
        copy_chart(chart, &copy);
        let arguments = vec!["-f".to_owned(), values.display().to_string()];
        let request = Request { chart: Some(copy.clone()), files: vec![arguments[1].clone()], ..Request::default() };
        let ours = ours(&request);
        let wrong = |helm: &&&str| without_nulls(&printed(helm, &copy, &arguments)) != without_nulls(&ours);
        HELMS.iter().filter(wrong).map(|helm| format!("{}: {helm} disagrees", values.display())).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A row of `testdata/helm-yaml.jsonl`: an input, and the JSON that Helm's parser makes of it.
#[derive(serde::Deserialize)]
struct Row {
    yaml: String,
    json: Option<String>,
}

/// Helm 4 cuts a values file at `---` before it parses: a directive is then a document of its own, and broken.
const REFUSED_BY_HELM_4: &[&str] = &["%YAML 1.1\n---\na: yes"];
/// Two keys that become one: Helm takes either, at random from run to run. We take the later one.
const RANDOM: &[&str] = &["1: a\n\"1\": b"];

#[test]
fn rows_of_the_yaml_table_are_read_by_both_helms_as_it_says() {
    let rows: Vec<Row> = include_str!("../testdata/helm-yaml.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .filter(|row: &Row| !RANDOM.contains(&row.yaml.as_str()))
        .collect();
    let no_mapping = AtomicUsize::new(0);
    let failures = in_parallel(&rows, |row| {
        let dir = tempfile::tempdir().expect("a folder");
        let chart = dir.path().join("root");
        write_chart(&BTreeMap::new(), &chart);
        let file = dir.path().join("row.yaml");
        fs::write(&file, &row.yaml).expect("written");
        // An empty file is no values. A list or a text is YAML, but no values file: all refuse it.
        let want = match row.json.as_deref().map(|json| serde_json::from_str(json).expect("JSON")) {
            None => Outcome::Refused,
            Some(Json::Null) => Outcome::Values(Json::Object(Map::new())),
            Some(Json::Object(map)) => Outcome::Values(canonical(&Json::Object(map))),
            Some(_) => {
                no_mapping.fetch_add(1, Ordering::Relaxed);
                Outcome::Refused
            }
        };
        let arguments = vec!["-f".to_owned(), file.display().to_string()];
        let request = Request { chart: Some(chart.clone()), files: vec![arguments[1].clone()], ..Request::default() };
        let late = REFUSED_BY_HELM_4.contains(&row.yaml.as_str());
        let newer = if late { Outcome::Refused } else { want.clone() };
        let outcomes = [
            ("ours", ours(&request), &newer),
            (HELM_4, printed(HELM_4, &chart, &arguments), &newer),
            (HELM_3, printed(HELM_3, &chart, &arguments), &want),
        ];
        let wrong = outcomes.iter().filter(|(_, got, want)| got.root() != want.root());
        wrong.map(|(who, got, want)| format!("{:?}: {who} {got}, the table {want}", row.yaml)).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(no_mapping.into_inner(), 2, "rows whose root is a list or a text");
}

/// What `testdata/values/cases.yaml` holds.
#[derive(serde::Deserialize)]
struct Table {
    charts: BTreeMap<String, BTreeMap<String, String>>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    chart: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    flags: Vec<(String, String)>,
    /// All values of the root chart.
    want: Option<Json>,
    /// Some of them, by path; null for what must not be there.
    #[serde(default)]
    parts: BTreeMap<String, Json>,
    /// Why Helm 3 differs.
    helm3: Option<String>,
    refused: Option<Refused>,
}

#[derive(Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Refused {
    All,
    Newer,
    Ours,
}

/// What came of one run: the values that the root chart and each dependency saw, by path.
#[derive(Clone, PartialEq)]
enum Outcome {
    Refused,
    Values(Json),
    Charts(BTreeMap<String, Json>),
}

impl Outcome {
    fn root(&self) -> Option<&Json> {
        match self {
            Self::Refused => None,
            Self::Values(values) => Some(values),
            Self::Charts(charts) => charts.get(""),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.root() {
            Some(values) => write!(f, "reads {values}"),
            None => f.write_str("refuses"),
        }
    }
}

fn check(case: &Case, dir: &Path, chart: &Path) -> Vec<String> {
    let (request, arguments) = command_line(case, dir, chart);
    let ours = ours(&request);
    let (helm3, helm4) = (printed(HELM_3, chart, &arguments), printed(HELM_4, chart, &arguments));
    let mut wrong = Vec::new();
    let mut expect = |right: bool, what: &str| {
        let shown = format!("{}: {what}\n  ours {ours}\n  Helm 4 {helm4}\n  Helm 3 {helm3}", case.name);
        wrong.extend((!right).then_some(shown));
    };
    if let Some(who) = case.refused {
        expect(ours == Outcome::Refused, "we take it");
        expect((helm4 == Outcome::Refused) == (who != Refused::Ours), "Helm 4 and we disagree on refusing it");
        expect((helm3 == Outcome::Refused) == (who == Refused::All), "Helm 3 does not do as the case says");
        return wrong;
    }
    expect(same_everywhere(&helm4, &ours), "Helm 4 prints something else than we read");
    expect(same_everywhere(&helm3, &ours) == case.helm3.is_none(), "Helm 3 does not do as the case says");
    expect(case.want.is_some() == case.parts.is_empty(), "no `want` and no `parts`, or both");
    if let Some(want) = &case.want {
        expect(ours.root() == Some(&canonical(want)), "not as wanted");
    }
    for (path, part) in &case.parts {
        let got = ours.root().and_then(|values| at(values, path));
        expect(holds(got, &canonical(part)), path);
    }
    wrong
}

/// Whether a value has at least what a part of it names.
fn holds(got: Option<&Json>, part: &Json) -> bool {
    match (got, part) {
        (_, Json::Null) => got.is_none(),
        (Some(Json::Object(got)), Json::Object(part)) => part.iter().all(|(key, part)| holds(got.get(key), part)),
        (got, part) => got == Some(part),
    }
}

fn at<'v>(values: &'v Json, path: &str) -> Option<&'v Json> {
    path.split('.').filter(|key| !key.is_empty()).try_fold(values, |value, key| value.get(key))
}

/// Every chart sees the part of our values that lies under its name.
fn same_everywhere(helm: &Outcome, ours: &Outcome) -> bool {
    let (Outcome::Charts(charts), Some(ours)) = (helm, ours.root()) else { return false };
    charts.iter().all(|(path, values)| at(ours, path) == Some(values))
}

fn command_line(case: &Case, dir: &Path, chart: &Path) -> (Request, Vec<String>) {
    let mut request = Request { chart: Some(chart.to_owned()), ..Request::default() };
    let mut arguments = Vec::new();
    for (number, text) in case.files.iter().enumerate() {
        let file = dir.join(format!("{number}.yaml")).display().to_string();
        fs::write(&file, text).expect("written");
        arguments.extend(["-f".to_owned(), file.clone()]);
        request.files.push(file);
    }
    for (flag, text) in &case.flags {
        let text = text.replace("{dir}", &dir.display().to_string());
        arguments.extend([flag.clone(), text.clone()]);
        request.set.push(Set { kind: kind(flag), text: text.into(), place: None });
    }
    (request, arguments)
}

fn kind(flag: &str) -> SetKind {
    let kinds = [SetKind::Json, SetKind::Typed, SetKind::String, SetKind::File, SetKind::Literal];
    kinds.into_iter().find(|kind| kind.flag() == flag).expect("a flag")
}

fn ours(request: &Request) -> Outcome {
    match read(request) {
        Ok(Known::Values(merged)) => Outcome::Values(canonical(&merged.value.to_json())),
        Ok(Known::Unknown { reason }) => panic!("unknown: {reason}"),
        Err(_) => Outcome::Refused,
    }
}

const HELM_3: &str = "helm-3.19.0";
const HELM_4: &str = "helm-4.3.1";
const HELMS: &[&str] = &[HELM_3, HELM_4];

/// What a Helm prints as `.Values` in the root chart and in every dependency.
fn printed(helm: &str, chart: &Path, arguments: &[String]) -> Outcome {
    let home = tempfile::tempdir().expect("a folder");
    let run = Command::new(binary(helm))
        .env_clear()
        .env("HOME", home.path())
        .args(["template", "release"])
        .arg(chart)
        .args(arguments)
        .output()
        .expect("Helm runs");
    if !run.status.success() {
        return Outcome::Refused;
    }
    let stream = String::from_utf8(run.stdout).expect("UTF-8");
    let documents = stream.split("---\n# Source: ").skip(1);
    Outcome::Charts(
        documents
            .map(|document| {
                let (source, rest) = document.split_once('\n').expect("a document");
                // root/charts/child/charts/gc/templates/values.yaml is the chart child.gc
                let chart = source.split("/templates/").next().expect("a folder");
                let path: Vec<&str> = chart.split("/charts/").skip(1).collect();
                let data: serde_yaml::Value = serde_yaml::from_str(rest).expect("YAML");
                let json = data["data"]["values"].as_str().expect("values");
                (path.join("."), canonical(&serde_json::from_str(json).expect("JSON")))
            })
            .collect(),
    )
}

fn binary(helm: &str) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").expect("HOME").join(".cache");
    let path = variable("XDG_CACHE_HOME").unwrap_or_else(home).join("helm-keyring/parts").join(helm).join("helm");
    assert!(path.is_file(), "{} is missing: run `make test`, which fetches it", path.display());
    path
}

/// Numbers as Helm has them, all of them float64.
fn canonical(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.as_f64()),
        Json::Array(items) => items.iter().map(canonical).collect(),
        Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), canonical(value))).collect(),
        other => other.clone(),
    }
}

/// Helm 3 keeps nulls of the defaults, Helm 4 drops them.
fn without_nulls(outcome: &Outcome) -> Option<Json> {
    fn strip(json: &Json) -> Json {
        match json {
            Json::Object(map) => map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), strip(value)))
                .collect(),
            other => other.clone(),
        }
    }
    outcome.root().map(strip)
}

/// Writes a chart; a folder with a `Chart.yaml` gets its name and version, and the template.
fn write_chart(files: &BTreeMap<String, String>, folder: &Path) {
    for (path, text) in files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        fs::write(&file, text).expect("written");
    }
    let folders = files.keys().filter_map(|path| path.strip_suffix("Chart.yaml")).chain([""]);
    for path in folders {
        describe(&folder.join(path));
    }
}

fn describe(folder: &Path) {
    fs::create_dir_all(folder.join("templates")).expect("created");
    fs::write(folder.join("templates/values.yaml"), TEMPLATE).expect("written");
    let file = folder.join("Chart.yaml");
    let mut text = fs::read_to_string(&file).unwrap_or_default();
    for (key, value) in
        [("apiVersion", "v2"), ("name", &*folder.file_name().expect("a name").to_string_lossy()), ("version", "0.1.0")]
    {
        if !text.lines().any(|line| line.starts_with(&format!("{key}:"))) {
            text += &format!("{key}: {value}\n");
        }
    }
    fs::write(file, text).expect("written");
}

/// Copies a chart without its templates, which need not print values.
fn copy_chart(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("charts")).expect("created");
    for name in ["Chart.yaml", "values.yaml"] {
        fs::copy(from.join(name), to.join(name)).expect("copied");
    }
    describe(to);
    for chart in files_in(&from.join("charts")) {
        copy_chart(&chart, &to.join("charts").join(chart.file_name().expect("a name")));
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).into_iter().flatten();
    items.map(|item| item.expect("an item").path()).collect()
}

fn in_parallel<T: Sync>(inputs: &[T], check: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = check(input);
                    failures.lock().expect("a list").extend(found);
                }
            });
        }
    });
    failures.into_inner().expect("a list")
}
