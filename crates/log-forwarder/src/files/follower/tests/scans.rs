//! Which files and directories a scan looks at.

use std::{fs::File, os::unix::fs::symlink, time::SystemTime};

use super::*;
use crate::settings::selection::Selection;

#[test]
fn the_places_to_which_links_lead_are_watched_before_anything_is_there() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().canonicalize().unwrap();
    symlink("volume/deep/logs", root.join("link")).unwrap();
    for (input, made) in [("link/*.log", "volume"), ("link/app.log", "volume/deep"), ("*/app.log", "volume/deep/logs")]
    {
        let mut follower = on_volume(&root.join(input), Arc::new(Disk));
        follower.scan_names(Instant::now());
        let above = root.join(made).parent().unwrap().to_path_buf();
        assert!(follower.directories().contains(&above), "{input}: {:?}", follower.directories());
        fs::create_dir(root.join(made)).unwrap();
        follower.scan_names(Instant::now());
        let is_there = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == root.join(made));
        assert!(follower.directories().iter().any(is_there), "{input}: {:?}", follower.directories());
    }
}

#[test]
fn a_scan_lists_a_directory_as_often_for_a_hundred_files_as_for_forty() {
    let listings = [40, 100].map(|count| {
        let home = tempfile::tempdir().unwrap();
        let path = |name: String| home.path().join(name);
        let probe = Arc::new(Probe::default());
        let mut follower = on_volume(&path("*.log".into()), probe.clone());
        follower.add_output("stdout://".into());
        let now = Instant::now();
        let mut scan = |renames: Vec<Rename>| {
            probe.take_listings();
            follower.scan(renames, false, now);
            probe.take_listings()
        };
        // More files than descriptors, with strangers beside them that have names of rotated files.
        for number in 0..count {
            fs::write(path(format!("{number}.log")), format!("line {number}\n")).unwrap();
            fs::write(path(format!("{number}.log.9")), "other\n").unwrap();
        }
        let first = [scan(Vec::new()), scan(Vec::new())];
        let rotated = (0..count).map(|number| {
            let rename = Rename { from: path(format!("{number}.log")), to: path(format!("{number}.log.1")) };
            fs::rename(&rename.from, &rename.to).unwrap();
            fs::write(&rename.from, format!("another {number}\n")).unwrap();
            rename
        });
        let rotated = scan(rotated.collect());
        // Copied and truncated, without an event
        for number in 0..count {
            fs::copy(path(format!("{number}.log")), path(format!("{number}.log.2"))).unwrap();
            fs::write(path(format!("{number}.log")), "").unwrap();
        }
        [first[0], first[1], rotated, scan(Vec::new()), scan(Vec::new())]
    });
    assert_eq!(listings[0], listings[1]);
}

#[test]
fn a_scan_lists_a_directory_as_often_for_a_hundred_files_that_are_rotated_by_then_as_for_forty() {
    let listings = [40, 100].map(|count| {
        let home = tempfile::tempdir().unwrap();
        let path = |number| home.path().join(format!("{number}.log"));
        let probe = Arc::new(Probe::default());
        let (settings, ledger) =
            (settings(&home.path().join("*.log"), Treatment::default()), Ledger::new(&Registry::new()).unwrap());
        let mut follower = Follower::new(settings, ledger, Descriptors::new(1000), probe.clone());
        let output = follower.add_output("stdout://".into());
        let now = Instant::now();
        (0..count).for_each(|number| fs::write(path(number), "old\n").unwrap());
        probe.rotate_after_listing((0..count).map(path).collect());
        follower.scan(Vec::new(), false, now);
        let listings = probe.take_listings();
        let mut text = Vec::new();
        while let Some(batch) = follower.next(output, None, now) {
            for span in batch.spans() {
                text.extend_from_slice(span.bytes());
                follower.account(Change::Settle(span, output));
            }
        }
        let lines = |line: &[u8]| text.split_inclusive(|byte| *byte == b'\n').filter(|other| *other == line).count();
        assert_eq!((lines(b"old\n"), lines(b"new\n"), text.len()), (count, count, 8 * count));
        listings
    });
    assert_eq!(listings[0], listings[1]);
}

