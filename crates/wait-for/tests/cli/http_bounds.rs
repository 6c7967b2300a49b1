//! HTTP servers that misbehave: nothing they do costs more than an attempt's time and a bounded
//! memory.

use std::{
    fs,
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use crate::support::{
    DEADLINE, Program, Signal,
    http::{read_head, response},
    proof, reason, run,
    server::{Server, drip, hold, pour, reset},
    wait_for,
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
/// Short enough to wait for, long enough for a busy machine to send what must be sent
const ATTEMPT: &str = "2s";

fn after_head(script: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(move |mut stream, _| {
        if read_head(&mut stream).is_some() && stream.write_all(HEAD).is_ok() {
            script(stream);
        }
    })
}

#[test]
fn of_a_body_without_end_a_mebibyte_is_read() {
    let sent = Arc::<AtomicU64>::default();
    let counter = sent.clone();
    let server = after_head(move |mut stream| {
        while stream.write_all(&[b'.'; 4096]).is_ok() {
            counter.fetch_add(4096, Ordering::SeqCst);
        }
    });
    let said = reason(&[&format!("{}/#body=end&interval=1h", server.url("http"))]);
    assert_eq!(said, r#"the body has no "end"; only the first 1 MiB of the body is read"#);
    // The rest of the sent bytes lies in the two ends' socket buffers, a few MiB each.
    let sent = sent.load(Ordering::SeqCst);
    assert!((1 << 20..64 << 20).contains(&sent), "{sent} bytes");
}

#[test]
fn what_stands_within_the_first_mebibyte_is_found_and_what_comes_later_is_not() {
    let server = after_head(|mut stream| {
        let filler = ".".repeat((1 << 20) - 5);
        let _ = stream.write_all(format!("{filler}earlylate.").as_bytes());
    });
    let url = server.url("http");
    assert_eq!(proof(&[&format!("{url}/#body=early")]), "HTTP 200");
    let words = r#"the body has no "late"; only the first 1 MiB of the body is read"#;
    assert_eq!(reason(&[&format!("{url}/#body=late")]), words);
    // What was not read proves nothing gone.
    assert_eq!(reason(&["--not", &format!("{url}/#body=late")]), format!("not proven gone: {words}"));
}

#[test]
fn a_pattern_is_looked_for_in_the_first_64_kibibytes() {
    let server = after_head(|mut stream| {
        let filler = "a".repeat((64 << 10) - 5);
        let _ = stream.write_all(format!("{filler}early{filler}late.").as_bytes());
    });
    let url = server.url("http");
    assert_eq!(proof(&[&format!("{url}/#body-regex=e[a]rly")]), "HTTP 200");
    let words = r#"the body has no match of "late"; only its first 64 KiB are searched"#;
    assert_eq!(reason(&[&format!("{url}/#body-regex=late")]), words);
    // The part behind the limit may have a match, so this proves nothing gone.
    assert_eq!(reason(&["--not", &format!("{url}/#body-regex=late")]), format!("not proven gone: {words}"));
    assert_eq!(proof(&[&format!("{url}/#body=late")]), "HTTP 200");
}

#[test]
fn a_pattern_that_would_hold_up_the_others_is_refused() {
    let ended = run(&["http://db/#body-regex=(a?){20000}"]);
    ended.ended_with(64, "reason=usage last=");
    assert!(ended.last_line().contains("option body-regex: "), "{ended:#?}");
}

#[test]
fn a_body_without_end_that_nobody_asked_for_does_not_hold_up() {
    let server = after_head(|stream| pour(stream, &[b'.'; 4096]));
    assert_eq!(proof(&[&server.url("http")]), "HTTP 200");
    let server = after_head(|stream| drip(stream, b'.'));
    assert_eq!(proof(&[&server.url("http")]), "HTTP 200");
}

#[test]
fn a_body_that_drips_costs_an_attempt_its_deadline() {
    let server = after_head(|stream| drip(stream, b'.'));
    for condition in ["body=end", "body-regex=end", "json=/a"] {
        let url = format!("{}/#{condition}&attempt-timeout={ATTEMPT}", server.url("http"));
        assert_eq!(reason(&[&url]), "HTTP 200, but its body has not ended within 2s", "{condition}");
    }
    let said = reason(&["--not", &format!("{}/#body=end&attempt-timeout={ATTEMPT}", server.url("http"))]);
    assert_eq!(said, "not proven gone: HTTP 200, but its body has not ended within 2s");
    let ended = run(&["--timeout", "2s", &format!("{}/#body=end&attempt-timeout=1h", server.url("http"))]);
    assert!(ended.last_line().contains(r#"last="HTTP 200, but its body has not ended yet""#), "{ended:#?}");
}

#[test]
fn what_has_arrived_of_a_body_without_end_is_looked_at() {
    let server = after_head(|stream| drip(stream, b'.'));
    assert_eq!(proof(&[&format!("{}/#body=.&attempt-timeout={ATTEMPT}", server.url("http"))]), "HTTP 200");
    // A part is no whole in which a pattern counts.
    let words = "HTTP 200, but its body has not ended within 2s";
    assert_eq!(reason(&[&format!("{}/#body-regex=^[.]&attempt-timeout={ATTEMPT}", server.url("http"))]), words);
    let refusing = Server::start(|mut stream, _| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nno");
        hold(stream);
    });
    assert_eq!(reason(&["--attempt-timeout", ATTEMPT, &refusing.url("http")]), "HTTP 400 Bad Request");
}

#[test]
fn a_head_that_drips_costs_an_attempt_its_deadline() {
    let server = Server::start(|mut stream, _| {
        read_head(&mut stream);
        drip(stream, b'H');
    });
    assert_eq!(reason(&["--attempt-timeout", ATTEMPT, &server.url("http")]), "no answer within 2s");
}

#[test]
fn a_server_that_never_answers_costs_an_attempt_its_deadline() {
    let server = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &server.url("http")]), "no answer within 300ms");
}

#[test]
fn ten_megabytes_of_headers_are_refused() {
    let header = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let server = Server::start(move |mut stream, _| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        let _ = stream.write_all(header.repeat(10_000).as_bytes());
    });
    let said = reason(&[&server.url("http")]);
    assert_eq!(said, "the answer's head is over 64 KiB, or has more than 100 headers");
}

