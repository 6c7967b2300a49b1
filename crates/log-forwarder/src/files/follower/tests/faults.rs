//! Files on a volume whose reads fail for a while.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::*;

/// The real file system, on which this number of reads succeed
#[derive(Clone, Debug)]
struct Failing(Arc<AtomicUsize>);

#[derive(Debug)]
struct Handled(Arc<dyn Handle>, Failing);

impl Volume for Failing {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Disk.stat(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        Disk.list(directory)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(Handled(Disk.open(path)?, self.clone())))
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}

impl Handle for Handled {
    fn stat(&self) -> io::Result<Stat> {
        self.0.stat()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let Failing(left) = &self.1;
        match left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => self.0.read_at(buffer, offset),
            Err(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.0.data_from(offset)
    }
}

#[test]
fn a_file_that_is_opened_again_while_reads_fail_is_the_same_afterwards() {
    for reads in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("app.log");
        let append = |text: &str| {
            let mut file = fs::File::options().create(true).append(true).open(&log).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let mut follower = on_volume(&log, Arc::new(Failing(left.clone())));
        let output = follower.add_output("stdout://".into());
        let (mut now, mut texts) = (Instant::now(), Vec::new());
        let mut look = |follower: &mut Follower| {
            now += Duration::from_secs(3);
            follower.scan(Vec::new(), false, now);
            follower.share(now);
            while let Some(batch) = follower.next(output, None, now) {
                texts.extend_from_slice(batch.spans()[0].bytes());
                follower.account(Change::Settle(&batch.spans()[0], output));
            }
            now
        };
        append("one\n");
        let now = look(&mut follower);
        follower.set.apply(Change::Meet(0, Fate::Park), now);
        append("two\n");
        left.store(reads, Relaxed);
        look(&mut follower);
        left.store(usize::MAX, Relaxed);
        append("three\n");
        look(&mut follower);
        look(&mut follower);
        let lost = follower.set.ledger().of(output).sums().lost;
        assert_eq!((String::from_utf8(texts).unwrap().as_str(), lost), ("one\ntwo\nthree\n", 0), "{reads} reads");
    }
}

/// The real file system, for which there is no descriptor at times
#[derive(Debug, Default)]
struct Exhausted(AtomicBool);

impl Volume for Exhausted {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Disk.stat(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        if self.0.load(Relaxed) { Err(io::Error::from_raw_os_error(24)) } else { Disk.list(directory) }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        if self.0.load(Relaxed) { Err(io::Error::from_raw_os_error(24)) } else { Disk.open(path) }
    }

    fn home(&self, path: &Path) -> PathBuf {
        Disk.home(path)
    }
}

#[test]
fn a_copy_is_looked_for_until_there_is_a_descriptor() {
    // One file alone is looked for otherwise than several.
    for files in 1..=2 {
        let directory = tempfile::tempdir().unwrap();
        let path = |number: usize, end: &str| directory.path().join(format!("{number}.log{end}"));
        (0..files).for_each(|number| fs::write(path(number, ""), "one\n").unwrap());
        let volume = Arc::new(Exhausted::default());
        let mut follower = on_volume(&directory.path().join("*.log"), volume.clone());
        let output = follower.add_output("stdout://".into());
        let now = Instant::now();
        follower.scan_names(now);
        for number in 0..files {
            fs::copy(path(number, ""), path(number, ".1")).unwrap();
            fs::write(path(number, ""), "").unwrap();
        }
        volume.0.store(true, Relaxed);
        follower.look_at_all(now);
        follower.scan_names(now);
        assert_eq!((follower.set.behind(), follower.set.iter().count()), (4 * files as u64, files));
        volume.0.store(false, Relaxed);
        follower.look_at_all(now);
        let mut lines = 0;
        while let Some(batch) = follower.next(output, None, now) {
            lines += batch.length() / 4;
            batch.spans().iter().for_each(|span| follower.account(Change::Settle(span, output)));
        }
        assert_eq!((lines, follower.set.ledger().of(output).sums().lost), (files, 0));
    }
}
