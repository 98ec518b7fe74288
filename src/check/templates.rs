//! Templates of a chart's folder: what they make up.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use super::text::Text;
use crate::profile::Profile;
use crate::rules::random_template;
use crate::unstable::generators;

/// The chart's folder, if a file is one of its templates.
pub fn chart_of(path: &Path) -> Option<PathBuf> {
    let ending = path.extension()?.to_str()?;
    if !matches!(ending, "yaml" | "yml" | "tpl" | "json" | "txt") {
        return None;
    }
    let folders = path.ancestors().skip(1).filter(|folder| folder.file_name().is_some_and(|name| name == "templates"));
    folders.filter_map(Path::parent).find(|folder| folder.join("Chart.yaml").is_file()).map(Path::to_owned)
}

/// Looks at a template. One that is about a profile's own key is left to the rules about values: the chart makes the key
/// up only where the values give none.
pub fn look(text: &Text<'_>, profiles: &[Profile], facts: &mut Facts<'_>) {
    if profiles.iter().any(|profile| speaks_of(text.text, profile)) {
        return;
    }
    for call in generators(text.text) {
        let place = text.place(call.start..call.end);
        facts.findings.push(random_template::finding(call.function, call.guarded, place));
    }
}

fn speaks_of(template: &str, profile: &Profile) -> bool {
    profile.values_paths().iter().any(|path| path.rsplit('.').next().is_some_and(|leaf| template.contains(leaf)))
}
