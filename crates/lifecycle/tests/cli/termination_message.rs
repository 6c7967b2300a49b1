//! The termination message, where Kubernetes has put a file for it.

use crate::support::{
    NEVER, Program, TerminationLog, UNTOUCHED, end_with_message as with_message, sidecar_command, task,
};

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
    assert!(
        message.starts_with(r#"code=64 reason=usage last="unexpected argument '--nope'; --help lists all flags""#),
        "{message}"
    );
    let (_, message) = with_message(&task(&["--end", "panic"]));
    assert!(message.starts_with(r#"code=70 reason=bug what="job" last="told to end so""#), "{message}");
    let (_, message) = with_message(&task(&["--", "/nowhere/at-all"]));
    assert!(message.starts_with(r#"code=127 reason=not-found what="/nowhere/at-all""#), "{message}");
}

#[test]
fn a_stopped_task_leaves_a_message() {
    let log = TerminationLog::new();
    let inside = task(&["--after-file", NEVER]);
    let mut program = Program::start(&mut log.command(&inside));
    program.wait_for_line("starts");
    // `unshare` and the shell have become the task.
    program.signal("TERM");
    assert_eq!(program.end().code, Some(143));
    let message = log.read();
    assert!(message.starts_with("code=143 reason=stopped elapsed="), "{message}");
}

#[test]
fn a_good_end_leaves_none() {
    let (ended, message) = with_message(&task(&[]));
    assert_eq!((ended.code, &*message), (Some(0), UNTOUCHED));
}

#[test]
fn a_command_in_a_container_that_lives_leaves_none() {
    for (arguments, code) in [
        (&["probe", "--health-addr", "127.0.0.1:1"][..], 1),
        (&["probe", "alive"], 64),
        (&["--nope", "probe"], 64),
        (&["drain"], 64),
        (&["quit", "--admin-addr", "127.0.0.1:1"], 1),
        (&["check", "--config", "/nowhere.yaml"], 78),
        (&["schema", "--nope"], 64),
    ] {
        let (ended, message) = with_message(&sidecar_command(arguments));
        assert_eq!((ended.code, &*message), (Some(code), UNTOUCHED), "{arguments:?}");
    }
}

#[test]
fn a_commands_argument_is_no_subcommand() {
    let (_, message) = with_message(&task(&["--nope", "--", "probe"]));
    assert!(message.starts_with("code=64 reason=usage"), "{message}");
}
