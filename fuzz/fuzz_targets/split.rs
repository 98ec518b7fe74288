//! The pieces of a stream are the stream, and hold the documents that a YAML parser finds in the whole of it.

#![no_main]

use granit_parser::{Event, Parser};
use helm_keyring::manifest::{split, split_and_glued};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let pieces = split(stream);
    let mut end = 0;
    for piece in &pieces {
        assert!(piece.start == end && piece.end > end, "the pieces do not tile the stream: {pieces:?}");
        end = piece.end;
    }
    assert_eq!(end, stream.len());

    for at in split_and_glued(stream).1 {
        assert!(stream[at..].starts_with(b"---") && (at == 0 || stream[at - 1] == b'\n'));
    }

    let Ok(text) = std::str::from_utf8(stream) else { return };
    let Ok(whole) = documents(text) else { return };
    let mut parts = Vec::new();
    for piece in pieces {
        let piece = &text[piece];
        parts.extend(documents(piece).unwrap_or_else(|()| panic!("valid in the stream, but not alone: {piece:?}")));
    }
    assert_eq!(parts, whole);
});

/// The events of each document that holds anything.
fn documents(text: &str) -> Result<Vec<Vec<String>>, ()> {
    let mut documents: Vec<Vec<String>> = Vec::new();
    let mut first_anchor = None;
    for next in Parser::new_from_str(text) {
        let (event, _) = next.map_err(|_| ())?;
        // Anchors are counted through the whole stream.
        let mut number = |id: usize| if id == 0 { 0 } else { id - *first_anchor.get_or_insert(id) + 1 };
        let event = match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::DocumentStart(..) => {
                first_anchor = None;
                documents.push(Vec::new());
                continue;
            }
            Event::Alias(id) => format!("*{}", number(id)),
            Event::Scalar(text, style, id, tag) => format!("{style:?} {text:?} &{} {tag:?}", number(id)),
            Event::SequenceStart(style, id, tag) => format!("{style:?} [ &{} {tag:?}", number(id)),
            Event::MappingStart(style, id, tag) => format!("{style:?} {{ &{} {tag:?}", number(id)),
            other => format!("{other:?}"),
        };
        documents.last_mut().ok_or(())?.push(event);
    }
    documents.retain(|events| events.as_slice() != ["Plain \"\" &0 None"] && !events.is_empty());
    Ok(documents)
}
