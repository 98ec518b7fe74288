//! Whatever ends a rotation, and whenever: no key is lost, and the next run completes it and adds no second key.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::*;
use crate::config::{Config, Overrides};
use crate::files::testing::{FAULTS, Fault, Faulty, KILLS};
use crate::files::{Disk, Exclusive, RealDisk};
use crate::key::KeyText;
use crate::sealed::{GivenMasterKey, MasterKey, SealedFile};
use crate::source::{Dir, Sealed};

const KEYS: [&str; 2] =
    ["iLLJ3XHb1IDM8PH4HYyTQfKoTzRpPsFYtrzSPL7n5Vw=", "Bmc6Ja3a/fiT8h4whYc3a7tRCtQdk2xYsFLVeNZLOGY="];
const PROFILE: &str = "\
apiVersion: helm-keyring/v1
kind: Profile
name: store
secrets:
  - fields:
      - name: storage-key
        previous: storage-key-previous
        policy: {bytes: 32}
";

/// Three stores of one key: a sealed file and a folder with a numbered ring, and a folder with a fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Sealed,
    Numbered,
    Fixed,
}

const STORES: [Store; 3] = [Store::Sealed, Store::Numbered, Store::Fixed];

struct World {
    folder: PathBuf,
    store: Store,
}

impl World {
    /// Sets it up with one key, locked.
    fn new(folder: &Path, store: Store) -> Self {
        let world = Self { folder: folder.to_owned(), store };
        let profile = if store == Store::Fixed { "store.yaml" } else { "lightrun" };
        let config = format!(
            "apiVersion: helm-keyring/v1\nkeyrings: {{app: {{profile: {profile}, environments: {{p: {{}}}}}}}}\n"
        );
        fs::create_dir(folder.join("keys")).unwrap();
        for (name, text) in [("keyring.yaml", config.as_str()), ("store.yaml", PROFILE)] {
            fs::write(folder.join(name), text).unwrap();
        }
        match store {
            Store::Sealed => {
                let master = MasterKey::generate().unwrap();
                let mut opened = SealedFile::init("p", &[("deploy", &master)]).ok().unwrap();
                opened.add("encryption-key-{n}", 0, &KeyText::from(KEYS[0].to_owned())).unwrap();
                fs::write(folder.join("keys/p.sealed"), opened.file().to_text()).unwrap();
                fs::write(folder.join("master"), master.into_text().expose()).unwrap();
            }
            Store::Numbered => fs::write(folder.join("keys/encryption-key-0"), KEYS[0]).unwrap(),
            Store::Fixed => fs::write(folder.join("keys/storage-key"), KEYS[0]).unwrap(),
        }
        let lock_path = world.lock_path();
        let mut lock = lock_at(&lock_path).unwrap();
        world.with_keeper(|keeper| keeper.lock(&mut lock, &[]).map(drop)).unwrap();
        fs::write(lock_path, lock.to_text()).unwrap();
        world
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("keyring.lock")
    }

    fn with_keeper<T>(&self, run: impl FnOnce(&Keeper<'_>) -> T) -> T {
        let config = Config::read(&self.folder.join("keyring.yaml")).ok().unwrap();
        let selection = config.select(&Overrides::default()).unwrap().remove(0);
        let source: Box<dyn Source> = match self.store {
            Store::Sealed => Box::new(Sealed {
                file: self.folder.join("keys/p.sealed"),
                environment: Some("p".to_owned()),
                master: GivenMasterKey { file: Some(self.folder.join("master")), variable: None },
            }),
            Store::Numbered | Store::Fixed => Box::new(Dir { path: self.folder.join("keys") }),
        };
        run(&Keeper::new(&selection, source.as_ref()).unwrap())
    }

    fn rotate(&self, disk: &dyn Disk) -> Result<bool, Refusal> {
        let alone = Exclusive::take(&[&self.folder, &self.folder.join("keys")]).map_err(|error| error.finding())?;
        let lock = lock_at(&self.lock_path())?;
        self.with_keeper(|keeper| {
            let rotation = keeper.rotate(&lock, None, None)?;
            rotation.plan.write(&alone, disk, &self.lock_path())?;
            Ok(rotation.completes)
        })
    }

    /// The texts in the source, and how many of them the lock has; it has none that the source lacks.
    fn state(&self) -> (Vec<Vec<u8>>, usize) {
        let lock = lock_at(&self.lock_path()).unwrap();
        let mut findings = Vec::new();
        self.with_keeper(|keeper| {
            let states = keeper.state(&lock, &mut findings).unwrap_or_else(|refusal| panic!("{refusal}"));
            let keys = states[0].ring.keys().iter().map(|key| key.expose().to_vec()).collect();
            (keys, states[0].standings.iter().filter(|standing| **standing == Standing::Locked).count())
        })
    }

    /// Files that do not belong here. The empty one that a killed run held stops nobody.
    fn leftovers(&self) -> Vec<PathBuf> {
        let folders = [self.folder.clone(), self.folder.join("keys")];
        let all = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
        let is_odd = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with('.') && name != ".helm-keyring-busy"
        };
        all.filter(is_odd).collect()
    }
}

/// How many steps a rotation has: a write, a sync, a rename and a sync of the folder for each file.
fn steps(store: Store) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::new(usize::MAX, Fault::Refused);
    assert!(!World::new(folder.path(), store).rotate(&disk).unwrap());
    disk.taken()
}

