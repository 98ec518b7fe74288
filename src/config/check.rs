//! What keyring.yaml says of `check`: how much each rule weighs, and what is left out.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Settings of `check`, for the files in and below the folder of keyring.yaml.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Files that are not looked at: globs, relative to keyring.yaml.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Rules by id.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleSetting>,
}

/// What is said of one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RuleSetting {
    /// How much it weighs everywhere.
    Weight(Weight),
    /// More than that.
    Settings {
        /// How much it weighs; as the rule itself says, if nothing is said.
        severity: Option<Weight>,
        /// Files in which it finds nothing.
        #[serde(default)]
        exclude: Vec<String>,
    },
}

impl RuleSetting {
    /// How much the rule weighs.
    pub fn severity(&self) -> Option<Weight> {
        match self {
            Self::Weight(weight) => Some(*weight),
            Self::Settings { severity, .. } => *severity,
        }
    }

    /// Files in which it finds nothing.
    pub fn exclude(&self) -> &[String] {
        match self {
            Self::Weight(_) => &[],
            Self::Settings { exclude, .. } => exclude,
        }
    }
}

/// How much a rule weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Weight {
    /// Ends the run with an exit code above 0.
    Error,
    /// Said, and no more.
    Warning,
    /// Said for the record.
    Note,
    /// Not said.
    Off,
}
