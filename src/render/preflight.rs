//! What speaks against a render before there is one: the values alone.

use super::decide::Question;
use super::stream::Stream;
use super::user::{UserKey, UserValues};
use crate::config::Selection;
use crate::report::{Finding, Refusal};
use crate::values::Known;

/// Judges the values of a command line. What cannot be told from them alone is left to the render: without the manifests
/// nobody knows which keyring's chart is rendered, so it takes what speaks against all of them.
///
/// # Errors
/// A rotation by the chart, a reference that is nobody's key, a key that is spelled out as empty or does not fit.
pub fn preflight(selections: &[Selection], known: &Known) -> Result<(), Refusal> {
    let stream = Stream::new(b"");
    let mut refused: Vec<Finding> = Vec::new();
    for selection in selections {
        let before = refused.len();
        let Ok(user) = UserValues::new(known, &selection.profile, &selection.instance) else { return Ok(()) };
        let question = Question { selection, user: &user, stream: &stream, lock: None, source: None };
        for (_, ring) in selection.profile.rings() {
            match question.wrong_in_values(ring) {
                Ok(found) => refused.extend(found),
                Err(Refusal(found)) => refused.extend(found),
            }
        }
        if refused.len() == before && reads_values(selection, &user) {
            return Ok(());
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Refusal(refused)) }
}

/// Whether the values may be those of this keyring's chart: something stands where its profile looks.
fn reads_values(selection: &Selection, user: &UserValues<'_>) -> bool {
    selection.profile.rings().any(|(_, ring)| !matches!(user.key(ring), Ok(UserKey::Empty { place: None })))
}
