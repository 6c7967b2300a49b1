//! The access log: which requests get a line, what stands in it, and what never does.

use std::{
    fs::File,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::Client,
    support::{OK, Proxy, proxy},
    upstream::Upstream,
};

/// The lines that a proxy has written by its end
#[track_caller]
fn lines(proxy: Proxy) -> Vec<String> {
    let ended = proxy.stop();
    ended.stdout.lines().map(str::to_owned).collect()
}

#[track_caller]
fn objects(proxy: Proxy) -> Vec<Value> {
    lines(proxy).iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn a_line_says_everything_about_a_request() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    let mut client = proxy.client();
    client.send(
        "GET /a%2Fb?x=1 HTTP/1.1\r\nHost: app.example:80\r\nUser-Agent: test/1\r\nReferer: http://u:p@other/page?q=secret#f\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let address = upstream.address.to_string();
    let [mut line] = objects(proxy).try_into().unwrap();
    let line = line.as_object_mut().unwrap();
    let time = line.remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let seconds = line.remove("duration_seconds").unwrap().as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 30.0, "{seconds}");
    assert_eq!(
        Value::Object(line.clone()),
        json!({
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "listener": "127.0.0.1:0",
            "client.address": "127.0.0.1",
            "network.peer.address": "127.0.0.1",
            "http.request.method": "GET",
            "url.path": "/a%2Fb",
            "url.query": "x=…",
            "network.protocol.version": "1.1",
            "server.address": "app.example",
            "user_agent.original": "test/1",
            "http.request.header.referer": "http://…@other/page?q=…",
            "http.route": "default",
            "http.response.status_code": 200,
            "http.response.body.size": 2,
            "upstream": address,
        })
    );
}

#[test]
fn a_line_never_holds_a_secret_and_no_client_can_forge_one() {
    const SECRET: &str = "hunter2";
    let requests = [
        "GET /?token=hunter2&hunter2&a=b=hunter2;c=hunter2 HTTP/1.1\r\nHost: a\r\n",
        "GET http://user:hunter2@a/ HTTP/1.1\r\nHost: a\r\n",
        "GET http://a/?x=hunter2 HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: user:hunter2@a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter2\r\nProxy-Authorization: Basic hunter2\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: session=hunter2\r\nX-Api-Key: hunter2\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nReferer: https://user:hunter2@b/?hunter2#hunter2\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nReferer: /relative?x=hunter2\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nReferer: https://b/#hunter2\r\n",
        "GET /hunter2 HT\0TP/1.1\r\nHost: a\r\n",
        // Characters that end a line or a field
        "GET /a\"b HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \" \\ \t\u{7f}\u{85}\u{2028}\u{1b}[31m\" 200 1 \"forged\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nReferer: \"\u{a0}\" {}, '\r\n",
    ];
    for form in ["json", "combined"] {
        let upstream = Upstream::answering(OK);
        let proxy = Proxy::start(&upstream, &["--access-log", form]);
        for request in requests {
            let mut client = proxy.client();
            client.send([request, "\r\n"].concat());
            client.answer();
        }
        let lines = lines(proxy);
        assert_eq!(lines.len(), requests.len(), "{lines:#?}");
        for (request, line) in requests.iter().zip(&lines) {
            assert!(!line.contains(SECRET), "{request:?}: {line}");
            assert!(!line.chars().any(|char| char < ' '), "{line:?}");
            if form == "json" {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            } else {
                let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes, 6, "{request:?}: {line}");
            }
        }
    }
}

#[test]
fn the_combined_format_is_that_of_nginx() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--access-log", "combined"]);
    let mut client = proxy.client();
    client.send("GET /a?b=1 HTTP/1.0\r\nHost: a\r\nUser-Agent: x \"y\"\r\n\r\n");
    client.answer();
    let [line] = lines(proxy).try_into().unwrap();
    let (begin, end) = line.split_once(" [").unwrap();
    let (time, end) = end.split_once("] ").unwrap();
    assert_eq!((begin, end), ("127.0.0.1 - -", "\"GET /a?b=… HTTP/1.0\" 200 2 \"-\" \"x \\\"y\\\"\""));
    assert_eq!((time.len(), &time[2..3], &time[20..]), (26, "/", " +0000"), "{time}");
}

