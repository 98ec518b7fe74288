//! One run's way to the stores: its deadline, what it has read, which secrets it knows, and what it cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::place::{Content, Place};
use super::scrub::Scrubber;
use super::{Deadline, Error};
use crate::child::Group;

/// So many places are read side by side.
const SIDE_BY_SIDE: usize = 8;
/// One try and three more.
const TRIES: u32 = 4;
/// With all waits between them it is some 15 seconds.
const TRIES_OF_PATIENT: u32 = 8;

/// A run. Places that wait are read together as soon as the first of them is needed, each once.
pub struct Run {
    allowed: Duration,
    group: Group,
    tries: u32,
    deadline: OnceLock<Deadline>,
    places: Mutex<Places>,
    scrubber: Mutex<Scrubber>,
    requests: Mutex<BTreeMap<String, usize>>,
}

type Done = Result<Arc<Content>, Error>;

#[derive(Default)]
struct Places {
    waiting: Vec<Arc<dyn Place>>,
    read: BTreeMap<String, Done>,
    costs: Vec<Cost>,
}

/// What a place cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// The place, in words.
    pub place: String,
    /// As whom it was read.
    pub login: Option<String>,
    /// The version that was read.
    pub version: Option<String>,
    /// From the first request to the last byte, retries included.
    pub time: Duration,
}

/// What a run cost.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Places in the order in which they were asked for.
    pub places: Vec<Cost>,
    /// How many requests and started programs of each kind.
    pub requests: Vec<(String, usize)>,
}

impl Run {
    /// A run that must be done within this time.
    #[must_use]
    pub fn within(allowed: Duration) -> Self {
        Self {
            allowed,
            group: Group::Own,
            tries: TRIES,
            deadline: OnceLock::new(),
            places: Mutex::default(),
            scrubber: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    /// The same run, whose programs belong to this group.
    #[must_use]
    pub fn in_group(self, group: Group) -> Self {
        Self { group, ..self }
    }

    /// The same run, which waits longer for a store that cannot answer now: some 15 seconds, if there is the time.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { tries: TRIES_OF_PATIENT, ..self }
    }

    /// How often a request is sent at most.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// Which group programs belong to.
    pub(super) fn group(&self) -> Group {
        self.group
    }

    /// When everything must be there. The time begins when the first store is asked: what is typed or piped before
    /// that is no store's fault.
    pub fn deadline(&self) -> Deadline {
        *self.deadline.get_or_init(|| Deadline::after(self.allowed))
    }

    /// A place that will be needed.
    pub(super) fn expect(&self, place: &Arc<dyn Place>) {
        open(&self.places).waiting.push(Arc::clone(place));
    }

    /// What a place holds, read now if it was not yet, together with all that wait.
    ///
    /// # Errors
    /// What the place says, with its login.
    pub(super) fn content(&self, place: &Arc<dyn Place>) -> Done {
        let mut places = open(&self.places);
        if let Some(done) = places.read.get(&place.identity()) {
            return done.clone();
        }
        let mut wanted: BTreeMap<String, Arc<dyn Place>> = BTreeMap::new();
        let waiting = std::mem::take(&mut places.waiting);
        for place in waiting.into_iter().chain([Arc::clone(place)]) {
            if !places.read.contains_key(&place.identity()) {
                wanted.insert(place.identity(), place);
            }
        }
        let wanted: Vec<(String, Arc<dyn Place>)> = wanted.into_iter().collect();
        for ((identity, place), (done, time)) in wanted.iter().zip(self.read_all(&wanted)) {
            let version = done.as_ref().ok().and_then(|content| content.version.clone());
            places.costs.push(Cost { place: place.describe(), login: place.login(), version, time });
            places.read.insert(identity.clone(), done.map(Arc::new).map_err(|error| error.with_login(place.login())));
        }
        places.read.get(&place.identity()).cloned().unwrap_or_else(|| Err(Error::new("was not read", "")))
    }

    /// A place was changed: the next question reads it anew.
    pub(super) fn forget(&self, place: &dyn Place) {
        open(&self.places).read.remove(&place.identity());
    }

    fn read_all(&self, wanted: &[(String, Arc<dyn Place>)]) -> Vec<(Result<Content, Error>, Duration)> {
        let read = |place: &Arc<dyn Place>| {
            let begun = Instant::now();
            let done = place.read(self);
            (done, begun.elapsed())
        };
        if let [(_, only)] = wanted {
            return vec![read(only)];
        }
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, _)>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(wanted.len()) {
                scope.spawn(|| {
                    while let Some((index, (_, place))) = next_of(wanted, &next) {
                        let one = read(place);
                        open(&done).push((index, one));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, one)| one).collect()
    }

    /// From now on this is hidden in what others say.
    pub(super) fn learn(&self, secret: &[u8]) {
        open(&self.scrubber).learn(secret);
    }

    /// What somebody else said, on one line, without secrets.
    pub(super) fn scrubbed(&self, said: &str) -> String {
        open(&self.scrubber).line(said)
    }

    /// One more request, or started program, of a kind.
    pub(super) fn count(&self, kind: &str) {
        *open(&self.requests).entry(kind.to_owned()).or_default() += 1;
    }

    /// What it has cost so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            places: open(&self.places).costs.clone(),
            requests: open(&self.requests).iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
        }
    }
}

