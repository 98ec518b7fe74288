//! The language of `--set` and its relatives: `a.b[0]=x,c={y,z}`.

use zeroize::Zeroizing;

use super::json;
use crate::report::Place;
use crate::yaml::{Data, Number, Span, Value};

/// Names in one path, as in Helm.
const MAX_NAMES: usize = 31;
/// Names and indices in one path.
const MAX_STEPS: usize = 100;
/// Helm's limit too.
const MAX_INDEX: usize = 65_536;

/// One of the flags that set single values, in the order in which Helm applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// `--set-json`
    Json,
    /// `--set`
    Typed,
    /// `--set-string`
    String,
    /// `--set-file`
    File,
    /// `--set-literal`
    Literal,
}

impl SetKind {
    /// The flag as Helm spells it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Json => "--set-json",
            Self::Typed => "--set",
            Self::String => "--set-string",
            Self::File => "--set-file",
            Self::Literal => "--set-literal",
        }
    }
}

/// A flag with its text. No `Debug`: the text may hold a key.
#[derive(Clone)]
pub struct Set {
    /// Which flag.
    pub kind: SetKind,
    /// What follows it.
    pub text: Zeroizing<String>,
    /// Where it is written, if not on the command line.
    pub place: Option<Place>,
}

/// A value for `--set` as Argo CD writes it: commas belong to the value, unless it is a `{list}`; one behind a backslash is
/// escaped already.
pub fn escaped_commas(value: &str) -> Zeroizing<String> {
    if value.starts_with('{') && value.ends_with('}') {
        return Zeroizing::new(value.to_owned());
    }
    let mut text = Zeroizing::new(String::with_capacity(value.len() + 8));
    let mut before = None;
    for c in value.chars() {
        if c == ',' && before != Some('\\') {
            text.push('\\');
        }
        text.push(c);
        before = Some(c);
    }
    text
}

/// One step into the values.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Where a value goes. An empty path is the top: a whole mapping from `--set-json`.
pub(super) struct Assignment {
    pub(super) path: Vec<Step>,
    pub(super) value: Written,
}

/// A value as written. No `Debug`: it may be a key.
pub(super) enum Written {
    One(Zeroizing<String>),
    List(Vec<Zeroizing<String>>),
    Json(Value),
}

/// Reads one flag's text. Errors quote nothing of it: a comma in a key that was not escaped makes it a name.
pub(super) fn parse(set: &Set) -> Result<Vec<Assignment>, String> {
    let text = set.text.as_str();
    if set.kind == SetKind::Json && text.trim_start().starts_with('{') {
        let value = json::whole(text.trim())?;
        return Ok(vec![Assignment { path: Vec::new(), value: Written::Json(value) }]);
    }
    let mut reader = Reader { kind: set.kind, rest: text };
    let mut assignments = Vec::new();
    while !reader.rest.is_empty() {
        let number = assignments.len() + 1;
        assignments.push(reader.assignment().map_err(|what| format!("assignment {number}: {what}"))?);
    }
    Ok(assignments)
}

/// The path before the first `=`, as it is written; nothing where there is none, or where it could be a key.
pub(super) fn shown_path(set: &Set) -> Option<&str> {
    let (path, _) = set.text.split_once('=')?;
    let plain = |step: &str| step.len() < 32 && step.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/".contains(&b));
    (path.len() <= 200 && path.split(['.', '[', ']']).all(plain)).then_some(path)
}

struct Reader<'a> {
    kind: SetKind,
    rest: &'a str,
}

impl Reader<'_> {
    fn assignment(&mut self) -> Result<Assignment, String> {
        let path = self.path()?;
        let kind = self.kind;
        let value = match kind {
            SetKind::Literal => Written::One(self.until("").0),
            SetKind::Json => Written::Json(self.json()?),
            _ if self.next_is('{') => Written::List(self.list()?),
            _ => Written::One(self.until(",").0),
        };
        Ok(Assignment { path, value })
    }

    /// Everything up to and with the `=`.
    fn path(&mut self) -> Result<Vec<Step>, String> {
        let mut path = Vec::new();
        loop {
            let (name, mut stop) = self.until(if self.kind == SetKind::Literal { "=[." } else { "=[.," });
            if name.is_empty() {
                return Err("an empty name".to_owned());
            }
            path.push(Step::Key(name.to_string()));
            while stop == Some('[') {
                path.push(Step::Index(self.index()?));
                stop = self.next();
            }
            match stop {
                Some('=') => return Ok(path),
                Some('.') => {}
                Some(',') | None => {
                    return Err("a name without a value (a comma in a value is written `\\,`)".to_owned());
                }
                Some(_) => return Err("more than a dot, a bracket or an equals sign behind an index".to_owned()),
            }
            let names = path.iter().filter(|step| matches!(step, Step::Key(_))).count();
            if names >= MAX_NAMES || path.len() > MAX_STEPS {
                return Err(format!("a path of more than {MAX_NAMES} names"));
            }
        }
    }

    fn index(&mut self) -> Result<usize, String> {
        let (digits, stop) = self.until("]");
        let index = digits.parse().ok().filter(|index| *index <= MAX_INDEX && stop.is_some());
        index.ok_or_else(|| format!("an index that is no number up to {MAX_INDEX}"))
    }

    /// Behind the `{`. The comma behind the `}` may be missing.
    fn list(&mut self) -> Result<Vec<Zeroizing<String>>, String> {
        let mut items = Vec::new();
        loop {
            let (item, stop) = self.until(",}");
            items.push(item);
            match stop {
                Some('}') => break,
                Some(_) => {}
                None => return Err("a list without its `}`".to_owned()),
            }
        }
        self.next_is(',');
        Ok(items)
    }

    /// A JSON value and the comma behind it; nothing at all is null.
    fn json(&mut self) -> Result<Value, String> {
        if self.comma() || self.rest.is_empty() {
            return Ok(Value::null(0));
        }
        let (value, bytes) = json::first(self.rest)?;
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.comma();
        Ok(value)
    }

    /// Skips blanks, and a comma if one follows.
    fn comma(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.next_is(',')
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn next_is(&mut self, wanted: char) -> bool {
        let stripped = self.rest.strip_prefix(wanted);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }

    /// The text before one of `stops`, which is consumed, and which one it was. A backslash takes the meaning
    /// off what follows it.
    fn until(&mut self, stops: &str) -> (Zeroizing<String>, Option<char>) {
        let escapes = self.kind != SetKind::Literal;
        // Room for all of it at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(self.rest.len()));
        while let Some(c) = self.next() {
            match c {
                '\\' if escapes => text.extend(self.next()),
                _ if stops.contains(c) => return (text, Some(c)),
                _ => text.push(c),
            }
        }
        (text, None)
    }
}

/// What `--set` makes of a text: a boolean, null, a decimal integer, or the text.
pub(super) fn typed(text: Zeroizing<String>, span: Span) -> Value {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    // A leading zero keeps a text a text: `0755` is a file mode, `007` a name.
    let integer = (text.as_str() == "0" || !text.starts_with('0')).then(|| text.parse::<i64>().ok()).flatten();
    let data = match integer {
        Some(integer) => Data::Number(Number::Int(integer.into())),
        None if is("true") => Data::Bool(true),
        None if is("false") => Data::Bool(false),
        None if is("null") => Data::Null,
        None => Data::Text(text),
    };
    Value { data, span }
}
