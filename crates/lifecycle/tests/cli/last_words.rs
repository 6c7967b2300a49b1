//! The termination message, where Kubernetes has put a file for it.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use tempfile::NamedTempFile;

use crate::support::{Ended, NEVER, Program, end, namespace, sidecar, sidecar_command, task};

/// The end of a command that has a termination log, and what stands there after it.
fn with_message(inside: &Command) -> (Ended, String) {
    let file = termination_log();
    let ended = end(namespace::with_termination_log(file.path().to_str().unwrap(), inside));
    (ended, fs::read_to_string(file.path()).unwrap())
}

/// Anybody may write into it, as the kubelet makes it.
fn termination_log() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(file.path(), "what stood here before").unwrap();
    file
}

#[test]
fn the_message_is_the_last_line() {
    let (ended, message) = with_message(&task(&["--end", "unavailable", "--last", "connection refused"]));
    ended.ended_with(69, r#"reason=unavailable last="connection refused" elapsed=0"#);
    assert_eq!(message, ended.last_line());
}

#[test]
fn the_message_is_cut_at_1000_bytes() {
    let (ended, message) = with_message(&task(&["--end", "io", "--last", &"x".repeat(3000)]));
    assert_eq!(ended.code, Some(74));
    assert_eq!(message.len(), 1000);
    assert!(message.starts_with(r#"code=74 reason=io last="xxx"#), "{message}");
    let (_, message) = with_message(&task(&["--end", "io", "--last", &"é".repeat(3000)]));
    assert!((998..=1000).contains(&message.len()), "cut between characters: {}", message.len());
}

#[test]
fn every_kind_of_end_leaves_a_message() {
    let (_, message) = with_message(&task(&["--nope"]));
    assert!(message.starts_with(r#"code=64 reason=usage last="unexpected argument '--nope' found""#), "{message}");
    let (_, message) = with_message(&task(&["--end", "panic"]));
    assert!(message.starts_with(r#"code=70 reason=bug what="job" last="told to end so""#), "{message}");
    let (_, message) = with_message(&task(&["--", "/nowhere/at-all"]));
    assert!(message.starts_with(r#"code=127 reason=not-found what="/nowhere/at-all""#), "{message}");
}

#[test]
fn a_stopped_task_leaves_a_message() {
    let file = termination_log();
    let inside = task(&["--after-file", NEVER]);
    let mut program = Program::start(&mut namespace::with_termination_log(file.path().to_str().unwrap(), &inside));
    program.wait_for_line("starts");
    // `unshare` and the shell have become the task.
    program.signal("TERM");
    assert_eq!(program.end().code, Some(143));
    let message = fs::read_to_string(file.path()).unwrap();
    assert!(message.starts_with("code=143 reason=stopped elapsed="), "{message}");
}

#[test]
fn a_good_end_leaves_none() {
    let (ended, message) = with_message(&task(&[]));
    assert_eq!((ended.code, &*message), (Some(0), "what stood here before"));
}

#[test]
fn a_probe_in_a_container_that_lives_leaves_none() {
    let (ended, message) = with_message(&sidecar_command(&["probe", "--health-addr", "127.0.0.1:1"]));
    assert_eq!((ended.code, &*message), (Some(1), "what stood here before"));
    let (ended, message) = with_message(&sidecar(&["drain"]));
    assert_eq!((ended.code, &*message), (Some(64), "what stood here before"));
}
