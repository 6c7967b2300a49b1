//! `--probe-pass`: the kubelet's probes reach the app, and nothing else does.
//!
//! Long because each kind of app needs a server of its own.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    thread,
    time::Duration,
};

use harness::Authority;

use crate::{
    certificates::Secret,
    client::{Answer, Client, header},
    http2_upstream::{Asked, Http2Upstream},
    support::{OK, Program, Proxy, Signal, proxy},
    tls_client::TlsSettings,
    tls_front::TlsFront,
    upstream::{Upstream, closed_port},
};

const PASS: [&str; 6] = ["--probe-addr", "127.0.0.1:0", "--probe-pass", "/healthz", "--probe-pass", "/ready?full=1"];

/// A proxy, and a client of its probe listener for each request
struct Probed {
    proxy: Proxy,
    address: std::net::SocketAddr,
}

impl Probed {
    fn start(upstream: &str, arguments: &[&str]) -> Self {
        let front = ["--listen", "127.0.0.1:0", "--upstream", upstream, "--direction", "inbound"];
        let mut proxy = Proxy::run(&[&front, &PASS[..], arguments].concat());
        let address = proxy.program.address("probe");
        Self { proxy, address }
    }

    fn ask(&self, request: &str) -> Answer {
        let mut client = Client::new(self.address);
        client.send(request);
        client.answer()
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 10.1.2.3:9491\r\nUser-Agent: kube-probe/1.34\r\n\r\n"))
    }
}

#[test]
fn named_paths_reach_the_app_and_its_answer_comes_back() {
    let upstream = Upstream::answering(
        "HTTP/1.1 418 Teapot\r\nX-App: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    let probed = Probed::start(&upstream.url(), &[]);
    let answer = probed.ask(
        "GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:9491\r\nX-Custom: 1\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: X-Away\r\nX-Away: 1\r\n\r\n",
    );
    assert_eq!((answer.status, answer.body.as_str()), (418, "ok"));
    assert_eq!((header(&answer.head, "x-app"), header(&answer.head, "x-hop")), (Some("1"), None));
    let request = upstream.only().to_lowercase();
    assert!(request.starts_with("get /healthz http/1.1\r\nhost: 10.1.2.3:9491\r\n"), "{request}");
    assert!(request.contains("x-custom: 1\r\n") && request.contains("x-forwarded-for: 127.0.0.1\r\n"), "{request}");
    assert!(!request.contains("x-away") && !request.contains("1.1.1.1"), "{request}");
    assert_eq!(probed.get("/ready?full=1").status, 418);
    probed.proxy.stop();
}

#[test]
fn head_passes() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let probed = Probed::start(&upstream.url(), &[]);
    let mut client = Client::new(probed.address);
    client.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && header(&head, "content-length") == Some("5"), "{head}");
    assert_eq!(client.rest(), "");
    assert!(upstream.only().starts_with("HEAD /healthz "));
    probed.proxy.stop();
}

