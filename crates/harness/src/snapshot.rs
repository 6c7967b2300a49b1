//! Words that must stay as they are. `UPDATE_SNAPSHOTS=1` writes the snapshots anew.

use std::{fs, path::Path};

use crate::program::Ended;

/// Compares with `NAME.txt` in a directory.
#[track_caller]
pub fn assert_snapshot(directory: &Path, name: &str, text: &str) {
    let path = directory.join(format!("{name}.txt"));
    if lifecycle::variable("UPDATE_SNAPSHOTS").is_ok_and(|value| value == "1") {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is now (UPDATE_SNAPSHOTS=1 takes it over)\n{text}\nand was\n{expected}");
}

/// Whether it ended because of what it was asked for, in the words of `NAME.txt`.
#[track_caller]
pub fn assert_usage_error(directory: &Path, name: &str, ended: &Ended) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{ended:#?}");
    assert!(ended.last_line().starts_with("code=64 reason=usage last="), "{ended:#?}");
    assert_snapshot(directory, name, &complaint(ended));
}

/// All of stderr of a program that ended before it had a log, but for how long it took.
#[track_caller]
fn complaint(ended: &Ended) -> String {
    let lines = ended.log.iter().map(|line| line.as_str().unwrap_or_else(|| panic!("{ended:#?}")));
    let lines = lines.map(|line| line.split_once(" elapsed=").map_or(line, |(line, _)| line));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
