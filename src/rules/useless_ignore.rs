//! A comment that should silence a finding, and does not.

use super::{Look, rule};
use crate::report::{Finding, Place};

rule!(
    "useless-ignore",
    Warning,
    "An ignore comment without a reason, for an unknown rule, or that hits nothing.",
    Look::Reader
);

/// Why an ignore does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No reason stands behind it.
    NoReason,
    /// There is no such rule.
    UnknownRule,
    /// There is no such finding on its line.
    HitsNothing,
}

/// An ignore for `rule` (nothing, if the word cannot be shown) at `place`.
pub fn finding(rule: Option<&str>, why: Why, place: Place) -> Finding {
    let rule = rule.map_or_else(|| "a rule".to_owned(), |rule| format!("`{rule}`"));
    let finding = |title: String| Finding::warning("useless-ignore", title).at(place);
    match why {
        Why::NoReason => finding(format!("this ignore of {rule} gives no reason, and is not heeded"))
            .help("say why behind it: `# helm-keyring: ignore[rule] the reason`"),
        Why::UnknownRule => {
            finding(format!("this ignore names {rule}, which is none")).help("`helm-keyring explain` lists the rules")
        }
        Why::HitsNothing => finding(format!("this ignore of {rule} hits nothing"))
            .help("take it out; it counts for its own line, or for the next one if it has a line of its own"),
    }
}
