//! The actions of a Go template, cut into tokens as `text/template` cuts them. All text outside `{{ … }}` is skipped.
//!
//! A template that Go refuses is read on as far as it makes sense: another tool says what is wrong with it.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a function.
    Word,
    /// `$name`, or `$` alone.
    Variable,
    /// A text in quotes or backquotes.
    Text,
    /// `(`
    Left,
    /// `)`
    Right,
    /// `|`
    Pipe,
    /// The `=` of `:=` or `=`.
    Assign,
    /// A field, a number, a character, a comma.
    Other,
}

/// A token and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// One `{{ … }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    /// Its bytes, with the braces; up to the end of the text if nothing closes it.
    pub(super) span: Range<usize>,
    pub(super) lexemes: Vec<Lexeme>,
}

impl Action {
    /// The word at its beginning: a keyword, if it is one.
    pub(super) fn first_word<'t>(&self, text: &'t str) -> &'t str {
        match self.lexemes.first() {
            Some(Lexeme { token: Token::Word, span }) => slice(text, span),
            _ => "",
        }
    }
}

/// The bytes of a token.
pub(super) fn slice<'t>(text: &'t str, span: &Range<usize>) -> &'t str {
    text.get(span.clone()).unwrap_or_default()
}

/// All actions of a template, comments left out.
pub(super) fn actions(text: &str) -> Vec<Action> {
    let mut lexer = Lexer { text, at: 0 };
    let mut actions = Vec::new();
    while let Some(offset) = lexer.rest().find("{{") {
        lexer.at += offset;
        let start = lexer.at;
        lexer.open();
        let lexemes = lexer.action();
        if !lexemes.is_empty() {
            actions.push(Action { span: start..lexer.at, lexemes });
        }
    }
    actions
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes `{{`, the trim marker and a comment.
    fn open(&mut self) {
        self.at += 2;
        // `{{-3}}` is a negative number.
        if self.rest().strip_prefix('-').is_some_and(|behind| behind.starts_with(is_space)) {
            self.at += 1;
        }
        let comment = self.rest().trim_start_matches(is_space);
        if let Some(inner) = comment.strip_prefix("/*") {
            let behind = inner.split_once("*/").map_or("", |(_, behind)| behind);
            self.at = self.text.len() - behind.len();
        }
    }

    /// The tokens up to `}}`, or up to what shows that it is missing.
    fn action(&mut self) -> Vec<Lexeme> {
        let mut lexemes = Vec::new();
        while let Some(next) = self.rest().chars().next() {
            if let Some(close) = ["}}", "-}}"].into_iter().find(|close| self.rest().starts_with(close)) {
                self.at += close.len();
                break;
            }
            if self.rest().starts_with("{{") {
                break;
            }
            let start = self.at;
            let token = self.token(next);
            lexemes.extend(token.map(|token| Lexeme { token, span: start..self.at }));
        }
        lexemes
    }

    /// Passes one token that begins with `first`, or white space.
    fn token(&mut self, first: char) -> Option<Token> {
        self.at += first.len_utf8();
        Some(match first {
            '"' => self.quoted('"', Token::Text),
            '\'' => self.quoted('\'', Token::Other),
            '`' => {
                self.at += self.rest().find('`').map_or(self.rest().len(), |end| end + 1);
                Token::Text
            }
            '$' => self.name(Token::Variable),
            '.' => self.name(Token::Other),
            '(' => Token::Left,
            ')' => Token::Right,
            '|' => Token::Pipe,
            '=' => Token::Assign,
            c if is_space(c) => return None,
            c if c.is_numeric() => self.name(Token::Other),
            c if is_name(c) => self.name(Token::Word),
            _ => Token::Other,
        })
    }

    fn name(&mut self, token: Token) -> Token {
        self.at += self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        token
    }

    /// Up to the closing quote; a missing one is missed at the end of the line.
    fn quoted(&mut self, quote: char, token: Token) -> Token {
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices() {
            if c == '\n' || (c == quote && !escaped) {
                self.at += offset + usize::from(c == quote);
                return token;
            }
            escaped = c == '\\' && !escaped;
        }
        self.at = self.text.len();
        token
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of each action.
    fn words(text: &str) -> Vec<Vec<&str>> {
        let words = |action: &Action| {
            let words = action.lexemes.iter().filter(|lexeme| lexeme.token == Token::Word);
            words.map(|lexeme| slice(text, &lexeme.span)).collect()
        };
        actions(text).iter().map(words).collect()
    }

    #[test]
    fn actions_are_cut_as_go_cuts_them() {
        let cases: &[(&str, &[&[&str]])] = &[
            ("now", &[]),
            ("{{now}} now {{- now -}}", &[&["now"], &["now"]]),
            ("{{/* now */}}{{- /* now\n}} now */ -}}x{{ a }}", &[&["a"]]),
            ("{{/* now", &[]),
            ("{{ a \"now }} \\\" now\" `now }}\n\\` b }}", &[&["a", "b"]]),
            ("{{ '\\'' }}{{ 'n' | a }}", &[&[], &["a"]]),
            ("{{ .Values.now $now $.now (a).now .now }}", &[&["a"]]),
            ("{{-3}}{{- 3now }}", &[&[], &[]]),
            ("{{ a\n  | b }}", &[&["a", "b"]]),
            ("{{ a", &[&["a"]]),
            ("{{ a {{ b }}", &[&["a"], &["b"]]),
            ("{{ a \"x\n }} now {{ b }}", &[&["a"], &["b"]]),
            ("{{ é.now_now }}", &[&["é"]]),
            ("{ { now } } {{}}{", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), *expected, "{text}");
        }
    }
}
