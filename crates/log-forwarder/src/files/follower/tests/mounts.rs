//! Files on a mount that does not tell a new name at once.

use super::*;

/// The states of the known files after a rename whose new name is untold for this long
fn states(untold_for: Duration) -> Vec<FileState> {
    let directory = tempfile::tempdir().unwrap();
    let (log, rotated) = (directory.path().join("app.log"), directory.path().join("app.log.1"));
    fs::write(&log, "one\n").unwrap();
    let mount = Arc::new(Probe::remote());
    let mut follower = on_volume(&log, mount.clone());
    let output = follower.add_output("stdout://".into());
    let now = Instant::now();
    follower.scan_names(now);
    let batch = follower.next(output, None, now).unwrap();
    follower.account(Change::Settle(&batch.spans()[0], output));
    follower.set.apply(Change::Meet(0, Fate::Park), now);
    fs::rename(&log, &rotated).unwrap();
    fs::write(&log, "").unwrap();
    mount.hide(Some(rotated));
    follower.scan_names(now);
    follower.scan_names(now + untold_for);
    mount.hide(None);
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