#[test]
fn memory_stays_bounded_whatever_servers_send() {
    let headers = Server::start(|mut stream, _| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        pour(stream, &[b'x'; 16384]);
    });
    let body = after_head(|stream| pour(stream, &[b'x'; 16384]));
    let pouring = Server::start(|stream, _| pour(stream, &[b'x'; 16384]));
    let mut targets = vec![headers.url("http"), format!("{}/#body=end", body.url("http"))];
    targets.extend(
        ["http", "grpc", "mysql", "postgres", "redis", "memcached", "nats", "smtp", "ldap"]
            .map(|scheme| pouring.url(scheme)),
    );
    let mut arguments = vec!["--interval", "20ms"];
    arguments.extend(targets.iter().map(String::as_str));
    let mut program = Program::start(&mut wait_for(&arguments));
    for _ in &targets {
        program.wait_for_message("not ready");
    }
    crate::support::until("each has been asked some times", || (pouring.accepted() > 50).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 * 1024, "{peak} KiB");
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(143));
}

#[test]
fn a_server_that_resets_or_closes_is_not_ready() {
    let server = Server::start(|mut stream, _| {
        read_head(&mut stream);
        reset(stream);
    });
    let hint = "; does the server want TLS? then write https://";
    assert_eq!(reason(&[&server.url("http")]), format!("closed without an answer{hint}"));
    let server = Server::start(|mut stream, _| drop(read_head(&mut stream)));
    assert_eq!(reason(&[&server.url("http")]), format!("closed without an answer{hint}"));
    assert_eq!(proof(&["--not", &server.url("http")]), "gone: closed without an answer");
}

#[test]
fn a_body_that_nobody_asked_for_is_read_before_the_connection_ends() {
    for line in ["200 OK", "503 Service Unavailable"] {
        let (sender, ends) = mpsc::channel();
        let server = Server::start(move |mut stream, _| {
            read_head(&mut stream);
            let _ = stream.write_all(response(line, &[], &"x".repeat(200_000)).as_bytes());
            // Leaving with the body unread would be a reset.
            let _ = sender.send(stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind()));
        });
        let _program = Program::start(&mut wait_for(&["--interval", "1h", &server.url("http")]));
        assert_eq!(ends.recv_timeout(DEADLINE), Ok(Ok(0)), "{line}");
    }
}

#[test]
fn a_server_of_another_protocol_is_told() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"220 smtp.example ESMTP\r\n");
        hold(stream);
    });
    let said = reason(&[&server.url("http")]);
    assert!(said.starts_with("the answer is not HTTP"), "{said}");
    let said = reason(&[&format!("{}#not", server.url("http"))]);
    assert!(said.starts_with("not proven gone: the answer is not HTTP"), "{said}");
}

#[test]
fn a_body_that_breaks_off_is_not_ready() {
    let server = Server::start(|mut stream, _| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nup");
    });
    assert_eq!(reason(&[&format!("{}#body=up", server.url("http"))]), "closed before its answer was whole");
}
