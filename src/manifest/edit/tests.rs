use proptest::prelude::*;

use super::*;
use crate::yaml::parse;

/// What a test does to a document.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Puts two entries under `data`.
    Put,
    /// Removes `k0` and `k1` from `data`, then puts them.
    Exchange,
    /// Removes `stringData`, then puts two entries under `data` in its place.
    Move,
    /// Removes `k0` from `data`.
    Remove,
    /// Completes `items` with a copy of its first item for `k1`.
    Items,
    /// Puts an annotation three levels deep.
    Annotate,
    /// Replaces the scalar `data`.
    Replace,
}

fn edited(text: &str, what: Do) -> Result<String, Error> {
    let tree = parse(text).expect("YAML");
    let root = Cursor::root(&tree).expect("a root");
    let mut patch = Patch::new(&tree);
    let pairs = || [("k0", "YQ=="), ("k1", "Yg==")].map(|(k, v)| (k.to_owned(), New::text(v))).into();
    match what {
        Do::Put => patch.put(&root, "data", "stringData", pairs())?,
        Do::Exchange => {
            patch.remove_entries(&root.get("data").expect("data"), &|key| key.starts_with('k'))?;
            patch.put(&root, "data", "stringData", pairs())?;
        }
        Do::Move => {
            patch.remove_entries(&root, &|key| key == "stringData")?;
            patch.put(&root, "data", "stringData", pairs())?;
        }
        Do::Remove => patch.remove_entries(&root.get("data").expect("data"), &|key| key == "k0")?,
        Do::Items => {
            let list = root.get("items").expect("items");
            let model = &list.items()[0];
            let keep: Vec<usize> = (0..list.items().len())
                .filter(|i| *i == 0 || list.items()[*i].get("key").and_then(|k| k.text()) != Some("k0"))
                .collect();
            let copy = ["key", "path"].iter().filter_map(|k| model.get(k)).map(|c| {
                let new = c.text().unwrap_or_default().replace("k0", "k1");
                (c, new)
            });
            patch.complete_items(&list, &keep, 0, &[copy.collect()])?;
        }
        Do::Annotate => {
            let annotations = vec![("annotations".to_owned(), New::Map(vec![("a/b".to_owned(), New::text("12"))]))];
            match root.get("metadata") {
                Some(metadata) if !metadata.node.entries().is_empty() => {
                    patch.put(&metadata, "annotations", "", vec![("a/b".to_owned(), New::text("12"))])?;
                }
                _ => patch.put(&root, "metadata", "", annotations)?,
            }
        }
        Do::Replace => patch.replace(&root.get("data").expect("data"), "new")?,
    }
    Ok(patch.apply()?.to_string())
}

