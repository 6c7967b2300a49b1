//! Configuration files, and a helper's errors about wrong ones.

use std::fs;

use tempfile::TempDir;

use crate::ended::Ended;

/// A directory with this configuration in a file, and the file's path
pub fn config_file(text: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("config.yaml").display().to_string();
    fs::write(&path, text).unwrap();
    (directory, path)
}

/// All that is wrong with this configuration, one fault a line, as `LINE:COLUMN: MESSAGE`. A run must say the first of them.
#[track_caller]
pub fn config_refusal(text: &str, run: impl Fn(&[&str]) -> Ended) -> String {
    let (_directory, path) = config_file(text);
    let last = |ended: &Ended| {
        ended.ended_with(78, &format!(r#"reason=config last="{path}:"#));
        let line = ended.last_line().split_once(&format!("{path}:")).unwrap().1;
        line.rsplit_once("\" elapsed=").unwrap().0.to_owned()
    };
    let said = last(&run(&["--config", &path]));
    let check = run(&["check", &path]);
    let first = said.split("; and ").next().unwrap_or_default();
    assert!(last(&check).starts_with(first), "{said}: {check:#?}");
    let faults: Vec<_> = check.stdout.lines().map(|line| line.strip_prefix(&format!("{path}:")).unwrap()).collect();
    faults.join("\n")
}
