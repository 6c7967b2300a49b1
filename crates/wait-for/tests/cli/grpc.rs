//! `grpc://`, `grpcs://`: the health protocol's Check answers SERVING.

use std::{io, net::TcpStream, os::unix::net::UnixListener, thread};

use http::StatusCode;

use crate::support::{
    Authority,
    h2::{Heard, Http2, Reply},
    http::{Http, status},
    never, proof, reason,
    server::{Server, hold},
};

/// The statuses of a health check's answer
const UNKNOWN: u8 = 0;
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
const SERVICE_UNKNOWN: u8 = 3;

fn grpc_reply(body: &[u8], code: &str) -> Reply {
    Reply {
        headers: vec![("content-type", "application/grpc".into())],
        body: body.to_vec(),
        trailers: vec![("grpc-status", code.into()), ("grpc-message", "as told".into())],
        ..Reply::default()
    }
}

fn health(status: u8) -> Reply {
    grpc_reply(&[0, 0, 0, 0, 2, 8, status], "0")
}

fn server(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> (Http2, String) {
    let server = Http2::start(None, script);
    let url = format!("grpc://{}", server.address);
    (server, url)
}

#[test]
fn a_server_that_serves_is_ready() {
    let (server, url) = server(|_| health(SERVING));
    assert_eq!(proof(&[&url]), "SERVING");
    let request = server.only();
    assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", &[0; 5][..]));
    assert!(request.uri.ends_with("/grpc.health.v1.Health/Check"), "{request:?}");
    let header = |name| request.headers[name].to_str().unwrap();
    assert_eq!((header("content-type"), header("te")), ("application/grpc", "trailers"));
}

#[test]
fn the_service_is_named_in_the_request() {
    let (_server, url) = server(|request| match request.body.get(5..) {
        Some(b"\x0a\x0amy.Service") => health(SERVING),
        _ => grpc_reply(&[], "5"),
    });
    assert_eq!(proof(&[&format!("{url}/my.Service")]), "SERVING");
    assert_eq!(reason(&[&format!("{url}/other")]), "the server does not know this service (NOT_FOUND)");
}

#[test]
fn any_other_status_is_not_ready() {
    for (status, said) in
        [(NOT_SERVING, "NOT_SERVING"), (UNKNOWN, "status UNKNOWN"), (SERVICE_UNKNOWN, "SERVICE_UNKNOWN")]
    {
        let (_server, url) = server(move |_| health(status));
        assert_eq!(reason(&[&url]), said);
    }
}

#[test]
fn a_server_without_health_service_ends_the_wait_at_once() {
    let (_server, url) = server(|_| grpc_reply(&[], "12"));
    let said = never(69, &[&url]);
    assert_eq!(said, "the server has no health service (UNIMPLEMENTED): check it by tcp:// instead");
}

#[test]
fn a_refused_login_ends_the_wait_at_once_and_a_missing_one_does_not() {
    for code in ["7", "16"] {
        let (_server, url) = server(move |_| grpc_reply(&[], code));
        let said = format!("login refused: gRPC status {code}: as told; are token and permissions right?");
        assert_eq!(never(77, &[&format!("{url}#header=Authorization: x")]), said);
        let remedy = "does the server want a login? then give token-file=PATH";
        assert_eq!(reason(&[&url]), format!("gRPC status {code}: as told; {remedy}"));
        assert!(reason(&["--not", &url]).starts_with("not proven gone: "));
    }
}

#[test]
fn a_proxy_in_front_refuses_a_login_by_its_status_of_http() {
    for (status, code) in [(StatusCode::UNAUTHORIZED, "16"), (StatusCode::FORBIDDEN, "7")] {
        let (_server, url) = server(move |_| Reply { status, ..Reply::default() });
        let said = format!("gRPC status {code}: HTTP {status}; ");
        assert!(never(77, &[&format!("{url}#header=Authorization: x")]).contains(&said));
        assert!(reason(&[&url]).starts_with(&said));
    }
}

#[test]
fn a_login_that_the_server_repeats_is_not_told() {
    let (_server, url) = server(|heard| {
        let mut reply = grpc_reply(&[], "16");
        reply.trailers[1].1 = format!("who is {}?", heard.headers["authorization"].to_str().unwrap());
        reply
    });
    let url = format!("{url}#header=Authorization: Bearer hunter2");
    assert_eq!(never(77, &[&url]), "login refused: gRPC status 16: who is …?; are token and permissions right?");
    // Percent-encoded, as the protocol has it for what is no ASCII
    let (_server, url) = server(|_| {
        let mut reply = grpc_reply(&[], "14");
        reply.trailers[1].1 = "who is%20 h%75nter%32, n%C3%A9?%0A".into();
        reply
    });
    let said = reason(&[&format!("{url}#header=Authorization: Bearer hunter2")]);
    assert_eq!(said, "gRPC status 14: who is  …, né?");
}

#[test]
fn any_other_code_is_not_ready() {
    let (_server, url) = server(|_| grpc_reply(&[], "14"));
    assert_eq!(reason(&[&url]), "gRPC status 14: as told");
}

#[test]
fn an_answer_in_the_headers_alone_is_read() {
    let (_server, url) = server(|_| Reply { headers: vec![("grpc-status", "5".into())], ..Reply::default() });
    assert_eq!(reason(&[&url]), "the server does not know this service (NOT_FOUND)");
}

#[test]
fn an_answer_that_is_no_grpc_is_not_ready() {
    let (_server, url) = server(|_| Reply { body: vec![b'.'; 10_000], ..Reply::default() });
    assert_eq!(reason(&[&url]), "the answer is not gRPC");
    let (_server, url) = server(|_| grpc_reply(b"?", "0"));
    assert_eq!(reason(&[&url]), "the answer is not gRPC");
    let plain = Http::start(|_| status("200 OK"));
    let said = reason(&[&format!("grpc://{}", plain.address)]);
    assert!(said.ends_with("does the server speak HTTP/2?"), "{said}");
}

#[test]
fn a_server_that_never_answers_costs_an_attempt_its_deadline() {
    let server = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &server.url("grpc")]), "no answer within 300ms");
}

