use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::merge::drop_nulls;
use super::*;

fn set(kind: SetKind, text: &str) -> Set {
    Set { kind, text: Zeroizing::new(text.to_owned()), place: None }
}

fn map(yaml: &str) -> Map {
    match Value::parse(yaml, 0).expect("YAML").data {
        Data::Map(map) => map,
        _ => Map::new(),
    }
}

fn json(map: &Map) -> serde_json::Value {
    Value { data: Data::Map(map.clone()), span: Span::default() }.to_json()
}

/// A folder with these files, and a chart of no contents unless they say otherwise.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in [("Chart.yaml", "name: root\nversion: 1.0.0")].iter().chain(files) {
        let file = dir.path().join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        fs::write(file, text).expect("written");
    }
    dir
}

fn merged(request: &Request) -> Merged {
    match read(request).unwrap_or_else(|error| panic!("{error}")) {
        Known::Values(merged) => merged,
        Known::Unknown { reason } => panic!("{reason}"),
    }
}

fn of_chart(dir: &Path) -> Request {
    Request { chart: Some(dir.to_owned()), ..Request::default() }
}

fn failure(request: &Request) -> String {
    read(request).map(|_| ()).expect_err("an error").to_string()
}

#[test]
fn every_value_knows_where_it_is_written() {
    let dir = folder(&[
        ("values.yaml", "a:\n  default: 1\n  b: 1\n"),
        ("one.yaml", "# c\na:\n  b: 2\n  c: 2\n"),
        ("two.yaml", "x: 1\n---\na:\n  c: é\n"),
        ("key.txt", "secret"),
    ]);
    let path = |name: &str| dir.path().join(name).display().to_string();
    let merged = merged(&Request {
        files: vec![path("one.yaml"), path("two.yaml")],
        set: vec![set(SetKind::Typed, "s.x=1,s.y=2"), set(SetKind::File, &format!("f={}", path("key.txt")))],
        ..of_chart(dir.path())
    });
    let cases = [
        ("a.default", "values.yaml:2:12"),
        ("a.b", "one.yaml:3:6"),
        ("a.c", "two.yaml:4:6"),
        ("s.y", "--set s.x"),
        ("f", "key.txt:1:1"),
    ];
    for (at, expected) in cases {
        let Found::Value(value) = merged.at(at) else { panic!("no {at}") };
        let place = merged.files.place(&value.span).to_string();
        assert!(place.ends_with(expected), "{at}: {place}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_unknown_and_named() {
    let dir = folder(&[("packed.tgz", "")]);
    let files = |name: &str| Request { files: vec![name.to_owned()], ..Request::default() };
    let cases = [
        (files("https://user:PASSWORD@example.test/v.yaml?token=PASSWORD"), "https://example.test/v.yaml"),
        (files("secrets://v.yaml"), "secrets://v.yaml"),
        (files("vals:nowhere.yaml"), "vals:nowhere.yaml"),
        (files(" - "), "standard input"),
        (Request { set: vec![set(SetKind::File, "a={x,s3://b/k}")], ..Request::default() }, "s3://b/k"),
        (of_chart(&dir.path().join("packed.tgz")), "packed.tgz"),
        (of_chart(Path::new("repo/chart")), "repo/chart"),
        (of_chart(Path::new("oci://example.test/chart")), "oci://example.test/chart"),
    ];
    for (request, named) in cases {
        let Ok(Known::Unknown { reason }) = read(&request) else { panic!("{named} is known") };
        assert!(reason.contains(named) && !reason.contains("PASSWORD"), "{reason}");
    }
}

#[test]
fn archives_leave_gaps_and_nothing_else_unknown() {
    let dir = folder(&[
        (
            "Chart.yaml",
            "name: root\nversion: 1.0.0\ndependencies:\n\
             - {name: packed, version: 1.x, alias: p}\n- {name: missing, version: 1.0.0}\n\
             - {name: off, version: 1.x, condition: off.on}\n- {name: folder, version: 1.x, condition: p.folder}",
        ),
        ("charts/packed-1.2.3.tgz", ""),
        ("charts/folder/Chart.yaml", "name: folder\nversion: 1.0.0"),
        ("charts/folder/values.yaml", "a: 1"),
        ("values.yaml", "p: {said: 1, nothing: null, table: {x: 1}}\noff: {on: false}\nmine: 1\n"),
    ]);
    let merged = merged(&of_chart(dir.path()));
    let reason = |path: &str| match merged.at(path) {
        Found::Unknown(reason) => reason.to_owned(),
        Found::Value(_) => "known".to_owned(),
        Found::Absent => "absent".to_owned(),
    };
    for path in ["p", "p.key", "p.table", "p.table.y"] {
        assert!(reason(path).contains("packed-1.2.3.tgz"), "{path}: {}", reason(path));
    }
    assert!(reason("missing.key").contains("helm dependency build"), "{}", reason("missing.key"));
    assert!(reason("folder.key").contains("`p`"), "its condition is unknown: {}", reason("folder.key"));
    for (path, seen) in
        [("p.said", "known"), ("mine", "known"), ("folder.a", "known"), ("off.key", "absent"), ("q", "absent")]
    {
        assert_eq!(reason(path), seen, "{path}");
    }
}

#[test]
fn an_import_from_an_archive_makes_every_default_uncertain() {
    let about = "name: root\nversion: 1.0.0\ndependencies: [{name: packed, version: 1.x, import-values: [data]}]";
    let dir = folder(&[("Chart.yaml", about), ("charts/packed-1.0.0.tgz", ""), ("values.yaml", "a: 1")]);
    let merged = merged(&of_chart(dir.path()));
    assert!(matches!(merged.at("a"), Found::Value(_)));
    assert!(matches!(merged.at("b.c"), Found::Unknown(reason) if reason.contains("import-values")));
}

#[test]
fn an_archive_that_nobody_names_could_be_anything() {
    let dir = folder(&[("charts/odd.tgz", "")]);
    assert!(matches!(merged(&of_chart(dir.path())).at("a"), Found::Unknown(reason) if reason.contains("odd.tgz")));
}

#[test]
fn archives_below_a_chart_without_a_list_of_dependencies_leave_gaps() {
    let middle = "name: middle\nversion: 1.0.0\ndependencies: [{name: packed, version: 1.x, alias: p}]";
    let dir = folder(&[("charts/middle/Chart.yaml", middle), ("charts/middle/charts/packed-1.0.0.tgz", "")]);
    let merged = merged(&of_chart(dir.path()));
    assert!(matches!(merged.at("middle.packed.a"), Found::Unknown(_)));
    assert!(matches!(merged.at("other"), Found::Absent));
}

#[test]
fn without_a_chart_the_result_is_what_the_user_says() {
    let merged = merged(&Request { set: vec![set(SetKind::Typed, "a.b=null,c=1")], ..Request::default() });
    assert_eq!(merged.value.to_json(), serde_json::json!({"a": {"b": null}, "c": 1}));
    assert!(matches!(merged.at("d"), Found::Absent));
}

#[test]
fn errors_name_the_place_and_never_the_value() {
    let big = "#".repeat((16 << 20) + 1);
    let dir = folder(&[
        ("broken.yaml", "a: 1\n---\nk:\n  CANARY: [CANARY\n"),
        ("list.yaml", "a: 1\n---\n\n- CANARY"),
        ("cut.yaml", "a: 1\n--- CANARY\n"),
        ("big.yaml", &big),
        ("text.yaml", "CANARY: CANARY\n"),
    ]);
    fs::write(dir.path().join("latin1.yaml"), b"a: 1\nk: CANARY\xe9\n").expect("written");
    let file = |name: &str| Request { files: vec![dir.path().join(name).display().to_string()], ..Request::default() };
    let flag = |kind, text: &str| Request { set: vec![set(kind, text)], ..file("text.yaml") };
    let cases = [
        (file("broken.yaml"), "broken.yaml:"),
        (file("list.yaml"), "list.yaml:4:1: a list where a mapping of values is needed"),
        (file("cut.yaml"), "cut.yaml:2:1: more than a comment behind ---"),
        (file("latin1.yaml"), "latin1.yaml:2:10: not UTF-8"),
        (file("big.yaml"), "big.yaml: larger than 16 MiB"),
        (file("none.yaml"), "none.yaml: No such file"),
        (flag(SetKind::Typed, "key=1,CANARY"), "--set key: assignment 2: a name without a value"),
        (flag(SetKind::Typed, "CANARY"), "--set: assignment 1: a name without a value"),
        (flag(SetKind::Typed, "CANARY,a=1"), "--set: assignment 1: a name without a value"),
        (flag(SetKind::String, "key={CANARY"), "--set-string key: assignment 1: a list without its `}`"),
        (
            flag(SetKind::Json, "key=\"CANARY"),
            "--set-json key: assignment 1: JSON that ends too early (line 1, column 7)",
        ),
        (flag(SetKind::Json, "key=CANARY"), "--set-json key: assignment 1: no JSON (line 1, column 1)"),
        (flag(SetKind::Json, "{\"CANARY\": CANARY}"), "--set-json: no JSON (line 1, column 12)"),
        (flag(SetKind::Typed, "key=1,CANARY..x=1"), "--set key: assignment 2: an empty name"),
        (flag(SetKind::Typed, "key=CANARY,key.x=CANARY"), "--set key: a name below something that is no mapping"),
        (flag(SetKind::Typed, "key=CANARY,key[0]=CANARY"), "--set key: an index into something that is no list"),
        (
            flag(SetKind::Literal, "key[CANARY]=CANARY"),
            "--set-literal key[CANARY]: assignment 1: an index that is no number",
        ),
    ];
    for (request, words) in cases {
        let shown = failure(&request);
        assert!(shown.contains(words), "{shown:?} has not {words:?}");
        assert!(!shown.replace("key[CANARY]", "").contains("CANARY"), "{shown}");
    }
}

#[test]
fn charts_that_are_none_are_errors() {
    let nameless = folder(&[("Chart.yaml", "version: 1.0.0")]);
    assert!(failure(&of_chart(nameless.path())).contains("a chart needs a name"));
    let hollow = folder(&[("charts/x/values.yaml", "")]);
    assert!(failure(&of_chart(hollow.path())).contains("charts/x/Chart.yaml: No such file"));
    let taken = folder(&[("charts/x/Chart.yaml", "name: x\nversion: 1.0.0"), ("values.yaml", "x: CANARY")]);
    assert_eq!(
        failure(&of_chart(taken.path())),
        "values: text under `x`, where the dependency of that name needs a mapping"
    );
}

#[cfg(unix)]
#[test]
fn a_chart_that_holds_itself_is_an_error() {
    let dir = folder(&[]);
    fs::create_dir(dir.path().join("charts")).expect("created");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("charts/self")).expect("linked");
    assert!(failure(&of_chart(dir.path())).contains("charts inside charts without end"));
}

proptest! {
    #[test]
    fn merging_with_an_empty_mapping_changes_nothing(yaml in values()) {
        let values = map(&yaml);
        let mut over = values.clone();
        overlay(&mut over, Map::new());
        prop_assert_eq!(json(&over), json(&values));
        let mut onto = Map::new();
        overlay(&mut onto, values.clone());
        prop_assert_eq!(json(&onto), json(&values));
        for nulls in [Nulls::Keep, Nulls::Delete] {
            let mut under = values.clone();
            merge::underlay(&mut under, Map::new(), nulls);
            prop_assert_eq!(json(&under), json(&values));
        }
    }

    #[test]
    fn merging_twice_is_merging_once(yaml in values(), other in values()) {
        let mut once = map(&yaml);
        overlay(&mut once, map(&other));
        let mut twice = once.clone();
        overlay(&mut twice, map(&other));
        prop_assert_eq!(json(&twice), json(&once));
    }

    #[test]
    fn nulls_that_are_dropped_leave_the_rest(yaml in values()) {
        let mut dropped = map(&yaml);
        drop_nulls(&mut dropped);
        let mut under = dropped.clone();
        merge::underlay(&mut under, map(&yaml), Nulls::Keep);
        prop_assert_eq!(json(&under), json(&map(&yaml)));
    }

    #[test]
    fn flags_are_read_or_refused(text in "\\PC{0,60}", index in 0..5_usize) {
        let _ = set::parse(&set(KINDS[index], &text));
    }

    #[test]
    fn flags_like_real_ones_are_applied_or_refused(text in "([ab]|\\[[0-3]\\]|[.=,{}\\\\\" ]|null|1){0,24}", index in 0..5_usize) {
        let flag = |text: &str| set(if KINDS[index] == SetKind::File { SetKind::String } else { KINDS[index] }, text);
        let _ = read(&Request { set: vec![flag("a={x},b.a=1"), flag(&text)], ..Request::default() });
    }

    #[test]
    fn a_literal_arrives_as_it_is(text in "\\PC{0,60}") {
        let merged = merged(&Request { set: vec![set(SetKind::Literal, &format!("a.b={text}"))], ..Request::default() });
        prop_assert_eq!(merged.value.at(["a", "b"]).and_then(Value::text), Some(text.as_str()));
    }
}

const KINDS: [SetKind; 5] = [SetKind::Json, SetKind::Typed, SetKind::String, SetKind::File, SetKind::Literal];

/// A mapping in JSON, up to four deep.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![Just("null"), Just("1"), Just("true"), Just("\"x\""), Just("[null, {\"a\": 1}]")];
    let node = leaf.prop_map(str::to_owned).prop_recursive(4, 32, 4, |inner| object(inner).boxed());
    object(node)
}

fn object(inner: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|entries| {
        let entries: Vec<_> = entries.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", entries.join(", "))
    })
}

#[test]
fn commas_are_escaped_once_and_not_in_lists() {
    for (value, expected) in
        [("a,b", "a\\,b"), ("a\\,b", "a\\,b"), ("{a,b}", "{a,b}"), ("{a,b", "{a\\,b"), ("a,,b", "a\\,\\,b"), ("", "")]
    {
        assert_eq!(escaped_commas(value).as_str(), expected);
    }
}
