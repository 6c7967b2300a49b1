//! A helper that is a sidecar, or a task with a switch.

use std::{fs, net::TcpListener, process::Command};

use crate::support::{Ended, NEVER, Program, end, fifo, http, once, until};

const ANY_PORT: [&str; 2] = ["--health-addr", "127.0.0.1:0"];

/// Stopped while a file keeps its settings waiting
#[track_caller]
fn stopped_while_it_reads_its_settings(mut command: Command) -> Ended {
    let mut program = Program::start(&mut command);
    until("its settings are read", || has_thread(&program, "settings").then_some(()));
    assert!(program.is_running());
    program.signal("TERM");
    program.end()
}

fn has_thread(program: &Program, name: &str) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", program.id())).unwrap();
    let names = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.trim_end() == name)
}

#[test]
fn with_the_switch_it_is_a_task_without_listeners() {
    // A taken port is no matter, because the sidecar of the same pod may already listen there.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = end(once(&["--once", "--health-addr", &address]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.everything().contains("listener is up"), "{ended:#?}");
    assert_eq!(end(once(&["--health-addr", &address])).code, Some(69));
}

#[test]
fn the_variable_of_the_switch_does_the_same() {
    let mut command = once(&[]);
    command.env("SIDEKIT_TEST_ONCE_ONCE", "true");
    assert_eq!(end(command).code, Some(0));
}

#[test]
fn a_stop_before_its_work_is_done_is_143() {
    let mut program = Program::start(&mut once(&["--once", "--after-file", NEVER]));
    program.wait_for_line("test-once starts");
    program.signal("TERM");
    program.end().ended_with(143, "reason=stopped");
}

#[test]
fn its_timeout_is_its_own() {
    end(once(&["--once", "--timeout", "20ms", "--after-file", NEVER])).ended_with(124, "reason=timed-out");
    end(once(&["--timeout", "20ms"])).ended_with(64, "reason=usage");
}

#[test]
fn without_the_switch_it_is_a_sidecar_that_ends_with_0() {
    let mut program = Program::start(&mut once(&ANY_PORT));
    http::until_status(program.address("health"), "/readyz", 200);
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn flags_of_a_sidecar_are_accepted_with_the_switch_and_judged_as_always() {
    let flags = ["--once", "--admin-addr", "127.0.0.1:9999", "--shutdown-timeout", "5s", "--exit-with-file", NEVER];
    assert_eq!(end(once(&flags)).code, Some(0));
    end(once(&["--once", "--admin-addr", ":9999"])).ended_with(64, "reason=usage");
}

#[test]
fn a_task_that_is_stopped_while_it_reads_its_settings_is_unfinished() {
    let (_directory, fifo) = fifo();
    let opened = ["--opened", &fifo];
    stopped_while_it_reads_its_settings(once(&[&opened[..], &["--once"]].concat())).ended_with(143, "reason=stopped");
    let mut by_variable = once(&opened);
    by_variable.env("SIDEKIT_TEST_ONCE_ONCE", "yes");
    stopped_while_it_reads_its_settings(by_variable).ended_with(143, "reason=stopped");
    assert_eq!(stopped_while_it_reads_its_settings(once(&opened)).code, Some(0));
}
