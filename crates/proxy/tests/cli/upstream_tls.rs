//! Upstreams behind TLS: the authorities that the proxy trusts, the certificate that it shows, the
//! version that it agrees on.

mod connections;

use std::{
    fs,
    io::Read,
    net::TcpListener,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use harness::{Authority, until};
use rustls::ServerConfig;

use crate::{
    client::header,
    http2_upstream::{Asked, Http2Upstream},
    support::{OK, Program, Proxy, proxy},
    tls_front::TlsFront,
    upstream::Upstream,
    websocket::{GOING_AWAY, chatting, masked, open, plain},
};

const HTTP1: &[&str] = &["http/1.1"];
const BOTH: &[&str] = &["h2", "http/1.1"];

/// A proxy before this server, which trusts the authority
fn before(front: &TlsFront, authority: &Authority, options: &str, arguments: &[&str]) -> Proxy {
    let url = format!("{}#ca={}{options}", front.url(), authority.ca());
    let listen = ["--listen", "127.0.0.1:0", "--direction", "inbound", "--upstream", &url];
    Proxy::run(&[&listen, arguments].concat())
}

fn localhost(authority: &Authority) -> Arc<ServerConfig> {
    authority.server(&["localhost"])
}

#[test]
fn the_version_is_agreed_on_and_the_scheme_is_right() {
    let authority = Authority::new();
    let http2 = Http2Upstream::start(|asked: Asked| async move { asked.ok("h2") });
    let http1 = Upstream::answering(OK);
    let config = localhost(&authority);
    for (offered, options, body) in [
        (BOTH, "", "h2"),
        (BOTH, "&http=auto", "h2"),
        (BOTH, "&http=2", "h2"),
        (BOTH, "&http=1", "ok"),
        (HTTP1, "", "ok"),
        // Without ALPN it is HTTP/1.1 (RFC 9113, section 3.2).
        (&[], "", "ok"),
    ] {
        let inner = if body == "h2" { http2.address } else { http1.address };
        let front = TlsFront::before(inner, &config, offered);
        let proxy = before(&front, &authority, options, &[]);
        let answer = proxy.client().get("/a");
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{offered:?} {options}");
        proxy.stop();
    }
    assert!(http2.requests()[0].starts_with("GET https://app/a\n"), "{:?}", http2.requests());
}

#[test]
fn outbound_the_authority_is_the_upstreams() {
    let authority = Authority::new();
    let http2 = Http2Upstream::start(|asked: Asked| async move { asked.ok("h2") });
    let front = TlsFront::before(http2.address, &localhost(&authority), BOTH);
    let url = format!("{}#ca={}", front.url(), authority.ca());
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--direction", "outbound", "--upstream", &url]);
    assert_eq!(proxy.client().get("/a").body, "h2");
    assert!(http2.requests()[0].starts_with(&format!("GET {}/a\n", front.url())), "{:?}", http2.requests());
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new();
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
    let proxy = before(&front, &authority, "", &[]);
    for _ in 0..5 {
        assert_eq!(proxy.client().get("/").status, 200);
    }
    assert_eq!(front.handshakes(), (1, 4));
}

#[test]
fn each_fault_of_a_handshake_has_a_name_and_a_remedy() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::answering(OK);
    let (cert, key) = other.identity_files(&["client"]);
    let gone = format!("&cert={cert}.gone&key={key}");
    for (config, options, reason, kind, remedy) in [
        (localhost(&other), "", "upstream-certificate", "tls_certificate_error", "no authority in /"),
        (
            authority.expired_server(),
            "",
            "upstream-certificate",
            "tls_certificate_error",
            "has expired: it ended at 20",
        ),
        (
            authority.server(&["other"]),
            "",
            "upstream-certificate",
            "tls_certificate_error",
            "is for other, and not for localhost: ",
        ),
        (authority.server_for_known_clients(&["localhost"]), "", "upstream-alert", "tls_alert_received", "cert=PATH"),
        (localhost(&authority), "&http=2", "upstream-alert", "tls_alert_received", "write http=auto"),
        (localhost(&authority), &gone, "no-tls-files", "proxy_configuration_error", "option cert"),
    ] {
        let front = TlsFront::before(upstream.address, &config, HTTP1);
        let mut proxy = before(&front, &authority, options, &[]);
        let answer = proxy.client().get("/");
        let status = if reason == "no-tls-files" { 503 } else { 502 };
        assert_eq!(answer.status, status, "{answer:?}");
        let expected = format!("sidekit-proxy; error={kind}; details=\"{reason}\"");
        assert_eq!(header(&answer.head, "proxy-status"), Some(&*expected), "{answer:?}");
        let line = proxy.program.wait_for_message("no connection to an upstream");
        assert_eq!(line["upstream"], format!("localhost:{}", front.address.port()), "{line:?}");
        assert!(line["reason"].as_str().unwrap().contains(remedy), "{line:?}");
        // The same reason is logged once.
        for _ in 0..3 {
            assert_eq!(proxy.client().get("/").status, status);
        }
        assert_eq!(proxy.refusals(reason), 4, "{reason}");
        let log = proxy.stop().log;
        let lines = log.iter().filter(|line| line["message"] == "no connection to an upstream").count();
        assert_eq!(lines, 1, "{reason}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_connection_that_is_closed_in_its_handshake_is_tried_three_times() {
    // A listener that closes resets the connections that it has not accepted, and a server that ends closes the others.
    for resets in [true, false] {
        let upstream = Upstream::start(move |connection| {
            let hello = (&connection.stream).read(&mut [0; 16 * 1024]).unwrap();
            assert!(hello > 0);
            let linger = resets.then_some(Duration::ZERO);
            socket2::SockRef::from(&connection.stream).set_linger(linger).unwrap();
        });
        let url = upstream.url().replace("http:", "https:");
        let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &url]);
        assert_eq!(proxy.client().get("/").status, 502);
        assert_eq!((upstream.connections(), proxy.refusals("upstream-closed")), (3, 1), "{resets}");
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n");
        assert_eq!(client.answer().status, 502);
        assert_eq!((upstream.connections(), proxy.refusals("upstream-closed")), (6, 2), "{resets}");
    }
}