#[test]
fn tls_is_spoken_for_grpcs() {
    let authority = Authority::new();
    let server = Http2::start(Some(authority.server(&["localhost"])), |_| health(SERVING));
    let url = format!("grpcs://localhost:{}#ca={}", server.address.port(), authority.ca());
    assert_eq!(proof(&[&url]), "SERVING");
    let stranger = Authority::new();
    let url = format!("grpcs://localhost:{}#ca={}", server.address.port(), stranger.ca());
    assert!(never(69, &[&url]).starts_with("the certificate is signed by an unknown authority"));
}

#[test]
fn another_name_is_asked_for_and_verified_as_told() {
    let authority = Authority::new();
    let server = Http2::start(Some(authority.server(&["api.example"])), |_| health(SERVING));
    let url = format!("grpcs://localhost:{}#sni=api.example&ca={}", server.address.port(), authority.ca());
    assert_eq!(proof(&[&url]), "SERVING");
}

#[test]
fn a_unix_socket_and_metadata() {
    let (server, _) = server(|_| health(SERVING));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let address = server.address;
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let upstream = TcpStream::connect(address).unwrap();
        let (mut there, mut back) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut back, &mut { client }));
        let _ = io::copy(&mut there, &mut { upstream });
    });
    let url = format!("grpc+unix://{}:/my.Service#header=x-tenant: blue", path.display());
    assert_eq!(proof(&[&url]), "SERVING");
    let request = server.only();
    assert_eq!(request.headers["x-tenant"], "blue");
    assert_eq!(request.body[5..], *b"\x0a\x0amy.Service");
}