#[test]
fn a_scan_lists_a_directory_as_often_for_a_hundred_deleted_files_as_for_forty() {
    let listings = [40, 100].map(|count| {
        let home = tempfile::tempdir().unwrap();
        let path = |number| home.path().join(format!("{number}.log"));
        let probe = Arc::new(Probe::default());
        let mut follower = on_volume(&home.path().join("*.log"), probe.clone());
        follower.add_output("stdout://".into());
        let now = Instant::now();
        // More files than descriptors, and no output has read them.
        (0..count).for_each(|number| fs::write(path(number), format!("line {number}\n")).unwrap());
        follower.scan(Vec::new(), false, now);
        (10..count).for_each(|number| fs::remove_file(path(number)).unwrap());
        probe.take_listings();
        follower.scan(Vec::new(), false, now);
        assert_eq!(follower.set.iter().count(), 10);
        probe.take_listings()
    });
    assert_eq!(listings[0], listings[1]);
}

#[test]
fn only_a_file_that_can_be_a_copy_is_taken_for_one_of_a_deleted_file() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let probe = Arc::new(Probe::default());
    let mut follower = on_volume(&path("*.log"), probe.clone());
    let output = follower.add_output("stdout://".into());
    let now = Instant::now();
    for name in ["a.log", "b.log"] {
        fs::write(path(name), "line\n").unwrap();
    }
    follower.scan(Vec::new(), false, now);
    while let Some(batch) = follower.next(output, None, now) {
        batch.spans().iter().for_each(|span| follower.account(Change::Settle(span, output)));
    }
    let keys: Vec<Key> = follower.set.iter().map(|(key, _)| key).collect();
    for key in &keys {
        follower.set.apply(Change::Meet(*key, Fate::Park), now);
    }
    fs::copy(path("a.log"), path("a.log.1")).unwrap();
    fs::write(path("b.log.1"), "").unwrap();
    for name in ["a.log", "b.log"] {
        fs::remove_file(path(name)).unwrap();
    }
    follower.scan(Vec::new(), false, now);
    let left: Vec<_> = follower.set.iter().map(|(key, file)| (key, file.state)).collect();
    assert_eq!(left, [(keys[0], FileState::Rotated), (keys[1], FileState::Missing)]);
}

#[test]
fn a_rotated_file_that_cannot_be_read_is_not_looked_at_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("app.log");
    fs::write(&log, "one\n").unwrap();
    let (mut follower, _) = follower(&log);
    let now = Instant::now();
    follower.scan(Vec::new(), false, now);
    fs::write(directory.path().join("app.log.1"), b"\x1F\x8B\x08 and more").unwrap();
    follower.names.note_rotation(&log);
    follower.scan(Vec::new(), false, now);
    follower.scan(Vec::new(), false, now);
    assert!(!follower.names.is_unsure());
    assert_eq!(follower.set.iter().count(), 1);
}

#[test]
fn a_rotated_file_of_an_input_that_is_no_more_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (directory.path().join("app.log"), directory.path().join("app.log.1"));
    fs::write(&path, "line\n").unwrap();
    let (mut follower, _) = follower(&path);
    let now = Instant::now();
    follower.scan(Vec::new(), false, now);
    fs::rename(&path, &to).unwrap();
    follower.scan(vec![Rename { from: path, to }], false, now);
    assert_eq!(follower.set.iter().count(), 1);
    follower.take_settings(settings(&directory.path().join("other.log"), Treatment::default()), now);
    follower.scan(Vec::new(), false, now);
    let states: Vec<_> = follower.set.iter().map(|(_, file)| file.state).collect();
    assert_eq!(states, [FileState::Aside]);
    // It is known only as long as it is there.
    fs::remove_file(directory.path().join("app.log.1")).unwrap();
    follower.scan(Vec::new(), false, now);
    assert_eq!(follower.set.iter().count(), 0);
}

#[test]
fn a_file_that_was_read_is_not_counted_as_ignored_when_it_is_old() {
    const DAY: Duration = Duration::from_hours(24);
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (directory.path().join("app.log"), directory.path().join("app.log.1"));
    let age = |path: &Path| File::open(path).unwrap().set_modified(SystemTime::now() - 2 * DAY).unwrap();
    let mut settings = settings(&path, Treatment::default());
    for input in &mut settings.inputs {
        input.selection = Selection { ignore_older: "24h".parse().ok(), ..Selection::default() }.into();
    }
    let (mut follower, _) = started(settings);
    let now = Instant::now();
    fs::write(&path, "line\n").unwrap();
    follower.scan(Vec::new(), false, now);
    fs::rename(&path, &to).unwrap();
    fs::write(&path, "next\n").unwrap();
    let ignored = |follower: &mut Follower, renames| {
        follower.scan(renames, false, now);
        follower.set.ledger().ignored.get()
    };
    assert_eq!(ignored(&mut follower, vec![Rename { from: path, to: to.clone() }]), 0);
    age(&to);
    assert_eq!(ignored(&mut follower, Vec::new()), 0);
    // An old file that never was read counts.
    fs::write(directory.path().join("app.log.2"), "old\n").unwrap();
    age(&directory.path().join("app.log.2"));
    follower.names.note_rotation(&directory.path().join("app.log"));
    assert_eq!(ignored(&mut follower, Vec::new()), 1);
}

