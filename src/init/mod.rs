//! `helm-keyring init`: a first, commented `keyring.yaml` for a chart.
//!
//! [`chart_below`] finds the chart, `chart` reads it with its dependencies, `recognise` finds the profiles that
//! fit, `environments` looks for `values-<environment>.yaml` files, `frame` writes the text.

mod chart;
mod environments;
mod frame;
mod recognise;

use std::path::Path;

pub use chart::chart_below;

use crate::config::{Config, FILE};
use crate::report::{Finding, Refusal};

/// A file to write, and what to say about it.
#[derive(Debug)]
pub struct Plan {
    /// The text of `keyring.yaml`.
    pub text: String,
    /// What was assumed, and what to do next.
    pub notes: Vec<Finding>,
}

/// Plans the `keyring.yaml` in `work_dir` for the chart in `chart_dir`. `profile` is a user's own one; without it
/// the shipped ones are tried.
///
/// # Errors
/// A folder without a chart, a chart that cannot be read, no profile that fits, a profile that cannot be read.
pub fn plan(chart_dir: &Path, work_dir: &Path, profile: Option<&str>) -> Result<Plan, Refusal> {
    let chart_dir = chart::relative(chart_dir, work_dir);
    let instances = chart::instances(&work_dir.join(&chart_dir))?;
    let keyrings = recognise::keyrings(&instances, work_dir, profile)?;
    let (environments, notes) = environments::of_chart(&chart_dir, work_dir)?;
    let text = frame::render(&keyrings, &environments)?;
    // What is written must be right; a name in a chart may be anything.
    Config::parse(Path::new(FILE), text.clone())?;
    Ok(Plan { text, notes })
}

#[cfg(test)]
mod tests;
