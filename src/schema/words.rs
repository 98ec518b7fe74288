//! What a JSON Schema finds wrong, in words: what it is about, what was found, what was expected, what to do.
//!
//! The words come from the schema itself. `title` says what a thing must be, `description` what it is for.

use jsonschema::PatternOptions;
use jsonschema::error::{ValidationError, ValidationErrorKind as Wrong};
use jsonschema::paths::LocationSegment;
use serde_json::Value as Json;

use crate::report::{Exit, Finding, Place, Refusal, list, nearest};
use crate::yaml::{Data, Span, Value};

use super::{Document, shown};

/// Everything in the document that does not fit, in the order of its places.
pub(super) fn findings(schema: &str, document: &Document) -> Result<Vec<Finding>, Refusal> {
    let broken = || Finding::error(Exit::Io, "broken-schema", "a schema of this program is broken; please report it");
    let schema: Json = serde_json::from_str(schema).map_err(|_| broken())?;
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator = options.build(&schema).map_err(|_| broken())?;
    let json = document.value().to_json();
    let reader = Reader { schema: &schema, document };
    let mut findings: Vec<Finding> = validator.iter_errors(&json).flat_map(|error| reader.explain(&error)).collect();
    findings.sort_by_key(|finding| finding.places.first().and_then(|place| place.position));
    Ok(findings)
}

/// What an error is about: the value, who holds it, and what to call it.
struct Subject<'d> {
    value: &'d Value,
    /// The key or the item that holds the value: where a message about the whole of it points.
    holder: Span,
    name: String,
    /// What it is for.
    meaning: Option<&'d str>,
}

struct Reader<'d> {
    schema: &'d Json,
    document: &'d Document,
}

impl<'d> Reader<'d> {
    fn explain(&self, error: &ValidationError<'_>) -> Vec<Finding> {
        let rule = self.rule(error);
        let subject = self.subject(error, rule);
        match error.kind() {
            Wrong::AdditionalProperties { unexpected } => {
                unexpected.iter().map(|name| self.unknown(&subject, rule, name)).collect()
            }
            Wrong::Required { property } => {
                self.missing(&subject, rule, property.as_str().unwrap_or_default()).into_iter().collect()
            }
            Wrong::PropertyNames { error } => vec![self.wrong_name(&subject, rule, error)],
            Wrong::Type { .. } => vec![self.wrong_type(&subject, rule)],
            Wrong::Enum { .. } | Wrong::Constant { .. } => vec![self.wrong_word(&subject, rule)],
            Wrong::OneOfNotValid { context } | Wrong::AnyOf { context } => self.alternatives(error, context),
            kind => vec![self.misfit(&subject, rule, kind)],
        }
    }

