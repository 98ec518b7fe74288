//! A chart's folder: its defaults, and the charts that it depends on.

use std::fs;
use std::path::{Path, PathBuf};

use super::merge::Map;
use super::{Error, Files, document};
use crate::yaml::{Data, Span, Value};

/// How many charts inside charts are followed. A link that leads back to itself ends here.
const MAX_DEPTH: usize = 32;

/// A chart, and those in its `charts` folder.
#[derive(Clone)]
pub(super) struct Chart {
    /// Its name; after [`super::dependencies::settle`] its alias, if the parent gives it one.
    pub(super) name: String,
    pub(super) version: String,
    /// Its `values.yaml`.
    pub(super) defaults: Map,
    /// What `Chart.yaml` says about dependencies, if it says anything.
    pub(super) requirements: Option<Vec<Requirement>>,
    pub(super) dependencies: Vec<Chart>,
    /// The archives in its `charts` folder, which nobody here opens.
    pub(super) archives: Vec<String>,
    /// Why its own defaults, or whether it takes part at all, are not known.
    pub(super) unknown: Option<String>,
    /// Where its `values.yaml` begins, for values that are written nowhere.
    pub(super) span: Span,
}

impl Chart {
    /// Collects the paths, from `path` on, below which defaults are unknown, and why.
    pub(super) fn gaps(&self, path: &mut Vec<String>, gaps: &mut Vec<(Vec<String>, String)>) {
        if let Some(reason) = &self.unknown {
            gaps.push((path.clone(), reason.clone()));
        }
        for dependency in &self.dependencies {
            path.push(dependency.name.clone());
            dependency.gaps(path, gaps);
            path.pop();
        }
    }
}

/// An item of `dependencies` in `Chart.yaml`.
#[derive(Clone)]
pub(super) struct Requirement {
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) version: String,
    pub(super) conditions: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) imports: Vec<Import>,
}

impl Requirement {
    /// The key under which the parent holds its values.
    pub(super) fn key(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.name)
    }
}

/// Values that a chart takes over from a dependency; both are dotted paths.
#[derive(Clone)]
pub(super) struct Import {
    pub(super) child: String,
    pub(super) parent: String,
}

/// Reads a chart's folder and those below it.
pub(super) fn load(folder: &Path, files: &mut Files) -> Result<Chart, Error> {
    load_at(folder, files, 0)
}

fn load_at(folder: &Path, files: &mut Files, depth: usize) -> Result<Chart, Error> {
    let (about, file) = description(&folder.join("Chart.yaml"), files)?;
    let broken = |message: &str| Error::Chart { name: files.get(file).0.to_owned(), message: message.to_owned() };
    if depth > MAX_DEPTH {
        return Err(broken("charts inside charts without end"));
    }
    let name = text(&about, "name");
    if name.is_empty() {
        return Err(broken("a chart needs a name"));
    }
    let version = text(&about, "version");
    let mut requirements = requirements(&about);
    let old_list = folder.join("requirements.yaml");
    if old_list.is_file() {
        requirements = self::requirements(&description(&old_list, files)?.0).or(requirements);
    }
    let (defaults, span) = defaults(&folder.join("values.yaml"), files)?;
    let (folders, archives) = contents(&folder.join("charts"))?;
    let dependencies = folders.iter().map(|folder| load_at(folder, files, depth + 1)).collect::<Result<Vec<_>, _>>()?;
    Ok(Chart { name, version, defaults, requirements, dependencies, archives, unknown: None, span })
}

/// `Chart.yaml` or `requirements.yaml`, and the number of its text.
fn description(path: &Path, files: &mut Files) -> Result<(Value, usize), Error> {
    let file = files.read(path)?;
    let map = document::values(files, file)?;
    let span = Span { file, start: 0, end: 0 };
    Ok((Value { data: Data::Map(map), span }, file))
}

fn defaults(path: &Path, files: &mut Files) -> Result<(Map, Span), Error> {
    if !path.exists() {
        return Ok((Map::new(), Span::default()));
    }
    let file = files.read(path)?;
    Ok((document::values(files, file)?, Span { file, start: 0, end: 0 }))
}

/// The folders and the names of the archives in a `charts` folder, in order.
fn contents(charts: &Path) -> Result<(Vec<PathBuf>, Vec<String>), Error> {
    let (mut folders, mut archives) = (Vec::new(), Vec::new());
    if !charts.is_dir() {
        return Ok((folders, archives));
    }
    let failed = |source| Error::Io { name: charts.display().to_string(), source };
    for item in fs::read_dir(charts).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(['_', '.']) {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else if name.ends_with(".tgz") {
            archives.push(name);
        }
    }
    folders.sort();
    archives.sort();
    Ok((folders, archives))
}

fn requirements(about: &Value) -> Option<Vec<Requirement>> {
    about.get("dependencies").map(list)?.map(|items| items.iter().map(requirement).collect())
}

fn requirement(item: &Value) -> Requirement {
    let split = |list: String| list.trim().split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let all = |key: &str| item.get(key).and_then(list).unwrap_or_default();
    Requirement {
        name: text(item, "name"),
        alias: Some(text(item, "alias")).filter(|alias| !alias.is_empty()),
        version: text(item, "version"),
        conditions: split(text(item, "condition")),
        tags: all("tags").iter().filter_map(Value::text).map(str::to_owned).collect(),
        imports: all("import-values").iter().filter_map(import).collect(),
    }
}

/// `- data` is short for all below the child's `exports.data`.
fn import(item: &Value) -> Option<Import> {
    match &item.data {
        Data::Text(name) => Some(Import { child: format!("exports.{}", name.as_str()), parent: ".".to_owned() }),
        Data::Map(_) => Some(Import { child: text(item, "child"), parent: text(item, "parent") })
            .filter(|import| !import.child.is_empty() && !import.parent.is_empty()),
        _ => None,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match &value.data {
        Data::List(items) => Some(items),
        _ => None,
    }
}

/// Helm takes a number for a text in `Chart.yaml` (`version: 0.1`).
fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value { data: Data::Text(text), .. }) => text.to_string(),
        Some(number @ Value { data: Data::Number(_), .. }) => number.to_json().to_string(),
        _ => String::new(),
    }
}
