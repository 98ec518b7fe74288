//! A template that makes something up at every render.

use super::{Look, rule};
use crate::report::{Finding, Place};

rule!(
    "random-template",
    Warning,
    "A template that calls a function whose result differs at every render.",
    Look::Reader
);

/// A call of `function`. `guarded`: only where nothing was given.
pub fn finding(function: &str, guarded: bool, place: Place) -> Finding {
    let title = format!("the template calls `{function}`, whose result differs at every render");
    let finding = Finding::warning("random-template", title).at(place);
    let finding = match (function, guarded) {
        ("lookup", _) => {
            finding.found("without a cluster (`helm template`, Argo CD) it finds nothing, whatever there is")
        }
        (_, true) => finding.found("it seems to be called only where the values give nothing"),
        (_, false) => finding.found("under GitOps that is another value at every sync"),
    };
    finding
        .help("give the value in the values, or let it come from a Secret made elsewhere")
        .help("`helm-keyring check --chart DIR` renders the chart twice and names the fields that differ")
}
