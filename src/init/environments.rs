//! Environments, as `values-<environment>.yaml` files tell them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::report::{Finding, Place, Refusal};

use super::chart::entries;

/// The name of the one environment where no file tells any.
const ASSUMED: &str = "production";

/// Values files by environment, as seen from the working directory.
pub(super) type Environments = BTreeMap<String, Vec<String>>;

/// The environments of the chart in `chart_dir`, and what to say about them.
pub(super) fn of_chart(chart_dir: &Path, work_dir: &Path) -> Result<(Environments, Vec<Finding>), Refusal> {
    let beside = chart_dir.parent().map(Path::to_owned);
    let mut folders: Vec<PathBuf> =
        [Some(PathBuf::new()), beside, Some(chart_dir.to_owned())].into_iter().flatten().collect();
    folders.dedup();
    let mut notes = Vec::new();
    let mut environments = Environments::new();
    let mut common = Vec::new();
    for folder in &folders {
        for path in entries(&work_dir.join(folder)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let shown = folder.join(&*name).display().to_string();
            match environment(&name) {
                // The chart's own values.yaml always counts; a file beside the chart has to be named.
                None if name == "values.yaml" && folder != chart_dir => common.push(shown),
                Some(name) if is_name(name) => environments.entry(name.to_owned()).or_default().push(shown),
                Some(_) => notes.push(passed_over(shown)),
                None => {}
            }
        }
    }
    if environments.is_empty() {
        environments.insert(ASSUMED.to_owned(), Vec::new());
        notes.push(assumed());
    }
    environments.values_mut().for_each(|files| {
        files.splice(..0, common.iter().cloned());
    });
    Ok((environments, notes))
}

/// `production` in `values-production.yaml`.
fn environment(file: &str) -> Option<&str> {
    file.strip_prefix("values-")?.strip_suffix(".yaml")
}

/// Whether the schema takes it for a name.
fn is_name(name: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= 63 && name.chars().all(inner) && ends(name.chars().next()) && ends(name.chars().last())
}

fn passed_over(file: String) -> Finding {
    Finding::note("environment-name", "this values file does not name an environment")
        .at(Place::file(file))
        .found("an environment's name has at most 63 letters, digits, `-`, `_` and `.`")
        .help("add the environment to keyring.yaml under another name")
}

fn assumed() -> Finding {
    Finding::note("environment-assumed", format!("the environment `{ASSUMED}` is a guess"))
        .found("there is no values-<environment>.yaml in the chart, beside it or here")
        .help("rename it in keyring.yaml, and add the others")
}
