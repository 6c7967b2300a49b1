//! The client against servers on loopback.

use std::sync::Arc;

use harness::Authority;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Long enough for a busy machine
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: usize = 1000;

/// A server that answers each connection with the same bytes and closes it
struct Server {
    port: u16,
    heads: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start(answer: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, received) = mpsc::unbounded_channel();
        task::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match &tls {
                    None => serve(stream, answer, &heads).await,
                    Some(tls) => {
                        if let Ok(stream) = TlsAcceptor::from(tls.clone()).accept(stream).await {
                            serve(stream, answer, &heads).await;
                        }
                    }
                }
            }
        });
        Self { port, heads: received }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str, heads: &mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    heads.send(String::from_utf8(head).unwrap()).unwrap();
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.ok();
}

fn get(url: Url) -> HttpRequest {
    HttpRequest { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new() }
}

async fn ask(url: &str) -> Result<HttpAnswer, Failure> {
    let client = HttpClient::from_text(url).unwrap();
    client.send(get(client.url().clone()), PATIENCE, LIMIT).await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{}";

#[tokio::test]
async fn a_login_goes_to_its_own_origin_only() {
    let (mut own, mut other) = (Server::start(OK, None).await, Server::start(OK, None).await);
    let text = format!("http://me:hunter2@127.0.0.1:{}/base/#header=X-Tenant: a", own.port);
    let client = HttpClient::from_text(&text).unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-tenant"), HeaderValue::from_static("b"))]);
    let request = HttpRequest { method: Method::POST, url: client.under("/v1/a"), headers, body: b"x".into() };
    let answer = client.send(request, PATIENCE, LIMIT).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, b"{}".as_slice()));
    assert_eq!(answer.headers["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
    let head = own.heads.recv().await.unwrap();
    assert!(head.starts_with("POST /base/v1/a HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Basic bWU6aHVudGVyMg==\r\n"), "{head}");
    assert!(head.contains("x-tenant: b\r\n") && !head.contains("x-tenant: a"), "{head}");
    client.send(get(format!("http://127.0.0.1:{}/", other.port).parse().unwrap()), PATIENCE, LIMIT).await.unwrap();
    let head = other.heads.recv().await.unwrap();
    assert!(!head.contains("authorization") && !head.contains("x-tenant"), "{head}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let mut server = Server::start("HTTP/1.1 307 See\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", None).await;
    let answer = ask(&format!("http://127.0.0.1:{}/a", server.port)).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (307, &HeaderValue::from_static("/b")));
    assert!(server.heads.recv().await.unwrap().starts_with("GET /a "));
    assert!(server.heads.try_recv().is_err(), "one request and no other");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_once_and_named() {
    let cut = Server::start("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", None).await;
    let closed = Server::start("HTTP/1.1 200 OK\r\nContent-Le", None).await;
    let noise = Server::start("SSH-2.0-OpenSSH\r\n", None).await;
    for mut server in [cut, closed, noise] {
        let failure = ask(&format!("http://127.0.0.1:{}/?token=hunter2", server.port)).await.unwrap_err();
        assert!(matches!(failure, Failure::Io { kind: ErrorKind::UnexpectedEof, .. }), "{failure:?}");
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert!(server.heads.recv().await.is_some() && server.heads.try_recv().is_err());
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(ask(&format!("http://127.0.0.1:{free}/")).await.unwrap_err(), Failure::Refused);
    let unknown = ask("http://no-such-name.invalid/").await.unwrap_err();
    assert!(matches!(unknown, Failure::UnknownName(_) | Failure::NoDnsAnswer(_)), "{unknown:?}");
}

#[tokio::test]
async fn an_answer_has_bounds_in_time_and_size() {
    let silent = Server::start("", None).await;
    let client = HttpClient::from_text(&format!("http://127.0.0.1:{}/", silent.port)).unwrap();
    let failure = client.send(get(client.url().clone()), Duration::from_millis(100), LIMIT).await.unwrap_err();
    assert_eq!(failure, Failure::Silent);
    let server = Server::start(OK, None).await;
    let client = HttpClient::from_text(&format!("http://127.0.0.1:{}/", server.port)).unwrap();
    let failure = client.send(get(client.url().clone()), PATIENCE, 1).await.unwrap_err();
    assert!(matches!(failure, Failure::Io { kind: ErrorKind::FileTooLarge, .. }), "{failure:?}");
}

#[tokio::test]
async fn tls_asks_for_another_name_and_keeps_the_host() {
    let authority = Authority::new();
    let mut server = Server::start(OK, Some(authority.server(&["vault.internal"]))).await;
    let url = format!("https://localhost:{}/", server.port);
    ask(&format!("{url}#sni=vault.internal&ca={}", authority.ca())).await.unwrap();
    let head = server.heads.recv().await.unwrap();
    assert!(head.contains(&format!("host: localhost:{}\r\n", server.port)), "{head}");
    let by_address = format!("https://127.0.0.1:{}/#sni=vault.internal&ca={}", server.port, authority.ca());
    ask(&by_address).await.unwrap();
    let failure = ask(&format!("{url}#ca={}", authority.ca())).await.unwrap_err();
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    let failure = ask(&format!("{url}#sni=vault.internal&ca=/no/such/file")).await.unwrap_err();
    assert!(matches!(failure, Failure::File { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_ca_that_changes_is_read_again() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::start(OK, Some(new.server(&["localhost"]))).await;
    let client = HttpClient::from_text(&format!("https://localhost:{}/#ca={}", server.port, old.ca())).unwrap();
    let failure = client.send(get(client.url().clone()), PATIENCE, LIMIT).await.unwrap_err();
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    std::fs::copy(new.ca(), old.ca()).unwrap();
    crate::read_files_again();
    client.send(get(client.url().clone()), PATIENCE, LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_ours_is_shown() {
    let authority = Authority::new();
    let server = Server::start(OK, Some(authority.server_for_known_clients(&["localhost"]))).await;
    let url = format!("https://localhost:{}/#ca={}", server.port, authority.ca());
    assert!(ask(&url).await.is_err());
    let (cert, key) = authority.identity_files(&["client"]);
    ask(&format!("{url}&cert={cert}&key={key}")).await.unwrap();
}

#[test]
fn wrong_urls_are_refused_without_their_secrets() {
    for (text, expected) in [
        ("ftp://a/", "this is not a URL of http:// or https://"),
        ("hunter2", "this is not a URL of http:// or https://"),
        ("http://a/#ca=/x", "option ca is for TLS only: write https://"),
        ("http://a/#user=x", "option user goes together with password-file or password-env"),
        ("https://a/#insecure&sni=10.0.0.1", "option sni: an address can't stand here"),
        ("https://a/#insecure&sni=b&env-proxy", "options sni and env-proxy exclude each other"),
        ("http://a/#header=Host: b", "option header: host is not yours to set"),
    ] {
        assert_eq!(HttpClient::from_text(text).unwrap_err(), expected, "{text}");
    }
    let unknown = HttpClient::from_text("https://a/#insecure&hunter2").unwrap_err();
    assert!(unknown.starts_with("https does not know option number 2") && !unknown.contains("hunter2"), "{unknown}");
}

#[tokio::test]
async fn a_post_without_a_body_says_so() {
    let mut server = Server::start(OK, None).await;
    let client = HttpClient::from_text(&format!("http://127.0.0.1:{}/", server.port)).unwrap();
    for (method, is_said) in [(Method::POST, true), (Method::PUT, true), (Method::GET, false)] {
        let request = HttpRequest { method, ..get(client.url().clone()) };
        client.send(request, PATIENCE, LIMIT).await.unwrap();
        let head = server.heads.recv().await.unwrap().to_lowercase();
        assert_eq!(head.contains("\r\ncontent-length: 0\r\n"), is_said, "{head}");
    }
}

#[test]
fn clients_that_differ_look_different_and_show_no_secret() {
    let shown = |text: &str| format!("{:?}", HttpClient::from_text(text).unwrap());
    let one = shown("http://me:hunter2@a/#header=X: sesame");
    assert_eq!(one, shown("http://me:hunter2@a/#header=X: sesame"));
    assert!(
        one.starts_with("HttpClient(\"http://a/\", ") && !one.contains("hunter2") && !one.contains("sesame"),
        "{one}"
    );
    for other in ["http://me:hunter3@a/#header=X: sesame", "http://me:hunter2@a/#header=X: sesame2", "http://a/"] {
        assert_ne!(one, shown(other));
    }
}

#[tokio::test]
async fn a_socket_is_asked_and_no_other_server() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let (heads, mut received) = mpsc::unbounded_channel();
    task::spawn(async move { serve(listener.accept().await.unwrap().0, OK, &heads).await });
    let text = format!("http+unix://{}:/metrics?a=b#header=X-Tenant: a", path.display());
    let client = HttpClient::from_text(&text).unwrap();
    assert_eq!(client.label(), format!("http+unix://{}:/metrics", path.display()));
    assert_eq!(client.origin(), format!("http+unix://{}", path.display()));
    let answer = client.send(get(client.url().clone()), PATIENCE, LIMIT).await.unwrap();
    assert_eq!(answer.body, b"{}");
    let head = received.recv().await.unwrap();
    assert!(head.starts_with("GET /metrics?a=b HTTP/1.1\r\n") && head.contains("x-tenant: a\r\n"), "{head}");
    let other = client.send(get("http://other/".parse().unwrap()), PATIENCE, LIMIT).await.unwrap_err();
    assert_eq!(other.to_string(), "a socket leads to one server only");
    assert!(HttpClient::from_text(&format!("{text}&env-proxy")).is_err());
    std::fs::remove_file(&path).unwrap();
    let gone = client.send(get(client.url().clone()), PATIENCE, LIMIT).await.unwrap_err();
    assert!(matches!(gone, Failure::Io { kind: ErrorKind::NotFound, .. }), "{gone:?}");
}