#[test]
fn with_insecure_any_certificate_does_and_the_log_warns() {
    const WARNING: &str = "the certificate of an upstream is not verified, because of the option insecure: \
                           name its authority with ca=PATH instead";
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::answering(OK);
    for config in [localhost(&other), authority.expired_server(), authority.server(&["other"])] {
        let front = TlsFront::before(upstream.address, &config, HTTP1);
        let proxy = before(&front, &authority, "&insecure", &[]);
        assert_eq!(proxy.client().get("/").status, 200);
        let ended = proxy.stop();
        let line = ended.message(WARNING);
        assert_eq!((&line["level"], &line["upstream"]), (&"WARN".into(), &front.url().into()), "{line:?}");
    }
    let front = TlsFront::before(upstream.address, &localhost(&authority), HTTP1);
    let ended = before(&front, &authority, "", &[]).stop();
    assert!(ended.messages(WARNING).is_empty(), "{ended:#?}");
}

#[test]
fn an_upgrade_goes_over_http1_to_an_upstream_that_offers_http2() {
    let authority = Authority::new();
    let upstream = chatting();
    let front = TlsFront::before(upstream.address, &localhost(&authority), BOTH);
    let proxy = before(&front, &authority, "", &[]);
    let mut client = open(proxy.client());
    let request = upstream.only().to_lowercase();
    assert!(request.contains("\r\nupgrade: websocket\r\n"), "{request}");
    client.send(masked(1, b"hi"));
    assert_eq!(client.raw(4), plain(1, b"hi"));
    client.send(masked(8, &GOING_AWAY[2..]));
    assert_eq!(client.raw(4), GOING_AWAY);
    assert!(client.is_closed());
    upstream.wait_for_closed(1);
    drop(client);
    until("the tunnel has ended", || (proxy.counted("sidekit_proxy_tunnels") == 0).then_some(()));
}

