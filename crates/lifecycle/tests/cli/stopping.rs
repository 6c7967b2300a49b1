//! How a sidecar stops: the plan, the pages that it still serves, the drain delay, the deadline.

use std::fs;

use crate::support::{Ended, Program, end, http, sidecar, until};

#[test]
fn the_plan_is_told_at_the_stop_signal() {
    let mut program = Program::start(&mut sidecar(&["--stuck-batches", "3", "--shutdown-timeout", "1m30s"]));
    http::until_status(program.address("health"), "/startupz", 200);
    program.signal("TERM");
    let plan = program.wait_for_line("\"stopping\"");
    for words in [r#""deadline":"1m30s""#, r#""pending":"3 batches""#, r#""why":"SIGTERM""#] {
        assert!(plan.contains(words), "{words} in {plan}");
    }
}

#[test]
fn work_that_is_undelivered_at_the_deadline_is_75_and_named() {
    let program = Program::start(&mut sidecar(&["--stuck-batches", "3", "--shutdown-timeout", "200ms"]));
    let ended = stopped(program);
    ended.ended_with(75, r#"reason=unfinished what="3 batches" last="not done within --shutdown-timeout 200ms""#);
}

#[test]
fn the_deadline_holds_against_a_thread_that_is_stuck() {
    let stall = tempfile::NamedTempFile::new().unwrap();
    let path = stall.path().to_str().unwrap();
    let flags = ["--bound", "100ms", "--stall-file", path, "--shutdown-timeout", "200ms"];
    let mut program = Program::start(&mut sidecar(&flags));
    http::until_status(program.address("health"), "/livez", 503);
    program.signal("TERM");
    program.end().ended_with(75, "reason=unfinished");
}

fn stopped(mut program: Program) -> Ended {
    http::until_status(program.address("health"), "/startupz", 200);
    program.signal("TERM");
    program.end()
}

#[test]
fn a_sidecar_that_drains_is_alive_started_and_unready() {
    let mut program = Program::start(&mut sidecar(&["--drain-delay", "1h", "--shutdown-timeout", "2h"]));
    let address = program.address("health");
    http::until_status(address, "/startupz", 200);
    http::until_status(address, "/readyz", 200);
    program.signal("TERM");
    let answer = http::until_status(address, "/readyz", 503);
    assert!(answer.body.contains("[-]shutdown failed: draining or stopping"), "{answer:?}");
    assert!(answer.body.contains("[+]ready-file ok"), "{answer:?}");
    assert_eq!(http::get(address, "/livez").status, 200);
    assert_eq!(http::get(address, "/startupz").status, 200);
    assert!(program.is_running());
}

#[test]
fn the_drain_delay_is_counted_from_the_stop_signal_and_once() {
    // The sidecar's loop asks again at each turn, many times within the delay.
    let program = Program::start(&mut sidecar(&["--drain-delay", "500ms"]));
    let ended = stopped(program);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_quit_is_followed_by_one_more_chance() {
    // The app's end asks; the first signal after it is still the first.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("done");
    let path = file.to_str().unwrap();
    let flags = ["--exit-with-file", path, "--stuck-batches", "1", "--shutdown-timeout", "1h"];
    let mut program = Program::start(&mut sidecar(&flags));
    let address = program.address("health");
    fs::write(&file, "").unwrap();
    program.wait_for_line("\"stopping\"");
    program.signal("TERM");
    assert_eq!(http::get(address, "/livez").status, 200);
    assert!(program.is_running());
    until("a second signal ends it", || {
        program.signal("INT");
        (!program.is_running()).then_some(())
    });
    assert_eq!(program.end().code, Some(130));
}

#[test]
fn a_job_that_ends_by_itself_ends_the_sidecar() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("end");
    let path = file.to_str().unwrap();
    for (flags, code) in [(&[][..], 0), (&["--stuck-batches", "2", "--shutdown-timeout", "200ms"], 75)] {
        let mut command = sidecar(&["--end-file", path]);
        let mut program = Program::start(command.args(flags));
        http::until_status(program.address("health"), "/startupz", 200);
        fs::write(&file, "").unwrap();
        assert!(program.wait_for_line("\"stopping\"").contains("the job is done"));
        assert_eq!(program.end().code, Some(code));
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_drain_delay_that_eats_the_whole_time_is_refused() {
    let ended = end(sidecar(&["--drain-delay", "25s"]));
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("--drain-delay leaves no time to finish"), "{ended:#?}");
}

#[test]
fn a_shutdown_timeout_of_nothing_is_refused() {
    let ended = end(sidecar(&["--shutdown-timeout", "0s"]));
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("--shutdown-timeout 0s leaves no time to deliver anything"), "{ended:#?}");
}