/// A panic elsewhere ends the process, so what is behind the lock is whole.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next_of<'w, T>(wanted: &'w [T], next: &AtomicUsize) -> Option<(usize, &'w T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    wanted.get(index).map(|one| (index, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until so many others are read too.
    struct Meeting {
        name: &'static str,
        all: Arc<std::sync::Barrier>,
        reads: Arc<AtomicUsize>,
    }

    impl Place for Meeting {
        fn describe(&self) -> String {
            self.name.to_owned()
        }

        fn identity(&self) -> String {
            self.name.to_owned()
        }

        fn login(&self) -> Option<String> {
            Some("nobody".to_owned())
        }

        fn read(&self, run: &Run) -> Result<Content, Error> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            run.count("read");
            self.all.wait();
            match self.name {
                "broken" => Err(Error::new("is broken", "")),
                _ => Ok(Content { version: Some("7".to_owned()), ..Content::default() }),
            }
        }
    }

    fn meeting(names: &[&'static str], at_once: usize) -> (Vec<Arc<dyn Place>>, Arc<AtomicUsize>) {
        let (all, reads) = (Arc::new(std::sync::Barrier::new(at_once)), Arc::<AtomicUsize>::default());
        let place = |name: &&'static str| -> Arc<dyn Place> {
            Arc::new(Meeting { name, all: Arc::clone(&all), reads: Arc::clone(&reads) })
        };
        (names.iter().map(place).collect(), reads)
    }

    /// One that waits for another would never end if they were read in turn.
    #[test]
    fn places_are_read_side_by_side_and_each_once() {
        let run = Run::within(Duration::from_secs(9));
        let (places, reads) = meeting(&["a", "b", "a", "broken"], 3);
        places.iter().for_each(|place| run.expect(place));
        assert!(places.iter().take(3).all(|place| run.content(place).is_ok()));
        let error = run.content(&places[3]).err().unwrap();
        assert_eq!((error.message.as_str(), error.login.as_deref()), ("is broken", Some("nobody")));
        assert!(run.content(&places[3]).is_err());
        assert_eq!(reads.load(Ordering::Relaxed), 3);
        let stats = run.stats();
        let told: Vec<_> = stats.places.iter().map(|cost| (cost.place.as_str(), cost.version.as_deref())).collect();
        assert_eq!(told, [("a", Some("7")), ("b", Some("7")), ("broken", None)]);
        assert_eq!(stats.requests, [("read".to_owned(), 3)]);
    }

    #[test]
    fn what_was_forgotten_is_read_anew() {
        let run = Run::within(Duration::from_secs(9));
        let (places, reads) = meeting(&["a", "b"], 1);
        assert!(places.iter().all(|place| run.content(place).is_ok()));
        run.forget(places[0].as_ref());
        assert!(places.iter().all(|place| run.content(place).is_ok()));
        assert_eq!(reads.load(Ordering::Relaxed), 3);
    }
}
