use super::*;
use crate::report::Lines;

fn shown(text: &str, span: Range<usize>) -> Shown {
    Lines::of(text).place("f", span).shown.expect("a line")
}

use proptest::prelude::*;

const TOKEN: &str = "iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=";

/// The line of `text` in which `pointed_at` first stands, with a caret line below.
fn drawn(text: &str, pointed_at: &str) -> String {
    let at = text.find(pointed_at).unwrap();
    let Shown { line, column, width } = shown(text, at..at + pointed_at.len());
    format!("{line}\n{}{}", " ".repeat(column - 1), "^".repeat(width))
}

/// The last line of a text.
fn last(text: &str) -> String {
    shown(text, text.len()..text.len()).line
}

#[test]
fn a_line_keeps_what_is_harmless() {
    for (line, expected) in [
        ("", ""),
        ("  userEncryptionKey: TOKEN", "  userEncryptionKey: …"),
        ("- - \"a.b/c\": 'TOKEN'", "- - \"a.b/c\": …"),
        ("key : TOKEN", "key : …"),
        ("key:", "key:"),
        ("key:   # TOKEN", "key:"),
        ("key: Null # TOKEN", "key: Null"),
        ("key: \"\"", "key: \"\""),
        ("key: 'true'", "key: 'true'"),
        ("key: OFF", "key: OFF"),
        ("key: {}", "key: {}"),
        ("key: |2-  # TOKEN", "key: |2-"),
        ("key: >+", "key: >+"),
        ("key: |TOKEN", "key: …"),
        ("key: &TOKEN null", "key: …"),
        ("key: !!binary |", "key: …"),
        ("key: *TOKEN", "key: …"),
        ("key: 12", "key: …"),
        ("- true", "- true"),
        ("- TOKEN", "- …"),
        ("-TOKEN", "…"),
        ("---", "---"),
        ("--- # TOKEN", "---"),
        ("--- TOKEN", "--- …"),
        ("# TOKEN", ""),
        ("  TOKEN", "  …"),
        ("TOKEN: x", "…"),
        ("\"TOKEN\": x", "…"),
        ("a b: x", "…"),
        ("key: {a: {b: TOKEN, c: d}}", "key: {a: {b: …"),
        ("key: {a: null, b: TOKEN}", "key: {a: …"),
        ("- [{\"a\":\"TOKEN\"}]", "- [{\"a\":…"),
        ("key: [TOKEN, a]", "key: […"),
        ("key: {TOKEN: a}", "key: {…"),
        ("NAME=TOKEN", "NAME=…"),
        ("export NAME=\"TOKEN\"", "export NAME=…"),
        ("NAME_OF=", "NAME_OF="),
        ("QUJDREVGR0hJSktMTU5PUFE=", "…"),
        ("QUJDREVGR0hJSktMTU5PUA==", "…"),
        ("A-B=TOKEN", "…"),
        ("{{ .Values.TOKEN }}", "…"),
        ("  key: {{ TOKEN }}", "  key: …"),
        ("  {{- if .x }}TOKEN: a{{ end }}", "  …"),
        ("\tkey:\tTOKEN\r", " key: …"),
        ("ключ: TOKEN", "…"),
        ("key\u{3000}: TOKEN", "…"),
    ] {
        assert_eq!(last(&line.replace("TOKEN", TOKEN)), expected, "{line}");
    }
}

#[test]
fn a_piece_of_a_value_is_never_a_key() {
    for text in
        ["a: |\n  part: x", "a: \"\npart: x", "a: {b: c,\n  part: x", "A='\npart: x", "{{/*\npart: x", "--- |\npart: x"]
    {
        assert_eq!(last(text).trim_start(), "…", "{text}");
    }
    assert_eq!(last("a: |\n  b\nwhole: x"), "whole: …");
}

