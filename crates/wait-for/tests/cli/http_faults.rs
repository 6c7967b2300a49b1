//! HTTP servers whose answer is none: it breaks off, is one of another protocol, or cannot be read.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use crate::support::{
    http::{always, response},
    reason, run,
    server::{Server, hold},
};

/// An HTTP/2 frame without flags but those given (RFC 9113, section 4.1)
fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A server of HTTP/2 that answers the first request with these frames.
fn http2(frames: Vec<u8>) -> Server {
    Server::start(move |mut stream, _| {
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[]));
        if read_request(&mut stream).is_ok() {
            let _ = stream.write_all(&frames);
            let _ = stream.shutdown(Shutdown::Write);
        }
        hold(stream);
    })
}

/// Reads up to the headers of a request.
fn read_request(stream: &mut TcpStream) -> std::io::Result<()> {
    const PREFACE: usize = 24;
    stream.read_exact(&mut [0; PREFACE])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length])?;
        if head[3] == HEADERS {
            return Ok(());
        }
    }
}

#[test]
fn an_end_that_an_http2_server_names_is_told() {
    for (frames, words) in [
        (frame(RST_STREAM, 0, 1, &[0, 0, 0, 7]), "the server takes no request now (HTTP/2 REFUSED_STREAM)"),
        (frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]), "the server breaks its answer off (HTTP/2 INTERNAL_ERROR)"),
        (frame(RST_STREAM, 0, 1, &[0, 0, 0, 13]), "the server answers this by HTTP/1.1 alone: leave http2 out"),
        (
            frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0]),
            "the server ends the connection before its answer is whole (HTTP/2 NO_ERROR)",
        ),
    ] {
        assert_eq!(reason(&[&format!("{}#http2", http2(frames).url("http"))]), words);
    }
}

#[test]
fn an_http2_server_that_asks_for_fewer_requests_is_asked_slowly() {
    let server = http2(frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]));
    let ended = run(&["--timeout", "2s", &format!("{}#http2", server.url("http"))]);
    assert!(ended.last_line().contains("the server asks for fewer requests (HTTP/2 ENHANCE_YOUR_CALM)"), "{ended:#?}");
    // At least a second apart
    assert!(server.accepted() <= 2, "{}", server.accepted());
}

#[test]
fn a_body_of_http2_that_breaks_off_is_not_ready() {
    const STATUS_200: u8 = 0x88;
    let server = http2([frame(HEADERS, END_HEADERS, 1, &[STATUS_200]), frame(DATA, 0, 1, b"up")].concat());
    let said = reason(&[&format!("{}#http2&body=up", server.url("http"))]);
    assert_eq!(said, "closed before its answer was whole");
    assert_eq!(reason(&[&format!("{}#not", server.url("grpc"))]), format!("not proven gone: {said}"));
}

#[test]
fn a_server_of_http2_alone_is_named() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]));
        hold(stream);
    });
    assert_eq!(reason(&[&server.url("http")]), "the server speaks HTTP/2 and not HTTP/1.1: add http2");
}

#[test]
fn a_head_that_breaks_off_is_no_silence() {
    for head in ["HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 100 Continue\r\n\r\n", "H"] {
        let url = always(head).url("/");
        assert_eq!(reason(&[&url]), "closed before its answer was whole", "{head}");
        assert_eq!(reason(&["--not", &url]), "not proven gone: closed before its answer was whole", "{head}");
    }
}

#[test]
fn a_body_of_broken_chunks_is_told() {
    let server = always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nup\r\n0\r\n\r\n");
    assert_eq!(reason(&[&server.url("/#body=up")]), "the answer is not HTTP: invalid chunk size line");
}

#[test]
fn more_headers_than_are_read_are_told() {
    for headers in ["X: y\r\n".repeat(101), format!("X: {}\r\n", "y".repeat(70_000))] {
        let server = always(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"));
        assert_eq!(reason(&[&server.url("/")]), "the answer's head is over 64 KiB, or has more than 100 headers");
    }
}

#[test]
fn a_body_that_is_encoded_proves_nothing() {
    let server = always(&response("200 OK", &["Content-Encoding: gzip"], "as if packed"));
    let hint = "its Content-Encoding gzip is not decoded: add header=Accept-Encoding:identity";
    for (condition, words) in [
        ("json=/a=1", "the body is not JSON: expected value at line 1 column 1"),
        ("body=READY", r#"the body has no "READY""#),
        ("body-regex=READY", r#"the body has no match of "READY""#),
    ] {
        let url = server.url(&format!("/#{condition}"));
        assert_eq!(reason(&[&url]), format!("{words}; {hint}"));
        assert_eq!(reason(&["--not", &url]), format!("not proven gone: {words}; {hint}"));
    }
    let plain = always(&response("200 OK", &["Content-Encoding: identity"], "up"));
    assert_eq!(reason(&[&plain.url("/#body=READY")]), r#"the body has no "READY""#);
}

#[test]
fn a_rest_that_a_server_asks_for_is_told() {
    let server = always(&response("503 Service Unavailable", &["Retry-After: 60"], ""));
    assert_eq!(reason(&[&server.url("/")]), "HTTP 503 Service Unavailable; asks for a rest (Retry-After)");
}

#[test]
fn what_a_server_has_said_before_it_goes_proves_nothing_gone() {
    // It leaves requests unread, so its end is a reset that meets what we write.
    let server = Server::start(|mut stream, _| drop(stream.write_all(&frame(SETTINGS, 0, 0, &[]))));
    for target in [server.url("grpc"), format!("{}/#http2", server.url("http"))] {
        let ended = run(&["--not", "--timeout", "2s", "--interval", "20ms", &target]);
        assert_eq!(ended.code, Some(124), "{ended:#?}");
    }
}
