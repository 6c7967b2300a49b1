//! `http://` with a body in the request.

use std::{
    io::{Read, Write},
    sync::mpsc,
};

use crate::support::{
    DEADLINE,
    http::{Http, read_head, response, status},
    proof, run,
    server::Server,
};

/// The head and the body of the only request, which has as many bytes of a body as this text.
fn sent(options: &str, body: &str) -> (String, String) {
    let (sender, requests) = mpsc::channel();
    let length = body.len();
    let server = Server::start(move |mut stream, _| {
        let head = read_head(&mut stream).unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(status("200 OK").as_bytes()).unwrap();
        sender.send((head, String::from_utf8(body).unwrap())).unwrap();
    });
    assert_eq!(proof(&[&format!("{}/graphql#{options}", server.url("http"))]), "HTTP 200");
    requests.recv_timeout(DEADLINE).unwrap()
}

#[test]
fn a_body_is_posted() {
    let body = r#"{"query":"{ up }"}"#;
    let (head, content) = sent(&format!("request-body={body}&header=Content-Type: application/json"), body);
    assert!(head.starts_with("POST /graphql HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json") && head.contains("content-length: 18"), "{head}");
    assert_eq!(content, body);
}

#[test]
fn a_body_comes_from_a_file_and_with_another_method() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // The last line end is a part of some bodies, such as those of Elasticsearch's _bulk.
    std::fs::write(file.path(), "a=1\n").unwrap();
    let (head, content) = sent(&format!("method=PUT&request-body-file={}", file.path().display()), "a=1\n");
    assert!(head.starts_with("PUT ") && content == "a=1\n", "{head}{content}");
}

#[test]
fn a_method_that_may_have_a_body_says_that_it_has_none() {
    for (method, has_length) in [("POST", true), ("PUT", true), ("GET", false), ("DELETE", false)] {
        let (head, _) = sent(&format!("method={method}"), "");
        assert_eq!(head.to_ascii_lowercase().contains("content-length: 0"), has_length, "{head}");
    }
}

#[test]
fn what_the_request_sends_is_not_told_when_the_server_repeats_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"password":"hunter2"}"#).unwrap();
    let server = Http::start(|_| {
        response(
            "200 OK",
            &[],
            r#"{"json": {"password": "hunter2"}, "args": {"key": "hunter2 x"}, "raw": "a%2Bhunter2", "ready": true}"#,
        )
    });
    let file = file.path().display();
    for (target, words) in [
        (format!("/#request-body-file={file}&json=/json/password=ok"), "the body's /json/password is not ok"),
        ("/?key=hunter2+x#json=/args/key=ok".to_owned(), "the body's /args/key is \"…\", and not ok"),
        ("/?hunter2#json=/json/password=ok".to_owned(), "the body's /json/password is \"…\", and not ok"),
        ("/?a=1&hunter2&b#json=/json/password=ok".to_owned(), "the body's /json/password is \"…\", and not ok"),
        ("/?sig=a%2Bhunter2#json=/raw=ok".to_owned(), "the body's /raw is \"…\", and not ok"),
        // The words of the program itself stay.
        ("/?verbose=true&ready=body#json=/ready=ok".to_owned(), "the body's /ready is true, and not ok"),
    ] {
        let ended = run(&["--timeout", "1s", &server.url(&target)]);
        assert!(ended.last_line().contains(&words.replace('"', "\\\"")), "{ended:#?}");
        assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn a_number_that_was_sent_is_not_told_when_the_server_repeats_it() {
    let server = Http::start(|_| response("200 OK", &[], r#"{"a": 12345678901234567890123}"#));
    let ended = run(&["--timeout", "1s", &server.url("/#header=X-Pin: 12345678901234567890123&json=/a=1")]);
    assert!(ended.last_line().contains("the body's /a is …, and not 1"), "{ended:#?}");
    assert!(!ended.everything().contains("1234567890"), "{ended:#?}");
}

#[test]
fn a_body_that_cannot_be_sent_is_refused() {
    for (options, words) in [
        ("request-body=x&method=GET", "a GET has no body"),
        ("request-body=x&request-body-file=/none", "given twice"),
        ("request-body-env=NONE", "variable NONE is not set"),
    ] {
        let ended = run(&[&format!("http://api/#{options}")]);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.last_line().contains(words), "{ended:#?}");
    }
}
