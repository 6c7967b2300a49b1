//! Scans of real directories.

mod contradictions;
mod faults;
mod mounts;
mod scans;

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use prometheus::Registry;

use super::*;
use crate::{
    content::{probe::Probe, volume::Disk},
    format::{FormatFlags, TimeFlags},
    records::{growing::Growing, span::Source},
};

mod gathering;

pub(crate) fn settings(pattern: &Path, treatment: Treatment) -> Settings {
    let input: Input = pattern.to_str().unwrap().parse().unwrap();
    Settings {
        inputs: vec![input.treated(&treatment.into())],
        bounds: Bounds { batch: 1024, line: 1024, may_grow: true },
        gathered: 1024,
        policy: Policy { quiet_period: Duration::ZERO, ..Policy::default() },
    }
}

fn follower(pattern: &Path) -> (Follower, OutputId) {
    started(settings(pattern, Treatment::default()))
}

/// A follower of an input on a file system
pub(crate) fn on_volume(pattern: &Path, volume: Arc<dyn Volume>) -> Follower {
    built(settings(pattern, Treatment::default()), volume)
}

fn built(settings: Settings, volume: Arc<dyn Volume>) -> Follower {
    Follower::new(settings, Ledger::new(&Registry::new()).unwrap(), Descriptors::new(10), volume)
}

fn started(settings: Settings) -> (Follower, OutputId) {
    let mut follower = built(settings, Arc::new(Disk));
    let output = follower.add_output("stdout://".into());
    (follower, output)
}

/// A follower that has seen a line in this directory, and its output
pub(crate) fn with_a_line(directory: &Path) -> (Follower, OutputId) {
    fs::write(directory.join("app.log"), "line\n").unwrap();
    let (mut follower, output) = follower(&directory.join("*.log"));
    follower.scan_names(Instant::now());
    (follower, output)
}

#[test]
fn the_content_that_a_file_has_when_it_is_found_is_due_at_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("app.log"), "one\ntwo\n").unwrap();
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    let now = Instant::now();
    follower.scan_names(now);
    assert_eq!(follower.set.behind(), 8);
    assert!(follower.next(output, None, now).is_some_and(|batch| batch.spans()[0].bytes() == b"one\ntwo\n"));
}

#[test]
fn a_line_without_an_end_is_passed_over_step_by_step() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("app.log"), vec![b'x'; 100 * 1024]).unwrap();
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    let now = Instant::now();
    follower.scan_names(now);
    let batch = follower.next(output, None, now).unwrap();
    follower.account(Change::Settle(&batch.spans()[0], output));
    let mut behind = vec![follower.set.behind()];
    while follower.set.behind() > 0 {
        follower.set.begin_checkpoint();
        assert!(follower.next(output, None, now).is_none());
        assert_eq!(follower.set.unsaved(), (0, true));
        behind.push(follower.set.behind());
    }
    assert!(behind.len() > 5 && behind.is_sorted_by(|more, less| more > less), "{behind:?}");
}

#[test]
fn the_bytes_that_wait_are_known_without_a_look_at_each_file() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("a.log", "one\n"), ("b.log", "three\n")] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    let now = Instant::now();
    follower.scan_names(now);
    assert_eq!(follower.waiting(output), 10);
    let batch = follower.next(output, None, now).unwrap();
    assert_eq!(follower.waiting(output), 6);
    follower.account(Change::Settle(&batch.spans()[0], output));
    assert_eq!(follower.waiting(output), 6);
    fs::write(directory.path().join("a.log"), "one\ntwo\n").unwrap();
    follower.look_at_all(now);
    assert_eq!(follower.waiting(output), 10);
    // Those that are open keep others waiting.
    follower.descriptors.waiting = 1;
    assert_eq!(follower.waiting(output), 1024);
}

#[test]
fn a_record_that_waits_for_further_lines_is_read_when_they_are_joined_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let pattern = directory.path().join("*.log");
    fs::write(directory.path().join("app.log"), "begins\n").unwrap();
    let java = FormatFlags::default().format(None, "java".parse().ok().as_ref(), None, &TimeFlags::default());
    let policy = Policy { quiet_period: Duration::from_secs(1), ..Policy::default() };
    let joined = Treatment { format: java.unwrap(), ..Treatment::default() };
    let (mut follower, output) = started(Settings { policy, ..settings(&pattern, joined) });
    let now = Instant::now();
    follower.scan_names(now);
    assert!(follower.next(output, None, now).is_none());
    follower.take_settings(Settings { policy, ..settings(&pattern, Treatment::default()) }, now);
    assert!(follower.next(output, None, now).is_some_and(|batch| batch.spans()[0].bytes() == b"begins\n"));
}

