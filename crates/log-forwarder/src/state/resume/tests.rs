//! A line that was rotated away in the middle: one record, also after a restart.

mod compressed;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::Registry;
use tempfile::TempDir;

use super::resume;
use crate::{
    content::volume::Disk,
    files::{
        descriptors::Descriptors,
        follower::{Follower, Policy, Settings},
        known::{FileState, KnownFile, OutputId},
        ledger::Ledger,
        names::Rename,
        reading::Bounds,
        set::Change,
    },
    format::{FormatFlags, TimeFlags},
    records::{batch::Batch, treatment::Treatment},
    settings::input::Input,
    state::checkpoint::Checkpoint,
};

const OUTPUT: OutputId = OutputId(0);
const QUIET: Duration = Duration::from_secs(1);

/// A log of a container, and its forwarder
struct Log {
    _directory: TempDir,
    state: TempDir,
    path: PathBuf,
    follower: Follower,
    now: Instant,
    rotations: u8,
}

impl Log {
    /// One whose first file ends within lines of both streams
    fn rotated(next: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        fs::write(&path, lines(&["out F zero", "out P one ", "err P bad "])).unwrap();
        let (follower, state) = (follower(&path), tempfile::tempdir().unwrap());
        let mut log = Self { follower, _directory: directory, state, path, now: Instant::now(), rotations: 0 };
        log.follower.scan(Vec::new(), false, log.now);
        assert_eq!(log.deliver(), ["zero"]);
        log.rotate(next);
        log
    }

    fn rotate(&mut self, next: &str) {
        let to = self.rotate_unseen(next);
        self.follower.scan(vec![Rename { from: self.path.clone(), to }], false, self.now);
    }

    fn rotate_unseen(&mut self, next: &str) -> PathBuf {
        self.rotations += 1;
        let to = self.path.with_extension(format!("log.2026112{}", self.rotations));
        fs::rename(&self.path, &to).unwrap();
        fs::write(&self.path, next).unwrap();
        to
    }

    fn append(&self, contents: &[&str]) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.path).unwrap();
        file.write_all(lines(contents).as_bytes()).unwrap();
    }

    /// Waits until the rotated file has ended.
    fn wait(&mut self) {
        for _ in 0..3 {
            self.now += QUIET;
            self.follower.look_at_all(self.now);
        }
    }

    fn next(&mut self) -> Option<Batch> {
        self.follower.next(OUTPUT, None, self.now)
    }

    /// Delivers all that is there, and returns its messages.
    fn deliver(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(batch) = self.next() {
            found.extend(messages(&batch));
            self.settle(&batch);
        }
        found
    }

    fn settle(&mut self, batch: &Batch) {
        self.follower.account(Change::Deliver(OUTPUT, batch.amount()));
        batch.spans().iter().for_each(|span| self.follower.account(Change::Settle(span, OUTPUT)));
    }

    /// Ends the forwarder without a word, and starts it with its last checkpoint.
    fn restart(&mut self) {
        self.save();
        self.start();
    }

    fn save(&self) {
        Checkpoint::of(&self.follower).save(self.state.path()).unwrap();
    }

    fn start(&mut self) {
        let checkpoint = Checkpoint::load(self.state.path()).unwrap().unwrap();
        self.follower = follower(&self.path);
        resume(&mut self.follower, checkpoint, self.now);
        self.follower.scan(Vec::new(), false, self.now);
    }

    #[track_caller]
    fn assert_done(&self) {
        let sums = self.follower.set.ledger().of(OUTPUT).sums();
        assert_eq!((self.follower.set.behind(), sums.in_flight, sums.lost), (0, 0, 0));
        assert_eq!(sums.read, sums.delivered);
    }
}

fn follower(path: &Path) -> Follower {
    let cri = FormatFlags::default().format("cri".parse().ok().as_ref(), None, None, &TimeFlags::default());
    let treatment = Arc::new(Treatment { format: cri.unwrap(), ..Treatment::default() });
    let input = path.to_str().unwrap().parse::<Input>().unwrap().treated(&treatment);
    let policy = Policy { quiet_period: QUIET, ..Policy::default() };
    let settings = Settings {
        inputs: vec![input],
        bounds: Bounds { batch: 4096, line: 1024, may_grow: true },
        gathered: 4096,
        policy,
    };
    let ledger = Ledger::new(&Registry::new()).unwrap();
    let mut follower = Follower::new(settings, ledger, Descriptors::new(10), Arc::new(Disk));
    assert_eq!(follower.add_output("stdout://".into()), OUTPUT);
    follower
}

fn lines(contents: &[&str]) -> String {
    contents.iter().fold(String::new(), |text, content| text + "2026-11-24T09:58:45Z std" + content + "\n")
}

