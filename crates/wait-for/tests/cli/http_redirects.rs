//! `http://` with redirects: which are followed, with what, and what a failure behind them means.

use crate::support::{
    Program, Signal,
    http::{Http, always, leading_to, response, status},
    proof, reason, run,
    server::{ClosedPort, Server, hold, reset_when_spoken_to},
    wait_for,
};

#[test]
fn a_redirect_is_ready_and_not_followed() {
    let server = always(&response("302 Found", &["Location: /login"], ""));
    assert_eq!(proof(&[&server.url("/")]), "HTTP 302");
    assert_eq!(server.requests.only().line, "GET /");
}

#[test]
fn redirects_are_followed_when_asked() {
    let other = always(&status("204 No Content"));
    let location = format!("Location: {}", other.url("/there?q=1#top"));
    let server = Http::start(move |request| match request.line.as_str() {
        "GET /a/old" => response("301 Moved Permanently", &["Location: new"], ""),
        _ => response("307 Temporary Redirect", &[&location], ""),
    });
    assert_eq!(proof(&[&server.url("/a/old#redirects=5")]), "HTTP 204");
    let lines: Vec<_> = server.requests.all().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["GET /a/old", "GET /a/new"]);
    assert_eq!(other.requests.only().line, "GET /there?q=1");
}

#[test]
fn what_the_user_gave_does_not_follow_a_redirect_to_another_server() {
    let other = always(&status("200 OK"));
    let location = format!("Location: {}", other.url("/"));
    let server = Http::start(move |_| response("302 Found", &[&location], ""));
    assert_eq!(
        proof(&[&server.url("/#redirects=1&header=Authorization: Bearer hunter2&header=X-Key: hunter2")]),
        "HTTP 200"
    );
    assert!(!format!("{:?}", other.requests.only()).contains("hunter2"));
}

#[test]
fn a_redirect_that_cannot_be_followed_is_not_ready() {
    let server = Http::start(|_| response("302 Found", &["Location: ftp://db/"], ""));
    assert_eq!(proof(&[&server.url("/")]), "HTTP 302");
    let said = reason(&[&server.url("/#redirects=1")]);
    assert_eq!(said, "HTTP 302 Found: a redirect that leads to no URL of HTTP");
    let server = always(&status("302 Found"));
    assert_eq!(reason(&[&server.url("/#redirects=1")]), "HTTP 302 Found: a redirect without a Location");
}

#[test]
fn a_server_to_which_a_redirect_leads_refuses_no_login() {
    let other = always(&status("401 Unauthorized"));
    let server = leading_to(&other.url("/"));
    let said = reason(&[&server.url("/#redirects=1&header=Authorization: Bearer hunter2")]);
    let remedy = "the login is not sent to another origin: name that one in the target's URL";
    assert_eq!(said, format!("redirected to {}: HTTP 401 Unauthorized; {remedy}", other.url("")));
    let ended = run(&[&other.url("/#header=Authorization: Bearer hunter2")]);
    assert_eq!(ended.code, Some(77), "{ended:#?}");
}

#[test]
fn a_redirect_loop_is_not_ready() {
    let server = always(&response("302 Found", &["Location: /again"], ""));
    let said = reason(&[&server.url("/#redirects=5&interval=1h")]);
    assert_eq!(said, "more redirects than the 5 that are allowed");
    assert_eq!(server.requests.all().len(), 6);
}

#[test]
fn a_failure_behind_a_redirect_names_the_place_and_proves_nothing_gone() {
    let (closed, closing) = (ClosedPort::new(), Server::start(|stream, _| reset_when_spoken_to(stream)));
    for (origin, words) in [
        (closed.url().replace("tcp:", "http:"), "connection refused"),
        (closing.url("http"), "closed without an answer"),
    ] {
        let url = leading_to(&format!("{origin}/secret?key=secret")).url("/#redirects=2");
        let words = format!("redirected to {origin}: {words}");
        assert_eq!(reason(&[&url]), words);
        assert_eq!(reason(&["--not", &url]), format!("not proven gone: {words}"));
    }
}

#[test]
fn a_status_behind_a_redirect_names_the_place() {
    let other = always(&status("500 Internal Server Error"));
    let said = reason(&[&leading_to(&other.url("/")).url("/#redirects=1")]);
    assert_eq!(said, format!("redirected to {}: HTTP 500 Internal Server Error", other.url("")));
}

#[test]
fn a_server_behind_a_redirect_that_never_answers_is_named() {
    let silent = Server::start(|stream, _| hold(stream));
    let (origin, server) = (silent.url("http"), leading_to(&silent.url("http")));
    let said = reason(&["--attempt-timeout", "1s", &server.url("/#redirects=1")]);
    assert_eq!(said, format!("redirected to {origin}: no answer within 1s"));
    let program = Program::start(&mut wait_for(&[&server.url("/#redirects=1&attempt-timeout=1h")]));
    crate::support::until("the redirect is followed", || (silent.accepted() > 1).then_some(()));
    program.signal(Signal::TERM);
    program
        .end()
        .ended_with(143, &format!(r#"reason=stopped what="{}" last="redirected to {origin}: "#, server.url("/")));
}

#[test]
fn the_name_that_the_user_gave_stays_within_the_origin() {
    let server = Http::start(|request| match request.nth {
        0 => response("302 Found", &["Location: /health"], ""),
        _ => status("200 OK"),
    });
    assert_eq!(proof(&[&server.url("/#header=Host:api.example&redirects=2")]), "HTTP 200");
    let hosts: Vec<_> = server.requests.all().iter().map(|request| request.header("host").map(str::to_owned)).collect();
    assert_eq!(hosts, vec![Some("api.example".to_owned()); 2]);
}
