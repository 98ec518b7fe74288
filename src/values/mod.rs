//! What Helm's `.Values` will be, and where each value is written.
//!
//! [`read`] merges values files and `--set` flags over a chart's defaults as Helm 4 does; where Helm 3 differs,
//! `tests/values_as_helm_merges.rs` lists it. What this module cannot evaluate is *unknown*, never *absent*:
//! all of it ([`Known::Unknown`]) or parts ([`Merged::at`]).

mod assign;
mod chart;
mod coalesce;
mod dependencies;
mod document;
mod files;
mod globals;
mod json;
mod merge;
mod set;

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::report::Place;
use crate::yaml::{Data, Position, Span, Value};
pub use files::{Files, Stands};
use merge::{Map, Nulls, overlay};
use set::Written;
pub use set::{Set, SetKind, escaped_commas};

/// What a Helm command line says about values. No `Debug`: it may hold keys.
#[derive(Clone, Default)]
pub struct Request {
    /// The chart: a folder, or anything else that Helm takes, which is unknown then.
    pub chart: Option<PathBuf>,
    /// What a release was given before, which Helm keeps under the new values: a name for messages, and YAML.
    pub before: Option<(String, Zeroizing<String>)>,
    /// The names after `-f`, in order; one name each (Helm splits `-f a,b` at the comma before).
    pub files: Vec<String>,
    /// Values that stand in other files, over those of `files`, in order.
    pub layers: Vec<Layer>,
    /// The `--set` flags in the order of the command line.
    pub set: Vec<Set>,
}

/// Values that stand in a file of something else: an Application, a HelmRelease. No `Debug`: it may hold keys.
#[derive(Clone)]
pub struct Layer {
    /// The file, as messages name it.
    pub file: String,
    /// The text, and where it stands in the file.
    pub text: Zeroizing<String>,
    /// Where the text stands.
    pub stands: Stands,
    /// The mapping in the text that holds the values; `None`: the text is YAML of its own.
    pub mapping: Option<Value>,
}

/// What is known of the values.
pub enum Known {
    /// The values, except where [`Merged::at`] says that they are unknown.
    Values(Merged),
    /// Nothing: an input cannot be evaluated here. The reason names it.
    Unknown {
        /// Why, in a sentence without a full stop.
        reason: String,
    },
}

/// Merged values and the texts that they come from. No `Debug`: both may hold keys.
pub struct Merged {
    /// A mapping: the `.Values` of the chart. Those of a dependency lie under its name or alias.
    ///
    /// Where defaults are unknown it holds what the user said; prefer [`Merged::at`], which tells.
    pub value: Value,
    /// What the spans in `value` refer to.
    pub files: Files,
    /// Paths below which there may be defaults that nobody has seen, each with the reason.
    gaps: Vec<(Vec<String>, String)>,
}

/// What stands at a path.
pub enum Found<'a> {
    /// This value.
    Value(&'a Value),
    /// Nothing.
    Absent,
    /// Perhaps something: a default that cannot be read, for this reason.
    Unknown(&'a str),
}

/// Why values cannot be read. Never quotes a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is larger than any values file.
    #[error("{name}: larger than 16 MiB; is this a values file?")]
    TooLarge {
        /// The file.
        name: String,
    },
    /// A file is not UTF-8.
    #[error("{name}:{}:{}: not UTF-8", position.line, position.column)]
    NotUtf8 {
        /// The file.
        name: String,
        /// The first byte that is wrong.
        position: Position,
    },
    /// A file is not YAML that Helm reads.
    #[error("{name}:{}:{}: {message}", position.line, position.column)]
    Yaml {
        /// The file.
        name: String,
        /// Where.
        position: Position,
        /// What is wrong.
        message: String,
    },
    /// A values file holds something else.
    #[error("{name}:{}:{}: {kind} where a mapping of values is needed", position.line, position.column)]
    NotMapping {
        /// The file.
        name: String,
        /// Where.
        position: Position,
        /// What it holds.
        kind: &'static str,
    },
    /// A `--set` flag cannot be understood or applied.
    #[error("{flag}: {message}")]
    Set {
        /// The flag with its first path.
        flag: String,
        /// What is wrong.
        message: String,
    },
    /// `Chart.yaml` is not one.
    #[error("{name}: {message}")]
    Chart {
        /// The file.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The values for a dependency are no mapping; Helm refuses this too.
    #[error("values: {kind} under `{name}`, where the dependency of that name needs a mapping")]
    NotForDependency {
        /// The dependency's name or alias.
        name: String,
        /// What stands there.
        kind: &'static str,
    },
}

impl Error {
    /// Where it was seen.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Io { name, .. } | Self::TooLarge { name } | Self::Chart { name, .. } => {
                Some(Place::file(name.clone()))
            }
            Self::NotUtf8 { name, position }
            | Self::Yaml { name, position, .. }
            | Self::NotMapping { name, position, .. } => {
                Some(Place { position: Some(*position), ..Place::file(name.clone()) })
            }
            Self::Set { .. } | Self::NotForDependency { .. } => None,
        }
    }

    /// What is wrong, without the place.
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } => source.to_string(),
            Self::TooLarge { .. } => "it is larger than 16 MiB".to_owned(),
            Self::NotUtf8 { .. } => "it is not UTF-8".to_owned(),
            Self::Yaml { message, .. } | Self::Chart { message, .. } => message.clone(),
            Self::NotMapping { kind, .. } => format!("{kind} where a mapping of values is needed"),
            Self::Set { .. } | Self::NotForDependency { .. } => self.to_string(),
        }
    }
}

