//! Watches of real directories, which come and go at any moment.

use std::fs;

use super::*;
use crate::{content::probe::Probe, files::follower::tests::on_volume, log_lines::LogLines};

/// Waits until an event says that a file in a directory was written.
fn wait_for_write(events: &Events, directory: &Path) {
    harness::until("the write is known", || {
        fs::write(directory.join("app.log"), "line\n").unwrap();
        events.take().written.contains(&directory.join("app.log")).then_some(())
    });
}

#[test]
fn directories_that_come_while_names_are_looked_at_are_all_watched() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("one/two/three");
    let probe = Probe::making(deep.ancestors().take(3).map(Path::to_path_buf).collect());
    let mut follower = on_volume(&deep.join("*.log"), probe);
    let events = Events::default();
    let mut directories = Directories::new(&events);
    follower.scan_names(Instant::now());
    assert!(directories.follow(&mut follower));
    wait_for_write(&events, &deep);
}

#[test]
fn directories_that_come_for_ever_leave_time_for_other_work() {
    let home = tempfile::tempdir().unwrap();
    let deep = (0..20).fold(home.path().to_path_buf(), |path, _| path.join("d"));
    let probe = Probe::making(deep.ancestors().take(20).map(Path::to_path_buf).collect());
    let mut follower = on_volume(&deep.join("*.log"), probe);
    let mut directories = Directories::new(&Events::default());
    follower.scan_names(Instant::now());
    assert!(!directories.follow(&mut follower));
    while !directories.follow(&mut follower) {}
    assert!(directories.paths.contains_key(&deep));
}

#[test]
fn a_directory_that_is_made_again_with_the_same_inode_is_watched_again() {
    let home = tempfile::tempdir().unwrap();
    let (events, path) = (Events::default(), home.path().join("logs"));
    let mut directories = Directories::new(&events);
    for _ in 0..5 {
        fs::create_dir(&path).unwrap();
        harness::until("it is watched", || directories.watch(std::slice::from_ref(&path)).then_some(()));
        assert!(!directories.watch(std::slice::from_ref(&path)));
        wait_for_write(&events, &path);
        fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn a_directory_above_that_is_renamed_is_found_out_without_an_event() {
    let home = tempfile::tempdir().unwrap();
    let (above, path) = (home.path().join("above"), home.path().join("above/logs"));
    fs::create_dir_all(&path).unwrap();
    let events = Events::default();
    let mut directories = Directories::new(&events);
    assert!(directories.watch(std::slice::from_ref(&path)) && !directories.has_moved(true));
    fs::rename(&above, home.path().join("old")).unwrap();
    fs::create_dir_all(&path).unwrap();
    assert!(directories.has_moved(true) && !directories.has_moved(false));
    assert!(directories.watch(std::slice::from_ref(&path)) && !directories.has_moved(true));
    wait_for_write(&events, &path);
}

#[test]
fn a_directory_whose_files_were_deleted_is_checked_while_an_open_file_keeps_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("logs");
    fs::create_dir(&path).unwrap();
    let _open = fs::File::create(path.join("app.log")).unwrap();
    let events = Events::default();
    let mut directories = Directories::new(&events);
    directories.watch(std::slice::from_ref(&path));
    fs::remove_dir_all(&path).unwrap();
    fs::create_dir(&path).unwrap();
    harness::until("it is checked", || {
        directories.doubt(&events.take().deletions, false);
        directories.any_checked().then_some(())
    });
    assert!(directories.has_moved(false));
}

#[test]
fn a_directory_that_cannot_be_watched_is_named_with_the_words_of_a_message() {
    let (log, _guard) = LogLines::taken();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut directories = Directories::new(&Events::default());
    directories.watch(&[file.path().to_path_buf()]);
    assert_eq!(log.count("cannot be watched; it is polled"), 1);
    assert_eq!((log.count("not a directory"), log.count("os error")), (1, 0));
}

#[test]
fn lost_events_change_nothing_for_a_directory_that_is_still_there() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_path_buf();
    let events = Events::default();
    let mut directories = Directories::new(&events);
    assert!(directories.watch(std::slice::from_ref(&path)));
    directories.doubt(&HashSet::new(), true);
    assert!(!directories.watch(std::slice::from_ref(&path)));
    wait_for_write(&events, &path);
}

#[test]
fn files_that_grow_now_and_then_without_events_are_found_out() {
    let home = tempfile::tempdir().unwrap().keep();
    let mut directories = Directories::new(&Events::default());
    directories.watch(std::slice::from_ref(&home));
    let mut judge = |size| {
        directories.judge(&BTreeMap::from([(home.clone(), size)]));
        directories.any_polled()
    };
    assert!(!judge(0) && !judge(10) && !judge(10) && !judge(10));
    assert!(judge(20));
    // An event in time proves that the directory has events.
    directories.watched.values_mut().for_each(|watched| watched.polled = false);
    directories.count(&HashMap::from([(home.clone(), 1)]));
    directories.judge(&BTreeMap::from([(home.clone(), 30)]));
    directories.judge(&BTreeMap::from([(home.clone(), 40)]));
    assert!(!directories.any_polled());
    std::fs::remove_dir(home).unwrap();
}

#[test]
fn names_on_a_mount_of_other_hosts_are_looked_at_often_also_without_a_file() {
    let home = tempfile::tempdir().unwrap();
    let mut directories = Directories::new(&Events::default());
    directories.watch(&[home.path().to_path_buf()]);
    assert_eq!(directories.pauses(), (SWEEP, SCAN));
    directories.watched.values_mut().for_each(|watched| watched.is_remote = true);
    assert_eq!(directories.pauses(), (SWEEP, SWEEP));
    directories.watched.values_mut().for_each(|watched| watched.polled = true);
    assert_eq!(directories.pauses(), (POLL, POLL));
}
