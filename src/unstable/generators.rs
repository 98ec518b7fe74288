//! Which functions of a template give another value at every render.

use std::collections::BTreeSet;

use super::action::{Action, Token, actions, slice};

/// The functions of sprig and Helm whose value does not follow from their arguments alone. `lookup` and
/// `derivePassword` are here too: the one sees a cluster only at times, the other makes a secret without a source.
const FUNCTIONS: [&str; 22] = [
    "ago",
    "bcrypt",
    "derivePassword",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "lookup",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
];

/// A call of such a function in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generator {
    /// Its name.
    pub function: &'static str,
    /// The first byte of its name in the template.
    pub start: usize,
    /// Behind the last byte of its name.
    pub end: usize,
    /// Whether, as far as the template's shape tells, it is called only when the values gave nothing.
    pub guarded: bool,
}

impl Generator {
    /// Whether two renders without a cluster get different values from it.
    pub(super) fn varies(&self) -> bool {
        !matches!(self.function, "lookup" | "derivePassword")
    }
}

/// All such calls of a template, in order.
pub fn generators(text: &str) -> Vec<Generator> {
    let mut found = Vec::new();
    let mut blocks = Blocks::new(text);
    for action in actions(text) {
        let inside = blocks.guarded();
        let mut commands = Commands::default();
        for lexeme in &action.lexemes {
            let word = slice(text, &lexeme.span);
            let function = FUNCTIONS.into_iter().find(|name| lexeme.token == Token::Word && *name == word);
            found.extend(function.map(|function| Generator {
                function,
                start: lexeme.span.start,
                end: lexeme.span.end,
                guarded: inside || commands.guarded(),
            }));
            commands.take(lexeme.token, word);
        }
        blocks.take(&action);
    }
    found
}

/// The commands around a token of an action: the one that it belongs to, and those around the parentheses.
struct Commands<'t>(Vec<Command<'t>>);

#[derive(Default)]
struct Command<'t> {
    head: Option<&'t str>,
    has_arguments: bool,
}

impl Default for Commands<'_> {
    fn default() -> Self {
        Self(vec![Command::default()])
    }
}

impl<'t> Commands<'t> {
    /// Whether a token that comes next is only what is left when another argument is empty.
    fn guarded(&self) -> bool {
        self.0.iter().any(|command| match command.head {
            Some("default") => !command.has_arguments,
            Some("coalesce" | "or") => command.has_arguments,
            _ => false,
        })
    }

    fn take(&mut self, token: Token, word: &'t str) {
        match token {
            Token::Left => self.0.push(Command::default()),
            Token::Right => {
                self.0.pop();
                self.operand("");
            }
            Token::Pipe | Token::Assign => {
                if let Some(command) = self.0.last_mut() {
                    *command = Command::default();
                }
            }
            Token::Word if is_keyword(word) => {}
            _ => self.operand(word),
        }
    }

    fn operand(&mut self, word: &'t str) {
        if self.0.is_empty() {
            self.0.push(Command::default());
        }
        if let Some(command) = self.0.last_mut() {
            command.has_arguments |= command.head.is_some();
            command.head.get_or_insert(word);
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "else" | "with" | "range" | "end" | "define" | "block" | "template")
}

/// The blocks around an action.
struct Blocks<'t> {
    text: &'t str,
    open: Vec<Block>,
    /// Variables that hold what was found in the cluster.
    looked_up: BTreeSet<&'t str>,
}

/// Whether the branches of a block are taken only when nothing was given.
#[derive(Clone, Copy, Default)]
struct Block {
    here: bool,
    otherwise: bool,
}

