//! What speaks against a render before there is one: the values alone.

use super::decide::Question;
use super::stream::Stream;
use super::user::UserValues;
use crate::config::Selection;
use crate::report::{Finding, Refusal};
use crate::values::Known;

/// Judges the values of a command line. What cannot be told from them alone is left to the render: without the manifests
/// nobody knows whether a keyring's chart is among what is rendered.
///
/// # Errors
/// A rotation by the chart, a reference that is nobody's key, a key that is spelled out as empty or does not fit.
pub fn preflight(selections: &[Selection], known: &Known) -> Result<(), Refusal> {
    let stream = Stream::new(b"");
    let mut refused: Vec<Finding> = Vec::new();
    for selection in selections {
        let user = UserValues::new(known, &selection.profile, &selection.instance)?;
        let question = Question { selection, user: &user, stream: &stream, lock: None, source: None };
        for (_, ring) in selection.profile.rings() {
            match question.wrong_in_values(ring) {
                Ok(found) => refused.extend(found),
                Err(Refusal(found)) => refused.extend(found),
            }
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Refusal(refused)) }
}