#[test]
fn nothing_but_the_named_paths_passes() {
    let upstream = Upstream::answering(OK);
    let probed = Probed::start(&upstream.url(), &[]);
    for path in [
        "/",
        "/healthz/",
        "/healthz?x=1",
        "/healthz?",
        "/ready",
        "/ready?full=2",
        "/%68ealthz",
        "//healthz",
        "/admin/../healthz",
        "/healthz/../admin",
        "http://a/healthz",
        "http://10.1.2.3:9491/healthz",
    ] {
        assert_eq!(probed.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
        let answer = probed.ask(&format!("{method} /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status, header(&answer.head, "allow")), (405, Some("GET, HEAD")), "{method}");
    }
    for bad in ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Host: b\r\n\r\n"] {
        assert_eq!(probed.ask(&format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{bad}")).status, 400, "{bad}");
    }
    // A second request behind a probe is never read.
    let mut client = Client::new(probed.address);
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(client.is_closed());
    assert!(upstream.only().starts_with("GET /healthz "));
    probed.proxy.stop();
}

#[test]
fn an_app_that_is_down_or_closes_or_babbles_is_not_well() {
    let (closed, _socket) = closed_port();
    let probed = Probed::start(&format!("http://{closed}"), &[]);
    let answer = probed.get("/healthz");
    assert_eq!((answer.status, answer.body.as_str()), (503, "503 Service Unavailable: app-down\n"));
    assert!(header(&answer.head, "proxy-status").unwrap().contains("error=connection_refused"));
    probed.proxy.stop();

    for (script, reason) in [("", "upstream-closed"), ("babble\r\n\r\n", "upstream-closed")] {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write(script);
        });
        let probed = Probed::start(&upstream.url(), &[]);
        let answer = probed.get("/healthz");
        assert_eq!((answer.status, answer.body), (502, format!("502 Bad Gateway: {reason}\n")));
        probed.proxy.stop();
    }
    let endless = Upstream::start(|connection| {
        connection.request();
        connection.write("HTTP/1.1 200 OK\r\n\r\n");
        while connection.try_write([b'x'; 4096]) {}
    });
    let probed = Probed::start(&endless.url(), &[]);
    assert_eq!(probed.get("/healthz").body, "502 Bad Gateway: upstream-broken\n");
    probed.proxy.stop();
}

#[test]
fn the_app_is_probed_until_the_end_of_the_drain() {
    let upstream = Upstream::start(|connection| {
        let is_probe = connection.request().is_some_and(|request| request.starts_with("GET /healthz"));
        if !is_probe {
            thread::sleep(Duration::from_millis(1500));
        }
        connection.write(OK);
    });
    let probed = Probed::start(&upstream.url(), &[]);
    let mut client = probed.proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for_requests(1);
    probed.proxy.program.signal(Signal::TERM);
    harness::http::until_status(probed.proxy.health, "/readyz", 503);
    // After the listener has closed, while a request is still in flight.
    harness::until("the listener closes", || std::net::TcpStream::connect(probed.proxy.address).is_err().then_some(()));
    assert_eq!(probed.get("/healthz").status, 200);
    assert_eq!(client.answer().status, 200);
    let ended = probed.proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_crowd_of_idle_connections_does_not_lock_the_kubelet_out() {
    let upstream = Upstream::answering(OK);
    let probed = Probed::start(&upstream.url(), &[]);
    let _crowd: Vec<_> = (0..100).map(|_| Client::new(probed.address)).collect();
    assert_eq!(probed.get("/healthz").status, 200);
    probed.proxy.stop();
}

#[test]
fn probes_go_to_an_app_behind_an_inbound_listener() {
    let mut command = proxy(&[&["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1"], &PASS[..]].concat());
    let ended = harness::Program::start(command.args(["--direction", "outbound"])).end();
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(format!("{:?}", ended.log.last()).contains("needs an inbound listener"), "{ended:#?}");
    let entry = "- {address: '127.0.0.1:0', direction: outbound, routes: [{upstream: 'http://127.0.0.1:1'}]}";
    let (_directory, file) = harness::config_file(&format!("listeners:\n{entry}\n"));
    for question in [&["--config", &file][..], &["check", &file]] {
        let ended = Program::start(&mut proxy(&[&PASS[..], &["--drain-delay", "0s"], question].concat())).end();
        let is_named = ended.everything().contains("needs an inbound listener");
        assert!(ended.code == Some(78) && is_named, "{ended:#?}");
    }
}

#[test]
fn no_listener_shares_its_address_with_the_probes() {
    let pass = ["--probe-pass", "/healthz", "--probe-addr", "[::ffff:127.0.0.1]:8000"];
    let front = ["--listen", "127.0.0.1:8000", "--upstream", "http://127.0.0.1:1"];
    let ended = Program::start(&mut proxy(&[&front, &pass[..]].concat())).end();
    let is_named = ended.last_line().contains("--listen and --probe-addr are one address");
    assert!(ended.code == Some(64) && is_named, "{ended:#?}");
    let ended = Program::start(&mut proxy(&[&front[..], &["--probe-pass", "healthz"]].concat())).end();
    let is_named = ended.last_line().contains("invalid path of --probe-pass ");
    assert!(ended.code == Some(64) && is_named, "{ended:#?}");
    let entry = |address: &str| {
        format!("- {{address: '{address}', direction: inbound, routes: [{{upstream: 'http://127.0.0.1:1'}}]}}\n")
    };
    let (_directory, file) = harness::config_file(&format!("listeners:\n{}", entry("127.0.0.1:8000")));
    let ended = Program::start(&mut proxy(&[&["--config", &file], &pass[..]].concat())).end();
    let is_named = ended.last_line().contains("2:13: --probe-addr is this address");
    assert!(ended.code == Some(78) && is_named, "{ended:#?}");
    // Two listeners neither, however their address is written.
    let (_directory, file) = harness::config_file(&format!("listeners:\n{}{}", entry(":8000"), entry("[::]:8000")));
    let ended = Program::start(&mut proxy(&["--config", &file])).end();
    let is_named = ended.last_line().contains("3:13: another listener has this address");
    assert!(ended.code == Some(78) && is_named, "{ended:#?}");
}

#[test]
fn probes_pass_in_front_of_a_listener_that_requires_client_certificates() {
    let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
    let (shown, ca) = (secret.arguments(), secret.text("ca.crt"));
    let arguments: Vec<_> = shown.iter().map(String::as_str).chain(["--client-ca", &ca]).collect();
    let probed = Probed::start(&upstream.url(), &arguments);
    harness::http::until_status(probed.proxy.health, "/readyz", 200);
    assert_eq!(probed.get("/healthz").status, 200);
    assert_eq!(probed.get("/admin").status, 404);
    // A client without a certificate gets nowhere else.
    let without = TlsSettings::new(&secret.root).try_connect(probed.proxy.address, "app.example");
    let refused = without.and_then(|mut client| {
        client.stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: app.example\r\n\r\n")?;
        client.stream.read(&mut [0])
    });
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(upstream.requests().len(), 1);
    probed.proxy.stop();
}

#[test]
fn an_app_behind_tls_is_probed_in_the_version_that_it_agrees_on() {
    let authority = Authority::new();
    let http1 = Upstream::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nConnection: close\r\n\r\nh1");
    let http2 = Http2Upstream::start(|asked: Asked| async move { asked.ok("h2") });
    let config = authority.server(&["localhost"]);
    for (protocols, options, expected) in [
        (&["http/1.1"][..], "", (503, "h1")),
        (&["h2", "http/1.1"], "&http=1", (503, "h1")),
        (&["h2", "http/1.1"], "", (200, "h2")),
        (&["h2"], "&http=2", (200, "h2")),
    ] {
        let app = if expected.1 == "h1" { http1.address } else { http2.address };
        let front = TlsFront::before(app, &config, protocols);
        let probed = Probed::start(&format!("{}#ca={}{options}", front.url(), authority.ca()), &[]);
        let answer = probed.get("/healthz");
        assert_eq!((answer.status, answer.body.as_str()), expected, "{protocols:?} {options}");
        probed.proxy.stop();
    }
    let request = &http2.requests()[0];
    assert!(request.starts_with("GET https://10.1.2.3:9491/healthz\n"), "{request}");
    assert!(request.contains("x-forwarded-for: 127.0.0.1\n") && !request.contains("connection"), "{request}");

    // One that proves to be another is not asked.
    let front = TlsFront::before(http1.address, &Authority::new().server(&["localhost"]), &["http/1.1"]);
    let asked = http1.requests().len();
    let probed = Probed::start(&format!("{}#ca={}", front.url(), authority.ca()), &[]);
    assert_eq!(probed.get("/healthz").body, "502 Bad Gateway: upstream-certificate\n");
    assert_eq!(http1.requests().len(), asked);
    probed.proxy.stop();
}

#[test]
fn an_app_that_speaks_only_http2_is_probed() {
    let upstream = Http2Upstream::start(|asked: Asked| async move { asked.ok("h2") });
    let probed = Probed::start(&upstream.url(), &[]);
    let answer = probed.get("/ready?full=1");
    assert_eq!((answer.status, answer.body.as_str()), (200, "h2"));
    assert!(upstream.requests()[0].starts_with("GET http://10.1.2.3:9491/ready?full=1\n"));
    let babble: &str = "x".repeat(70_000).leak();
    let endless = Http2Upstream::start(move |asked: Asked| async move { asked.ok(babble) });
    probed.proxy.stop();
    let probed = Probed::start(&endless.url(), &[]);
    assert_eq!(probed.get("/healthz").body, "502 Bad Gateway: upstream-broken\n");
    probed.proxy.stop();
    let other = Upstream::answering(OK);
    let probed = Probed::start(&format!("{}#http=2", other.url()), &[]);
    assert_eq!(probed.get("/healthz").status, 502);
    probed.proxy.stop();
}

#[test]
fn an_app_behind_a_unix_socket_is_probed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let probed = Probed::start(&format!("http+unix://{}", path.display()), &[]);
    assert_eq!(probed.get("/healthz").body, "503 Service Unavailable: app-down\n");
    let listener = UnixListener::bind(&path).unwrap();
    let app = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let length = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
        length
    });
    assert_eq!(probed.get("/healthz").status, 200);
    assert!(app.join().unwrap() > 0);
    probed.proxy.stop();
}
