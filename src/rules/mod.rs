//! Rules: what may be wrong with keys in values, manifests and templates. One file a rule, one page a rule.
//!
//! A rule judges one subject ([`Look`]) and words its findings; who makes the subjects, of files or of a stream, is not
//! its business. So `check`, `render` and `helm keyring` say the same of the same thing. To add one: copy a file, write
//! its page in `docs/rules/` with bad and good examples (they are run as tests), add it to [`RULES`] and to
//! `schema/keyring.schema.json`.

pub mod auto_generated_key;
pub mod dangling_key_ref;
pub mod duplicate_field;
pub mod duplicate_secret;
pub mod generator_not_immutable;
pub mod ignored_document;
pub mod key_conflict;
pub mod key_in_plaintext;
pub mod key_in_string_data;
pub mod key_length;
pub mod lock_behind;
pub mod lock_mismatch;
pub mod made_up_key;
pub mod placeholder_key;
pub mod random_template;
pub mod reused_key;
pub mod rotate_in_gitops;
mod subject;
pub mod unknown_field;
pub mod unmounted_key;
pub mod unreadable;
pub mod unresolved_reference;
pub mod unsafe_scalar;
pub mod unstable_render;
pub mod useless_ignore;
pub mod weak_key;
pub mod wrong_type;

pub use subject::{Deployed, Key, Manifests, Stands, ValuesSeen};

use crate::report::{Finding, RuleInfo};

/// A rule, and what it looks at.
pub struct Rule {
    /// What reports say of it.
    pub info: RuleInfo,
    /// What it looks at.
    pub look: Look,
}

/// The subject of a rule, and its judgement.
pub enum Look {
    /// Every text that stands where a key belongs.
    Key(fn(&Key<'_>) -> Option<Finding>),
    /// A mapping at a profile's path, as it is written.
    Values(fn(&ValuesSeen<'_, '_>) -> Vec<Finding>),
    /// What is deployed together: merged values.
    Deployed(fn(&Deployed<'_>) -> Vec<Finding>),
    /// Rendered manifests, one stream.
    Manifests(fn(&Manifests<'_, '_>) -> Vec<Finding>),
    /// All keys that were seen.
    AllKeys(fn(&[Key<'_>]) -> Vec<Finding>),
    /// Whoever reads the thing sees it: a file, the lock, a source, two renders.
    Reader,
}

/// All rules, in the order of their names.
pub static RULES: [Rule; 26] = [
    auto_generated_key::RULE,
    dangling_key_ref::RULE,
    duplicate_field::RULE,
    duplicate_secret::RULE,
    generator_not_immutable::RULE,
    ignored_document::RULE,
    key_conflict::RULE,
    key_in_plaintext::RULE,
    key_in_string_data::RULE,
    key_length::RULE,
    lock_behind::RULE,
    lock_mismatch::RULE,
    made_up_key::RULE,
    placeholder_key::RULE,
    random_template::RULE,
    reused_key::RULE,
    rotate_in_gitops::RULE,
    unknown_field::RULE,
    unmounted_key::RULE,
    unreadable::RULE,
    unresolved_reference::RULE,
    unsafe_scalar::RULE,
    unstable_render::RULE,
    useless_ignore::RULE,
    weak_key::RULE,
    wrong_type::RULE,
];

/// The rule of this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.info.id == id)
}

/// What reports say of all rules.
pub fn infos() -> Vec<RuleInfo> {
    RULES.iter().map(|rule| rule.info).collect()
}

/// What the rules say of one key.
pub fn of_key(key: &Key<'_>) -> Vec<Finding> {
    RULES.iter().filter_map(|rule| if let Look::Key(look) = rule.look { look(key) } else { None }).collect()
}

/// What the rules say of a mapping of values.
pub fn of_values(values: &ValuesSeen<'_, '_>) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| if let Look::Values(look) = rule.look { look(values) } else { Vec::new() }).collect()
}

/// What the rules say of merged values.
pub fn of_deployed(deployed: &Deployed<'_>) -> Vec<Finding> {
    RULES
        .iter()
        .flat_map(|rule| if let Look::Deployed(look) = rule.look { look(deployed) } else { Vec::new() })
        .collect()
}

/// What the rules say of a stream of manifests.
pub fn of_manifests(manifests: &Manifests<'_, '_>) -> Vec<Finding> {
    RULES
        .iter()
        .flat_map(|rule| if let Look::Manifests(look) = rule.look { look(manifests) } else { Vec::new() })
        .collect()
}

/// What the rules say of all keys together.
pub fn of_all_keys(keys: &[Key<'_>]) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| if let Look::AllKeys(look) = rule.look { look(keys) } else { Vec::new() }).collect()
}

/// The head of a rule's file: id, level, what it finds. Its page lies in `docs/rules/`.
macro_rules! rule {
    ($id:literal, $level:ident, $finds:literal, $look:expr) => {
        /// The rule.
        pub const RULE: $crate::rules::Rule = $crate::rules::Rule {
            info: $crate::report::RuleInfo {
                id: $id,
                level: $crate::report::Level::$level,
                finds: $finds,
                page: include_str!(concat!("../../docs/rules/", $id, ".md")),
            },
            look: $look,
        };
    };
}
use rule;

#[cfg(test)]
mod tests;