#[test]
fn a_plain_server_is_told_from_one_that_speaks_tls() {
    let authority = Authority::new();
    let upstream = Upstream::start(|connection| {
        connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.request();
    });
    let url = format!("https://localhost:{}#ca={}", upstream.address.port(), authority.ca());
    let mut proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--direction", "inbound", "--upstream", &url]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, proxy.refusals("upstream-tls")), (502, 1), "{answer:?}");
    let line = proxy.program.wait_for_message("no connection to an upstream");
    assert!(line["reason"].as_str().unwrap().contains("write http://"), "{line:?}");
}

#[test]
fn a_server_that_says_nothing_in_the_handshake_is_504() {
    let authority = Authority::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}#ca={}", silent.local_addr().unwrap().port(), authority.ca());
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--direction", "inbound", "--upstream", &url]);
    let begun = Instant::now();
    assert_eq!((proxy.client().get("/").status, proxy.refusals("upstream-unreachable")), (504, 1));
    assert!((4..8).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[test]
fn a_client_certificate_is_shown_and_followed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let front = TlsFront::before(upstream.address, &authority.server_for_known_clients(&["localhost"]), HTTP1);
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    let show = |authority: &Authority| {
        let identity = authority.identity("client");
        fs::write(&cert, identity.certificate).unwrap();
        fs::write(&key, identity.key).unwrap();
    };
    show(&other);
    let options = format!("&cert={}&key={}&sni=localhost", cert.display(), key.display());
    let proxy = before(&front, &authority, &options, &[]);
    assert_eq!((proxy.client().get("/").status, proxy.refusals("upstream-alert")), (502, 1));
    show(&authority);
    until("the new certificate is shown", || (proxy.client().get("/").status == 200).then_some(()));
    // A half of a new pair is no reason to give up the good one.
    fs::write(&key, other.identity("client").key).unwrap();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(proxy.client().get("/").status, 200);
}

#[test]
fn the_start_waits_for_a_handshake_that_succeeds() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::answering(OK);
    let front = TlsFront::before(upstream.address, &localhost(&other), HTTP1);
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    fs::write(&ca, authority.certificate()).unwrap();
    let url = format!("{}#ca={}", front.url(), ca.display());
    let front = ["--listen", "127.0.0.1:0", "--direction", "outbound", "--hold-start", "--upstream", &url];
    let mut program = Program::start(&mut proxy(&front));
    let health = program.address("health");
    let line = program.wait_for_message("waiting for the first upstream");
    assert!(line["last"].as_str().unwrap().contains("ca=PATH"), "{line:?}");
    assert_eq!(harness::http::get(health, "/startupz").status, 503);
    fs::write(&ca, other.certificate()).unwrap();
    program.wait_for_message("listening");
    harness::http::until_status(health, "/startupz", 200);
}

#[test]
fn an_app_that_is_down_is_waited_for_behind_tls_too() {
    let authority = Authority::new();
    let upstream = Upstream::answering(OK);
    let port = {
        // Free again at once: nothing has connected to it.
        TcpListener::bind("127.0.0.9:0").unwrap().local_addr().unwrap()
    };
    let url = format!("https://127.0.0.9:{}#ca={}&sni=localhost", port.port(), authority.ca());
    let arguments = ["--listen", "127.0.0.1:0", "--direction", "inbound", "--upstream", &url, "--app-down", "queue"];
    let proxy = Proxy::run(&arguments);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    until("the request waits", || (proxy.active() == 1).then_some(()));
    thread::sleep(Duration::from_millis(300));
    let _front = TlsFront::on(TcpListener::bind(port).unwrap(), upstream.address, &localhost(&authority), HTTP1);
    assert_eq!(client.answer().body, "ok");
    assert_eq!(upstream.requests().len(), 1);
}
