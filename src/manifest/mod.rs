//! Rendered manifests: cut a stream into documents, find objects, edit byte ranges, check the edits.

mod cursor;
mod edit;
mod object;
mod pod;
mod split;

pub use cursor::{Cursor, Doubt, Step};
pub use edit::{Error as EditError, New, Patch};
pub use object::{Object, shown_name};
pub use pod::{Pod, SecretKeyRef, SecretVolume};
pub use split::{split, split_and_glued};