#[test]
fn a_caret_stands_where_the_span_begins() {
    assert_eq!(drawn("a:\n  key: secret", "key"), "  key: …\n  ^^^");
    assert_eq!(drawn("a:\n  key: secret", "secret"), "  key: …\n       ^");
    assert_eq!(drawn("a:\n  key: secret", "cret"), "  key: …\n       ^");
    assert_eq!(drawn("a:\n  key: secret # c", "key: secret"), "  key: …\n  ^^^^^^");
    assert_eq!(drawn("key: \"\"", "\"\""), "key: \"\"\n     ^^");
    assert_eq!(drawn("key: null # é c", "c"), "key: null …\n          ^");
    assert_eq!(drawn("key: |\n  text\nb: c", "key: |\n  text"), "key: |\n^^^^^^");
    assert_eq!(shown("key:  ", 6..6), Shown { line: "key:".into(), column: 5, width: 1 });
    assert_eq!(shown("key:\n", 4..5), Shown { line: "key:".into(), column: 5, width: 1 });
    assert_eq!(shown("", 7..7), Shown { line: String::new(), column: 1, width: 1 });
}

#[test]
fn a_function_is_named_in_its_action() {
    let line = "  key: {{ randAlphaNum 32 | b64enc }} # x";
    assert_eq!(drawn(line, "randAlphaNum"), "  key: … {{ … randAlphaNum … }}\n              ^^^^^^^^^^^^");
    assert_eq!(drawn(line, "b64enc"), "  key: …\n       ^");
    assert_eq!(drawn("{{- $x := (genCA \"a\" 1) }}", "genCA"), "… {{ … genCA … }}\n       ^^^^^");
    assert_eq!(drawn("a: |\n  {{ shuffle .x }}", "shuffle .x"), "  … {{ … shuffle … }}\n         ^^^^^^^");
    for (line, word) in [
        ("{{ \"a secret b\" }}", "secret"),
        ("{{/* a secret b */}}", "secret"),
        ("{{ .a }} secret", "secret"),
        ("{{ .a.secret }}", "secret"),
        ("{{ secret }}", "ecret"),
        ("{{ secret }}", "sec"),
        ("secret }}", "secret"),
    ] {
        assert_eq!(drawn(line, word), "…\n^", "{line}");
    }
}

#[test]
fn a_long_line_is_cut() {
    let line = format!("{}key: null", " ".repeat(90));
    let Shown { line, column, width } = shown(&line, 90..93);
    assert_eq!((line.chars().count(), column, width), (LONGEST, LONGEST, 1));
    assert!(line.ends_with(HIDDEN));
}

/// Texts with a hole for a token: values, items, comments, flow collections, templates, dotenv, block scalars.
const HOLES: &[&str] = &[
    "key: @",
    "key: '@'",
    "key: \"@\" # c",
    "key: &@ x",
    "key: !@ x",
    "key: *@",
    "a:\n  - - key: @",
    "- @",
    "-  - '@'",
    "@",
    "  @",
    "# @",
    "key: null # @",
    "key: #@",
    "--- @",
    "--- # @",
    "key: [@, b]",
    "key: [a, @]",
    "key: {a: @}",
    "key: {\"a\":\"@\"}",
    "key: {@: a}",
    "key: {a: {b: c}, d: '@'}",
    "@: a",
    "? @",
    "NAME=@",
    "export NAME='@'",
    "{{ .Values.a | default \"@\" }}",
    "key: {{ @ }}",
    "{{/* @ */}}",
    "{{ if eq .x `@` }}key: a{{ end }}",
    "key: \"{{ include \"a\" . }}@\"",
    "key: |\n  @",
    "key: |\n  @: a\n  b: c",
    "key: |\n\n  NAME=@",
    "key: >-\n    a\n  @",
    "key: \"a\n@: b\n\"",
    "key: 'a\n  @: b'",
    "key: [a,\n@: b]",
    "key: a\n  @",
    "- |\n @: x",
    "NAME=\"\n@=x\"",
    "{{ a\n @ }}",
];

fn leaks(shown: &str, token: &str) -> bool {
    let token: Vec<char> = token.chars().collect();
    token.windows(8).any(|piece| shown.contains(&piece.iter().collect::<String>()))
}

