//! As PID 1 of a PID namespace, where a signal without a handler is ignored and only handlers end a program.

use crate::support::{NEVER, end, http, namespace, send, sidecar, task, try_send, until};

#[test]
fn a_task_hears_every_stop_signal() {
    for (name, code) in [("TERM", 143), ("INT", 130), ("QUIT", 131)] {
        let (mut program, id) = namespace::start_as_pid_one(&task(&["--after-file", NEVER]));
        program.wait_for_line("starts");
        send(id, "HUP");
        send(id, name);
        program.end().ended_with(code, "reason=stopped");
    }
}

#[test]
fn a_task_that_never_yields_is_stopped_all_the_same() {
    let (mut program, id) = namespace::start_as_pid_one(&task(&["--after-file", NEVER, "--busy"]));
    program.wait_for_line("starts");
    send(id, "TERM");
    program.end().ended_with(143, "reason=stopped");
}

#[test]
fn a_sidecar_drains_and_a_second_signal_insists() {
    let (mut program, id) = namespace::start_as_pid_one(&sidecar(&[]));
    program.wait_for_line("starts");
    send(id, "TERM");
    assert_eq!(program.end().code, Some(0));

    let inside = sidecar(&["--stuck-batches", "1", "--shutdown-timeout", "1h"]);
    let (mut program, id) = namespace::start_as_pid_one(&inside);
    let address = program.address("health");
    http::until_status(address, "/readyz", 200);
    send(id, "TERM");
    program.wait_for_line("\"stopping\"");
    until("a second signal ends it", || {
        try_send(id, "TERM");
        (!program.is_running()).then_some(())
    });
    program.end().ended_with(143, "reason=stopped");
}

#[test]
fn a_panic_ends_pid_one_too() {
    end(namespace::as_pid_one(&task(&["--end", "panic"]))).ended_with(70, "reason=bug");
}

#[test]
fn a_signal_during_the_start_ends_a_task_once_the_handlers_stand() {
    for _ in 0..20 {
        let (mut program, id) = namespace::start_as_pid_one(&task(&["--after-file", NEVER]));
        // From the first moment on: one from before the handlers is lost on any PID 1, the next is not.
        until("the task has ended", || {
            try_send(id, "TERM");
            (!program.is_running()).then_some(())
        });
        let ended = program.end();
        assert_eq!(ended.code, Some(143), "{ended:#?}");
    }
}

#[test]
fn the_command_of_a_task_becomes_pid_one() {
    let inside = task(&["--", "/bin/sh", "-c", "echo PID $$"]);
    let ended = end(namespace::as_pid_one(&inside));
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "PID 1\n"), "{ended:#?}");
}
