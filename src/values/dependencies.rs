//! Which dependencies take part, under which name, and what they give to their parent.

use super::Error;
use super::chart::{Chart, Requirement};
use super::coalesce::coalesce;
use super::merge::{Map, Nulls, empty, underlay};
use crate::yaml::{Data, Span, Value};

/// Names in the path of an import; what is deeper is nothing that a person wrote.
const MAX_NAMES: usize = 100;

/// Names the dependencies, takes out those that are switched off, and imports values from the others.
pub(super) fn settle(chart: &mut Chart, values: &Map) -> Result<(), Error> {
    choose(chart, values, "")?;
    import(chart)
}

/// Helm looks further down only where `Chart.yaml` has a list of dependencies, and so do we.
fn choose(chart: &mut Chart, values: &Map, prefix: &str) -> Result<(), Error> {
    let Some(mut requirements) = chart.requirements.take() else {
        doubt_all_archives(chart);
        return Ok(());
    };
    doubt_archives(chart, &requirements);
    name_dependencies(chart, &requirements);
    for requirement in &mut requirements {
        requirement.name = requirement.alias.take().unwrap_or_else(|| std::mem::take(&mut requirement.name));
    }
    let mut all = values.clone();
    coalesce(chart, &mut all, Nulls::Delete)?;
    let mut kept = Vec::new();
    for requirement in requirements {
        match switch(&requirement, &all, prefix, chart) {
            Switch::Off => chart.dependencies.retain(|d| d.name != requirement.name),
            Switch::On => kept.push(requirement),
            Switch::Unknown(reason) => {
                let dependency = chart.dependencies.iter_mut().find(|d| d.name == requirement.name);
                if let Some(dependency) = dependency {
                    dependency.unknown.get_or_insert(reason);
                }
                kept.push(requirement);
            }
        }
    }
    chart.requirements = (!kept.is_empty()).then_some(kept);
    for dependency in &mut chart.dependencies {
        let prefix = format!("{prefix}{}.", dependency.name);
        choose(dependency, &all, &prefix)?;
    }
    Ok(())
}

/// Folders that no requirement names keep their names; a requirement's folder gets its alias, once for each.
fn name_dependencies(chart: &mut Chart, requirements: &[Requirement]) {
    let folders = std::mem::take(&mut chart.dependencies);
    let wanted = |folder: &Chart| requirements.iter().any(|r| fits(r, folder));
    chart.dependencies = folders.iter().filter(|folder| !wanted(folder)).cloned().collect();
    for requirement in requirements {
        let mut fitting = folders.iter().filter(|folder| fits(requirement, folder));
        let named = match (fitting.next(), fitting.next()) {
            (Some(folder), None) => Chart { name: requirement.key().to_owned(), ..folder.clone() },
            (Some(_), Some(_)) => unknown(requirement, "several folders in charts could be this dependency"),
            (None, _) if folders.iter().any(|folder| folder.name == requirement.name) => continue,
            (None, _) => unknown(requirement, &absence(requirement, &chart.archives)),
        };
        chart.dependencies.push(named);
    }
}

/// Whether a folder holds what a requirement asks for. Helm ignores a requirement that does not fit its folder.
fn fits(requirement: &Requirement, folder: &Chart) -> bool {
    requirement.name == folder.name && version_fits(&requirement.version, &folder.version)
}

/// Whole versions are compared; a range is believed, except that it takes no pre-release unless it names one.
fn version_fits(wanted: &str, version: &str) -> bool {
    let wanted = wanted.trim().trim_start_matches(['=', 'v', ' ']);
    let version = version.trim_start_matches('v').split('+').next().unwrap_or_default();
    let is_range = wanted.contains([' ', ',', '|', '<', '>', '~', '^', '*', 'x', 'X']) || wanted.split('.').count() < 3;
    let is_version = wanted == "*" || wanted.contains(|c: char| c.is_ascii_digit());
    let takes_it = !version.contains('-') || wanted.contains('-');
    if is_range { is_version && takes_it } else { wanted.split('+').next() == Some(version) }
}

fn unknown(requirement: &Requirement, reason: &str) -> Chart {
    Chart {
        name: requirement.key().to_owned(),
        version: String::new(),
        defaults: Map::new(),
        requirements: None,
        dependencies: Vec::new(),
        archives: Vec::new(),
        unknown: Some(format!("dependency `{}`: {reason}", requirement.key())),
        span: Span::default(),
    }
}

