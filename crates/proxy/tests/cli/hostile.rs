//! Upstreams that break the rules on purpose, and clients that come in thousands: no other client
//! suffers, and memory is bounded.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::header,
    support::{OK, Proxy, proxy},
    upstream::{Connection, Upstream},
};

/// Serves each request by its path, and what `script` does where it is `/hostile`.
fn upstream(script: impl Fn(&mut Connection) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.contains("/hostile") {
                return script(connection);
            }
            connection.write(OK);
        }
    })
}

#[test]
fn bytes_behind_an_answer_reach_no_other_client() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            connection.write(OK);
            if request.contains("/first") {
                // Late enough to find the connection idle, and soon enough for the next request
                thread::sleep(Duration::from_millis(50));
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            }
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    assert_eq!(proxy.client().get("/first").body, "ok");
    upstream.wait_for_closed(1);
    for _ in 0..3 {
        assert_eq!(proxy.client().get("/").body, "ok");
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_answer_longer_than_it_says_ends_there_and_its_connection_too() {
    let upstream = upstream(|connection| {
        connection
            .write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        let _ = connection.request();
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    assert_eq!(client.get("/hostile").body, "ok");
    assert_eq!((client.get("/").body.as_str(), upstream.connections()), ("ok", 2));
}

#[test]
fn a_reset_in_the_middle_of_an_answer_ends_the_clients_connection() {
    let upstream = upstream(|connection| {
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        // A socket that closes with unread bytes resets.
        thread::sleep(Duration::from_millis(100));
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("POST /hostile HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.head();
    assert_eq!((client.chunk().as_str(), client.rest().as_str()), ("half", ""));
    assert_eq!(proxy.client().get("/").status, 200);
    harness::until("it is counted", || {
        let page = harness::http::get(proxy.health, "/metrics").body;
        page.contains("http_server_request_duration_seconds_count{error_type=\"answer-cut\"").then_some(())
    });
}

#[test]
fn a_flood_of_interim_answers_is_no_answer_and_delays_nobody() {
    let upstream = upstream(|connection| {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(1000);
        while std::io::Write::write_all(&mut connection.stream, hints.as_bytes()).is_ok() {}
    });
    let proxy = Proxy::start(&upstream, &[]);
    assert_eq!(proxy.client().get("/").status, 200);
    let before = resident(&proxy);
    let start = Instant::now();
    let mut client = proxy.client();
    client.send("GET /hostile HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(proxy.client().get("/").status, 200);
    let answer = client.answer();
    assert_eq!((answer.status, proxy.refusals("upstream-broken")), (502, 1), "{answer:?}");
    harness::assert_at_once(start);
    assert!(resident(&proxy) < before + 4_000_000);
}

#[test]
fn heads_of_answers_are_bounded() {
    let many = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", "X: 1\r\n".repeat(150));
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    let endless = "X: 1\r\n".repeat(10_000_000);
    for head in [many, long, endless] {
        let upstream = upstream(move |connection| connection.write(&head));
        let proxy = Proxy::start(&upstream, &[]);
        let answer = proxy.client().get("/hostile");
        assert_eq!((answer.status, proxy.refusals("upstream-broken")), (502, 1), "{answer:?}");
        assert_eq!(proxy.client().get("/").status, 200);
    }
}

#[test]
fn an_answer_byte_by_byte_is_an_answer() {
    let upstream = upstream(|connection| {
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" {
            connection.write([*byte]);
        }
        let _ = connection.request();
    });
    let proxy = Proxy::start(&upstream, &[]);
    let answer = proxy.client().get("/hostile");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(header(&answer.head, "transfer-encoding"), Some("chunked"));
}

/// Bytes of memory that the proxy uses
pub(crate) fn resident(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.program.id())).unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")).unwrap();
    kilobytes.trim().parse::<u64>().unwrap() * 1024
}

/// A shell that raises its bound of open files and runs this
fn with_many_files(script: &str) -> Command {
    let mut shell = Command::new("/bin/bash");
    shell.args(["-c", &format!("ulimit -n 12000 && {script}"), "bash"]).env_clear();
    shell
}

#[test]
fn ten_thousand_connections_that_are_left_open_cost_little_and_end() {
    const COUNT: u64 = 10_000;
    let upstream = Upstream::answering(OK);
    let url = upstream.url();
    let front = ["--listen", "127.0.0.1:0", "--upstream", &url, "--max-connections", "11000", "--idle-timeout", "15s"];
    let plain = proxy(&front);
    let proxy = Proxy::of(with_many_files("exec \"$@\"").arg(plain.get_program()).args(plain.get_args()));
    for _ in 0..20 {
        proxy.client().get("/");
    }
    let before = resident(&proxy);
    let open = format!(
        "for i in {{1..{COUNT}}}; do exec {{fd}}<>/dev/tcp/127.0.0.1/{}; done; echo open; exec sleep 600",
        proxy.address.port()
    );
    let mut clients = with_many_files(&open).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(clients.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    harness::until("all are accepted", || (proxy.counted("sidekit_proxy_connections") >= COUNT).then_some(()));
    let each = resident(&proxy).saturating_sub(before) / COUNT;
    assert!(each < 4096, "{each} bytes a connection");
    assert_eq!(proxy.client().get("/").status, 200);
    harness::until("all are closed", || (proxy.counted("sidekit_proxy_connections") == 0).then_some(()));
    clients.kill().unwrap();
    clients.wait().unwrap();
}
