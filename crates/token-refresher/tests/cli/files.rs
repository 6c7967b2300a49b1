//! The source `file`.

use std::fs;

use harness::Signal;

use crate::support::Refresher;

#[test]
fn a_file_goes_on_as_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    fs::write(directory.path().join("in"), "a value\n").unwrap();
    let config =
        format!("secrets:\n- name: token\n  source: {{file: {{path: {path}/in}}}}\n  outputs:\n  - file: {path}/out\n");
    let refresher = Refresher::start(directory.path(), &config);
    harness::http::until_status(refresher.health, "/readyz", 200);
    assert_eq!(fs::read_to_string(directory.path().join("out")).unwrap(), "a value");
    refresher.program.signal(Signal::TERM);
    assert_eq!(refresher.program.end().code, Some(0));
}
