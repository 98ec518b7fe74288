use super::testing::{FAULTS, Fault, Faulty};
use super::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Writes, syncs, renames and syncs of folders for two files.
const STEPS: usize = 8;

/// Two old files and their new contents.
struct Two {
    folder: tempfile::TempDir,
    first: PathBuf,
    second: PathBuf,
}

impl Two {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("keys/a.sealed"), folder.path().join("keyring.lock"));
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(&first, "old first").unwrap();
        fs::write(&second, "old second").unwrap();
        Self { folder, first, second }
    }

    fn take(&self) -> Result<Exclusive, Error> {
        Exclusive::take(&[self.folder.path(), &self.folder.path().join("keys"), self.folder.path()])
    }

    fn replace(&self, disk: &dyn Disk) -> Result<(), Error> {
        self.take().unwrap().prepare(disk, &[(&self.first, b"new first"), (&self.second, b"new second")])?.put_all()
    }

    /// Which of the two are new; each is old or new.
    fn new_ones(&self) -> (bool, bool) {
        let is_new = |path, name: &str| match fs::read_to_string(path).unwrap() {
            text if text == format!("new {name}") => true,
            text if text == format!("old {name}") => false,
            text => panic!("neither old nor new: {text}"),
        };
        (is_new(&self.first, "first"), is_new(&self.second, "second"))
    }

    /// Every file other than the two.
    fn others(&self) -> Vec<PathBuf> {
        let all = [self.folder.path().to_owned(), self.folder.path().join("keys")];
        let found = all.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
        found.filter(|path| path.is_file() && *path != self.first && *path != self.second).collect()
    }
}

#[test]
fn all_files_become_new() {
    let two = Two::new();
    let disk = Faulty::new(usize::MAX, Fault::Refused);
    two.replace(&disk).unwrap();
    assert_eq!(disk.taken(), STEPS);
    assert_eq!(two.new_ones(), (true, true));
    assert_eq!(two.others(), Vec::<PathBuf>::new());
}

#[test]
fn at_every_step_every_fault_leaves_old_or_new_and_the_next_run_completes_it() {
    let mut tried = 0;
    let mut ends = BTreeMap::new();
    for at in 0..STEPS {
        for fault in FAULTS {
            let two = Two::new();
            let disk = Faulty::new(at, fault);
            let result = two.replace(&disk);
            let new_ones = two.new_ones();
            assert_ne!(new_ones, (false, true), "the second must not be new before the first: {fault:?} at {at}");
            if let Fault::Refused | Fault::Full = fault {
                assert_eq!(two.others(), Vec::<PathBuf>::new(), "{fault:?} at {at}");
                let Err(Error::Failed { replaced, .. }) = &result else { panic!("{fault:?} at {at}") };
                assert_eq!(replaced.len(), usize::from(new_ones.0) + usize::from(new_ones.1), "{fault:?} at {at}");
            }
            two.replace(&RealDisk).unwrap();
            assert_eq!(two.new_ones(), (true, true));
            assert_eq!(two.others(), Vec::<PathBuf>::new());
            *ends.entry(new_ones).or_insert(0) += 1;
            tried += 1;
        }
    }
    assert_eq!(tried, 40);
    assert_eq!(ends, BTreeMap::from([((false, false), 23), ((true, false), 10), ((true, true), 7)]));
}

/// A disk in memory that keeps apart what lasts and what a power failure may take.
#[derive(Default)]
struct Memory {
    names: RefCell<BTreeMap<PathBuf, usize>>,
    lasting_names: RefCell<BTreeMap<PathBuf, usize>>,
    bytes: RefCell<Vec<Vec<u8>>>,
    synced: RefCell<Vec<bool>>,
    steps_left: std::cell::Cell<usize>,
}

