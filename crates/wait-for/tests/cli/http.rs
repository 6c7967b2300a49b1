//! `http://`: which answers are ready, and what is asked.

use harness::config_file;

use crate::support::{
    Program,
    http::{Http, always, response, status},
    proof, reason, run, wait_for,
};

#[test]
fn from_200_to_399_is_ready_as_for_the_kubelet() {
    for (answer, said) in [("200 OK", "HTTP 200"), ("204 No Content", "HTTP 204"), ("399 Odd", "HTTP 399")] {
        assert_eq!(proof(&[&always(&status(answer)).url("/healthz")]), said);
    }
    for (answer, said) in [
        ("400 Bad Request", "HTTP 400 Bad Request"),
        ("404 Not Found", "HTTP 404 Not Found"),
        ("401 Unauthorized", "HTTP 401 Unauthorized"),
        ("503 Service Unavailable", "HTTP 503 Service Unavailable"),
    ] {
        assert_eq!(reason(&[&always(&status(answer)).url("/healthz")]), said);
    }
}

#[test]
fn a_service_that_gets_ready_is_ready() {
    let server = Http::start(|request| status(if request.nth < 3 { "503 Starting" } else { "200 OK" }));
    let ended = Program::start(&mut wait_for(&[&server.url("/")])).end();
    assert_eq!((ended.code, &ended.message("ready")["attempts"]), (Some(0), &4.into()));
}

#[test]
fn status_takes_a_list_and_ranges() {
    let teapot = always(&status("418 I'm a teapot"));
    for list in ["418", "200,418", "200-299,400-418"] {
        assert_eq!(proof(&[&teapot.url(&format!("/#status={list}"))]), "HTTP 418");
    }
    let (_directory, file) = config_file(&format!("targets: [{{url: '{}', status: [200, 400-418]}}]", teapot.url("/")));
    assert_eq!(proof(&["--config", &file]), "HTTP 418");
    let found = always(&status("302 Found"));
    assert_eq!(reason(&[&found.url("/#status=200-299")]), "HTTP 302 Found, and not the status that is wanted");
}

#[test]
fn an_option_in_the_query_goes_to_the_server_with_a_warning() {
    let server = Http::start(|_| status("200 OK"));
    let ended = run(&[&server.url("/?a=b&stable=3")]);
    assert_eq!(server.requests.only().line, "GET /?a=b&stable=3");
    let words = "the query has stable=, which goes to the server: options stand behind a #";
    assert_eq!((ended.code, ended.messages(words).len()), (Some(0), 1), "{ended:#?}");
    assert_eq!(run(&[&server.url("/?key=b")]).messages(words).len(), 0);
}

#[test]
fn the_method_is_sent() {
    let server = always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(proof(&[&server.url("/#method=HEAD")]), "HTTP 200");
    assert_eq!(server.requests.only().line, "HEAD /");
}

#[test]
fn every_header_is_sent() {
    let server = always(&status("200 OK"));
    proof(&[&server.url("/#header=X-One: 1&header=X-Two: a%26b&header=Host: other.example")]);
    let request = server.requests.only();
    assert_eq!((request.header("x-one"), request.header("x-two")), (Some("1"), Some("a&b")));
    assert_eq!(request.header("host"), Some("other.example"));
    assert!(request.header("user-agent").unwrap().starts_with("wait-for/"));
}

#[test]
fn the_query_reaches_the_server_and_the_fragment_does_not() {
    let server = always(&status("200 OK"));
    proof(&[&server.url("/a%20b?token=c&d#stable=1&header=X: secret-in-fragment")]);
    let request = server.requests.only();
    assert_eq!(request.line, "GET /a%20b?token=c&d");
    assert_eq!(request.header("host"), Some(server.address.to_string().as_str()));
    assert!(!request.line.contains("secret") && !request.line.contains("stable"));
}

#[test]
fn a_body_must_hold_the_wanted_words() {
    let server = always(&response("200 OK", &[], "all systems go\n"));
    assert_eq!(proof(&[&server.url("/#body=systems go&body=all")]), "HTTP 200");
    assert_eq!(reason(&[&server.url("/#body=all&body=stop")]), r#"the body has no "stop""#);
}

#[test]
fn a_body_must_match_the_pattern() {
    let server = always(&response("200 OK", &[], "version 12\n"));
    assert_eq!(proof(&[&server.url("/#body-regex=version 1[0-9]%2B")]), "HTTP 200");
    assert_eq!(reason(&[&server.url("/#body-regex=^go$")]), r#"the body has no match of "^go$""#);
}

#[test]
fn a_json_body_must_have_the_value_at_the_pointer() {
    let server = always(&response("200 OK", &[], r#"{"status":"ok","db":{"up":true,"nodes":[1,2]},"a/b":null}"#));
    for condition in ["/status=ok", "/status=\"ok\"", "/db/up=true", "/db/nodes/1=2", "/db/nodes=[1,2]", "/a~1b=null"] {
        assert_eq!(proof(&[&server.url(&format!("/#json={condition}"))]), "HTTP 200", "{condition}");
    }
    assert_eq!(reason(&[&server.url("/#json=/status=down")]), r#"the body's /status is "ok", and not down"#);
    assert_eq!(reason(&[&server.url("/#json=/db=up")]), "the body's /db is an object, and not up");
    assert_eq!(reason(&[&server.url("/#json=/none=null")]), "the body has no /none");
    let html = always(&response("200 OK", &[], "<html>"));
    assert_eq!(reason(&[&html.url("/#json=/status=ok")]), "the body is not JSON: expected value at line 1 column 1");
}

#[test]
fn numbers_in_a_json_value_are_compared_by_what_they_are_worth() {
    let server = always(&response("200 OK", &[], r#"{"a":[1.0,{"b":1e2}],"big":[12345678901234567890123]}"#));
    assert_eq!(proof(&[&server.url(r#"/#json=/a=[1,{"b":100}]"#)]), "HTTP 200");
    let said = reason(&[&server.url("/#json=/big=[12345678901234567890124]")]);
    assert_eq!(said, "the body's /big is an array, and not [12345678901234567890124]");
}

#[test]
fn a_json_condition_may_be_the_text_of_a_string_or_ask_for_a_value_alone() {
    let server = always(&response("200 OK", &[], r#"{"version":"1.10","shards":5,"gone":null}"#));
    for condition in ["/version=1.10", "/shards=5", "/version", "/gone"] {
        assert_eq!(proof(&[&server.url(&format!("/#json={condition}"))]), "HTTP 200", "{condition}");
    }
    assert_eq!(reason(&[&server.url("/#json=/version=1.1")]), r#"the body's /version is "1.10", and not 1.1"#);
    assert_eq!(reason(&[&server.url("/#json=/leader")]), "the body has no /leader");
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let server = always("HTTP/1.1 200 OK\r\n\r\nup");
    assert_eq!(proof(&[&server.url("/#body=up")]), "HTTP 200");
    let chunked = always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nup\r\n0\r\n\r\n");
    assert_eq!(proof(&[&chunked.url("/#body=up")]), "HTTP 200");
}