/// Merges what the request names.
///
/// Without a chart the result is what the user says: chart defaults are not known then, and not asked for.
///
/// # Errors
/// A file that cannot be read, is larger than 16 MiB, not UTF-8, not YAML or not a mapping; a flag that Helm would
/// refuse or ignore; a folder that is no chart.
pub fn read(request: &Request) -> Result<Known, Error> {
    let mut files = Files::default();
    let flags = parsed_flags(request, &mut files)?;
    if let Some(reason) = unreadable(request, &flags) {
        return Ok(Known::Unknown { reason });
    }
    let mut values = Map::new();
    if let Some((name, text)) = &request.before {
        let file = files.add(name.clone(), text.clone());
        overlay(&mut values, document::values(&files, file)?);
    }
    for name in &request.files {
        let file = files.read(Path::new(name))?;
        overlay(&mut values, document::values(&files, file)?);
    }
    for layer in &request.layers {
        let file = files.add_standing(layer.file.clone(), layer.text.clone(), layer.stands.clone());
        let map = match &layer.mapping {
            Some(mapping) => document::mapping(&files, file, mapping.clone())?,
            None => document::values(&files, file)?,
        };
        overlay(&mut values, map);
    }
    for (kind, file, assignment) in flags {
        assign::assign(&mut values, assignment, kind, file, &mut files)?;
    }
    let gaps = match &request.chart {
        Some(folder) => over_defaults(folder, &mut values, &mut files)?,
        None => Vec::new(),
    };
    let span = Span { file: files.add("values".to_owned(), Zeroizing::default()), start: 0, end: 0 };
    Ok(Known::Values(Merged { value: Value { data: Data::Map(values), span }, files, gaps }))
}

type Flag = (SetKind, usize, set::Assignment);

/// All assignments in the order in which Helm applies them.
fn parsed_flags(request: &Request, files: &mut Files) -> Result<Vec<Flag>, Error> {
    let mut sets: Vec<&Set> = request.set.iter().collect();
    sets.sort_by_key(|set| set.kind);
    let mut flags = Vec::new();
    for set in sets {
        let name = match set::shown_path(set) {
            Some(path) => format!("{} {path}", set.kind.flag()),
            None => set.kind.flag().to_owned(),
        };
        let assignments = set::parse(set).map_err(|message| Error::Set { flag: name.clone(), message })?;
        let place = set.place.clone().unwrap_or_else(|| Place::file(name.clone()));
        let file = files.add_standing(name, Zeroizing::default(), Stands::At(Box::new(place)));
        flags.extend(assignments.into_iter().map(|assignment| (set.kind, file, assignment)));
    }
    Ok(flags)
}

/// Why something that the request names cannot be evaluated here.
fn unreadable(request: &Request, flags: &[Flag]) -> Option<String> {
    let from_flags = flags.iter().filter(|(kind, ..)| *kind == SetKind::File);
    let paths = from_flags.flat_map(|(_, _, assignment)| match &assignment.value {
        Written::One(path) => vec![path.as_str()],
        Written::List(paths) => paths.iter().map(|path| path.as_str()).collect(),
        Written::Json(_) => Vec::new(),
    });
    let mut names = request.files.iter().map(String::as_str).chain(paths);
    names.find_map(not_a_file).or_else(|| request.chart.as_deref().and_then(not_a_folder))
}

fn not_a_file(name: &str) -> Option<String> {
    if name.trim() == "-" {
        return Some("values from standard input (`-`) cannot be read here".to_owned());
    }
    let (scheme, _) = name.split_once(':')?;
    let is_scheme = scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let fetched = name.contains("://") || (is_scheme && !Path::new(name).exists());
    fetched.then(|| format!("Helm fetches {}, which is not done here", shown_address(name)))
}

fn not_a_folder(chart: &Path) -> Option<String> {
    if chart.is_dir() {
        return None;
    }
    let name = shown_address(&chart.display().to_string());
    let what = if chart.is_file() { "a packaged chart, whose defaults are not read" } else { "no folder" };
    Some(format!("the chart {name} is {what}"))
}

/// An address without what may be a password: user information, query, fragment.
fn shown_address(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split('/').next().unwrap_or_default();
            let user = authority.rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[user..])
        }
        None => address.to_owned(),
    }
}

/// Puts the chart's defaults under the values; gives the paths where not all defaults are known.
fn over_defaults(folder: &Path, values: &mut Map, files: &mut Files) -> Result<Vec<(Vec<String>, String)>, Error> {
    let mut chart = chart::load(folder, files)?;
    dependencies::settle(&mut chart, values)?;
    coalesce::coalesce(&chart, values, Nulls::Delete)?;
    let mut gaps = Vec::new();
    chart.gaps(&mut Vec::new(), &mut gaps);
    Ok(gaps)
}

impl Merged {
    /// What stands at a dotted path.
    ///
    /// A single value that the user gave is known wherever it stands; that it is missing, or all that a mapping
    /// holds, is known only where all defaults are.
    pub fn at(&self, path: &str) -> Found<'_> {
        let keys: Vec<&str> = path.split('.').collect();
        match self.value.at(keys.iter().copied()) {
            Some(value) if value.map().is_none() => Found::Value(value),
            seen => match (self.gap(&keys), seen) {
                (Some(reason), _) => Found::Unknown(reason),
                (None, Some(value)) => Found::Value(value),
                (None, None) => Found::Absent,
            },
        }
    }

    fn gap(&self, keys: &[&str]) -> Option<&str> {
        let covers = |gap: &[String]| gap.iter().zip(keys).all(|(a, b)| a == b) && gap.len() <= keys.len();
        self.gaps.iter().find(|(gap, _)| covers(gap)).map(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests;
