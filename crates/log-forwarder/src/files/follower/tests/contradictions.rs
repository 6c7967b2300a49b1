//! Files on a mount that finds an open file by its path, and whose sizes are old.

use std::sync::Mutex;

use super::*;
use crate::content::volume::Inode;

/// The real file system as such a mount shows it
#[derive(Debug, Default)]
struct Mount {
    /// The size that it states of each file, which may differ from what the file has
    stated: Arc<Mutex<Option<u64>>>,
}

/// An open file, of which the mount says what it says of the path
#[derive(Debug)]
struct Opened {
    file: Arc<dyn Handle>,
    path: PathBuf,
    mount: Mount,
}

impl Mount {
    /// What it says: each file at the path has the same inode number.
    fn shown(&self, stat: Stat) -> Stat {
        let inode = Inode { inode: 7, ..stat.inode };
        Stat { inode, born: None, size: self.stated.lock().unwrap().unwrap_or(stat.size), ..stat }
    }
}

impl Volume for Mount {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(self.shown(Disk.stat(path)?))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let entries = Disk.list(directory)?.into_iter();
        Ok(entries.map(|entry| Entry { stat: self.shown(entry.stat), ..entry }).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let mount = Self { stated: self.stated.clone() };
        Ok(Arc::new(Opened { file: Disk.open(path)?, path: path.into(), mount }))
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}

impl Handle for Opened {
    fn stat(&self) -> io::Result<Stat> {
        self.mount.stat(&self.path)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.file.data_from(offset)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// A follower of a log on such a mount
struct Following {
    directory: tempfile::TempDir,
    mount: Arc<Mount>,
    follower: Follower,
    output: OutputId,
    now: Instant,
}

impl Following {
    fn new(text: &str) -> Self {
        let (directory, mount) = (tempfile::tempdir().unwrap(), Arc::new(Mount::default()));
        fs::write(directory.path().join("app.log"), text).unwrap();
        let mut follower = on_volume(&directory.path().join("*.log"), mount.clone());
        let output = follower.add_output("stdout://".into());
        Self { directory, mount, follower, output, now: Instant::now() }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("app.log")
    }

    fn append(&self, text: &str) {
        let mut log = fs::File::options().append(true).open(self.log()).unwrap();
        log.write_all(text.as_bytes()).unwrap();
    }

    fn state_size(&self, size: u64) {
        *self.mount.stated.lock().unwrap() = Some(size);
    }

    /// All that is delivered in three scans, a second apart
    fn delivered(&mut self) -> String {
        let mut text = Vec::new();
        for _ in 0..3 {
            self.now += Duration::from_secs(1);
            self.follower.scan(Vec::new(), false, self.now);
            while let Some(batch) = self.follower.next(self.output, None, self.now) {
                for span in batch.spans() {
                    text.extend_from_slice(span.bytes());
                    self.follower.account(Change::Settle(span, self.output));
                }
            }
        }
        String::from_utf8(text).unwrap()
    }

    fn lost(&self) -> u64 {
        self.follower.set.ledger().of(self.output).sums().lost
    }
}

#[test]
fn a_file_whose_size_is_wrong_for_good_is_delivered_once() {
    for size in [3, 5000] {
        let mut following = Following::new("one\ntwo\n");
        following.state_size(size);
        assert_eq!(following.delivered(), "one\ntwo\n");
        following.append("three\n");
        assert_eq!(following.delivered(), "three\n");
        assert_eq!((following.follower.set.iter().count(), following.lost()), (1, 0));
    }
}

#[test]
fn a_file_whose_size_gets_too_small_is_delivered_once() {
    let mut following = Following::new("one\ntwo\n");
    assert_eq!(following.delivered(), "one\ntwo\n");
    following.state_size(4);
    following.append("three\n");
    assert_eq!(following.delivered(), "three\n");
    following.append("four\n");
    assert_eq!(following.delivered(), "four\n");
    assert_eq!((following.follower.set.iter().count(), following.lost()), (1, 0));
}

#[test]
fn another_file_that_comes_to_the_path_is_delivered_too() {
    let mut following = Following::new("one\ntwo\n");
    following.state_size(5000);
    assert_eq!(following.delivered(), "one\ntwo\n");
    following.append("three\n");
    fs::remove_file(following.log()).unwrap();
    fs::write(following.log(), "another one\n").unwrap();
    assert_eq!(following.delivered(), "three\nanother one\n");
    assert_eq!(following.lost(), 0);
}

#[test]
fn a_file_that_is_written_from_its_beginning_again_is_delivered_again() {
    let mut following = Following::new("one\ntwo\n");
    following.state_size(5000);
    assert_eq!(following.delivered(), "one\ntwo\n");
    fs::write(following.log(), "another one\n").unwrap();
    assert_eq!(following.delivered(), "another one\n");
    following.append("another two\n");
    assert_eq!(following.delivered(), "another two\n");
    assert_eq!(following.lost(), 0);
}
