//! A rendered stream and a keyring become the stream with the right keys in it, or a refusal.
//!
//! The way of a document: `stream` cuts and parses, `survey` finds Secrets and consumers, `decide` says which
//! keys they get, `delivery` where these go, `secret`, `external_secret` and `consumers` edit, and [`Rewritten`] is what leaves. Nothing leaves before every
//! edited document was parsed again and compared with what was meant.

mod chosen;
mod consumers;
mod decide;
mod decided;
mod delivery;
mod external_secret;
mod keep;
mod look;
mod preflight;
mod run;
mod secret;
mod stream;
mod survey;
mod user;
mod whole;

use std::collections::BTreeSet;

pub use chosen::Chosen;
pub use consumers::ANNOTATION;
pub use look::{matching, mounts, refuse_hooks, surveyed};
pub use preflight::preflight;
pub use secret::Show;
pub use stream::{Rewritten, STDIN, is_blank, is_from_helm4};
pub use survey::{Survey, markers, named_fields};
pub use user::{UserKey, UserValues};

use crate::config::{Emit, Instance, Selection};
use crate::lock::Lock;
use crate::profile::Profile;
use crate::report::{Finding, Refusal};
use crate::source::Source;
use crate::values::Known;
use delivery::refuse_itself;
use run::Run;
use stream::Stream;

/// Opens the external source that a keyring has for a Secret of this name, if it has one.
pub type Opener<'o> = dyn Fn(&Selection, &str) -> Option<Box<dyn Source>> + 'o;

/// What is to be rendered, and how.
pub struct Request<'r> {
    /// The keyrings to look for, each in its environment.
    pub selections: &'r [Selection],
    /// The values that Helm got, as far as they are known.
    pub values: &'r Known,
    /// Names of Secrets that keyrings outside of this run see to.
    pub claimed: BTreeSet<String>,
    /// Profiles of keyrings that have no such environment: what the stream holds of them, nobody sees to.
    pub guarded: &'r [Profile],
    /// The lock; `None` where there is no configuration file beside which it could lie.
    pub lock: Option<&'r Lock>,
    /// A stream that holds no target passes as it is.
    pub allow_no_target: bool,
    /// How keys are written.
    pub show: Show,
    /// Opens a configured external source, for a Secret of this name.
    pub open: &'r Opener<'r>,
}

/// The output, and what to say beside it.
pub struct Outcome<'a> {
    /// What goes to stdout.
    pub stream: Rewritten<'a>,
    /// Warnings and notes for stderr.
    pub findings: Vec<Finding>,
}

/// Puts the keys of every keyring that the stream has a place for into it.
///
/// # Errors
/// Everything that the table of `docs/render.md` refuses, each with place, reason and way out. Then nothing may be printed.
pub fn render<'a>(bytes: &'a [u8], request: &Request<'_>) -> Result<Outcome<'a>, Refusal> {
    let stream = Stream::new(bytes);
    let mut findings = stream.oddities();
    let mut parts = Vec::new();
    let mut claimed = request.claimed.clone();
    let mut read = Vec::new();
    for selection in request.selections {
        if let Some(finding) = selection.wrong_external_secret() {
            return Err(finding.at(selection.place.clone()).into());
        }
        read.push((selection, survey::read(&stream, &selection.profile, &selection.instance)?));
    }
    let mut targets = Vec::new();
    for (selection, documents) in &read {
        let surveys = survey::survey(&stream, documents, &selection.profile, &selection.instance)?;
        if !surveys.is_empty() && !request.allow_no_target {
            whole::refuse_misnamed(&stream, selection, documents, &surveys)?;
        }
        surveys.iter().try_for_each(|survey| refuse_itself(selection, survey))?;
        // All sources that are needed are opened before the first is read, so that they are read side by side.
        let open = |name: &str| match selection.emit {
            // The operator reads the keys.
            Some(Emit::ExternalSecret) => None,
            _ => (request.open)(selection, name),
        };
        let surveys: Vec<_> = surveys.into_iter().map(|survey| (open(&survey.name), survey)).collect();
        targets.push((*selection, documents, surveys));
    }
    if targets.iter().all(|(_, _, surveys)| surveys.is_empty()) && !request.allow_no_target {
        return Err(whole::no_target(request.selections).into());
    }
    for (selection, documents, surveys) in &targets {
        if surveys.is_empty() {
            continue;
        }
        claimed.extend(surveys.iter().map(|(_, survey)| survey.name.clone()));
        let run = Run { stream: &stream, selection, request };
        let (edits, found) = run.render(documents, surveys)?;
        whole::refuse_overlap(&parts, &edits)?;
        parts.extend(edits);
        findings.extend(found);
    }
    for (selection, documents) in &read {
        whole::refuse_unclaimed(&stream, &selection.profile, documents, &claimed)?;
    }
    for profile in request.guarded {
        let documents = survey::read(&stream, profile, &Instance::default())?;
        whole::refuse_unclaimed(&stream, profile, &documents, &claimed)?;
    }
    Ok(Outcome { stream: Rewritten::new(bytes, parts), findings })
}

#[cfg(test)]
mod tests;
