//! Whether a commit took out or changed a line: lines are only ever added.

use super::{Entry, Lock, quoted};
use crate::report::{Exit, Finding, Place, list};

impl Lock {
    /// What this lock lost since `before`: lines taken out, lines changed, another salt. Nothing if it only grew.
    pub fn lost_since(&self, before: &Self) -> Vec<Finding> {
        let salt = (self.salt != before.salt && !before.entries.is_empty()).then(|| self.other_salt(before));
        let now = |entry: &Entry| self.entries.iter().find(|now| now.line.is_about_the_same(&entry.line));
        let lost = before.entries.iter().filter_map(|entry| match now(entry) {
            Some(now) if now.line == entry.line => None,
            Some(now) => Some(changed(entry, now)),
            None => Some(self.taken_out(entry)),
        });
        salt.into_iter().chain(lost).collect()
    }

    fn taken_out(&self, entry: &Entry) -> Finding {
        let title = format!("the line of {} of {} was taken out of the lock", entry.line.title(), entry.line.owner());
        Finding::error(Exit::Lock, "lock-line-lost", title)
            .at(Place::file(self.file()))
            .at(entry.place.clone())
            .found("without it, nobody sees when that key is replaced or lost")
            .help(format!("put the line back: `git log -p {}`", self.file()))
    }

    fn other_salt(&self, before: &Self) -> Finding {
        let owners = before.lines().map(|line| line.owner().to_string());
        let mut owners: Vec<String> = owners.collect();
        owners.dedup();
        Finding::error(Exit::Lock, "lock-salt-changed", "the salt of the lock was changed")
            .at(Place::file(self.file()))
            .found(format!("no key of {} that is readable text is recognised any more", list(&quoted(&owners))))
            .help(format!("put the old salt back: `git log -p {}`", self.file()))
    }
}

fn changed(before: &Entry, now: &Entry) -> Finding {
    let title = format!("the line of {} of {} was changed", now.line.title(), now.line.owner());
    let words = |entry: &Entry| format!("{} {}", entry.line.spelling, entry.line.short_fingerprint());
    Finding::error(Exit::Lock, "lock-line-changed", title)
        .at(now.place.clone())
        .at(before.place.clone())
        .found(format!("it was {}, and is {}", words(before), words(now)))
        .help("put the old line back; a new key gets a line of its own, with the next number")
}