#[test]
fn only_the_edited_bytes_differ() {
    let cases = [
        // block style
        (Do::Put, "data:\n  # c\n  a: 1 # d\n", "data:\n  # c\n  k0: YQ==\n  k1: Yg==\n  a: 1 # d\n"),
        (Do::Put, "a: b\nstringData:\n    x: y\n", "a: b\ndata:\n    k0: YQ==\n    k1: Yg==\nstringData:\n    x: y\n"),
        (Do::Put, "data:\nb: c\n", "data:\n  k0: YQ==\n  k1: Yg==\nb: c\n"),
        (Do::Put, "data: {}   # c\nb: c", "data:\n  k0: YQ==\n  k1: Yg==   # c\nb: c"),
        (Do::Put, "data: null\n", "data:\n  k0: YQ==\n  k1: Yg==\n"),
        (Do::Put, "b: 1\r\ndata:\r\n  a: 1\r\n", "b: 1\r\ndata:\r\n  k0: YQ==\r\n  k1: Yg==\r\n  a: 1\r\n"),
        (Do::Remove, "data:\n  k0: \n       abc\n      \n\n  # next\n  b: 1\n", "data:\n      \n\n  # next\n  b: 1\n"),
        (Do::Remove, "data:\n  k0: |\n    abc\n    def\n  b: 1\n", "data:\n  b: 1\n"),
        (Do::Remove, "data:\n  b: 1\n  k0: 'x' # gone too", "data:\n  b: 1\n"),
        (Do::Remove, "data:\n  b: 1\n  k0:\nc: 2\n", "data:\n  b: 1\nc: 2\n"),
        (Do::Remove, "data:\n  k0: 1\n  b: 1\n  k0: 2\n", "data:\n  b: 1\n"),
        (Do::Exchange, "data:\n  b: 1\n  k1: x\n  k0: y\n", "data:\n  k0: YQ==\n  k1: Yg==\n  b: 1\n"),
        (Do::Exchange, "data:\n  k0: x\n", "data:\n  k0: YQ==\n  k1: Yg==\n"),
        // flow style and JSON
        (Do::Put, "data: {a: 1}\n", "data: {\"k0\": \"YQ==\", \"k1\": \"Yg==\", a: 1}\n"),
        (Do::Put, "{\"data\": {}}", "{\"data\": {\"k0\": \"YQ==\", \"k1\": \"Yg==\"}}"),
        (
            Do::Put,
            "{\"stringData\": {\"x\": \"y\"}}",
            "{\"data\": {\"k0\": \"YQ==\", \"k1\": \"Yg==\"}, \"stringData\": {\"x\": \"y\"}}",
        ),
        (Do::Put, "{data: }", "{data: {\"k0\": \"YQ==\", \"k1\": \"Yg==\"} }"),
        (
            Do::Put,
            "{\n  \"data\": {\n    \"a\": \"1\"\n  }\n}\n",
            "{\n  \"data\": {\n    \"k0\": \"YQ==\",\n    \"k1\": \"Yg==\",\n    \"a\": \"1\"\n  }\n}\n",
        ),
        (Do::Remove, "data: {a: 1, k0: 2, b: 3}", "data: {a: 1, b: 3}"),
        (Do::Remove, "data: {a: 1, k0: 2}", "data: {a: 1}"),
        (Do::Remove, "data: {k0: 2, }", "data: { }"),
        (Do::Exchange, "{\"data\": {\"k0\": \"x\"}}", "{\"data\": {\"k0\": \"YQ==\", \"k1\": \"Yg==\"}}"),
        // the line end is that of the place
        (
            Do::Put,
            "# Source: a\nb: 1\r\ndata:\r\n  a: 1\r\n",
            "# Source: a\nb: 1\r\ndata:\r\n  k0: YQ==\r\n  k1: Yg==\r\n  a: 1\r\n",
        ),
        (
            Do::Move,
            "{\"kind\":\"Secret\",\"stringData\":{\"k0\":\"x\"}}",
            "{\"kind\":\"Secret\", \"data\": {\"k0\": \"YQ==\", \"k1\": \"Yg==\"}}",
        ),
        (Do::Move, "stringData:\n  k0: x\n", "data:\n  k0: YQ==\n  k1: Yg==\n"),
        (Do::Exchange, "data: {k1: x, b: 1, k0: y}", "data: {\"k0\": \"YQ==\", \"k1\": \"Yg==\", b: 1}"),
        // items
        (
            Do::Items,
            "items: \n  # c\n  \n  - key: k0\n    path: 'p-k0' # d\n\nb: 1\n",
            "items: \n  # c\n  \n  - key: k0\n    path: 'p-k0' # d\n  - key: k1\n    path: 'p-k1'\n\nb: 1\n",
        ),
        (Do::Items, "items:\n- path: k0\n  key: k0", "items:\n- path: k0\n  key: k0\n- path: k1\n  key: k1"),
        (
            Do::Items,
            "items: [{key: k0, path: k0, mode: 0400}]\n",
            "items: [{key: k0, path: k0, mode: 0400}, {key: k1, path: k1, mode: 0400}]\n",
        ),
        (Do::Items, "items:\n  - {key: \"k0\"}\n", "items:\n  - {key: \"k0\"}\n  - {key: \"k1\"}\n"),
        // a new item stands behind the last of its kind, whatever follows
        (
            Do::Items,
            "items:\n  - key: k0\n    path: k0\n  - key: other\n    path: o\n",
            "items:\n  - key: k0\n    path: k0\n  - key: k1\n    path: k1\n  - key: other\n    path: o\n",
        ),
        // duplicates go
        (Do::Items, "items:\n  - key: k0\n  - key: k0\n", "items:\n  - key: k0\n  - key: k1\n"),
        (Do::Items, "items: [{key: k0}, {key: k0}]", "items: [{key: k0}, {key: k1}]"),
        // annotations
        (Do::Annotate, "spec: {}\n", "metadata:\n  annotations:\n    a/b: \"12\"\nspec: {}\n"),
        (
            Do::Annotate,
            "metadata:\n  labels:\n    a: b\n",
            "metadata:\n  annotations:\n    a/b: \"12\"\n  labels:\n    a: b\n",
        ),
        (
            Do::Annotate,
            "metadata: {labels: {a: b}}\n",
            "metadata: {\"annotations\": {\"a/b\": \"12\"}, labels: {a: b}}\n",
        ),
        (
            Do::Annotate,
            "metadata:\n  annotations:\n    c: d\n",
            "metadata:\n  annotations:\n    a/b: \"12\"\n    c: d\n",
        ),
        (Do::Replace, "data: 'old' # c\n", "data: \"new\" # c\n"),
    ];
    for (what, before, after) in cases {
        assert_eq!(edited(before, what).as_deref(), Ok(after), "{what:?} {before:?}");
    }
}

