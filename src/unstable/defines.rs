//! Named templates: where `define` begins and ends, and who calls them by name.

use std::ops::Range;

use super::action::{Token, actions, slice};

/// `{{ define "name" }} … {{ end }}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Define {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// `include "name"` or `template "name"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) at: usize,
}

/// All named templates of a file.
pub(super) fn defines(text: &str) -> Vec<Define> {
    let mut found = Vec::new();
    let mut open: Vec<Option<Define>> = Vec::new();
    for action in actions(text) {
        match action.first_word(text) {
            "define" => {
                let name = action.lexemes.get(1).map(|lexeme| unquoted(slice(text, &lexeme.span)));
                open.push(name.map(|name| Define { name, span: action.span.clone() }));
            }
            // A `block` is called where it stands: for this purpose no template of its own.
            "if" | "with" | "range" | "block" => open.push(None),
            "end" => {
                if let Some(mut define) = open.pop().flatten() {
                    define.span.end = action.span.end;
                    found.push(define);
                }
            }
            _ => {}
        }
    }
    found
}

/// All calls of a file whose name is written out.
pub(super) fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    for action in actions(text) {
        for (word, name) in action.lexemes.iter().zip(action.lexemes.iter().skip(1)) {
            let calls = word.token == Token::Word && matches!(slice(text, &word.span), "include" | "template");
            if calls && name.token == Token::Text {
                found.push(Call { name: unquoted(slice(text, &name.span)), at: word.span.start });
            }
        }
    }
    found
}

fn unquoted(text: &str) -> String {
    text.trim_matches(['"', '`']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_define_ends_with_its_own_end() {
        let text = "a {{ define \"x\" }}{{ if .y }}{{ end }}{{ end }} b {{- define `z` -}}c{{- end -}}";
        let found: Vec<_> = defines(text).into_iter().map(|define| (define.name, &text[define.span])).collect();
        let found: Vec<_> = found.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(
            found,
            [("x", "{{ define \"x\" }}{{ if .y }}{{ end }}{{ end }}"), ("z", "{{- define `z` -}}c{{- end -}}")]
        );
        assert_eq!(defines("{{ define \"x\" }}"), []);
    }

    #[test]
    fn calls_by_a_written_name_are_found() {
        let text = "{{ include \"a\" . | b64enc }}{{ template `b` . }}{{ include $x . }}{{ \"include\" }}";
        assert_eq!(calls(text).iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