#[test]
fn a_request_that_could_not_be_read_or_answered_has_a_line_with_the_reason() {
    let upstream = Upstream::start(|connection| {
        let Some(request) = connection.request() else { return };
        if request.contains("/cut") {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        } else if request.contains("/wait") {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            let _ = connection.request();
        } else if request.contains("/silent") {
            let _ = connection.request();
        }
    });
    let proxy = Proxy::start(&upstream, &["--access-log", "json", "--header-timeout", "300ms"]);
    for bytes in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HT"] {
        let mut client = proxy.client();
        client.send(bytes);
        client.answer();
    }
    for path in ["/closed", "/cut", "/wait", "/silent"] {
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        if path == "/silent" {
            upstream.wait_for_requests(4);
        } else {
            client.head();
        }
        if path == "/cut" {
            // Before the client goes, so that there is one reason.
            client.bytes(4);
            assert!(client.is_closed());
        }
        drop(client);
        harness::until("it has ended", || (proxy.active() == 0).then_some(()));
    }
    let mut uploading = proxy.client();
    uploading.send("POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf");
    harness::until("it is in flight", || (proxy.active() == 1).then_some(()));
    drop(uploading);
    harness::until("it has ended", || (proxy.active() == 0).then_some(()));
    assert_eq!(proxy.refusals("bad-body"), 0);
    let fields = |line: &Value| {
        let number = |name: &str| line[name].as_u64().unwrap();
        let (status, bytes) = (number("http.response.status_code"), number("http.response.body.size"));
        (line["error.type"].as_str().unwrap().to_owned(), status, bytes)
    };
    let ends: Vec<_> = objects(proxy).iter().map(fields).collect();
    assert_eq!(
        ends.iter().map(|(name, status, bytes)| (name.as_str(), *status, *bytes)).collect::<Vec<_>>(),
        [
            ("bad-head", 400, 0),
            ("no-host", 400, 25),
            ("slow-head", 408, 0),
            ("upstream-closed", 502, 33),
            ("answer-cut", 200, 4),
            ("client-gone", 200, 4),
            ("client-gone", 499, 0),
            ("client-gone", 499, 0),
        ]
    );
}

#[test]
fn a_sample_has_some_lines_and_all_of_requests_that_failed() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            let failed = request.contains("/500");
            connection.write(if failed { "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" } else { OK });
        }
    });
    let proxy = Proxy::start(&upstream, &["--access-log", "json", "--access-log-sample", "10"]);
    let mut client = proxy.client();
    for _ in 0..500 {
        client.get("/");
    }
    for _ in 0..5 {
        client.get("/500");
    }
    let lines = objects(proxy);
    let of = |status| lines.iter().filter(|line| line["http.response.status_code"] == status).count();
    assert_eq!(of(500), 5);
    // Fewer or more than these come once in a million runs.
    assert!((15..110).contains(&of(200)), "{}", of(200));
}

#[test]
fn only_slow_requests_have_a_line() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("/slow") {
                std::thread::sleep(Duration::from_millis(600));
            }
            connection.write(OK);
        }
    });
    let proxy = Proxy::start(&upstream, &["--access-log", "json", "--access-log-slow", "500ms"]);
    let mut client = proxy.client();
    for path in ["/1", "/slow", "/2"] {
        client.get(path);
    }
    let paths: Vec<_> = objects(proxy).iter().map(|line| line["url.path"].clone()).collect();
    assert_eq!(paths, ["/slow"]);
}

#[test]
fn a_reader_that_stalls_costs_lines_and_nothing_else() {
    let (_directory, fifo) = harness::fifo();
    let reader = File::options().read(true).write(true).open(&fifo).unwrap();
    let upstream = Upstream::answering(OK);
    let plain = proxy(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--access-log", "json"]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" \"$@\" >\"$FIFO\""]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().env("FIFO", &fifo);
    let proxy = Proxy::of(&mut command);
    let mut client = proxy.client();
    let path = format!("/{}", "x".repeat(1000));
    for _ in 0..1500 {
        assert_eq!(client.get(&path).status, 200);
    }
    assert!(proxy.metric("sidekit_proxy_access_log_dropped_total") > 100);
    drop(client);
    // At its end the proxy waits a second for the reader, and no longer.
    let start = Instant::now();
    proxy.stop();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(reader);
}

#[test]
fn the_client_is_the_one_that_a_trusted_proxy_names() {
    let upstream = Upstream::answering(OK);
    for (trusted, client_address) in [("127.0.0.1", "1.1.1.1"), ("10.0.0.0/8", "127.0.0.1")] {
        let proxy = Proxy::start(&upstream, &["--access-log", "json", "--trusted-proxies", trusted]);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
        client.answer();
        let [line] = objects(proxy).try_into().unwrap();
        assert_eq!(
            (&line["client.address"], &line["network.peer.address"]),
            (&json!(client_address), &json!("127.0.0.1"))
        );
    }
    // The app's own word about whomever it serves is no client of this proxy.
    let proxy = Proxy::start(&upstream, &["--access-log", "json", "--direction", "outbound"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
    client.answer();
    assert_eq!(objects(proxy)[0]["client.address"], "127.0.0.1");
}

#[test]
fn an_address_of_ipv4_is_one_also_before_a_socket_for_both_families() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::run(&["--listen", ":0", "--upstream", &upstream.url(), "--access-log", "json"]);
    for (request, status) in [("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200), ("GET /\r\n\r\n", 400)] {
        let mut client = Client::new(([127, 0, 0, 1], proxy.address.port()).into());
        client.send(request);
        assert_eq!(client.answer().status, status);
    }
    for line in objects(proxy) {
        let addresses = (&line["client.address"], &line["network.peer.address"]);
        assert_eq!(addresses, (&"127.0.0.1".into(), &"127.0.0.1".into()), "{line}");
    }
}