#[test]
fn a_compressed_file_of_an_input_that_comes_back_is_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&path).unwrap(), Compression::fast());
    encoder.write_all("line\n".repeat(2000).as_bytes()).unwrap();
    encoder.finish().unwrap();
    let treatment = || Treatment { reads_compressed: true, ..Treatment::default() };
    let (mut follower, output) = started(settings(&path, treatment()));
    let mut now = Instant::now();
    follower.scan_names(now);
    let mut delivered = 0;
    harness::until("it is delivered", || {
        now += Duration::from_secs(1);
        follower.look_at_all(now);
        while let Some(batch) = follower.next(output, None, now) {
            delivered += batch.length();
            batch.spans().iter().for_each(|span| follower.account(Change::Settle(span, output)));
        }
        (delivered == 10_000).then_some(())
    });
    for pattern in [directory.path().join("other.log"), path] {
        follower.take_settings(settings(&pattern, treatment()), now);
        follower.scan_names(now);
        follower.look_at_all(now);
        follower.scan_names(now);
    }
    assert_eq!(follower.set.iter().map(|(key, file)| (key, file.state)).collect::<Vec<_>>(), [(0, FileState::Live)]);
    assert!(follower.next(output, None, now).is_none());
}

#[test]
fn the_next_lines_of_a_truncated_file_without_a_descriptor_are_looked_for_soon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    fs::write(&path, "one\ntwo\n").unwrap();
    let (mut follower, output) = follower(&path);
    let now = Instant::now();
    follower.scan_names(now);
    let batch = follower.next(output, None, now).unwrap();
    follower.account(Change::Settle(&batch.spans()[0], output));
    follower.set.apply(Change::Meet(0, Fate::Park), now);
    follower.scan_names(now);
    assert!(!follower.names.is_unsure());
    fs::write(&path, "three\n").unwrap();
    follower.look_at_all(now);
    assert!(follower.names.is_unsure());
    follower.scan_names(now);
    assert!(follower.next(output, None, now).is_some_and(|batch| batch.spans()[0].bytes() == b"three\n"));
}

#[test]
fn a_line_that_breaks_off_in_the_next_file_is_joined_with_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let log = path("app.log");
    let docker = FormatFlags::default().format("docker".parse().ok().as_ref(), None, None, &TimeFlags::default());
    let (mut follower, output) = started(settings(&log, Treatment { format: docker.unwrap(), ..Treatment::default() }));
    let now = Instant::now();
    let part = r#"{"log":"one ","stream":"stdout","time":"2026-11-28T00:00:00Z"}"#.to_owned() + "\n";
    let whole = r#"{"log":"two\n","stream":"stdout","time":"2026-11-28T00:00:05Z"}"#.to_owned() + "\n";
    let texts = [part, r#"{"log":"abc"#.to_owned(), whole];
    for (number, text) in texts.iter().enumerate() {
        let names = ["app.log.2", "app.log.1", "app.log"].map(path);
        let renames = names.windows(2).filter(|names| fs::rename(&names[1], &names[0]).is_ok());
        let renames = renames.map(|names| Rename { from: names[1].clone(), to: names[0].clone() }).collect();
        fs::write(&log, text).unwrap();
        follower.scan(renames, false, now);
        assert_eq!(follower.set.iter().count(), number + 1);
    }
    let mut delivered = String::new();
    for seconds in 0..5 {
        follower.look_at_all(now + Duration::from_secs(seconds));
        while let Some(batch) = follower.next(output, None, now + Duration::from_secs(seconds)) {
            for span in batch.spans() {
                delivered += std::str::from_utf8(span.bytes()).unwrap();
                follower.account(Change::Settle(span, output));
            }
        }
    }
    assert_eq!(delivered, texts.concat());
}
