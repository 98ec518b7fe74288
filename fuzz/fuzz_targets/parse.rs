//! Any text is read or refused: no panic, no long wait, every span inside the text, no word of it in a message.

#![no_main]

use helm_keyring::manifest::{Cursor, Object, Pod};
use helm_keyring::yaml::{self, Data, Node, Value, position};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let tree = match yaml::parse(text) {
        Ok(tree) => tree,
        Err(error) => return refused(text, &error),
    };
    tree.root.iter().for_each(|root| check_bounds(text, root));

    let value = match Value::parse(text, 7) {
        Ok(value) => value,
        Err(error) => return refused(text, &error),
    };
    // The place of a key that is missing (`?`) is not known, but such a mapping has no value.
    tree.root.iter().for_each(check_nesting);
    check_value(text, &value);
    let json = value.to_json();
    assert!(value == Value::parse(text, 0).expect("read before"));
    // JSON is YAML: what was read can be written and read again.
    let written = json.to_string();
    if let Ok(again) = Value::parse(&written, 0) {
        assert_eq!(again.to_json(), json, "{written}");
    }

    if let Some(root) = Cursor::root(&tree) {
        for object in Object::all(root) {
            assert!(object.offset() <= text.len());
            for pod in Pod::all(&object) {
                let _ = (pod.volumes().len(), pod.env_from_secrets(), pod.secret_key_refs().len());
            }
        }
    }
});

fn children<'n, 'a>(node: &'n Node<'a>) -> impl Iterator<Item = &'n Node<'a>> {
    node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value]))
}

fn check_bounds(text: &str, node: &Node<'_>) {
    assert!(node.start <= node.span.start, "{}..{:?}", node.start, node.span);
    assert!(text.get(node.start..node.span.end).is_some(), "{}..{:?} of {}", node.start, node.span, text.len());
    children(node).for_each(|child| check_bounds(text, child));
}

fn check_nesting(node: &Node<'_>) {
    let mut behind = node.span.start;
    for child in children(node) {
        assert!(child.start >= behind, "children overlap at {}", child.start);
        behind = child.span.end;
        assert!(behind <= node.span.end, "{:?} leaves {:?}", child.span, node.span);
        check_nesting(child);
    }
}

fn check_value(text: &str, value: &Value) {
    assert!(value.span.file == 7 && text.get(value.span.start..value.span.end).is_some(), "{:?}", value.span);
    match &value.data {
        Data::List(items) => items.iter().for_each(|item| check_value(text, item)),
        Data::Map(map) => {
            for entry in map.values() {
                assert!(text.get(entry.key.start..entry.key.end).is_some(), "{:?}", entry.key);
                check_value(text, &entry.value);
            }
        }
        _ => {}
    }
}

fn refused(text: &str, error: &yaml::Error) {
    assert!(error.offset <= text.len(), "{error} at {} of {}", error.offset, text.len());
    let _ = position(text.as_bytes(), error.offset);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(|word| word.len() >= 12 && word.contains(|c: char| c.is_ascii_digit())) {
        assert!(!error.to_string().contains(word), "{error}");
    }
}
