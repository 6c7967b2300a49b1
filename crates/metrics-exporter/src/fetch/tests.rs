//! Requests to servers whose answers the tests choose byte by byte.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{self, JoinHandle},
    time,
};

use super::*;
use crate::{
    page_memory::{PageMemory, Reserve},
    source::source_url::SourceUrl,
};

/// Long enough for a busy machine
const PATIENCE: Duration = Duration::from_secs(20);
const SIZE_LIMIT: usize = 1000;

/// For one body of a known size
fn memory() -> BodyMemory {
    PageMemory::new(usize::MAX).body(1, SIZE_LIMIT, &Reserve::default())
}

/// A server on loopback that answers one request with these bytes, and gives the head that it got
async fn server(answer: Vec<u8>) -> (Source, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let serving = task::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(&answer).await.ok();
        stream.shutdown().await.ok();
        head
    });
    (source(&url), serving)
}

/// In lower case
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn source(url: &str) -> Source {
    Source { name: "app".into(), client: SourceUrl::from_text(url).unwrap().client, rules: Vec::new() }
}

async fn fetched(answer: impl Into<Vec<u8>>) -> Result<Body, FetchFault> {
    let (source, _serving) = server(answer.into()).await;
    fetch(&source, false, None, PATIENCE, memory()).await.result
}

fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn gzip_answer(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Encoding: gzip\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn the_content_type_chooses_the_format_and_text_is_the_fallback() {
    for (headers, format) in [
        ("", PageFormat::Text),
        ("Content-Type:\r\n", PageFormat::Text),
        ("Content-Type: ;;\r\n", PageFormat::Text),
        ("Content-Type: text/plain\r\n", PageFormat::Text),
        ("Content-Type: text/plain; version=1.0.0\r\n", PageFormat::Text),
        ("Content-Type: application/json\r\n", PageFormat::Text),
        ("Content-Type: text/html; charset=utf-8\r\n", PageFormat::Text),
        ("Content-Type: Application/OpenMetrics-Text; version=1.0.0; charset=utf-8\r\n", PageFormat::OpenMetrics),
        (
            "Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n",
            PageFormat::Protobuf,
        ),
    ] {
        let body = fetched(answer(headers, "a 1\n")).await.unwrap();
        assert_eq!((body.format, body.bytes.as_slice()), (format, b"a 1\n".as_slice()), "{headers}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_page_has_a_reason() {
    let long = answer("", &"x".repeat(SIZE_LIMIT + 1));
    for (bytes, reason, text) in [
        (
            answer("Content-Type: text/html; charset=utf-8\r\n", "<html>"),
            Reason::NoMetrics,
            "a page for people (HTML), not metrics: does the path of the URL lead to metrics?",
        ),
        (answer("Content-Type: text/plain\r\n", "\n <!DOCTYPE html>"), Reason::NoMetrics, "a page for people (HTML)"),
        (
            answer("Content-Type: text/plain\r\n", "Active connections: 1 \nserver accepts\n"),
            Reason::NoMetrics,
            "this is nginx's stub_status page, not metrics: run an exporter that reads it",
        ),
        (
            answer("Content-Type: application/vnd.google.protobuf; encoding=text\r\n", ""),
            Reason::ContentType,
            "a form of protobuf that is not delimited messages of MetricFamily",
        ),
        (answer("Content-Encoding: br\r\n", "x"), Reason::BadEncoding, "an encoding other than gzip and zstd"),
        (
            answer("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "x"),
            Reason::BadEncoding,
            "an encoding other than gzip and zstd",
        ),
        (
            answer("Content-Encoding: gzip\r\n", "a 1\n"),
            Reason::BadEncoding,
            "its body is no page: its compressed data ends too early",
        ),
        ("HTTP/1.1 503 Gone\r\nContent-Length: 0\r\n\r\n".into(), Reason::HttpStatus, "it answers 503"),
        ("HTTP/1.1 204 None\r\n\r\n".into(), Reason::HttpStatus, "it answers 204"),
        (
            "HTTP/1.1 302 Away\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".into(),
            Reason::Redirect,
            "redirects are not followed: scrape the URL that it leads to",
        ),
        ("HTTP/1.1 508 Round\r\nContent-Length: 0\r\n\r\n".into(), Reason::Loop, "the URL leads back to this exporter"),
        (long, Reason::TooLarge, "its body is longer than 1000 bytes, the limit by --max-source-size"),
        (
            "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".into(),
            Reason::HttpStatus,
            "404 Not Found: does the path of the URL",
        ),
        (
            "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".into(),
            Reason::HttpStatus,
            "it asks for a login, which options of the URL",
        ),
        // Two lengths, in each form
        (
            answer("Transfer-Encoding: chunked\r\n", "4\r\na 1\n\r\n0\r\n\r\n"),
            Reason::TwoLengths,
            "two lengths, so where it ends is a guess",
        ),
        (answer("Content-Length: 4\r\n", "a 1\n"), Reason::TwoLengths, "two lengths, so where it ends is a guess"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\na 1\n".into(),
            Reason::TwoLengths,
            "two lengths, so where it ends is a guess",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\na 1\nb".into(), Reason::BadAnswer, ""),
        // Cut off
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na 1\n".into(), Reason::BadAnswer, ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na 1\n".into(), Reason::BadAnswer, ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n".into(), Reason::BadAnswer, ""),
        ("HTTP/1.1 200 OK\r\nContent-Le".into(), Reason::BadAnswer, ""),
        (String::new(), Reason::BadAnswer, ""),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), Reason::BadAnswer, ""),
    ] {
        let fault = fetched(bytes.clone()).await.unwrap_err();
        assert!(fault.reason == reason && fault.text.contains(text), "{fault:?} of {bytes}");
    }
}

#[tokio::test]
async fn the_last_line_needs_no_end_where_the_body_has_a_length() {
    assert_eq!(fetched(answer("", "a 1")).await.unwrap().bytes, b"a 1\n");
    assert_eq!(fetched(gzip_answer(&gzip(b"a 1"))).await.unwrap().bytes, b"a 1\n");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na 1\r\n0\r\n\r\n";
    assert_eq!(fetched(chunked).await.unwrap().bytes, b"a 1\n");
    assert_eq!(fetched(answer("", "")).await.unwrap().bytes, b"");
    // A body without a length may have been cut off, so it gets no newline.
    assert_eq!(fetched("HTTP/1.0 200 OK\r\n\r\na 1").await.unwrap().bytes, b"a 1");
    // Each of the other formats marks its end.
    let openmetrics = "Content-Type: application/openmetrics-text\r\n";
    assert_eq!(fetched(answer(openmetrics, "# EOF")).await.unwrap().bytes, b"# EOF");
}

#[tokio::test]
async fn a_body_that_is_compressed_unasked_is_read_within_the_limit() {
    assert_eq!(fetched(gzip_answer(&gzip(b"a 1\n"))).await.unwrap().bytes, b"a 1\n");
    let bomb = gzip(&vec![b'x'; 100 * SIZE_LIMIT]);
    assert!(bomb.len() < SIZE_LIMIT);
    assert_eq!(fetched(gzip_answer(&bomb)).await.unwrap_err().reason, Reason::TooLarge);
    let whole = gzip(b"a 1\n");
    assert_eq!(fetched(gzip_answer(&whole[..whole.len() - 4])).await.unwrap_err().reason, Reason::BadEncoding);
}

#[tokio::test]
async fn a_body_without_end_is_given_up_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = source(&format!("http://{}/", listener.local_addr().unwrap()));
    let endless = task::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(b"a 1\n").await.is_ok() {}
    });
    let fault = fetch(&source, false, None, PATIENCE, memory()).await.result.unwrap_err();
    assert_eq!(fault.reason, Reason::TooLarge);
    endless.await.unwrap();
}