impl<'t> Blocks<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, open: Vec::new(), looked_up: BTreeSet::new() }
    }

    fn guarded(&self) -> bool {
        self.open.iter().any(|block| block.here)
    }

    fn take(&mut self, action: &Action) {
        match action.first_word(self.text) {
            "if" | "with" | "range" => self.open.push(self.block(action)),
            "define" | "block" => self.open.push(Block::default()),
            "end" => drop(self.open.pop()),
            "else" => {
                let next = if action.lexemes.len() > 1 { self.block(action) } else { Block::default() };
                if let Some(block) = self.open.last_mut() {
                    let given = block.otherwise;
                    *block = Block { here: given || next.here, otherwise: given || next.otherwise };
                }
            }
            _ => {}
        }
        self.remember(action);
    }

    fn block(&self, action: &Action) -> Block {
        if self.looks_up(action) {
            return Block { here: true, otherwise: true };
        }
        let asks_for_nothing = self.asks_for_nothing(action);
        Block { here: asks_for_nothing, otherwise: !asks_for_nothing }
    }

    /// `not …`, `empty …`, `eq … ""`, but not `not (empty …)`.
    fn asks_for_nothing(&self, action: &Action) -> bool {
        let tokens: Vec<&str> = action.lexemes.iter().map(|lexeme| slice(self.text, &lexeme.span)).collect();
        let doubly = tokens.windows(3).any(|window| window == ["not", "(", "empty"]);
        let has = |token: &str| tokens.contains(&token);
        !doubly && (has("not") || has("empty") || (has("eq") && has("\"\"")))
    }

    fn looks_up(&self, action: &Action) -> bool {
        action.lexemes.iter().any(|lexeme| match lexeme.token {
            Token::Word => slice(self.text, &lexeme.span) == "lookup",
            Token::Variable => self.looked_up.contains(slice(self.text, &lexeme.span)),
            _ => false,
        })
    }

    fn remember(&mut self, action: &Action) {
        let assigned = action.lexemes.iter().position(|lexeme| lexeme.token == Token::Assign);
        let variables = action.lexemes.iter().take(assigned.unwrap_or(0));
        if self.looks_up(action) {
            let names = variables.filter(|lexeme| lexeme.token == Token::Variable);
            self.looked_up.extend(names.map(|lexeme| slice(self.text, &lexeme.span)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The functions found; a guarded one in brackets.
    fn found(text: &str) -> String {
        let name = |generator: &Generator| {
            assert_eq!(&text[generator.start..generator.end], generator.function);
            if generator.guarded { format!("[{}]", generator.function) } else { generator.function.to_owned() }
        };
        generators(text).iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn functions_are_found_wherever_they_are_called() {
        assert_eq!(found("now {{ now }}\n{{- now | date \"2006\" -}}"), "now now");
        assert_eq!(found("{{ b64enc (printf \"%s\" (randAlphaNum 5)) | quote }}"), "randAlphaNum");
        assert_eq!(found("{{ $ca := genCA \"now\" 365 }}{{ $c = genSignedCert `uuidv4` $ca }}"), "genCA genSignedCert");
        assert_eq!(found("{{ randBytes 32 | htpasswd \"a\" }}"), "randBytes htpasswd");
        assert_eq!(found("{{ .Values.now }}{{ $now }}{{/* now */}}{{ nowhere }}"), "");
    }

    #[test]
    fn a_default_guards_only_its_first_argument() {
        assert_eq!(found("{{ default (randAlphaNum 5) .Values.x }}"), "[randAlphaNum]");
        assert_eq!(found("{{ .Values.x | default (randAlphaNum 5 | b64enc) | quote }}"), "[randAlphaNum]");
        assert_eq!(found("{{ $x := default uuidv4 .Values.x }}"), "[uuidv4]");
        assert_eq!(found("{{ if default now .x }}{{ end }}"), "[now]");
        assert_eq!(found("{{ default \"x\" (randAlphaNum 5) }}"), "randAlphaNum");
        assert_eq!(found("{{ randAlphaNum 5 | default .Values.x }}"), "randAlphaNum");
        assert_eq!(found("{{ coalesce .a .b (uuidv4) }}{{ or (uuidv4) .a }}"), "[uuidv4] uuidv4");
    }

    #[test]
    fn a_branch_for_what_was_not_given_guards() {
        assert_eq!(found("{{ if not .x }}{{ now }}{{ else }}{{ now }}{{ end }}{{ now }}"), "[now] now now");
        assert_eq!(found("{{ if .x }}{{ now }}{{ else }}{{ now }}{{ end }}"), "now [now]");
        assert_eq!(found("{{ if .x }}{{ else if .y }}{{ now }}{{ end }}"), "[now]");
        assert_eq!(found("{{ with .x }}{{ if .y }}{{ now }}{{ end }}{{ else }}{{ now }}{{ end }}"), "now [now]");
        assert_eq!(found("{{ if and .a (empty .x) }}{{ now }}{{ end }}"), "[now]");
        assert_eq!(found("{{ if not (empty .x) }}{{ now }}{{ else }}{{ now }}{{ end }}"), "now [now]");
        assert_eq!(found("{{ if eq .x \"\" }}{{ now }}{{ end }}{{ range .x }}{{ now }}{{ end }}"), "[now] now");
        assert_eq!(found("{{ define \"x\" }}{{ now }}{{ end }}"), "now");
    }

    #[test]
    fn what_depends_on_the_cluster_is_guarded() {
        let text =
            "{{ $s := lookup \"v1\" \"Secret\" .n .m }}{{ $d := get $s.data \"x\" }}{{ if $d }}{{ now }}{{ end }}";
        assert_eq!(found(text), "lookup [now]");
        assert_eq!(found("{{ if (lookup \"v1\" \"Secret\" .n .m) }}{{ now }}{{ end }}"), "lookup [now]");
    }

    #[test]
    fn what_is_broken_is_read_on() {
        assert_eq!(found("{{ ) | default ( now"), "[now]");
        assert_eq!(found("{{ end }}{{ else }}{{ now"), "now");
    }

    proptest! {
        #[test]
        fn spans_lie_in_any_text(text in r#"(\{\{|\}\}|-|now|uuidv4|é|"|`|'|\$|\.|\(|\)|\||/\*|\*/| |\n|if|else|end|\PC){0,40}"#) {
            for generator in generators(&text) {
                prop_assert_eq!(text.get(generator.start..generator.end), Some(generator.function));
            }
        }
    }
}