#[test]
fn a_compressed_file_that_is_written_over_in_its_place_is_lost_for_the_output_that_lacks_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.gz");
    let write = |text: String| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        fs::write(&path, encoder.finish().unwrap()).unwrap();
    };
    write("line\n".repeat(2000));
    let treatment = Treatment { reads_compressed: true, ..Treatment::default() };
    let (mut follower, first) = started(settings(&path, treatment));
    let second = follower.add_output("file:///second".into());
    let mut now = Instant::now();
    follower.scan_names(now);
    harness::until("its length is known", || {
        now += Duration::from_secs(1);
        follower.look_at_all(now);
        (follower.set.behind() > 0).then_some(())
    });
    // The reader of the first output has passed the beginning, so that the second one begins with a reader of its own.
    for _ in 0..2 {
        let batch = follower.next(first, None, now).unwrap();
        follower.account(Change::Settle(&batch.spans()[0], first));
    }
    write("another\n".into());
    assert!(follower.next(second, None, now).is_none());
    harness::until("the rest is lost", || {
        now += Duration::from_secs(1);
        follower.look_at_all(now);
        (follower.set.ledger().of(second).sums().lost > 0).then_some(())
    });
}

#[test]
fn other_settings_change_how_much_is_gathered() {
    let directory = tempfile::tempdir().unwrap();
    let pattern = directory.path().join("*.log");
    for name in ["a.log", "b.log"] {
        fs::write(directory.path().join(name), "line\n").unwrap();
    }
    let (mut follower, first) = follower(&pattern);
    let second = follower.add_output("file:///second".into());
    let now = Instant::now();
    follower.scan_names(now);
    assert!(!follower.is_enough(second, &Growing::default()));
    assert_eq!(follower.next(first, Some(&|_, _| true), now).unwrap().spans().len(), 2);
    follower.take_settings(Settings { gathered: 5, ..settings(&pattern, Treatment::default()) }, now);
    assert!(follower.is_enough(second, &Growing::default()));
    assert_eq!(follower.next(second, Some(&|_, _| true), now).unwrap().spans().len(), 1);
}

#[test]
fn files_that_are_closed_and_opened_again_are_no_growth() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("app.log"), "line\n").unwrap();
    let (mut follower, _) = follower(&directory.path().join("app.log"));
    let now = Instant::now();
    follower.scan_names(now);
    let sizes = follower.sizes();
    assert_eq!(sizes.into_values().collect::<Vec<_>>(), [5]);
    follower.set.apply(Change::Meet(0, Fate::Park), now);
    assert_eq!(follower.sizes().into_values().collect::<Vec<_>>(), [5]);
}

#[test]
fn of_files_that_were_read_the_one_that_grew_longest_ago_gives_its_descriptor_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (mut follower, output) = follower(&path("*.log"));
    follower.descriptors = Descriptors::new(2);
    let now = Instant::now();
    // Neither the order of the names nor that of their first lines is that of the last growth.
    for (second, (name, text)) in (0..).zip([("b.log", "1\n"), ("a.log", "1\n"), ("b.log", "1\n2\n"), ("c.log", "1\n")])
    {
        let now = now + Duration::from_secs(second);
        fs::write(path(name), text).unwrap();
        follower.scan_names(now);
        follower.look_at_all(now);
        follower.share(now);
        let batch = follower.next(output, None, now).unwrap();
        follower.account(Change::Settle(&batch.spans()[0], output));
    }
    let closed = follower.set.iter().filter(|(_, file)| !file.is_open()).map(|(_, file)| file.path().to_path_buf());
    assert_eq!(closed.collect::<Vec<_>>(), [path("a.log")]);
}

#[test]
fn the_directory_of_many_truncated_files_is_listed_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |number: usize| directory.path().join(format!("{number}.log"));
    (0..100).for_each(|number| fs::write(path(number), format!("line of {number}\n")).unwrap());
    let volume = Arc::new(Probe::default());
    let ledger = Ledger::new(&Registry::new()).unwrap();
    let settings = settings(&path(0).with_file_name("*.log"), Treatment::default());
    let mut follower = Follower::new(settings, ledger, Descriptors::new(1000), volume.clone());
    follower.add_output("stdout://".into());
    let now = Instant::now();
    follower.scan_names(now);
    let copy = directory.path().join("7.log.1");
    fs::copy(path(7), &copy).unwrap();
    (0..100).for_each(|number| fs::write(path(number), "").unwrap());
    volume.take_listings();
    follower.look_at_all(now);
    // Once for all, and once more for the copy, whose head is there
    assert_eq!(volume.take_listings(), 2);
    let is_in_copy = |file: &KnownFile| file.state == FileState::Rotated && file.path() == path(7);
    assert!(follower.set.iter().any(|(_, file)| is_in_copy(file)));
    assert_eq!(follower.set.iter().filter(|(_, file)| file.state == FileState::Lost).count(), 99);
}
