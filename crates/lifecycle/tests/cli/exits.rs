//! Every row of the table of exit codes that a job can bring about, and what the last line says of it.

use std::net::TcpListener;

use crate::support::{NEVER, end, sidecar, task};

#[test]
fn a_task_that_is_done_says_nothing_more() {
    let ended = end(task(&[]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.last_line().ends_with("starts"), "{ended:#?}");
}

#[test]
fn an_end_that_the_job_foresees_or_reports_has_its_code_and_reason() {
    for (how, code, reason) in [
        ("failed", 1, "failed"),
        ("data", 65, "data"),
        ("unavailable", 69, "unavailable"),
        ("io", 74, "io"),
        ("denied", 77, "denied"),
        ("config", 78, "config"),
        ("timed-out", 124, "timed-out"),
    ] {
        end(task(&["--end", how])).ended_with(code, &format!(r#"reason={reason} last="told to end so" elapsed="#));
    }
}

#[test]
fn a_panic_of_the_job_is_70() {
    let ended = end(task(&["--end", "panic"]));
    ended.ended_with(70, r#"reason=bug what="job" last="told to end so""#);
    assert!(ended.log.iter().any(|line| line.contains("programs/task.rs")), "the place is told: {ended:#?}");
}

#[test]
fn a_panic_before_the_job_is_70_too() {
    end(task(&["--buggy", "x"])).ended_with(70, r#"reason=bug what="main" last="a bug in a parser""#);
}

#[test]
fn a_taken_port_is_69_and_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = end(sidecar(&["--health-addr", &address]));
    ended.ended_with(69, "reason=unavailable");
    let why = format!("cannot bind {address}: address in use; is another helper on --health-addr?");
    assert!(ended.last_line().contains(&why), "{ended:#?}");
}

#[test]
fn a_port_that_is_taken_on_one_address_is_taken_on_all() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ended = end(sidecar(&["--health-addr", &format!(":{port}")]));
    ended.ended_with(69, "reason=unavailable");
    assert!(ended.last_line().contains(&format!("cannot bind :{port}: address in use")), "{ended:#?}");
}

#[test]
fn a_port_that_is_taken_is_told_before_any_work() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--health-addr", "--admin-addr"] {
        // The job itself would panic.
        let ended = end(sidecar(&[flag, &address, "--panic-file", "/proc/self/stat"]));
        ended.ended_with(69, "reason=unavailable");
    }
}

#[test]
fn a_configuration_file_that_is_not_there_is_78() {
    let ended = end(sidecar(&["--config", NEVER]));
    ended.ended_with(78, "reason=config");
    assert!(ended.last_line().contains(NEVER), "{ended:#?}");
}
