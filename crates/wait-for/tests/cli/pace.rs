//! How long is waited in all, for one attempt, and from one attempt to the next.

use serde_json::json;

use crate::support::{
    Ended, Program,
    http::{Http, status},
    run,
    server::{ClosedPort, Server, Silent, hold},
    wait_for,
};

/// How often the target with this label was asked by a program that ended without it.
#[track_caller]
fn attempts(ended: &Ended, target: &str) -> u64 {
    let lines = ended.messages("missing");
    let line = lines.iter().find(|line| line["target"] == target).unwrap_or_else(|| panic!("{ended:#?}"));
    line["attempts"].as_u64().unwrap()
}

#[test]
fn the_wait_ends_after_its_timeout() {
    let port = ClosedPort::new();
    let ended = run(&["--timeout", "1s", &port.url()]);
    let words = format!(r#"reason=timed-out what="{}" last="connection refused" attempts="#, port.url());
    ended.ended_with(124, &words);
}

#[test]
fn the_timeout_is_five_minutes_if_nothing_is_said() {
    let port = ClosedPort::new();
    let mut program = Program::start(&mut wait_for(&[&port.url()]));
    let line = program.wait_for_message("wait-for starts");
    assert!(line["timeout"].is_null(), "a default is not in the line: {line}");
    assert!(run(&["--help"]).stdout.contains("5m"));
}

#[test]
fn a_timeout_of_zero_is_none() {
    let port = ClosedPort::new();
    let mut program = Program::start(&mut wait_for(&["--timeout", "0", &port.url()]));
    program.wait_for_reason("connection refused");
    Server::on(port.open(), |stream, _| hold(stream));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_closed_port_is_asked_quickly_and_not_in_a_busy_loop() {
    let port = ClosedPort::new();
    let ended = run(&["--timeout", "3s", &port.url()]);
    // Between 25 and 150 ms apart in this time; a busy machine makes it fewer, never more.
    let attempts = attempts(&ended, &port.url());
    assert!((8..=121).contains(&attempts), "{attempts}");
}

#[test]
fn a_silent_server_is_asked_ever_more_seldom() {
    let silent = Silent::new();
    let ended = run(&["--timeout", "4s", "--attempt-timeout", "50ms", &silent.url()]);
    // At least half a second apart.
    let attempts = attempts(&ended, &silent.url());
    assert!((2..=8).contains(&attempts), "{attempts}");
}

#[test]
fn an_overloaded_server_is_asked_slowly() {
    let server = Http::start(|_| status("503 Service Unavailable"));
    let ended = run(&["--timeout", "3s", &server.url("/")]);
    // At least a second apart
    let attempts = attempts(&ended, &server.url("/"));
    assert!(attempts <= 3, "{attempts}");
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks_for() {
    for options in ["", "#interval=10ms"] {
        let server =
            Http::start(|_| "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n".into());
        let ended = run(&["--timeout", "2s", &format!("{}{options}", server.url("/"))]);
        assert_eq!(attempts(&ended, &server.url("/")), 1, "{options}");
    }
}

#[test]
fn a_fixed_interval_is_kept_whatever_the_reason() {
    let (one, other, silent) = (ClosedPort::new(), ClosedPort::new(), Silent::new());
    let quick = format!("{}#interval=10ms&attempt-timeout=10ms", silent.url());
    let slow = format!("{}#interval=1h", one.url());
    let ended = run(&["--timeout", "2s", "--interval", "10ms", &slow, &other.url(), &quick]);
    assert_eq!(attempts(&ended, &one.url()), 1);
    assert!(attempts(&ended, &other.url()) > 30);
    assert!(attempts(&ended, &silent.url()) > 10);
}

#[test]
fn a_tiny_interval_does_not_keep_the_wait_from_its_end() {
    let ended = run(&["--timeout", "1s", "--interval", "1ms", "file:///none"]);
    ended.ended_with(124, "reason=timed-out what=");
    assert!(attempts(&ended, "file:///none") > 100);
}

#[test]
fn an_attempt_may_not_take_longer_than_its_timeout() {
    let server = Http::start(|request| {
        if request.nth == 0 {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        status("200 OK")
    });
    let ended = run(&["--attempt-timeout", "1s", &server.url("/")]);
    assert_eq!(ended.message("not ready")["reason"], "no answer within 1s");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_timeout_amid_the_first_attempt_says_how_far_it_came() {
    let server = Server::start(|stream, _| hold(stream));
    let (port, silent) = (server.port(), Silent::new());
    let schemes =
        ["http", "grpc", "mysql", "postgres", "redis", "memcached", "nats", "smtp", "ldap", "amqp", "mongodb"];
    let others = [
        format!("https://127.0.0.1:{port}#insecure"),
        format!("mysql://localhost:{port}#tls=require&insecure"),
        format!("postgres://127.0.0.1:{port},127.0.0.1:{port}"),
    ];
    let urls = schemes.map(|scheme| server.url(scheme)).into_iter().chain(others);
    let mut targets: Vec<_> = urls.map(|url| (url, "connected, no answer yet")).collect();
    targets.push((format!("{}#hold=3s", server.url("tcp")), "connected, and not held for long enough yet"));
    targets.push((silent.url(), "no connection yet"));
    let arguments = ["--timeout", "2s"].into_iter().chain(targets.iter().map(|(url, _)| url.as_str()));
    let ended = run(&arguments.collect::<Vec<_>>());
    ended.ended_with(124, "reason=timed-out what=");
    for (url, reason) in &targets {
        let label = url.split('#').next().unwrap();
        let missing = ended.messages("missing").into_iter().find(|line| line["target"] == label).unwrap();
        assert_eq!((&missing["reason"], &missing["attempts"]), (&json!(reason), &json!(0)), "{url}");
    }
}

#[test]
fn an_attempt_that_hangs_says_more_than_the_one_before_it() {
    let server = Server::start(|stream, nth| {
        if nth > 0 {
            hold(stream);
        }
    });
    let url = server.url("mysql");
    let ended = run(&["--timeout", "4s", "--attempt-timeout", "1h", &url]);
    assert_eq!(ended.message("not ready")["reason"], "closed without an answer");
    let words = "closed without an answer; the last attempt: connected, no answer yet";
    assert_eq!(ended.message("missing")["reason"], words);
}
