//! Answers of servers on loopback, and their meaning.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use http::Method;

use super::*;

/// The answer to one request with the secret `hunter2`, by a server that writes these bytes.
async fn answer(bytes: &str) -> Result<Answer, FetchError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bytes = bytes.to_owned();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"grant=hunter2") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(bytes.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    let client = HttpClient::from_text(&format!("http://me:opensesame@127.0.0.1:{port}/base")).unwrap();
    let url = client.under("token");
    let request = HttpRequest { method: Method::POST, url, headers: HeaderMap::new(), body: b"grant=hunter2".into() };
    let answer = Answer::to(&client, request, vec!["hunter2".into()]).await;
    let request = server.join().unwrap();
    assert!(request.contains(&format!("user-agent: {NAME}\r\naccept: application/json\r\n")), "{request}");
    answer.map(|mut answer| {
        assert!(answer.secrets.iter().any(|secret| secret.expose() == "opensesame"), "the login is a secret, too");
        answer.label = answer.label.replace(&format!(":{port}"), "");
        answer
    })
}

async fn error_of(bytes: &str) -> FetchError {
    answer(bytes).await.and_then(Answer::success).unwrap_err()
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_status_has_a_meaning() {
    for (status, label) in [
        ("400 Bad Request", "bad_answer"),
        ("401 Unauthorized", "refused"),
        ("403 Forbidden", "refused"),
        ("404 Not Found", "bad_answer"),
        ("407 Proxy Authentication Required", "refused"),
        ("408 Request Timeout", "unavailable"),
        ("418 I'm a teapot", "bad_answer"),
        ("425 Too Early", "unavailable"),
        ("429 Too Many Requests", "unavailable"),
        ("500 Internal Server Error", "unavailable"),
        ("503 Service Unavailable", "unavailable"),
    ] {
        assert_eq!(error_of(&response(status, "", "")).await.label(), label, "{status}");
    }
}

#[tokio::test]
async fn names_that_a_server_chooses_hold_nothing_that_was_sent() {
    let moved = response("302 Found", "Location: https://opensesame.hunter2.example/\r\n", "");
    let error = answer(&moved).await.unwrap_err().to_string();
    assert!(error.contains("to https://….….example,"), "{error}");
    let fine = answer(&response("200 OK", "", "{}")).await.unwrap();
    let fault = fine.bad("the metadata of hunter2\nopensesame").to_string();
    assert!(fault.ends_with("is the metadata of … …"), "{fault}");
    assert!(fine.bad("x".repeat(1000)).to_string().len() < 300);
}

#[tokio::test]
async fn an_error_says_what_the_server_says_without_secrets() {
    let body =
        r#"{"error":"invalid_client","error_description":"hunter2 or opensesame is wrong","access_token":"abc"}"#;
    let error = error_of(&response("401 Unauthorized", "", body)).await;
    assert_eq!(
        error.to_string(),
        "http://127.0.0.1/base/token answers 401 Unauthorized: invalid_client: … or … is wrong"
    );
    let error = error_of(&response("403 Forbidden", "", r#"{"errors":["permission denied","bad token=abc"]}"#)).await;
    assert!(error.to_string().ends_with("403 Forbidden: permission denied: bad token=…"), "{error}");
    let error = error_of(&response("500 Internal Server Error", "", "<html>\n<b>hunter2</b>")).await;
    assert!(error.to_string().ends_with(": <html> <b>…</b>"), "{error}");
    let error = error_of(&response("502 Bad Gateway", "", &"no ".repeat(1000))).await;
    assert!(error.to_string().len() < 300, "{error}");
}

#[tokio::test]
async fn retry_after_is_seconds_or_a_date_and_bounded() {
    let date = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    for (header, seconds) in [
        ("Retry-After: 7\r\n", Some(7)),
        ("Retry-After: Thu, 01 Jan 2026 00:00:30 GMT\r\n", Some(30)),
        ("Retry-After: Wed, 01 Jan 2025 00:00:30 GMT\r\n", Some(0)),
        ("Retry-After: Tue, 01 Jan 2036 00:00:30 GMT\r\n", Some(3600)),
        ("Retry-After: 99999999999999999999999999\r\n", Some(3600)),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: soon\r\n", None),
        ("", None),
    ] {
        let error = error_of(&response("503 Service Unavailable", &format!("{date}{header}"), "")).await;
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{header}");
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_names_the_origin_only() {
    for (location, target) in [
        ("Location: https://login.example/in?code=hunter3\r\n", "to https://login.example,"),
        ("Location: //user:pass@login.example:8443/x\r\n", "to http://login.example:8443,"),
        ("Location: javascript:hunter3\r\n", "without a target,"),
        ("", "without a target,"),
    ] {
        let error = error_of(&response("302 Found", location, "")).await;
        assert_eq!(error.label(), "refused");
        let text = error.to_string();
        assert!(text.contains(target) && !text.contains("hunter3") && !text.contains("pass"), "{text}");
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_or_never_ends_is_no_answer() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
        "",
    ] {
        assert_eq!(error_of(cut).await.label(), "unavailable", "{cut}");
    }
    let long = response("200 OK", "", &" ".repeat(BODY_LIMIT + 1));
    assert_eq!(error_of(&long).await.label(), "bad_answer");
}

#[tokio::test]
async fn json_that_is_wrong_is_not_repeated() {
    let fine = answer(&response("200 OK", "", r#"{"a":1}"#)).await.unwrap();
    assert_eq!(fine.json().unwrap()["a"], 1);
    let wrong = answer(&response("200 OK", "", r#"{"token": secret-in-it}"#)).await.unwrap();
    let error = wrong.json().unwrap_err();
    assert!(error.to_string().ends_with("is no JSON (line 1, column 11)"), "{error}");
}

#[tokio::test]
async fn the_servers_clock_counts() {
    let at = |text: &str| httpdate::parse_http_date(text).unwrap();
    let headers = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nAge: 10\r\n";
    let answer = answer(&response("200 OK", headers, "")).await.unwrap();
    assert_eq!(answer.server_now, at("Thu, 01 Jan 2026 00:00:10 GMT"));
    assert_eq!(server_time(&answer.headers), Some(answer.server_now));
    for (date, age) in [("Thu, 01 Jan 1970 00:00:00 GMT", "0"), ("Thu, 01 Jan 1970 00:00:00 GMT", "9999999999")] {
        let headers = [(DATE, date), (AGE, age)].map(|(name, text)| (name, HeaderValue::from_static(text)));
        assert_eq!(server_time(&HeaderMap::from_iter(headers)), None, "a clock that was never set");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = HttpClient::from_text(&format!("http://127.0.0.1:{free}/")).unwrap();
    let request =
        HttpRequest { method: Method::GET, url: client.url().clone(), headers: HeaderMap::new(), body: Vec::new() };
    let Err(Unanswered { error, may_have_arrived: false }) = Answer::to_single(&client, request, Vec::new()).await
    else {
        panic!("nothing listens there");
    };
    assert_eq!(error.to_string(), format!("http://127.0.0.1:{free}/: connection refused"));
    assert_eq!(error.label(), "unavailable");
}