/// Looks at what is left, then runs once more: there are two keys, the old one first, both locked.
fn survives(world: &World, what: &str, ends: &mut [usize; 3]) {
    let (keys, locked) = world.state();
    assert!(keys.iter().any(|key| key == KEYS[0].as_bytes()), "{what}: the old key is gone");
    let new: Vec<&Vec<u8>> = keys.iter().filter(|key| *key != KEYS[0].as_bytes()).collect();
    let end = match (new.len(), locked) {
        (0, _) => 0,
        (1, 1) => 1,
        (1, 2) => 2,
        other => panic!("{what}: {other:?}"),
    };
    ends[end] += 1;
    let begun = new.first().map(|key| key.to_vec());
    if end < 2 {
        let completes = world.rotate(&RealDisk).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
        assert_eq!(completes, end == 1, "{what}");
    }
    let (keys, locked) = world.state();
    assert_eq!((keys.len(), locked, keys[0].as_slice()), (2, 2, KEYS[0].as_bytes()), "{what}");
    assert!(begun.is_none_or(|begun| begun == keys[1]), "{what}: a second key was added");
    assert_eq!(world.leftovers(), Vec::<PathBuf>::new(), "{what}");
}

#[test]
fn whatever_fails_at_any_step_no_key_is_lost() {
    let mut ends = [0; 3];
    for store in STORES {
        for at in 0..steps(store) {
            for fault in FAULTS {
                let folder = tempfile::tempdir().unwrap();
                let world = World::new(folder.path(), store);
                let result = world.rotate(&Faulty::new(at, fault));
                if let Fault::Refused | Fault::Full = fault {
                    let refusal = result.expect_err("told");
                    assert!(matches!(refusal.exit(), crate::report::Exit::Io), "{refusal}");
                }
                survives(&world, &format!("{store:?}, {fault:?} at {at}"), &mut ends);
            }
        }
    }
    assert_eq!(ends.iter().sum::<usize>(), 5 * (8 + 8 + 12));
    assert!(ends.iter().all(|count| *count > 10), "old/old, new/old, new/new: {ends:?}");
}

const CHILD: &str = "KEEPER_TEST_CHILD";

/// Not a test of its own: what runs in a process that is killed.
#[test]
fn child() {
    let Ok(order) = env::var(CHILD) else { return };
    let [folder, store, at, fault] = order.split('|').collect::<Vec<_>>()[..] else { panic!("an order") };
    let number = |text: &str| text.parse::<usize>().unwrap();
    let world = World { folder: folder.into(), store: STORES[number(store)] };
    let _ = world.rotate(&Faulty::deadly(number(at), KILLS[number(fault)]));
    panic!("it should have been killed");
}

#[test]
fn a_process_killed_at_any_step_loses_no_key() {
    use std::os::unix::process::ExitStatusExt as _;
    let (mut points, mut ends) = (0, [0; 3]);
    for (index, store) in STORES.into_iter().enumerate() {
        for at in 0..steps(store) {
            for (fault, kill) in KILLS.iter().enumerate() {
                let folder = tempfile::tempdir().unwrap();
                let world = World::new(folder.path(), store);
                let order = format!("{}|{index}|{at}|{fault}", folder.path().display());
                let mut child = Command::new(env::current_exe().unwrap());
                let output = child.args(["--exact", "keeper::tests::child"]).env(CHILD, order).output().unwrap();
                assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stdout));
                survives(&world, &format!("{store:?}, {kill:?} at {at}"), &mut ends);
                points += 1;
            }
        }
    }
    assert_eq!(points, 3 * (8 + 8 + 12));
    assert!(ends.iter().all(|count| *count > 5), "old/old, new/old, new/new: {ends:?}");
}

#[test]
fn of_many_at_once_each_adds_one_key_or_is_told() {
    const RUNS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), Store::Sealed);
    let done: usize = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..RUNS).map(|_| scope.spawn(|| world.rotate(&RealDisk).map(|_| ()))).collect();
        let results = runs.into_iter().map(|run| run.join().unwrap());
        let told = |result: Result<(), Refusal>| match result {
            Ok(()) => 1,
            Err(refusal) => {
                assert!(refusal.to_string().contains("another helm-keyring is changing files"), "{refusal}");
                0
            }
        };
        results.map(told).sum()
    });
    assert!(done > 0);
    assert_eq!(world.state().1, 1 + done);
}

#[test]
fn what_cannot_be_read_back_is_not_locked() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), Store::Numbered);
    let before = fs::read(world.lock_path()).unwrap();
    let alone = Exclusive::take(&[folder.path(), &folder.path().join("keys")]).ok().unwrap();
    let lock = lock_at(&world.lock_path()).unwrap();
    let refusal = world.with_keeper(|keeper| {
        let mut rotation = keeper.rotate(&lock, None, None).ok().unwrap();
        rotation.plan.change.files[0].1 = zeroize::Zeroizing::new(KEYS[1].as_bytes().to_vec());
        rotation.plan.write(&alone, &RealDisk, &world.lock_path()).unwrap_err()
    });
    assert!(matches!(refusal.exit(), crate::report::Exit::Source | crate::report::Exit::Lock), "{refusal}");
    assert_eq!(fs::read(world.lock_path()).unwrap(), before);
}
