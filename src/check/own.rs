//! What helm-keyring itself keeps keys in: master keys, and the files of the source `dir`.

use std::path::Path;

use super::absolute;
use super::facts::Facts;
use super::home::Home;
use super::walk::Found;
use crate::config::Source;
use crate::key::KeyText;
use crate::profile::FieldSpec;
use crate::report::Place;
use crate::rules::{self, Key, Stands, key_in_plaintext};
use crate::sealed::MasterKey;

/// Looks for master keys in any file that can be committed.
pub fn master_keys(name: &str, bytes: &[u8], committed: bool, facts: &mut Facts<'_>) {
    for span in MasterKey::spans_in(bytes).into_iter().filter(|_| committed) {
        facts.findings.push(key_in_plaintext::of_a_master_key(Place::in_text(name, bytes, span.start)));
    }
}

/// Looks at the files of `dir` sources that can be committed: each is a key.
pub fn files_of_sources<'h>(homes: &'h [Home], found: &[Found], facts: &mut Facts<'h>) {
    for pair in homes.iter().flat_map(|home| &home.pairs) {
        let Some(Source::Dir { path }) = &pair.source else { continue };
        let folder = absolute(path);
        let beside = found.iter().filter(|file| file.committed && absolute(&file.path).parent() == Some(&folder));
        for file in beside {
            let ring = pair.profile.rings().find(|(_, ring)| is_named(ring, &file.path));
            if let (Some((_, ring)), Ok(text)) = (ring, crate::schema::read_text(&file.path)) {
                let text = KeyText::from(text);
                // An editor's newline is none of the key's.
                let text = text.without_one_newline().unwrap_or(text);
                let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let place = Place::file(&*file.name);
                let key = Key::new(ring, name, text, place, Stands::Source, true);
                facts.findings.extend(rules::of_key(&key));
                facts.keys.push(key);
            }
        }
    }
}

fn is_named(ring: &FieldSpec, path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| ring.slot(name).is_some())
}
