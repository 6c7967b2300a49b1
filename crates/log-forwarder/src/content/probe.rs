//! The real file system for tests, with the faults that mounts have; it counts listings, and makes
//! directories while a scan looks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use super::volume::{Disk, Entry, Handle, Inode, Stat, Volume};

/// EIO and EMFILE (errno(3))
const FAILED: i32 = 5;
const NO_DESCRIPTOR: i32 = 24;

/// A file system that a test observes and disturbs. Clones are one file system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe(Arc<Disturbed>);

#[derive(Debug, Default)]
struct Disturbed {
    listings: AtomicUsize,
    /// Each is made when it was missed, if the directory above is there.
    missing: Vec<PathBuf>,
    /// Other hosts may change its files.
    is_remote: bool,
    /// It finds an open file by its path, and each file at a path has the same inode.
    finds_by_path: bool,
    /// A path that it does not tell yet
    untold: Mutex<Option<PathBuf>>,
    /// The size that it states of each file
    stated: Mutex<Option<u64>>,
    /// Each is renamed right after the next listing, and another file comes to its place.
    rotated: Mutex<Vec<PathBuf>>,
    /// This number of reads succeed, and all later ones fail.
    reads_left: Mutex<Option<usize>>,
    has_no_descriptor: AtomicBool,
}

impl Probe {
    /// Makes these directories, each right after it was looked for in vain.
    pub(crate) fn making(missing: Vec<PathBuf>) -> Arc<Self> {
        Self(Disturbed { missing, ..Disturbed::default() }.into()).into()
    }

    /// A mount of a server
    pub(crate) fn remote() -> Self {
        Self(Disturbed { is_remote: true, ..Disturbed::default() }.into())
    }

    /// A mount of a server that finds an open file by its path
    pub(crate) fn finding_by_path() -> Self {
        Self(Disturbed { is_remote: true, finds_by_path: true, ..Disturbed::default() }.into())
    }

    /// How many directories were listed since the last call
    pub(crate) fn take_listings(&self) -> usize {
        self.0.listings.swap(0, Relaxed)
    }

    /// Hides a path, or none.
    pub(crate) fn hide(&self, path: Option<PathBuf>) {
        *self.0.untold.lock().unwrap() = path;
    }

    /// States this size of each file.
    pub(crate) fn state_size(&self, size: u64) {
        *self.0.stated.lock().unwrap() = Some(size);
    }

    /// Rotates these files right after the next listing; the new one has the line `new`.
    pub(crate) fn rotate_after_listing(&self, logs: Vec<PathBuf>) {
        *self.0.rotated.lock().unwrap() = logs;
    }

    /// Lets this number of reads succeed, or all.
    pub(crate) fn fail_after(&self, reads: Option<usize>) {
        *self.0.reads_left.lock().unwrap() = reads;
    }

    /// Has descriptors for no file and no directory, or for all.
    pub(crate) fn take_descriptors(&self, all: bool) {
        self.0.has_no_descriptor.store(all, Relaxed);
    }

    fn tells(&self, path: &Path) -> bool {
        self.0.untold.lock().unwrap().as_deref() != Some(path)
    }

    fn check_descriptors(&self) -> io::Result<()> {
        if self.0.has_no_descriptor.load(Relaxed) { Err(io::Error::from_raw_os_error(NO_DESCRIPTOR)) } else { Ok(()) }
    }

    fn shown(&self, stat: Stat) -> Stat {
        let size = self.0.stated.lock().unwrap().unwrap_or(stat.size);
        let by_path = |stat: Stat| Stat { inode: Inode { inode: 7, ..stat.inode }, born: None, ..stat };
        Stat { size, ..if self.0.finds_by_path { by_path(stat) } else { stat } }
    }
}

impl Volume for Probe {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        if !self.tells(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stat = Disk.stat(path);
        if stat.is_err() && self.0.missing.iter().any(|missing| missing == path) {
            // It fails where the directory above is missing, too.
            let _ = fs::create_dir(path);
        }
        stat.map(|stat| self.shown(stat))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.check_descriptors()?;
        self.0.listings.fetch_add(1, Relaxed);
        let entries = Disk.list(directory)?.into_iter().filter(|entry| self.tells(&entry.path));
        for log in std::mem::take(&mut *self.0.rotated.lock().unwrap()) {
            fs::rename(&log, log.with_added_extension("1"))?;
            fs::write(log, "new\n")?;
        }
        Ok(entries.map(|entry| Entry { stat: self.shown(entry.stat), ..entry }).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        self.check_descriptors()?;
        if !self.tells(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Arc::new(Open { file: Disk.open(path)?, path: path.into(), probe: self.clone() }))
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}

/// An open file of it
#[derive(Debug)]
struct Open {
    file: Arc<dyn Handle>,
    path: PathBuf,
    probe: Probe,
}

impl Handle for Open {
    fn stat(&self) -> io::Result<Stat> {
        if self.probe.0.finds_by_path {
            return self.probe.stat(&self.path);
        }
        self.file.stat().map(|stat| self.probe.shown(stat))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if let Some(left) = self.probe.0.reads_left.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(FAILED))?;
        }
        self.file.read_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.file.data_from(offset)
    }

    fn is_remote(&self) -> bool {
        self.probe.0.is_remote
    }
}