fn absence(requirement: &Requirement, archives: &[String]) -> String {
    match archives.iter().find(|archive| holds(archive, requirement)) {
        Some(archive) => format!("charts/{archive} is a packaged chart, whose defaults are not read"),
        None => "it is not in the charts folder; run `helm dependency build`".to_owned(),
    }
}

/// Whether an archive is called `<name>-<version>.tgz`, as `helm package` calls it.
fn holds(archive: &str, requirement: &Requirement) -> bool {
    let version = archive.strip_prefix(&requirement.name).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit() || c == 'v'))
}

/// An archive that no requirement names goes by a name that only itself knows.
fn doubt_archives(chart: &mut Chart, requirements: &[Requirement]) {
    let named = |archive: &str| requirements.iter().any(|requirement| holds(archive, requirement));
    if let Some(archive) = chart.archives.iter().find(|archive| !named(archive)) {
        let reason = format!("charts/{archive} is a packaged chart, whose name and defaults are not read");
        chart.unknown.get_or_insert(reason);
    }
}

fn doubt_all_archives(chart: &mut Chart) {
    doubt_archives(chart, &[]);
    chart.dependencies.iter_mut().for_each(doubt_all_archives);
}

/// Whether a dependency takes part.
enum Switch {
    On,
    Off,
    Unknown(String),
}

/// The first condition that has a boolean decides, else the tags: on if any is true or none is false.
fn switch(requirement: &Requirement, all: &Map, prefix: &str, chart: &Chart) -> Switch {
    for condition in &requirement.conditions {
        let path: Vec<&str> = prefix.split('.').filter(|s| !s.is_empty()).chain(condition.split('.')).collect();
        match look(all, &path).map(|value| &value.data) {
            Some(Data::Bool(true)) => return Switch::On,
            Some(Data::Bool(false)) => return Switch::Off,
            Some(Data::Map(_)) | None => {
                let below: Vec<&str> = condition.split('.').collect();
                if let Some(reason) = chart.unknown_at(&below) {
                    return Switch::Unknown(reason.to_owned());
                }
            }
            Some(_) => {}
        }
    }
    let tags = requirement.tags.iter().filter_map(|tag| look(all, &["tags", tag])).map(|value| &value.data);
    let (mut yes, mut no) = (false, false);
    for tag in tags {
        yes |= matches!(tag, Data::Bool(true));
        no |= matches!(tag, Data::Bool(false));
    }
    if no && !yes { Switch::Off } else { Switch::On }
}

fn look<'m>(map: &'m Map, path: &[&str]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    map.get(*first)?.value.at(rest.iter().copied())
}

impl Chart {
    /// Why a value of this chart may be more than is seen here.
    fn unknown_at(&self, path: &[&str]) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let dependency = self.dependencies.iter().find(|dependency| dependency.name == *first)?;
        dependency.unknown.as_deref().or_else(|| dependency.unknown_at(rest))
    }
}

/// What dependencies export becomes a default of the chart, below its own defaults; innermost charts first.
fn import(chart: &mut Chart) -> Result<(), Error> {
    for dependency in &mut chart.dependencies {
        import(dependency)?;
    }
    let Some(requirements) = &chart.requirements else { return Ok(()) };
    let mut defaults = Map::new();
    coalesce(chart, &mut defaults, Nulls::Keep)?;
    let mut imported = Map::new();
    let mut unknown = None;
    for requirement in requirements {
        for import in requirement.imports.iter().filter(|import| import.parent.split('.').count() <= MAX_NAMES) {
            let child: Vec<&str> = std::iter::once(requirement.name.as_str()).chain(import.child.split('.')).collect();
            if let Some(reason) = chart.unknown_at(&child) {
                unknown.get_or_insert_with(|| format!("`import-values` of {reason}"));
            } else if let Some(Data::Map(values)) = look(&defaults, &child).map(|value| &value.data) {
                underlay(&mut imported, nest(&import.parent, values.clone(), chart.span), Nulls::Keep);
            }
        }
    }
    underlay(&mut defaults, imported, Nulls::Keep);
    chart.defaults = defaults;
    chart.unknown = chart.unknown.take().or(unknown);
    Ok(())
}

/// The values under a dotted path; `.` is the top.
fn nest(path: &str, values: Map, span: Span) -> Map {
    if path == "." {
        return values;
    }
    path.rsplit('.').fold(values, |inner, key| {
        let mut entry = empty(span);
        entry.value.data = Data::Map(inner);
        Map::from([(key.to_owned(), entry)])
    })
}
