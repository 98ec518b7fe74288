use proptest::prelude::*;

use super::*;

/// Inputs on which this reader and Helm's differ on purpose, each with its reason.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// A row of `testdata/helm-yaml.jsonl`: an input, and the JSON that Helm's parser makes of it.
#[derive(serde::Deserialize)]
struct Row {
    yaml: String,
    json: Option<String>,
}

#[test]
fn every_row_of_the_table_reads_as_helm_reads_it() {
    let table = include_str!("../../testdata/helm-yaml.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let row: Row = serde_json::from_str(line).expect("a row");
        if KNOWN_DIFFERENCES.iter().any(|(input, _)| *input == row.yaml) {
            continue;
        }
        let ours = Value::parse(&row.yaml, 0).map(|v| canonical(&v.to_json()));
        let helms = row.json.as_deref().map(|j| canonical(&serde_json::from_str(j).expect("JSON")));
        if ours.as_ref().ok() != helms.as_ref() {
            wrong.push(format!("{:?}: ours {ours:?}, Helm's {helms:?}", row.yaml));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// JSON does not tell 1 from 1.0.
fn canonical(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::Number(n) if n.is_f64() && n.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() < 1e15) => {
            Json::from(n.as_f64().unwrap_or_default() as i64)
        }
        Json::Array(items) => items.iter().map(canonical).collect(),
        Json::Object(map) => map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_the_table_does_not_hold_reads_as_helm_reads_it_too() {
    let cases = [
        ("a: 1\n<<: {a: 2}", r#"{"a":2}"#),
        ("<<: {a: 2}\na: 1", r#"{"a":1}"#),
        ("<<: [{a: 1},{a: 2}]", r#"{"a":1}"#),
        ("a: |\n  x", r#"{"a":"x"}"#),
        ("a: |\n  x\n\n", r#"{"a":"x\n"}"#),
        ("a: >-\n  x\n  y", r#"{"a":"x y"}"#),
        ("1.10: x\n12345678.5: b\n1234567.0: c", r#"{"1.1":"x","1.2345678e+07":"b","1.234567e+06":"c"}"#),
        ("a: 1\n---\n\tbroken: [", r#"{"a":1}"#),
        ("d: !!set {x, y}", r#"{"d":{"x":null,"true":null}}"#),
        ("a: &x [1]\nb: *x", r#"{"a":[1],"b":[1]}"#),
    ];
    for (yaml, json) in cases {
        let ours = Value::parse(yaml, 0).expect(yaml).to_json();
        assert_eq!(canonical(&ours), serde_json::from_str::<serde_json::Value>(json).expect("JSON"), "{yaml}");
    }
}

#[test]
fn what_helm_refuses_is_refused_with_a_place() {
    let cases = [
        ("a: !!binary aGk", 3),
        ("a: !!int x", 3),
        ("a: 1\n<<: 3", 9),
        ("a: &x\n  b: *x", 11),
        ("a: .inf", 3),
        ("a: b\n\tc: d", 3),
    ];
    for (yaml, offset) in cases {
        let error = Value::parse(yaml, 0).map(|v| v.kind()).expect_err(yaml);
        assert_eq!(error.offset, offset, "{yaml}: {error}");
    }
}

#[test]
fn hostile_input_is_an_error_and_never_an_abort() {
    let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..9 {
        let previous = vec![format!("*a{}", i - 1); 9].join(",");
        laughs += &format!("a{i}: &a{i} [{previous}]\n");
    }
    let mut big_aliases = format!("a: &a {}\nb:\n", "x".repeat(100_000));
    big_aliases += &"- *a\n".repeat(20_000);
    let deep: String = (0..3_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let cases = [
        ("brackets", "[".repeat(100_000)),
        ("braces", "{".repeat(100_000)),
        ("dashes", "- ".repeat(50_000)),
        ("questions", "? ".repeat(50_000)),
        ("bangs", "!".repeat(2_000_000)),
        ("laughs", laughs),
        ("big aliases", big_aliases),
        ("deep", deep),
        ("NUL", "a: \0".to_owned()),
        ("tab", "a:\n\tb: 1".to_owned()),
    ];
    for (name, text) in cases {
        let read = Value::parse(&text, 0);
        assert!(read.is_err(), "{name} was read");
    }
}

#[test]
fn errors_quote_nothing() {
    let canary = "CANARYkeyCANARY";
    for yaml in [
        format!("a: *{canary}"),
        format!("a: \"{canary}\nb: 1"),
        format!("a: @{canary}"),
        format!("a: [{canary}"),
        format!("a: !!int {canary}"),
        format!("{canary}\n{canary}: x"),
        format!("a: !{canary}! x"),
        format!("%{canary} x\n---\na"),
        format!("a: !!binary {canary}="),
    ] {
        if let Err(error) = Value::parse(&yaml, 0) {
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}

#[test]
fn spans_are_those_of_the_content() {
    let text = "a: |\n  x\n\n# c\nb: &n !t 'q'\nc:   # none\nd: {e: [1, 2]}\ne:\n  f: plain\n  # c\n\n";
    let tree = parse(text).expect("YAML");
    let root = tree.root.as_ref().expect("a root");
    let spans: Vec<_> = root.entries().iter().map(|(_, value)| &text[value.span.clone()]).collect();
    assert_eq!(spans, ["x", "'q'", "", "{e: [1, 2]}", "f: plain"]);
    let starts: Vec<_> = root.entries().iter().map(|(_, value)| &text[value.start..value.span.end]).collect();
    assert_eq!(starts[1], "&n !t 'q'");
    assert_eq!(&text[..root.entries()[2].1.span.start].lines().last(), &Some("c:"));
    assert_eq!(&text[root.span.clone()], text.trim_end().trim_end_matches("# c").trim_end());
}

#[test]
fn a_key_without_a_value_does_not_take_the_colon_of_the_next() {
    let text = "? a\n:1: 2\n";
    let tree = parse(text).expect("YAML");
    let entries = tree.root.as_ref().expect("a root").entries();
    assert_eq!((entries[0].1.span.clone(), &text[entries[1].0.span.clone()]), (3..3, ":1"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Value::parse(&text, 0);
    }

    #[test]
    fn yamlish_text_keeps_its_spans_inside(text in "[-a-z0-9:{}\\[\\]&*!|>'\"#%, \n]{0,120}") {
        if let Ok(tree) = parse(&text)
            && let Some(root) = &tree.root
        {
            check_spans(root, &text);
        }
    }
}

fn check_spans(node: &Node<'_>, text: &str) {
    assert!(node.start <= node.span.start || node.span.is_empty(), "{text:?}");
    assert!(text.get(node.span.clone()).is_some(), "{text:?} {:?}", node.span);
    for item in node.items() {
        check_spans(item, text);
    }
    for (key, value) in node.entries() {
        check_spans(key, text);
        check_spans(value, text);
    }
}