#[tokio::test]
async fn a_source_that_is_silent_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = source(&format!("http://{}/", listener.local_addr().unwrap()));
    let limit = Duration::from_millis(50);
    let fetched = fetch(&source, false, None, limit, memory()).await;
    assert_eq!(fetched.result.unwrap_err().reason, Reason::TimedOut);
    assert!(fetched.duration >= limit);
}

/// The limit counts from the begin of the request, not from the last byte.
#[tokio::test]
async fn a_source_that_trickles_bytes_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = source(&format!("http://{}/", listener.local_addr().unwrap()));
    let trickling = task::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        let mut sent = 0;
        while stream.write_all(b"\n").await.is_ok() {
            sent += 1;
            time::sleep(Duration::from_millis(10)).await;
        }
        sent
    });
    let limit = Duration::from_millis(100);
    let fetched = fetch(&source, false, None, limit, memory()).await;
    assert_eq!(fetched.result.unwrap_err().reason, Reason::TimedOut);
    assert!(fetched.duration >= limit && fetched.duration < PATIENCE, "{:?}", fetched.duration);
    assert!(trickling.await.unwrap() < 1000, "the connection ends with the request");
}

#[tokio::test]
async fn a_request_has_the_accepted_formats_and_the_timeout() {
    let (source, serving) = server(answer("", "").into_bytes()).await;
    fetch(&source, false, None, Duration::from_millis(9500), memory()).await.result.unwrap();
    let head = serving.await.unwrap();
    for header in [
        "x-prometheus-scrape-timeout-seconds: 9.5\r\n",
        "accept-encoding: identity\r\n",
        "accept: application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    let (source, serving) = server(answer("", "").into_bytes()).await;
    fetch(&source, true, None, PATIENCE, memory()).await.result.unwrap();
    assert!(serving.await.unwrap().contains("accept: application/vnd.google.protobuf;"));
}