fn messages(batch: &Batch) -> Vec<String> {
    let mut found = Vec::new();
    batch.spans().iter().for_each(|span| span.records(|record| found.push(record.message.to_string())));
    found
}

#[test]
fn its_parts_are_joined() {
    let mut log = Log::rotated(&lines(&["err F thing", "err F whole", "out P and ", "out F two", "out F three"]));
    // The new file waits for the end of the old one.
    assert_eq!(log.deliver(), Vec::<String>::new());
    log.wait();
    assert_eq!(log.deliver(), ["one and two", "bad thing", "whole", "three"]);
    log.assert_done();
}

#[test]
fn its_parts_are_joined_over_several_files() {
    let mut log = Log::rotated(&lines(&["err F thing", "out P and ", "err P more "]));
    log.rotate(&lines(&["out F two", "err P "]));
    log.rotate(&lines(&["err F things", "out F three"]));
    log.wait();
    let batch = log.next().unwrap();
    assert_eq!(messages(&batch), ["one and two", "bad thing", "more things"]);
    log.restart();
    log.wait();
    assert_eq!(log.deliver(), ["one and two", "bad thing", "more things", "three"]);
    log.restart();
    assert_eq!(log.deliver(), Vec::<String>::new());
}

#[test]
fn they_are_waited_for_in_a_file_that_may_still_grow() {
    let mut log = Log::rotated(&lines(&["err F thing"]));
    log.now += QUIET;
    log.append(&["err P other "]);
    log.follower.look_at_all(log.now);
    assert_eq!(log.deliver(), Vec::<String>::new());
    log.rotate(&lines(&["out F two", "err F end", "out F three"]));
    assert_eq!(log.deliver(), Vec::<String>::new());
    log.wait();
    assert_eq!(log.deliver(), ["one two", "bad thing", "other end", "three"]);
    log.assert_done();
}

#[test]
fn a_restart_sends_it_again_as_one() {
    let mut log = Log::rotated(&lines(&["out F two", "err F thing", "out F three"]));
    log.wait();
    assert_eq!(messages(&log.next().unwrap()), ["one two", "bad thing"]);
    log.restart();
    log.wait();
    let batch = log.next().unwrap();
    assert_eq!(messages(&batch), ["one two", "bad thing"]);
    assert!(log.next().is_none(), "both files are in flight");
    log.settle(&batch);
    log.restart();
    assert_eq!(log.deliver(), ["three"]);
    log.assert_done();
}

#[test]
fn halves_have_all_bytes_and_settle_both_files_at_last() {
    let mut log = Log::rotated(&lines(&["out F two", "err F thing", "out F three"]));
    log.wait();
    let batch = log.next().unwrap();
    let (first, second) = batch.halves().unwrap();
    assert_eq!((messages(&first), messages(&second)), (vec!["one two".to_owned()], vec!["bad thing".to_owned()]));
    log.settle(&first);
    assert!(log.next().is_none());
    log.settle(&second);
    assert_eq!(log.deliver(), ["three"]);
    log.assert_done();
}

#[test]
fn without_an_end_the_parts_that_are_there_are_joined() {
    let mut log = Log::rotated(&lines(&["err F thing", "err F whole"]));
    log.wait();
    assert_eq!(log.deliver(), ["one ", "bad thing", "whole"]);
    log.assert_done();
}

#[test]
fn lines_that_were_written_since_the_last_look_complete_it_too() {
    let mut log = Log::rotated(&lines(&["out F two"]));
    log.wait();
    log.append(&["err F thing"]);
    let batch = log.next().unwrap();
    assert_eq!(messages(&batch), ["one two", "bad thing"]);
    let is_within = |file: &KnownFile| file.cursors[OUTPUT.0].in_flight_end <= file.seen;
    assert!(log.follower.set.iter().all(|(_, file)| is_within(file)));
    log.settle(&batch);
    log.assert_done();
}

#[test]
fn a_file_of_an_input_that_is_no_more_is_not_read_on() {
    let mut log = Log::rotated("");
    log.path = log.path.with_file_name("other.log");
    log.restart();
    log.wait();
    assert!(log.deliver().is_empty());
    assert!(log.follower.set.iter().all(|(_, file)| file.state == FileState::Aside));
}

#[test]
fn a_file_that_an_input_finds_at_another_path_is_read_on() {
    let mut log = Log::rotated(&lines(&["out F two", "err F thing"]));
    log.wait();
    assert_eq!(log.deliver(), ["one two", "bad thing"]);
    let directory = log.path.with_file_name("mounted-elsewhere");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("0.log");
    fs::rename(&log.path, &path).unwrap();
    log.path = path;
    log.append(&["out F three"]);
    log.restart();
    assert_eq!(log.deliver(), ["three"]);
}
