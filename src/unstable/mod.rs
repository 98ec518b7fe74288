//! What of a chart's render differs from one render to the next, and which functions of its templates make it up.
//!
//! Two ways to the same answer. [`differences()`] compares two renders of the same chart and values by meaning, so it
//! sees everything that really differs, and nothing else. [`generators()`] reads a template without Helm, so it sees
//! what may differ with other values too. [`explained()`] joins both: a field that differs, and the place in the
//! templates that made it up.
//!
//! Rendered values pass through here, and some are keys: nothing but names, paths and places leaves.

mod action;
mod chart;
mod defines;
mod differences;
mod explained;
mod fields;
mod generators;
mod rendered;

pub use chart::of_chart;
pub use differences::{Difference, Kind, differences};
pub use explained::explained;
pub use generators::{Generator, generators};