    /// The value that an error is about.
    fn subject(&self, error: &ValidationError<'_>, rule: &'d Json) -> Subject<'d> {
        let root = self.document.value();
        let meaning = self.beside_reference(error).or_else(|| rule.get("description")?.as_str());
        let mut subject = Subject { value: root, holder: root.span, name: "this file".into(), meaning };
        for segment in error.instance_path().segments() {
            match (segment, &subject.value.data) {
                (LocationSegment::Property(name), Data::Map(map)) => {
                    let Some(entry) = map.get(name.as_ref()) else { break };
                    let name = shown(&name).unwrap_or_else(|| "this".into());
                    subject = Subject { value: &entry.value, holder: entry.key, name, meaning };
                }
                (LocationSegment::Index(index), Data::List(items)) => {
                    let Some(value) = items.get(index) else { break };
                    let name = format!("item {} of {}", index + 1, subject.name);
                    subject = Subject { value, holder: value.span, name, meaning };
                }
                _ => break,
            }
        }
        subject
    }

    /// What is said beside the reference that led to the rule: it knows better than the rule what the value is for.
    fn beside_reference(&self, error: &ValidationError<'_>) -> Option<&'d str> {
        let path = error.evaluation_path().as_str();
        let (before, _) = path.rsplit_once("/$ref/").filter(|(_, after)| !after.contains('/'))?;
        let mut holder = self.schema;
        for (index, part) in before.split("/$ref").enumerate() {
            if index > 0 {
                holder = self.schema.pointer(holder.get("$ref")?.as_str()?.strip_prefix('#')?)?;
            }
            holder = holder.pointer(part)?;
        }
        holder.get("description")?.as_str()
    }

    /// The schema of which a keyword was not kept.
    fn rule(&self, error: &ValidationError<'_>) -> &'d Json {
        let pointer = error.schema_path().as_str();
        let holder = pointer.rsplit_once('/').map_or("", |(holder, _keyword)| holder);
        self.schema.pointer(holder).unwrap_or(self.schema)
    }

    fn at(&self, span: Span) -> Place {
        self.document.place(span)
    }

    fn unknown(&self, subject: &Subject<'_>, rule: &Json, name: &str) -> Finding {
        let key = subject.value.map().and_then(|map| map.get(name)).map_or(subject.holder, |entry| entry.key);
        let known = properties(rule);
        let whose = title(rule).unwrap_or("this file");
        let finding = match shown(name) {
            Some(name) => Finding::usage("unknown-property", format!("{name} is no property of {whose}")),
            None => Finding::usage("unknown-property", format!("this is no property of {whose}")),
        };
        let finding = finding.at(self.at(key)).found(format!("{whose} has {}", list(&quoted(&known))));
        match (nearest(name, known.iter().copied()), self.owner(name)) {
            (Some(meant), _) => finding.help(format!("did you mean `{meant}`?")),
            (None, Some(owner)) => finding.help(format!("it is a property of {owner}: move it there")),
            (None, None) => finding.help("take it out, or look it up in docs/"),
        }
    }

    /// The title of what has a property of this name elsewhere in the schema.
    fn owner(&self, name: &str) -> Option<&'d str> {
        let definitions = self.schema.get("$defs").and_then(Json::as_object)?;
        let whole = std::iter::once(self.schema);
        whole.chain(definitions.values()).find(|rule| rule["properties"].get(name).is_some()).and_then(title)
    }

    /// A missing property; nothing where it is there but misspelt, which is a finding of its own.
    fn missing(&self, subject: &Subject<'_>, rule: &Json, name: &str) -> Option<Finding> {
        let known = properties(rule);
        let mut written = subject.value.map().into_iter().flat_map(|map| map.keys());
        let misspelt =
            |word: &String| !known.contains(&word.as_str()) && nearest(word, known.iter().copied()) == Some(name);
        if written.any(misspelt) {
            return None;
        }
        let whose = title(rule).unwrap_or("this file");
        let finding =
            Finding::usage("missing-property", format!("{whose} needs `{name}`, and {} has none", subject.name));
        let meaning = rule["properties"].get(name).and_then(|property| self.description(property));
        Some(finding.at(self.at(subject.holder)).help(match meaning {
            Some(meaning) => format!("add `{name}`: {meaning}"),
            None => format!("add `{name}`"),
        }))
    }

    /// The description of a property, or of what it refers to.
    fn description(&self, property: &'d Json) -> Option<&'d str> {
        let referred = || self.schema.pointer(property.get("$ref")?.as_str()?.strip_prefix('#')?);
        let own = property.get("description");
        own.or_else(|| referred()?.get("description")).and_then(Json::as_str)
    }

    fn wrong_name(&self, subject: &Subject<'_>, rule: &Json, error: &ValidationError<'_>) -> Finding {
        let name = error.instance().as_str().unwrap_or_default();
        let key = subject.value.map().and_then(|map| map.get(name)).map_or(subject.holder, |entry| entry.key);
        let expected = title(rule).unwrap_or("another name");
        Finding::usage("wrong-name", format!("in {} this must be {expected}", subject.name))
            .at(self.at(key))
            .found("found a name of another form")
            .help("rename it")
    }

    fn wrong_type(&self, subject: &Subject<'_>, rule: &Json) -> Finding {
        let expected = type_words(rule);
        let found = subject.value.kind();
        let finding = Finding::usage("property-type", format!("{} must be {expected}", subject.name))
            .at(self.at(written(subject)))
            .found(format!("found {found}"));
        match (expected.as_str(), found, subject.meaning) {
            ("text", "a boolean" | "a number", _) => finding.help("put it in quotes"),
            (_, "null", Some(meaning)) => finding.help(format!("fill it in or take it out. {meaning}")),
            (_, _, Some(meaning)) => finding.help(meaning),
            (_, _, None) => finding.help(format!("write {expected}")),
        }
    }

    /// A word that is none of those allowed.
    fn wrong_word(&self, subject: &Subject<'_>, rule: &Json) -> Finding {
        let constant = rule.get("const").and_then(Json::as_str);
        let options = rule["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let allowed: Vec<&str> = options.chain(constant).collect();
        let expected = alternatives(&quoted(&allowed));
        let text = subject.value.text();
        let finding = Finding::usage("wrong-value", format!("{} must be {expected}", subject.name))
            .at(self.at(written(subject)))
            .found(text.map_or_else(|| format!("found {}", subject.value.kind()), |_| "found another word".into()));
        match text.and_then(|word| nearest(word, allowed)) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help(format!("write {expected}")),
        }
    }

    /// The errors of the one alternative that was meant: the one whose kind of value is right.
    fn alternatives(&self, error: &ValidationError<'_>, branches: &[Vec<ValidationError<'_>>]) -> Vec<Finding> {
        let of_other_kind = |inner: &ValidationError<'_>| {
            matches!(inner.kind(), Wrong::Type { .. } | Wrong::Constant { .. })
                && inner.instance_path() == error.instance_path()
        };
        match branches.iter().find(|branch| !branch.iter().any(of_other_kind)) {
            Some(meant) => meant.iter().flat_map(|inner| self.explain(inner)).collect(),
            None => vec![self.misfit(&self.subject(error, self.rule(error)), self.rule(error), error.kind())],
        }
    }

    /// Everything else: what it must be, in the words of the schema.
    fn misfit(&self, subject: &Subject<'_>, rule: &Json, kind: &Wrong) -> Finding {
        let name = &subject.name;
        let whose = title(rule).unwrap_or("text of another form");
        let must = match kind {
            Wrong::MinLength { .. } => "must not be empty".to_owned(),
            Wrong::MaxLength { limit } => format!("must have at most {limit} characters"),
            Wrong::MinItems { .. } => "must have an item".to_owned(),
            Wrong::MinProperties { .. } | Wrong::MaxProperties { .. } => {
                let one = if matches!(kind, Wrong::MaxProperties { .. }) { "only one" } else { "one" };
                match alternatives(&quoted(&properties(rule))) {
                    known if known.is_empty() => "must not be empty".to_owned(),
                    known => format!("must have {one} of {known}"),
                }
            }
            Wrong::Minimum { limit } => format!("must be at least {limit}"),
            Wrong::Maximum { limit } => format!("must be at most {limit}"),
            Wrong::UniqueItems => "must not hold the same item twice".to_owned(),
            Wrong::Not { .. } => format!("must have only one of {}", alternatives(&excluded(rule))),
            _ => format!("must be {whose}"),
        };
        let finding = Finding::usage("wrong-value", format!("{name} {must}")).at(self.at(written(subject)));
        let finding = match kind {
            Wrong::Pattern { .. } => finding.found("found text of another form"),
            Wrong::OneOfNotValid { .. } | Wrong::AnyOf { .. } => {
                finding.found(format!("found {}", subject.value.kind()))
            }
            _ => finding,
        };
        finding.help(subject.meaning.unwrap_or("look it up in docs/"))
    }
}

/// Where a value is written: a mapping's own name says more than its first property.
fn written(subject: &Subject<'_>) -> Span {
    let nowhere = subject.value.span.start == subject.value.span.end;
    if nowhere || subject.value.map().is_some() { subject.holder } else { subject.value.span }
}

fn title(rule: &Json) -> Option<&str> {
    rule.get("title").and_then(Json::as_str)
}

fn properties(rule: &Json) -> Vec<&str> {
    rule["properties"].as_object().into_iter().flat_map(|map| map.keys()).map(String::as_str).collect()
}

/// The properties that `not: {required: […]}` keeps from standing together.
fn excluded(rule: &Json) -> Vec<String> {
    let names = rule["not"]["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    names.map(|name| format!("`{name}`")).collect()
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("`{word}`")).collect()
}

/// `a, b or c`
fn alternatives(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

fn type_words(rule: &Json) -> String {
    let one = |name: &Json| match name.as_str() {
        Some("object") => "a mapping",
        Some("array") => "a list",
        Some("boolean") => "true or false",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        _ => "text",
    };
    match &rule["type"] {
        Json::Array(names) => alternatives(&names.iter().map(|name| one(name).to_owned()).collect::<Vec<_>>()),
        name => one(name).to_owned(),
    }
}
