//! Files on a mount that does not tell a new name at once.

use std::sync::Mutex;

use super::*;

/// The real file system as such a mount shows it
#[derive(Debug, Default)]
struct Mount {
    /// A path that it does not tell yet
    untold: Mutex<Option<PathBuf>>,
}

/// A file that another host may change
#[derive(Debug)]
struct Shared(Arc<dyn Handle>);

impl Mount {
    fn tells(&self, path: &Path) -> bool {
        self.untold.lock().unwrap().as_deref() != Some(path)
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        if self.tells(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl Volume for Mount {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.check(path)?;
        Disk.stat(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let entries = Disk.list(directory)?;
        Ok(entries.into_iter().filter(|entry| self.tells(&entry.path)).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        self.check(path)?;
        Ok(Arc::new(Shared(Disk.open(path)?)))
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}

impl Handle for Shared {
    fn stat(&self) -> io::Result<Stat> {
        self.0.stat()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.0.data_from(offset)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// The states of the known files after a rename whose new name is untold for this long
fn states(untold_for: Duration) -> Vec<FileState> {
    let directory = tempfile::tempdir().unwrap();
    let (log, rotated) = (directory.path().join("app.log"), directory.path().join("app.log.1"));
    fs::write(&log, "one\n").unwrap();
    let mount = Arc::new(Mount::default());
    let mut follower = on_volume(&log, mount.clone());
    let output = follower.add_output("stdout://".into());
    let now = Instant::now();
    follower.scan_names(now);
    let batch = follower.next(output, None, now).unwrap();
    follower.account(Change::Settle(&batch.spans()[0], output));
    follower.set.apply(Change::Meet(0, Fate::Park), now);
    fs::rename(&log, &rotated).unwrap();
    fs::write(&log, "").unwrap();
    *mount.untold.lock().unwrap() = Some(rotated);
    follower.scan_names(now);
    follower.scan_names(now + untold_for);
    *mount.untold.lock().unwrap() = None;
    follower.scan_names(now + untold_for);
    assert!(follower.next(output, None, now + untold_for).is_none());
    follower.set.iter().map(|(_, file)| file.state).collect()
}

#[test]
fn a_file_whose_new_name_comes_late_is_not_read_again() {
    assert_eq!(states(Duration::from_secs(4)), [FileState::Rotated, FileState::Live]);
}

#[test]
fn a_file_that_gets_no_name_for_five_seconds_is_forgotten() {
    assert_eq!(states(Duration::from_secs(5)), [FileState::Live]);
}
