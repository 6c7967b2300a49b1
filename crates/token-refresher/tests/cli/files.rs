//! The source `file`.

use std::fs;

use harness::Program;

use crate::support::{Refresher, refresher};

#[test]
fn a_file_goes_on_as_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    fs::write(directory.path().join("in"), "a s3cr3t value\n").unwrap();
    let config =
        format!("secrets:\n- name: token\n  source: {{file: {{path: {path}/in}}}}\n  outputs:\n  - file: {path}/out\n");
    let refresher = Refresher::start(directory.path(), &config);
    harness::http::until_status(refresher.health, "/readyz", 200);
    assert_eq!(fs::read_to_string(directory.path().join("out")).unwrap(), "a s3cr3t value");
    refresher.stop();
}

#[test]
fn a_second_refresher_of_the_same_file_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    fs::write(directory.path().join("in"), "s3cr3t").unwrap();
    let config =
        format!("secrets:\n- name: token\n  source: {{file: {{path: {path}/in}}}}\n  outputs:\n  - file: {path}/out\n");
    let first = Refresher::start(directory.path(), &config);
    harness::http::until_status(first.health, "/readyz", 200);
    let mut second = Refresher::start(directory.path(), &config);
    let line = second.program.wait_for_line(&format!("another process keeps {path}/out fresh"));
    assert!(!line.contains("s3cr3t"));
}

#[test]
fn check_names_outputs_that_overwrite_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secrets.yaml");
    let secret = |name, outputs| format!("- name: {name}\n  source: {{file: {{path: /in}}}}\n  outputs:\n{outputs}");
    let file = "  - file: /run/tokens/api\n  - file: /run/tokens/db/user\n";
    let set = "  - directory: /run/tokens/db\n    files: [{name: user}]\n";
    fs::write(&path, format!("secrets:\n{}{}", secret("one", file), secret("two", set))).unwrap();
    let ended = Program::start(refresher().arg("check").arg(&path)).end();
    assert_eq!(ended.code, Some(78));
    let message = "an earlier output writes to the same place: each file and each set has a path of its own";
    assert!(ended.everything().contains(&format!("secrets.yaml:10:5: {message}")), "{}", ended.everything());
}