/// What lines of YAML are made of: values that go on over several lines, and a secret that looks like a key.
const PIECES: &[&str] = &[
    "k:",
    "k: v",
    "- k:",
    "-",
    "- v",
    "- - |",
    "k: |",
    "- k: >-",
    "- |",
    "k: !!str |1",
    "k: &a \"b",
    "b\"",
    "k: 'it''s",
    "b'",
    "- 'b",
    "\"k k\": [a,",
    "]",
    "- {a: b,",
    "c: \"d}",
    "}",
    "? v",
    ": v",
    "# it's",
    "{{ v }}",
    "",
    "secretive: v",
    "secretive: v",
    "secretive:",
    "\"secretive\": v",
    " secretive=v",
    "secretive",
    "- secretive: v",
    "{secretive: v",
];

/// Whether a secret is among the texts of a value, and whether one is among its keys.
fn secretive(value: &crate::yaml::Value) -> (bool, bool) {
    use crate::yaml::Data;
    let both = |(a, b), (c, d)| (a || c, b || d);
    match &value.data {
        Data::Text(text) => (text.contains("secretive"), false),
        Data::List(items) => items.iter().map(secretive).fold((false, false), both),
        Data::Map(map) => map
            .iter()
            .map(|(key, entry)| both(secretive(&entry.value), (false, key.contains("secretive"))))
            .fold((false, false), both),
        _ => (false, false),
    }
}

/// A text that is one document of YAML and nothing else.
fn whole(text: &str) -> Option<crate::yaml::Value> {
    let tree = crate::yaml::parse(text).ok().filter(|tree| !tree.has_more)?;
    crate::yaml::Value::compose(&tree, 0).ok()
}

/// The real parser says which words are values.
#[test]
fn what_the_parser_takes_for_a_value_is_hidden() {
    use proptest::test_runner::{Config, TestRunner};
    let line = (0_usize..5, prop::sample::select(PIECES)).prop_map(|(n, piece)| " ".repeat(n) + piece + "\n");
    let texts = (prop::sample::select(&["", "--- |\n", "--- \"\n"][..]), prop::collection::vec(line, 1..7));
    let judged = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(30_000) });
    let done = runner.run(&texts, |(start, lines)| {
        let text = start.to_owned() + &lines.concat();
        let Some((true, false)) = whole(&text).as_ref().map(secretive) else { return Ok(()) };
        judged.set(judged.get() + 1);
        for (at, _) in text.match_indices("secretive") {
            let line = shown(&text, at..at).line;
            prop_assert!(!line.contains("secretive"), "{line:?} of\n{text}");
        }
        Ok(())
    });
    assert!(done.is_ok(), "{}", done.unwrap_err());
    assert!(judged.get() > 300, "{} texts", judged.get());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_piece_of_a_token_is_shown(
        hole in prop::sample::select(HOLES),
        token in prop_oneof!["[A-Za-z0-9+/]{32,64}", "[A-Za-z0-9_-]{30,60}={2}", "[0-9a-f]{32,64}", "[a-z]{32,64}", "[!-~]{32,64}"],
        indentation in 0_usize..8,
        start in 0_usize..200,
        len in 0_usize..80,
    ) {
        let text: String = hole.replace('@', &token).lines().map(|line| format!("{}{line}\n", " ".repeat(indentation))).collect();
        let shown = shown(&text, start..start + len);
        prop_assert!(!leaks(&shown.line, &token), "{} from {text}", shown.line);
    }

    #[test]
    fn any_text_and_span_is_shown(text in "(\\PC|[ \t\r\n:#{}\\['\"|>=-]|key|…|é){0,60}", start in 0_usize..90, end in 0_usize..90) {
        let Shown { line, column, width } = shown(&text, start..end);
        let len = line.chars().count();
        prop_assert!(len <= LONGEST && !line.contains(['\n', '\r', '\t']));
        prop_assert!(column >= 1 && width >= 1 && column + width <= len + 2, "{line:?} {column} {width}");
    }
}
