//! A chart on disk and the charts that it depends on, as far as they can be read.

use std::fs;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use crate::report::{Finding, Place, Refusal, list};
use crate::schema;
use crate::yaml::{Data, Value};

/// How deep a chart is looked for below the working directory.
const MAX_DEPTH: usize = 4;

/// One chart in the tree of a chart and its dependencies.
pub(super) struct Instance {
    /// Under which name in the values of the whole its own values lie; `None` for the chart itself.
    pub values: Option<String>,
    /// The chart's name.
    pub chart: String,
    /// Its default values: its own, and what the charts above it say for it.
    pub defaults: Vec<Value>,
}

/// The only chart in `folder` or below it.
///
/// # Errors
/// No chart, or several.
pub fn chart_below(folder: &Path) -> Result<PathBuf, Refusal> {
    let mut charts = Vec::new();
    collect_charts(folder, 0, &mut charts);
    let names: Vec<String> = charts.iter().map(|chart| relative(chart, folder).display().to_string()).collect();
    match (charts.pop(), charts.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Finding::usage("no-chart", "there is no chart here")
            .found("no folder at or below the working directory holds a Chart.yaml")
            .help("name the chart's folder: helm-keyring init FOLDER")
            .into()),
        (Some(_), false) => Err(Finding::usage("several-charts", "there are several charts here")
            .found(format!("the charts are {}", list(&names)))
            .help("name one: helm-keyring init FOLDER")
            .into()),
    }
}

/// Charts in the order of their paths. Below a chart there are only its dependencies.
fn collect_charts(folder: &Path, depth: usize, charts: &mut Vec<PathBuf>) {
    if folder.join("Chart.yaml").is_file() {
        charts.push(folder.to_owned());
    } else if depth < MAX_DEPTH {
        let hidden = |path: &PathBuf| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let folders = entries(folder).into_iter().filter(|path| !hidden(path) && !path.is_symlink() && path.is_dir());
        folders.for_each(|path| collect_charts(&path, depth + 1, charts));
    }
}

/// The paths in a folder, sorted; none if it cannot be read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names = fs::read_dir(here).into_iter().flatten().flatten().map(|entry| folder.join(entry.file_name()));
    let mut paths: Vec<PathBuf> = names.collect();
    paths.sort();
    paths
}

/// `path` as seen from `folder`, if it lies there; a path that is relative is relative to `folder` already.
pub(super) fn relative(path: &Path, folder: &Path) -> PathBuf {
    match real(path).strip_prefix(real(folder)) {
        Ok(inside) => inside.to_owned(),
        Err(_) => path.components().filter(|part| *part != Component::CurDir).collect(),
    }
}

/// The path without links, if it exists.
fn real(path: &Path) -> PathBuf {
    let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    here.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The chart in `folder` and all its dependencies.
pub(super) fn instances(folder: &Path) -> Result<Vec<Instance>, Refusal> {
    let file = folder.join("Chart.yaml");
    if !file.is_file() {
        let finding = Finding::usage("no-chart", "there is no chart in this folder")
            .at(Place::file(folder.display().to_string()));
        return Err(finding.found("it holds no Chart.yaml").help("name the folder of the chart").into());
    }
    let chart = Chart::read(folder)?;
    let mut instances = Vec::new();
    let root = Instance { values: None, chart: chart.name.clone(), defaults: chart.values.iter().cloned().collect() };
    chart.visit_dependencies(&root, &[], &mut instances)?;
    instances.insert(0, root);
    Ok(instances)
}

/// What one chart's own files say.
struct Chart {
    folder: PathBuf,
    name: String,
    dependencies: Vec<Dependency>,
    values: Option<Value>,
}

struct Dependency {
    name: String,
    /// The name under which its values lie.
    key: String,
    /// A folder, if the repository is one.
    folder: Option<PathBuf>,
}

impl Chart {
    fn read(folder: &Path) -> Result<Self, Refusal> {
        let file = folder.join("Chart.yaml");
        let chart = read_value(&file)?;
        let name = text(&chart, "name").ok_or_else(|| {
            Finding::usage("no-chart", "this chart has no name")
                .at(Place::file(file.display().to_string()))
                .help("add `name`")
        })?;
        let values = folder.join("values.yaml");
        let values = values.is_file().then(|| read_value(&values)).transpose()?;
        Ok(Self { folder: folder.to_owned(), name, dependencies: dependencies(&chart, folder), values })
    }

    /// `above` are the folders of the charts above this one: a chart that depends on itself is not followed.
    fn visit_dependencies(&self, own: &Instance, above: &[PathBuf], found: &mut Vec<Instance>) -> Result<(), Refusal> {
        let above = [above, &[real(&self.folder)]].concat();
        for dependency in &self.dependencies {
            let folder = self.folder_of(dependency).filter(|folder| !above.contains(&real(folder)));
            let chart = folder.as_deref().map(Self::read).transpose()?;
            let key = dependency.key.as_str();
            let values = own.values.as_ref().map_or_else(|| key.to_owned(), |above| format!("{above}.{key}"));
            let from_above = own.defaults.iter().filter_map(|defaults| defaults.get(key).cloned());
            let defaults = from_above.chain(chart.as_ref().and_then(|chart| chart.values.clone())).collect();
            let instance = Instance { values: Some(values), chart: dependency.name.clone(), defaults };
            let mut deeper = Vec::new();
            if let Some(chart) = chart {
                chart.visit_dependencies(&instance, &above, &mut deeper)?;
            }
            found.push(instance);
            found.append(&mut deeper);
        }
        Ok(())
    }

    /// Where a dependency lies, if it lies anywhere as a folder.
    fn folder_of(&self, dependency: &Dependency) -> Option<PathBuf> {
        let vendored = self.folder.join("charts").join(&dependency.name);
        let folders = std::iter::once(vendored).chain(dependency.folder.clone());
        folders.into_iter().find(|folder| folder.join("Chart.yaml").is_file())
    }
}

/// The dependencies that `Chart.yaml` lists, and folders in `charts/` that it does not.
fn dependencies(chart: &Value, folder: &Path) -> Vec<Dependency> {
    let listed = match chart.get("dependencies").map(|list| &list.data) {
        Some(Data::List(items)) => items.as_slice(),
        _ => &[],
    };
    let mut dependencies: Vec<Dependency> = listed.iter().filter_map(|item| dependency(item, folder)).collect();
    for path in entries(&folder.join("charts")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.join("Chart.yaml").is_file() && !dependencies.iter().any(|listed| listed.name == name) {
            dependencies.push(Dependency { key: name.clone(), name, folder: None });
        }
    }
    dependencies
}

fn dependency(item: &Value, folder: &Path) -> Option<Dependency> {
    let name = text(item, "name")?;
    let key = text(item, "alias").unwrap_or_else(|| name.clone());
    let repository = text(item, "repository");
    let local = repository.as_deref().and_then(|url| url.strip_prefix("file://")).map(|path| folder.join(path));
    Some(Dependency { name, key, folder: local })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.text().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A file of the chart, as Helm reads it. Values may hold a key, so the text is wiped.
fn read_value(path: &Path) -> Result<Value, Refusal> {
    let text = Zeroizing::new(schema::read_text(path)?);
    Value::parse(&text, 0).map_err(|error| {
        Finding::usage("not-yaml", format!("this is not YAML: {error}"))
            .at(Place::in_text(path.display().to_string(), text.as_bytes(), error.offset))
            .help("mend the chart first: `helm lint` shows more")
            .into()
    })
}