type Expected = fn(&Error) -> bool;

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    let shared: Expected = |e| matches!(e, Error::Shared { .. });
    let duplicate: Expected = |e| matches!(e, Error::Duplicate { .. });
    let any: Expected = |_| true;
    let cases: &[(Do, &str, Expected)] = &[
        (Do::Put, "data: &d\n  a: 1\nb: *d\n", shared),
        (Do::Put, "b: &d {a: 1}\ndata: *d\n", shared),
        (Do::Remove, "b: &d {k0: 1}\ndata: *d\n", shared),
        (Do::Remove, "data:\n  k0: &x abc\n  b: *x\n", shared),
        (Do::Put, "data:\n  a: 1\ndata:\n  b: 1\n", duplicate),
        (Do::Put, "data: [a]\n", any),
        (Do::Put, "data: text\n", any),
        (Do::Put, "data:\n  ? a\n  : 1\n", any),
        (Do::Remove, "data:\n  ? k0\n  : 1\n  b: 1\n", any),
        // the removed key would still come through the merge key
        (Do::Remove, "x: &x {k0: 1}\ndata:\n  <<: *x\n  k0: 2\n", any),
        (Do::Items, "x: &i\n  key: k0\nitems:\n  - *i\n", any),
        (Do::Replace, "data: |\n  x\n", any),
    ];
    for (what, text, expected) in cases {
        let error = edited(text, *what).expect_err(text);
        assert!(expected(&error), "{text:?}: {error}");
    }
}

fn scalars() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x",
        "'x'",
        "\"x\"",
        "|\n      x\n      y",
        "\n        x",
        "",
        "{a: b}",
        "[1, 2]",
        "x # c",
        "0755",
        "\n      n: 1",
    ])
}

fn documents() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["k0", "k1", "b", "'c'", "\"k0\"", "d"]);
    let gap = prop::sample::select(vec!["", "", "\n", "  # c\n", "    \n"]);
    let eol = prop::sample::select(vec!["\n", "\r\n"]);
    (prop::collection::vec((key, scalars(), gap), 1..6), eol).prop_map(|(entries, eol)| {
        let mut text = "kind: Secret\ndata:\n".to_owned();
        for (key, value, gap) in entries {
            text += &format!("{gap}    {key}: {value}\n");
        }
        (text + "z: 1\n").replace('\n', eol)
    })
}

proptest! {
    /// Whatever the layout: an edit gives the intended value and keeps every other line, or it is refused.
    #[test]
    fn exchanged_keys_are_exchanged_and_nothing_else(text in documents()) {
        if parse(&text).is_err() {
            return Ok(());
        }
        let Ok(out) = edited(&text, Do::Exchange) else { return Ok(()) };
        let value = Value::parse(&out, 0).expect("checked already");
        prop_assert_eq!(value.at(["data", "k0"]).and_then(Value::text), Some("YQ=="));
        let again = edited(&out, Do::Exchange).expect("its own output");
        prop_assert_eq!(&again, &out);
        for line in text.lines().filter(|line| line.contains(" b:") || line.contains("z: 1")) {
            prop_assert!(out.lines().any(|l| l == line), "{line:?} is gone");
        }
    }
}
