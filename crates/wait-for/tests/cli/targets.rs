//! Several targets at once: all of them, any of them, none of them, and often enough.

use std::{fs, net::TcpListener, os::unix::net::UnixListener};

use tempfile::TempDir;

use crate::support::{
    Program, Signal,
    http::{Http, response, status},
    proof, reason, run,
    server::{ClosedPort, Server, hold},
    wait_for,
};

#[test]
fn targets_of_all_kinds_are_waited_for_together() {
    let directory = TempDir::new().unwrap();
    let (socket, file) = (directory.path().join("app.sock"), directory.path().join("ready"));
    let _listener = UnixListener::bind(&socket).unwrap();
    let tcp = Server::start(|stream, _| hold(stream));
    let http = Http::start(|_| status("200 OK"));
    let urls = [
        tcp.url("tcp"),
        http.url("/"),
        format!("unix://{}", socket.display()),
        "dns://localhost".to_owned(),
        format!("file://{}", file.display()),
    ];
    let mut program = Program::start(&mut wait_for(&urls.each_ref().map(String::as_str)));
    for _ in 0..4 {
        program.wait_for_message("ready");
    }
    fs::write(&file, "").unwrap();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let summary = ended.message("the wait is over");
    assert_eq!((&summary["ready"], &summary["targets"]), (&5.into(), &5.into()));
}

#[test]
fn a_target_that_hangs_does_not_hold_up_the_others() {
    let silent = Server::start(|stream, _| hold(stream));
    let ready = Server::start(|stream, _| hold(stream));
    let mut program =
        Program::start(&mut wait_for(&["--attempt-timeout", "1h", &silent.url("http"), &ready.url("tcp")]));
    let line = program.wait_for_message("ready");
    assert_eq!(line["target"], ready.url("tcp"));
    program.signal(Signal::TERM);
    let what = silent.url("http");
    let words = format!(r#"reason=stopped what="{what}" last="connected, no answer yet" attempts=0"#);
    program.end().ended_with(143, &words);
}

/// A server that refuses every login.
fn refusing() -> Http {
    Http::start(|_| status("401 Unauthorized"))
}

const LOGIN: &str = "/#header=Authorization: Bearer x";

#[test]
fn one_that_never_will_be_ready_ends_the_wait_for_all() {
    let (port, refusing) = (ClosedPort::new(), refusing());
    let ended = run(&[&port.url(), &refusing.url(LOGIN)]);
    let what = refusing.url("/");
    ended.ended_with(77, &format!(r#"reason=denied what="{what} and 1 more" last="login refused: HTTP 401"#));
}

#[test]
fn any_target_is_enough_when_told_so() {
    let (port, ready) = (ClosedPort::new(), Server::start(|stream, _| hold(stream)));
    let ended = run(&["--any", "--output=json", &port.url(), &ready.url("tcp")]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json()["targets"][0]["state"], "not-needed");
    assert_eq!(ended.message("ready")["target"], ready.url("tcp"));
    assert_eq!(ended.message("the wait is over")["ready"], 1);
}

#[test]
fn of_any_the_last_that_is_left_decides() {
    let (port, refusing) = (ClosedPort::new(), refusing());
    let mut program = Program::start(&mut wait_for(&["--any", &port.url(), &refusing.url(LOGIN)]));
    program.wait_for_message("will not become ready");
    Server::on(port.open(), |stream, _| hold(stream));
    assert_eq!(program.end().code, Some(0));
    let ended = run(&["--any", &refusing.url(LOGIN), &refusing.url(LOGIN)]);
    assert_eq!(ended.code, Some(77), "{ended:#?}");
}

#[test]
fn a_target_is_waited_for_until_it_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let mut program = Program::start(&mut wait_for(&["--not", &url]));
    program.wait_for_reason("still there: connected and held");
    drop(listener);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let proof = ended.message("ready")["proof"].as_str().unwrap();
    assert!(["gone: connection refused", "gone: accepted, then closed"].contains(&proof), "{proof}");
}

#[test]
fn one_target_of_several_can_be_waited_for_until_it_is_gone() {
    let (port, ready) = (ClosedPort::new(), Server::start(|stream, _| hold(stream)));
    let ended = run(&[&format!("{}#not", port.url()), &ready.url("tcp")]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn closed_counts_as_gone_and_a_file_that_is_there_does_not() {
    let closing = Server::start(|stream, _| drop(stream));
    assert_eq!(proof(&["--not", &closing.url("tcp")]), "gone: accepted, then closed");
    let directory = TempDir::new().unwrap();
    let url = format!("file://{}", directory.path().display());
    assert!(reason(&["--not", &url]).starts_with("still there: "));
    assert_eq!(proof(&["--not", &format!("{url}/none")]), "gone: no such file");
}

#[test]
fn silence_is_no_proof_that_something_is_gone() {
    let silent = Server::start(|stream, _| hold(stream));
    let said = reason(&["--not", "--attempt-timeout", "300ms", &silent.url("http")]);
    assert_eq!(said, "not proven gone: no answer within 300ms");
}

/// A server that fails at its third request.
fn shaky() -> Http {
    Http::start(|request| response(if request.nth == 2 { "503 Service Unavailable" } else { "200 OK" }, &[], ""))
}

#[test]
fn successes_must_follow_one_another_as_often_as_asked() {
    for arguments in [["--stable", "3", "/"], ["--stable", "1", "/#stable=3"]] {
        let [flag, count, rest] = arguments;
        let server = shaky();
        let ended = run(&[flag, count, "--interval", "1ms", &server.url(rest)]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let reasons: Vec<_> = ended.messages("not ready").into_iter().map(|line| &line["reason"]).collect();
        let twice = "HTTP 200, but not yet 3 times in a row";
        assert_eq!(reasons, [twice, "HTTP 503 Service Unavailable", twice]);
        assert_eq!((&ended.message("ready")["attempts"], server.requests.all().len()), (&6.into(), 6));
    }
}

#[test]
fn not_for_one_target_and_for_all_is_still_not() {
    let port = ClosedPort::new();
    assert_eq!(proof(&["--not", &format!("{}#not", port.url())]), "gone: connection refused");
    let ready = Server::start(|stream, _| hold(stream));
    let ended = run(&["--not", "--timeout", "5s", &port.url(), &format!("{}#not=false", ready.url("tcp"))]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn the_last_line_tells_of_the_target_whose_code_it_is() {
    let refusing = refusing();
    let (first, second) = (refusing.url(LOGIN), "file:///dev/null/x".to_owned());
    let ended = run(&["--any", "--timeout", "500ms", &first, &second]);
    ended.ended_with(124, &format!(r#"reason=timed-out what="{second} and 1 more" last="no such file""#));
}