impl Memory {
    fn with(files: &[Content<'_>], steps: usize) -> Self {
        let disk = Self { steps_left: usize::MAX.into(), ..Self::default() };
        for (path, bytes) in files {
            disk.write_new(path, bytes, 0o600).unwrap();
            disk.sync(path).unwrap();
            disk.sync_folder(folder(path)).unwrap();
        }
        disk.steps_left.set(steps);
        disk
    }

    fn step(&self) -> io::Result<()> {
        let left = self.steps_left.get().checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        self.steps_left.set(left);
        Ok(())
    }

    /// What a file holds after the power failed: `None` if there is none. `kept` says of which folders names lasted
    /// although they were not synced, `torn` that bytes did not.
    fn after_failure(&self, path: &Path, kept: &dyn Fn(&Path) -> bool, torn: bool) -> Option<Vec<u8>> {
        let names = if kept(folder(path)) { &self.names } else { &self.lasting_names };
        let inode = *names.borrow().get(path)?;
        let lost = torn && !self.synced.borrow()[inode];
        Some(if lost { b"torn".to_vec() } else { self.bytes.borrow()[inode].clone() })
    }
}

impl Disk for Memory {
    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        Ok(self.names.borrow().get(path).map(|_| 0o600))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], _: u32) -> io::Result<()> {
        self.step()?;
        self.bytes.borrow_mut().push(bytes.to_vec());
        self.synced.borrow_mut().push(false);
        self.names.borrow_mut().insert(path.to_owned(), self.bytes.borrow().len() - 1);
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.synced.borrow_mut()[self.names.borrow()[path]] = true;
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.names.borrow_mut().remove(from).unwrap();
        self.names.borrow_mut().insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let mut lasting = self.lasting_names.borrow_mut();
        lasting.retain(|name, _| folder(name) != path);
        lasting
            .extend(self.names.borrow().iter().filter(|(name, _)| folder(name) == path).map(|(n, i)| (n.clone(), *i)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.steps_left.get() == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.names.borrow_mut().remove(path);
        Ok(())
    }
}

#[test]
fn a_power_failure_leaves_old_or_new_in_order_whatever_was_not_synced() {
    let (first, second) = (Path::new("/keys/a"), Path::new("/b"));
    let mut tried = 0;
    for steps in 0..=STEPS {
        for kept in 0..4 {
            for torn in [false, true] {
                let disk = Memory::with(&[(first, b"old"), (second, b"old")], steps);
                let done = prepare(&disk, &[(first, b"new"), (second, b"new")]).and_then(Prepared::put_all).is_ok();
                let kept = |folder: &Path| kept & if folder == Path::new("/keys") { 1 } else { 2 } != 0;
                let after = [first, second].map(|path| disk.after_failure(path, &kept, torn).expect("never gone"));
                assert!(after.iter().all(|bytes| bytes == b"old" || bytes == b"new"), "steps {steps}");
                assert!(!(after[0] == b"old" && after[1] == b"new"), "steps {steps}");
                assert!(!done || after.iter().all(|bytes| bytes == b"new"), "done means lasting");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 72);
}

#[test]
fn permissions_stay_and_new_files_are_private() {
    let two = Two::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(&two.first, fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(&two.second).unwrap();
    two.replace(&RealDisk).unwrap();
    assert_eq!((mode(&two.first), mode(&two.second)), (0o640, 0o600));
}

#[test]
fn a_link_is_not_followed() {
    let two = Two::new();
    let real = two.folder.path().join("real");
    fs::rename(&two.second, &real).unwrap();
    std::os::unix::fs::symlink(&real, &two.second).unwrap();
    let error = two.replace(&RealDisk).unwrap_err();
    assert!(error.to_string().contains("not a plain file"), "{error}");
    assert_eq!((two.new_ones(), two.others()), ((false, false), vec![real]));
    std::os::unix::fs::symlink("/nonexistent", two.folder.path().join(".helm-keyring-busy")).unwrap();
    assert!(two.take().err().unwrap().to_string().contains("cannot be locked: it is not a plain file"));
}

#[test]
fn of_two_at_once_one_wins_and_the_other_is_told() {
    let two = Two::new();
    let held = two.take().unwrap();
    let Err(told) = two.take() else { panic!("two hold it") };
    assert!(matches!(told, Error::Busy { .. }), "{told}");
    assert_eq!(told.finding().exit(), Some(Exit::Io));
    drop(held);
    drop(two.take().unwrap());
    assert_eq!(two.others(), Vec::<PathBuf>::new());
}

#[test]
fn one_shared_folder_is_enough_to_be_told() {
    let two = Two::new();
    let other = tempfile::tempdir().unwrap();
    let keys = two.folder.path().join("keys");
    let alias = other.path().join("alias");
    std::os::unix::fs::symlink(&keys, &alias).unwrap();
    let held = Exclusive::take(&[&keys]).unwrap();
    assert!(matches!(Exclusive::take(&[other.path(), &alias]), Err(Error::Busy { .. })));
    let elsewhere = held.prepare(&RealDisk, &[(&two.second, b"new")]).err().unwrap();
    assert!(elsewhere.to_string().contains("its folder was not taken"), "{elsewhere}");
}

#[test]
fn what_a_killed_run_left_is_replaced() {
    let two = Two::new();
    fs::write(two.folder.path().join(".helm-keyring-busy"), "").unwrap();
    for path in [&two.first, &two.second] {
        fs::write(temporary(path), "half").unwrap();
    }
    assert_eq!(two.others().len(), 3);
    two.replace(&RealDisk).unwrap();
    assert_eq!(two.new_ones(), (true, true));
    assert_eq!(two.others(), Vec::<PathBuf>::new());
}

#[test]
fn many_at_once_lose_no_change() {
    const RUNS: usize = 8;
    const EACH: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let counter = folder.path().join("counter");
    fs::write(&counter, "0").unwrap();
    let add_one = || {
        loop {
            match Exclusive::take(&[folder.path()]) {
                Ok(held) => {
                    let count: usize = fs::read_to_string(&counter).unwrap().parse().unwrap();
                    let text = (count + 1).to_string();
                    break held.prepare(&RealDisk, &[(&counter, text.as_bytes())]).unwrap().put_all().unwrap();
                }
                Err(Error::Busy { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| (0..EACH).for_each(|_| add_one()));
        }
    });
    assert_eq!(fs::read_to_string(&counter).unwrap(), (RUNS * EACH).to_string());
}
