//! Texts that must not change unnoticed. `UPDATE_SNAPSHOTS=1` writes the snapshots again.

use std::{fs, path::Path};

use crate::{ended::Ended, variable::variable};

/// Fails unless the text equals `NAME.txt` in this directory.
#[track_caller]
pub fn assert_snapshot(directory: &Path, name: &str, text: &str) {
    let path = directory.join(format!("{name}.txt"));
    if variable("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is now (UPDATE_SNAPSHOTS=1 accepts it)\n{text}\nand was\n{expected}");
}

/// Fails unless a short help fits on a terminal of 80 columns and 24 lines, prompt included, and the whole help has each of its flags.
#[track_caller]
pub fn assert_summary(short: &str, whole: &str) {
    assert!(short.lines().count() < 24 && short.lines().all(|line| line.chars().count() <= 80), "{short}");
    let words = short.split(|character: char| character.is_whitespace() || character == ',');
    for flag in words.filter(|word| word.starts_with("--") && word.len() > 2) {
        assert!(whole.contains(&format!("{flag} ")) || whole.contains(&format!("{flag}\n")), "{flag} is no flag");
    }
}

/// Fails unless the program ended with a usage error whose text equals `NAME.txt`.
#[track_caller]
pub fn assert_usage_error(directory: &Path, name: &str, ended: &Ended) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{ended:#?}");
    assert!(ended.last_line().starts_with("code=64 reason=usage last="), "{ended:#?}");
    assert_snapshot(directory, name, &error_text(ended));
}

/// The only line on stderr, without the elapsed time, which differs between runs.
#[track_caller]
fn error_text(ended: &Ended) -> String {
    assert_eq!(ended.log.len(), 1, "a fault is said once: {ended:#?}");
    let line = ended.last_line();
    line.split_once(" elapsed=").map_or(line, |(line, _)| line).to_owned() + "\n"
}
