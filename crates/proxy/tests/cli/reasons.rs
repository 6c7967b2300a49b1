//! Every refusal of the README's table with raw bytes on a socket: its status, `Proxy-Status`, its metric, its line in the access log,
//! and whether the connection ends.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    client::{Client, header},
    support::{OK, Proxy},
    upstream::Upstream,
};

/// The upstream behind the proxy
#[derive(Clone, Copy)]
enum Behind {
    App,
    /// A port that refuses
    Nothing,
    /// A name without an address
    NoName,
    /// A listener whose queue is full, so that it answers no handshake
    Full,
    /// Closes without an answer
    Closing,
    /// Answers nonsense
    Nonsense,
    /// Reads, and never answers
    Silent,
    /// Two routes with paths, in a file
    Routes,
}

/// A refusal
struct Case {
    reason: &'static str,
    status: u16,
    behind: Behind,
    arguments: &'static [&'static str],
    bytes: String,
    /// Whether the client's connection ends
    ends: bool,
}

fn case(reason: &'static str, status: u16, behind: Behind, arguments: &'static [&'static str], bytes: &str) -> Case {
    let ends = status < 500 && status != 404;
    Case { reason, status, behind, arguments, bytes: bytes.replace('~', &"x".repeat(40_000)), ends }
}

/// All of them, but for those that need a listener or a client of their own
fn cases() -> Vec<Case> {
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf";
    let app = |reason, bytes| case(reason, 400, Behind::App, &[], bytes);
    let upstream = |reason, status, behind| case(reason, status, behind, &["--request-timeout", "700ms"], GET);
    vec![
        app("no-host", "GET / HTTP/1.1\r\n\r\n"),
        app("several-hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        app("bad-host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        app("host-differs", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        app("bad-transfer-encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        app(
            "length-beside-chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        app("bare-line-feed", "GET / HTTP/1.1\nHost: a\n\n"),
        app("mimicked-header", "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n"),
        app("trace", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
        app("connect", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
        app("bad-upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        app(
            "upgrade-with-body",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi",
        ),
        app("bad-target", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
        app("bad-head", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        app("bad-body", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"),
        case("ambiguous-path", 400, Behind::Routes, &[], "GET /api//x HTTP/1.1\r\nHost: a\r\n\r\n"),
        case("loop", 502, Behind::App, &[], &looped()),
        case("no-route", 404, Behind::Routes, &[], "GET /other HTTP/1.1\r\nHost: a\r\n\r\n"),
        case("head-too-large", 431, Behind::App, &[], "GET / HTTP/1.1\r\nHost: a\r\nX: ~\r\n\r\n"),
        case("slow-head", 408, Behind::App, &["--header-timeout", "300ms"], "GET / HTTP/1.1\r\nHo"),
        case("slow-body", 408, Behind::App, &["--request-timeout", "700ms"], POST),
        case("body-too-large", 413, Behind::App, &["--max-body", "10B"], POST),
        upstream("upstream-refuses", 502, Behind::Nothing),
        upstream("upstream-closed", 502, Behind::Closing),
        upstream("upstream-broken", 502, Behind::Nonsense),
        upstream("upstream-silent", 504, Behind::Silent),
        case("upstream-unknown", 502, Behind::NoName, &[], GET),
        case("upstream-unreachable", 504, Behind::Full, &[], GET),
    ]
}

/// A request that has passed through sixteen proxies, as their `Via` says
fn looped() -> String {
    let passed = "Via: 1.1 other, 1.1 sidekit-proxy\r\n".repeat(16);
    format!("GET / HTTP/1.1\r\nHost: a\r\n{passed}\r\n")
}

/// A proxy with an access log before what the case needs; the values that must live as long as the
/// proxy come with it.
fn start(behind: Behind, arguments: &[&str]) -> (Proxy, Box<dyn std::any::Any>) {
    let upstream = match behind {
        Behind::App | Behind::Routes => Upstream::answering(OK),
        Behind::Closing => Upstream::start(|connection| drop(connection.request())),
        Behind::Nonsense => Upstream::start(|connection| {
            connection.request();
            connection.write("nonsense\r\n\r\n");
        }),
        _ => Upstream::start(|connection| {
            connection.request();
            thread::sleep(Duration::from_secs(30));
        }),
    };
    let full = if let Behind::Full = behind { Some(full_listener()) } else { None };
    let log = ["--access-log", "json"];
    if let Behind::Routes = behind {
        let (directory, file) = harness::config_file(&format!(
            "listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n  - {{path: /api, upstream: '{0}'}}\n  \
             - {{path: /web, upstream: '{0}'}}\n",
            upstream.url()
        ));
        return (Proxy::run(&[&["--config", &file], &log[..]].concat()), Box::new((directory, upstream)));
    }
    // Bound and not listening, and kept, so that no other test gets the port
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let url = match behind {
        Behind::Nothing => format!("http://{}", deaf.local_addr().unwrap()),
        Behind::NoName => "http://no-such-name.invalid".into(),
        Behind::Full => format!("http://{}", full.as_ref().unwrap().1),
        _ => upstream.url(),
    };
    let direction = if let Behind::Nothing = behind { "outbound" } else { "inbound" };
    let front = ["--listen", "127.0.0.1:0", "--direction", direction, "--upstream", &url];
    (Proxy::run(&[&front, &log[..], arguments].concat()), Box::new((upstream, full, deaf)))
}

/// A listener that never accepts, with clients that fill its queue, and its address
fn full_listener() -> ((tokio::net::TcpListener, Vec<TcpStream>), SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _guard = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let listener = socket.listen(1).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        clients.push(client);
    }
    ((listener, clients), address)
}

/// Reads the answer that a reason has, in every place where it stands.
#[track_caller]
fn refused(proxy: Proxy, mut client: Client, reason: &str, status: u16, ends: bool) {
    let answer = client.answer();
    assert_eq!(answer.status, status, "{reason}: {answer:#?}");
    let told = header(&answer.head, "proxy-status").unwrap_or_default();
    assert!(told.starts_with("sidekit-proxy; error="), "{reason}: {answer:#?}");
    assert!(told.ends_with(&format!("; details=\"{reason}\"")), "{reason}: {answer:#?}");
    assert_eq!(header(&answer.head, "connection") == Some("close"), ends, "{reason}: {answer:#?}");
    if status == 503 {
        assert!(header(&answer.head, "retry-after").is_some(), "{reason}: {answer:#?}");
    }
    if ends {
        assert!(client.is_closed(), "{reason}");
    }
    assert_eq!(proxy.refusals(reason), 1, "{reason}");
    drop(client);
    let log = proxy.stop().stdout;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<_> = lines.filter(|line| line["error.type"] == reason).collect();
    assert!(told.len() == 1 && told[0]["http.response.status_code"] == status, "{reason}: {log}");
}

#[test]
fn each_stands_in_the_answer_the_metric_and_the_access_log() {
    thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || {
                let (proxy, _behind) = start(case.behind, case.arguments);
                let mut client = proxy.client();
                client.try_send(&case.bytes);
                refused(proxy, client, case.reason, case.status, case.ends);
            });
        }
    });
}

#[test]
fn too_many_requests_at_once() {
    let (proxy, _behind) = start(Behind::Silent, &["--max-requests", "1", "--request-timeout", "5s"]);
    let mut first = proxy.client();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    harness::until("it is in flight", || (proxy.counted("http_server_active_requests") == 1).then_some(()));
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(proxy, client, "too-many-requests", 503, false);
    drop(first);
}

/// Reasons that other tests of this binary are about, because they need more than bytes
const ELSEWHERE: [&str; 17] = [
    "app-down",             // app_down.rs
    "bad-frames",           // http2.rs
    "bad-grpc-timeout",     // grpc/deadlines.rs
    "flood",                // http2_floods.rs
    "grpc-deadline",        // grpc/deadlines.rs
    "grpc-needs-http2",     // grpc/refusals.rs
    "memory",               // memory.rs
    "no-login",             // logins.rs
    "no-tls-files",         // upstream_tls.rs
    "plain-http",           // tls_handshakes.rs
    "stopping",             // grpc/drains.rs
    "too-many-requests",    // above
    "unknown-protocol",     // websockets_http2.rs
    "upstream-alert",       // upstream_tls.rs
    "upstream-certificate", // upstream_tls.rs
    "upstream-full",        // upstream_http2.rs
    "upstream-tls",         // upstream_tls.rs
];

#[test]
fn none_is_left_out() {
    let (proxy, _behind) = start(Behind::App, &[]);
    let page = harness::http::get(proxy.health, "/metrics").body;
    let reason = |line: &str| {
        let rest = line.strip_prefix("sidekit_proxy_refusals_total{reason=\"")?;
        Some(rest.split('"').next()?.to_owned())
    };
    let all: BTreeSet<_> = page.lines().filter_map(reason).collect();
    let tested: BTreeSet<_> = cases().iter().map(|case| case.reason).chain(ELSEWHERE).map(str::to_owned).collect();
    assert_eq!(all, tested);
    let readme = include_str!("../../README.md");
    for case in cases() {
        let row = readme.lines().find(|line| line.contains(&format!("`{}`", case.reason)) && line.starts_with("| `"));
        let row = row.unwrap_or_else(|| panic!("the README's table lacks {}", case.reason));
        assert!(row.contains(&format!("| {} |", case.status)), "{}: {row}", case.reason);
    }
}
