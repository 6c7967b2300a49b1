//! The app's end ends the sidecar, in a Job without native sidecars.

use std::{fs, os::unix::fs::symlink, process};

use harness::{id_of_pid_one, unshare};

use crate::support::{Program, program, send, sidecar};

#[test]
fn a_file_that_appears_ends_the_sidecar() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("done");
    let mut program = Program::start(&mut sidecar(&["--exit-with-file", file.to_str().unwrap()]));
    program.address("health");
    assert!(program.is_running());
    fs::write(&file, "").unwrap();
    assert!(program.wait_for_line("\"stopping\"").contains("--exit-with-file"));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_process_that_has_run_and_is_gone_ends_the_sidecar() {
    let directory = tempfile::tempdir().unwrap();
    // A name that no other test's process has, and that the kernel cuts at 15 bytes.
    let name = format!("app-{}-of-this-test", process::id());
    let path = directory.path().join(&name);
    symlink("/bin/sleep", &path).unwrap();
    let mut sidecar = Program::start(&mut sidecar(&["--exit-with-process", &name]));
    sidecar.address("health");
    let app = Program::start(&mut program(path.to_str().unwrap(), &["1000"]));
    sidecar.wait_for_line("the process of --exit-with-process runs");
    assert!(sidecar.is_running());
    app.signal("TERM");
    app.end();
    assert!(sidecar.wait_for_line("\"stopping\"").contains("--exit-with-process"));
    assert_eq!(sidecar.end().code, Some(0));
}

#[test]
fn a_file_that_cannot_be_looked_for_is_warned_about_and_then_found() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("shared");
    fs::write(&folder, "no folder").unwrap();
    let file = folder.join("done");
    let mut program = Program::start(&mut sidecar(&["--exit-with-file", file.to_str().unwrap()]));
    program.wait_for_line("cannot look for the file of --exit-with-file");
    assert!(program.is_running());
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    program.wait_for_line("can be looked for again");
    fs::write(&file, "").unwrap();
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_apps_end_has_the_deadline_of_a_stop_signal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let flags = ["--exit-with-file", path, "--stuck-batches", "2", "--shutdown-timeout", "100ms"];
    Program::start(&mut sidecar(&flags)).end().ended_with(75, r#"reason=unfinished what="2 batches""#);
}

#[test]
fn a_container_without_a_shared_process_namespace_is_warned_about_once() {
    let inside = sidecar(&["--exit-with-process", "app"]);
    let flags = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let program = Program::start(&mut unshare(&flags, &inside));
    let id = id_of_pid_one(&program);
    let mut program = program;
    program.wait_for_line("shareProcessNamespace: true");
    send(id, "TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.log.iter().filter(|line| line.contains("sees no process")).count(), 1, "{ended:#?}");
}
