//! `proxy explain`: the answer is what the proxy then does.

use std::process::Command;

use harness::{Ended, Program};
use http::Request;

use crate::{
    certificates::Secret,
    http2_client::Http2,
    support::{OK, Proxy},
    upstream::Upstream,
};

fn explain(arguments: &[&str]) -> Ended {
    Program::start(Command::new(env!("CARGO_BIN_EXE_proxy")).args(arguments).env_clear()).end()
}

fn config(upstream: &str) -> String {
    format!(
        "listeners:
- name: front
  address: 127.0.0.1:0
  direction: inbound
  trusted-proxies: [10.0.0.0/8]
  routes:
  - name: api
    host: shop.example
    path: /api
    upstream: {{url: '{upstream}', header-file: 'X-Api-Key:/run/keys/api'}}
    request-headers: {{remove: [X-Debug], set: {{X-Env: hunter2}}}}
    response-headers: {{remove: [Server]}}
  - name: web
    upstream: '{upstream}'
- name: out
  address: 127.0.0.1:9000
  direction: outbound
  routes:
  - upstream: http://api.example
"
    )
}

#[test]
fn it_says_listener_route_login_rules_and_head() {
    let (_directory, file) = harness::config_file(&config("http://127.0.0.1:8081"));
    let url = "http://shop.example/api/x?token=hunter2";
    let client = [
        "-H",
        "Authorization: Bearer hunter2",
        "-H",
        "X-Debug:1",
        "-H",
        "X-Forwarded-For: 1.1.1.1",
        "-H",
        "X_Api_Key: hunter2",
    ];
    let asked = [&["--config", &file, "explain", "--listener", "front", "--from", "10.0.0.7", "GET", url], &client[..]];
    let ended = explain(&asked.concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    assert!(!ended.stdout.contains("x_api_key"), "{}", ended.stdout);
    let expected = "listener: front (inbound, 127.0.0.1:0)
clients: HTTP/1.1, or HTTP/2 by prior knowledge, without TLS
route: api (shop.example, /api)
upstream: http://127.0.0.1:8081
speaks: HTTP/1.1, without TLS
login: x-api-key from /run/keys/api
request-headers: removes x-debug, sets x-env
response-headers: removes server
sends: GET /api/x?… HTTP/1.1
";
    assert!(ended.stdout.starts_with(expected), "{}", ended.stdout);
    for header in [
        "host: shop.example",
        "x-forwarded-for: 1.1.1.1, 10.0.0.7",
        "forwarded: for=1.1.1.1, for=10.0.0.7;host=shop.example;proto=http",
        "via: 1.1 sidekit-proxy",
        "authorization: …",
        "x-env: …",
        "x-api-key: …",
    ] {
        assert!(
            ended.stdout.contains(&format!("\n  {header}\n")) || ended.stdout.ends_with(&format!("\n  {header}\n"))
        );
    }
    assert!(!ended.stdout.contains("  x-debug"), "{}", ended.stdout);
}

#[test]
fn a_refusal_is_65_and_the_same_as_that_of_the_proxy() {
    let upstream = Upstream::answering(OK);
    let (_directory, file) = harness::config_file(&config(&upstream.url()));
    let proxy = Proxy::run(&["--config", &file]);
    let mut client = proxy.client();
    for (method, target, header) in [
        ("GET", "/api%2Fx", "Host: shop.example"),
        ("TRACE", "/", "Host: a"),
        ("GET", "/", "Host: a b"),
        ("GET", "/", "X: no host"),
        ("GET", "*", "Host: a"),
        ("GET", "/", "Transfer-Encoding: gzip, chunked\r\nHost: a"),
        ("GET", "/web", "Host: a"),
        ("OPTIONS", "*", "Host: a\r\nMax-Forwards: 0"),
    ] {
        client.try_send(format!("{method} {target} HTTP/1.1\r\n{header}\r\n\r\n"));
        let answer = client.answer();
        if answer.status >= 400 {
            client = proxy.client();
        }
        let headers: Vec<_> = header.split("\r\n").flat_map(|header| ["-H", header]).collect();
        let asked = [&["explain", "--config", &file, "--listener", "front", method, target], &headers[..]].concat();
        let ended = explain(&asked);
        if answer.status >= 400 {
            let name = answer.body.trim().rsplit(' ').next().unwrap();
            let refused = format!("refused: {} {name}", answer.status);
            ended.ended_with(65, &format!("reason=data last=\"{refused}\""));
            assert!(ended.stdout.ends_with(&format!("{refused}\n")), "{ended:#?}");
        } else {
            assert_eq!(
                (ended.code, ended.stdout.contains("answered: 204")),
                (Some(0), answer.status == 204),
                "{ended:#?}"
            );
        }
    }
}

#[test]
fn over_http2_it_says_the_same_as_the_proxy() {
    let upstream = Upstream::answering(OK);
    let route = |path: &str, more: &str| format!("{{path: {path}, upstream: {{url: '{}'{more}}}}}", upstream.url());
    let (_directory, file) = harness::config_file(&format!(
        "listeners:\n- {{address: '127.0.0.1:0', direction: inbound, routes: [{}, {}]}}\n",
        route("/a", ""),
        route("/two", ", http: 2")
    ));
    let proxy = Proxy::run(&["--config", &file]);
    let mut client = Http2::new(proxy.address);
    for (method, path, name, value) in [
        ("GET", "/a", "x", "1"),
        ("GET", "/a", "te", "trailers"),
        ("GET", "/a", "host", "other"),
        ("GET", "/a//b", "x", "1"),
        ("GET", "/none", "x", "1"),
        ("TRACE", "/a", "x", "1"),
        ("OPTIONS", "/a", "max-forwards", "0"),
        ("POST", "/a", "content-type", "application/grpc"),
    ] {
        let request = Request::builder().method(method).uri(format!("http://app{path}")).header(name, value);
        let answer = client.request(request.body(()).unwrap(), "");
        let (url, field) = (format!("http://app{path}"), format!("{name}: {value}"));
        let ended = explain(&["explain", "--config", &file, "--http2", method, &url, "-H", &field]);
        let is_refused = answer.status >= 400 || answer.headers.contains_key("grpc-status");
        if is_refused {
            let refused = format!("\nrefused: {} {}", answer.status, answer.reason());
            assert!(ended.code == Some(65) && ended.stdout.contains(&refused), "{ended:#?} {answer:#?}");
        } else {
            let said = if answer.status == 204 { "answered: 204" } else { "\nsends: GET /a HTTP/1.1\n  " };
            assert!(ended.code == Some(0) && ended.stdout.contains(said), "{ended:#?} {answer:#?}");
        }
    }
    let stdout = |arguments: &[&str]| explain(&[&["explain", "--config", &file, "--http2"], arguments].concat()).stdout;
    // h2 refuses these by itself; `http2` has the same cases with raw frames.
    for (field, why) in [
        ("Connection: close", "HTTP/2 has no connection"),
        ("Upgrade: websocket", "HTTP/2 has no upgrade"),
        ("TE: gzip", "te may only be trailers"),
    ] {
        let refused = format!("\nrefused: bad-head, by a reset of the stream (PROTOCOL_ERROR): {why}\n");
        let said = stdout(&["GET", "http://app/a", "-H", field]);
        assert!(said.ends_with(&refused), "{said}");
    }
    let said = stdout(&["POST", "http://app/two", "-H", "Content-Type: application/grpc"]);
    assert!(said.contains("\nsends: POST /two HTTP/2\n  :scheme: http\n  :authority: app\n"), "{said}");
    let connect = |path, protocol| stdout(&["--protocol", protocol, "CONNECT", path]);
    let said = connect("http://app/a", "websocket");
    let expected = "\nopens: a tunnel, once the upstream answers with 101 for a protocol that was asked for\n\
                    sends: GET /a HTTP/1.1\n";
    assert!(said.contains(expected) && said.contains("\n  sec-websocket-key: …\n"), "{said}");
    assert!(said.contains("\n  connection: upgrade\n") && said.contains("\n  upgrade: websocket\n"), "{said}");
    for (path, protocol, reason) in [
        ("http://app/a", "connect-udp", "501 unknown-protocol"),
        ("http://app/two", "websocket", "501 unknown-protocol"),
    ] {
        assert!(connect(path, protocol).ends_with(&format!("\nrefused: {reason}\n")), "{path} {protocol}");
    }
    let usage = explain(&["explain", "--config", &file, "--protocol", "websocket", "CONNECT", "http://app/a"]);
    assert_eq!(usage.code, Some(64), "{usage:#?}");
}

#[test]
fn an_upgrade_is_explained_as_the_tunnel_that_it_opens() {
    let (_directory, file) = harness::config_file(&config("http://127.0.0.1:8081"));
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let asked = |fields: &[&str]| {
        let fields: Vec<_> = fields.iter().flat_map(|field| ["-H", field]).collect();
        let arguments = ["explain", "--config", &file, "--listener", "front", "GET", "http://other/"];
        explain(&[&arguments[..], &fields].concat())
    };
    let ended = asked(&["Connection: Upgrade", "Upgrade: websocket", key]);
    let said = &ended.stdout;
    assert!(said.contains("\nopens: a tunnel") && said.contains("\n  upgrade: websocket\n"), "{ended:#?}");
    let ended = asked(&["Connection: Upgrade", "Upgrade: websocket"]);
    assert!(ended.code == Some(65) && ended.stdout.ends_with("\nrefused: 400 bad-upgrade\n"), "{ended:#?}");
}

#[test]
fn flags_are_explained_too_and_the_listener_follows_from_the_port() {
    let flags = ["--listen", ":8000", "--upstream", "http://127.0.0.1:1#token-env=NO_SUCH"];
    assert_eq!(explain(&[&flags[..], &["explain", "GET", "/"]].concat()).code, Some(64));
    let flags = ["--listen", ":8000", "--upstream", "http://api.example:81"];
    let ended = explain(&[&flags[..], &["explain", "GET", "http://anything/x"]].concat());
    assert!(ended.code == Some(0) && ended.stdout.contains("\n  host: api.example:81\n"), "{ended:#?}");
    let (_directory, file) = harness::config_file(&config("http://127.0.0.1:8081"));
    let ended = explain(&["explain", "--config", &file, "GET", "http://localhost:9000/x"]);
    assert!(ended.stdout.starts_with("listener: out (outbound, 127.0.0.1:9000)\n"), "{ended:#?}");
    let ended = explain(&["explain", "--config", &file, "GET", "http://localhost/x"]);
    ended.ended_with(64, "reason=usage last=\"say which listener by --listener: front, out\"");
    for wrong in [["GET", "http://a b/hunter2"], ["GET hunter2", "/"]] {
        let ended = explain(&[&flags[..], &["explain"], &wrong[..]].concat());
        assert!(ended.code == Some(64) && !ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn tls_and_the_versions_of_http_are_said_for_both_sides() {
    let (first, second) = (Secret::with(&["app.example", "*.shop.example"]), Secret::new());
    let other = second.sign(&["other.example"], |_| ());
    second.publish("..1", &other);
    let pair = |secret: &Secret| format!("{{cert: '{}', key: '{}'}}", secret.text("tls.crt"), secret.text("tls.key"));
    let (ca, cert, key) = (first.text("ca.crt"), first.text("tls.crt"), first.text("tls.key"));
    let text = format!(
        "listeners:
- name: front
  address: 127.0.0.1:443
  direction: inbound
  tls: {{certificates: [{}, {}], client-ca: '{ca}'}}
  routes:
  - upstream: {{url: 'https://api.example:8443', sni: inner.example, ca: '{ca}', cert: '{cert}', key: '{key}'}}
  - {{path: /calls, upstream: {{url: 'http://127.0.0.1:1', http: 2}}}}
- {{address: '127.0.0.1:80', direction: inbound, routes: [{{upstream: 'http://127.0.0.1:1'}}]}}
",
        pair(&first),
        pair(&second)
    );
    let (_directory, file) = harness::config_file(&text);
    let asked = |url: &str| {
        let ended = explain(&["explain", "--config", &file, "GET", url]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended.stdout
    };
    let answer = asked("https://other.example/x?q");
    for line in [
        "clients: TLS 1.2 or 1.3; HTTP/2 or HTTP/1.1 by ALPN",
        &format!("client-certificate: required, from an authority of {ca}"),
        "upstream: https://api.example:8443",
        "speaks: TLS; HTTP/2 where the upstream agrees by ALPN, otherwise HTTP/1.1",
        &format!("trusts: a certificate for inner.example from an authority of {ca}"),
        &format!("shows: the certificate in {cert}"),
        "sends: GET /x?… HTTP/1.1",
        "  host: other.example",
        "  x-forwarded-proto: https",
        "sends: GET /x?… HTTP/2",
        "  :scheme: https",
        "  :authority: other.example",
    ] {
        assert!(answer.lines().any(|said| said == line), "{line}: {answer}");
    }
    let shown = format!("\ncertificate: other.example in {}, expires in ", second.text("tls.crt"));
    let fingerprint = format!(" days, SHA-256 {}\n", other.fingerprint());
    assert!(answer.contains(&shown) && answer.contains(&fingerprint), "{answer}");

    // A wildcard, and the first certificate for every other name.
    for url in ["https://a.shop.example/calls/x", "https://unknown.example/calls/x", "https://127.0.0.1/calls/x"] {
        let answer = asked(url);
        assert!(answer.contains(&format!("\ncertificate: app.example, *.shop.example in {cert}, ")), "{answer}");
        assert!(answer.contains("\nspeaks: HTTP/2 by prior knowledge, without TLS\n"), "{answer}");
        assert!(!answer.contains(" HTTP/1.1\n  "), "{answer}");
        assert!(answer.contains("\nsends: GET /calls/x HTTP/2\n  :scheme: http\n"), "{answer}");
    }

    for (url, listener, reason, remedy) in [
        ("http://app.example/", "front", "plain-http", "this listener speaks TLS: write https://"),
        ("https://app.example/", "127.0.0.1:80", "bad-head", "this listener speaks no TLS: write http://"),
    ] {
        let ended = explain(&["explain", "--config", &file, "--listener", listener, "GET", url]);
        ended.ended_with(65, &format!("reason=data last=\"refused: 400 {reason}\""));
        assert!(ended.stdout.contains(&format!("\nscheme: {remedy}\n")), "{ended:#?}");
    }

    std::fs::write(&key, other.key).unwrap();
    let ended = explain(&["explain", "--config", &file, "GET", "https://app.example/"]);
    let fault = format!("fault: {key} is not the key of the first certificate in {cert}: ");
    ended.ended_with(78, &format!("reason=config last=\"{fault}"));
    assert!(ended.stdout.contains("\ncertificate: none\n"), "{ended:#?}");
    assert!(ended.stdout.contains("\nfault: options cert and key: "), "{ended:#?}");
    assert!(asked("http://app.example/").contains("\nclients: HTTP/1.1, or HTTP/2 by prior knowledge, without TLS\n"));
}
