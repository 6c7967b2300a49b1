//! Files on a mount that finds an open file by its path, and whose sizes are old.

use super::*;

/// A follower of a log on such a mount
struct Following {
    directory: tempfile::TempDir,
    mount: Arc<Probe>,
    follower: Follower,
    output: OutputId,
    now: Instant,
}

impl Following {
    fn new(text: &str) -> Self {
        let (directory, mount) = (tempfile::tempdir().unwrap(), Arc::new(Probe::finding_by_path()));
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
        following.mount.state_size(size);
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
    following.mount.state_size(4);
    following.append("three\n");
    assert_eq!(following.delivered(), "three\n");
    following.append("four\n");
    assert_eq!(following.delivered(), "four\n");
    assert_eq!((following.follower.set.iter().count(), following.lost()), (1, 0));
}

#[test]
fn another_file_that_comes_to_the_path_is_delivered_too() {
    let mut following = Following::new("one\ntwo\n");
    following.mount.state_size(5000);
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
    following.mount.state_size(5000);
    assert_eq!(following.delivered(), "one\ntwo\n");
    fs::write(following.log(), "another one\n").unwrap();
    assert_eq!(following.delivered(), "another one\n");
    following.append("another two\n");
    assert_eq!(following.delivered(), "another two\n");
    assert_eq!(following.lost(), 0);
}
