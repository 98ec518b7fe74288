//! What keyring.yaml says of rules and files, applied to findings.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::absolute;
use crate::config::{Check, Config, Weight};
use crate::report::{Exit, Finding, Refusal, Severity};
use crate::rules;

/// The settings of one keyring.yaml.
pub struct Settings {
    folder: PathBuf,
    exclude: Gitignore,
    rules: Vec<(String, Option<Weight>, Gitignore)>,
}

impl Settings {
    /// Those of a configuration.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn of(config: &Config) -> Result<Self, Refusal> {
        let Check { exclude, rules } = &config.check;
        let folder = absolute(config.folder());
        let globs = |pointer: &str, patterns: &[String]| globs(config, &folder, pointer, patterns);
        let of_rules = rules.iter().map(|(id, setting)| {
            let exclude = globs(&format!("/check/rules/{id}/exclude"), setting.exclude())?;
            Ok((id.clone(), setting.severity(), exclude))
        });
        let of_rules = of_rules.collect::<Result<_, Refusal>>()?;
        Ok(Self { exclude: globs("/check/exclude", exclude)?, rules: of_rules, folder })
    }

    /// Whether a file is not to be looked at.
    fn leaves_out(&self, file: &Path) -> bool {
        fits(&self.exclude, &self.folder, file)
    }

    /// The finding as it weighs here; nothing, if it is off.
    fn weighed(&self, finding: Finding, file: Option<&Path>) -> Option<Finding> {
        let Some((_, weight, exclude)) = self.rules.iter().find(|(id, ..)| id == finding.id) else {
            return Some(finding);
        };
        if file.is_some_and(|file| fits(exclude, &self.folder, file)) {
            return None;
        }
        let severity = match (weight, finding.severity) {
            (None, severity) => severity,
            (Some(Weight::Off), _) => return None,
            (Some(Weight::Error), severity @ Severity::Error(_)) => severity,
            (Some(Weight::Error), _) => Severity::Error(Exit::Refused),
            (Some(Weight::Warning), _) => Severity::Warning,
            (Some(Weight::Note), _) => Severity::Note,
        };
        Some(Finding { severity, ..finding })
    }
}

fn globs(config: &Config, folder: &Path, pointer: &str, patterns: &[String]) -> Result<Gitignore, Refusal> {
    let mut builder = GitignoreBuilder::new(folder);
    for (index, pattern) in patterns.iter().enumerate() {
        if builder.add_line(None, pattern).is_err() {
            return Err(Finding::usage("wrong-value", "this is no glob")
                .at(config.place_of(&format!("{pointer}/{index}")))
                .help("globs are written as in .gitignore: `charts/**`, `*.example.yaml`")
                .into());
        }
    }
    builder
        .build()
        .map_err(|_| Finding::usage("wrong-value", "these globs cannot be used").at(config.place_of(pointer)).into())
}

fn fits(globs: &Gitignore, folder: &Path, file: &Path) -> bool {
    let file = absolute(file);
    file.starts_with(folder) && globs.matched_path_or_any_parents(&file, false).is_ignore()
}

/// The settings of all folders; for a file, those of the nearest folder above it count.
#[derive(Default)]
pub struct AllSettings(Vec<Settings>);

impl AllSettings {
    /// Adds those of a configuration.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn add(&mut self, config: &Config) -> Result<(), Refusal> {
        self.0.push(Settings::of(config)?);
        // The deepest first.
        self.0.sort_by_key(|settings| std::cmp::Reverse(settings.folder.components().count()));
        Ok(())
    }

    fn of(&self, file: &Path) -> Option<&Settings> {
        let file = absolute(file);
        self.0.iter().find(|settings| file.starts_with(&settings.folder))
    }

    /// Whether a file is to be looked at.
    pub fn takes(&self, file: &Path) -> bool {
        self.of(file).is_none_or(|settings| !settings.leaves_out(file))
    }

    /// The findings as they weigh where they stand. What has no file goes by the outermost settings.
    pub fn weigh(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let weighed = |finding: Finding| {
            if rules::find(finding.id).is_none() {
                return Some(finding);
            }
            let file = finding.places.first().map(|place| PathBuf::from(&place.file)).filter(|file| file.exists());
            let settings = file.as_deref().and_then(|file| self.of(file)).or(self.0.last());
            match settings {
                Some(settings) => settings.weighed(finding, file.as_deref()),
                None => Some(finding),
            }
        };
        findings.into_iter().filter_map(weighed).collect()
    }
}
