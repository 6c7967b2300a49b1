//! The requests and answers that the upstream and the client get of each other.

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

#[test]
fn a_request_and_its_answer_go_through() {
    let upstream = Upstream::answering("HTTP/1.1 201 Made\r\nContent-Length: 4\r\nX-Kept: yes\r\n\r\nbody");
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("PUT /a/%2F//..?b=c&d HTTP/1.1\r\nHost: app:80\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello");
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (201, "body"));
    assert_eq!((header(&answer.head, "x-kept"), header(&answer.head, "via")), (Some("yes"), Some("1.1 sidekit-proxy")));
    let request = upstream.only();
    assert!(request.starts_with("PUT /a/%2F//..?b=c&d HTTP/1.1\r\n"), "{request}");
    for line in [
        "host: app:80",
        "x-one: 1",
        "content-length: 5",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: app:80",
        "forwarded: for=127.0.0.1;host=\"app:80\";proto=http",
        "via: 1.1 sidekit-proxy",
    ] {
        assert!(request.lines().any(|known| known == line), "{line} is missing in {request}");
    }
    assert!(request.ends_with("\r\n\r\nhello"), "{request}");
    proxy.stop();
}

#[test]
fn a_connection_is_kept_on_both_sides() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").body, "ok");
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (5, 1));
    let of_kind = |kind| {
        let upstream = upstream.address;
        format!("sidekit_proxy_upstream_connections_total{{kind=\"{kind}\",upstream=\"{upstream}\"}}")
    };
    assert_eq!((proxy.metric(&of_kind("fresh")), proxy.metric(&of_kind("reused"))), (1, 4));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            let path = request.split(' ').nth(1).unwrap();
            connection.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    let requests: Vec<_> = (0..10).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests.concat());
    for number in 0..10 {
        assert_eq!(client.answer().body, format!("/{number}"));
    }
}

#[test]
fn hop_by_hop_headers_end_at_the_proxy_in_both_directions() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-End: 1\r\n\r\nok",
    );
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Secret\r\nConnection: x-other\r\nX-Secret: 1\r\nX-Other: 1\r\n\
         TE: gzip\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nX-End: 1\r\n\r\n",
    );
    let answer = client.answer();
    assert!(!answer.head.contains("x-hop") && !answer.head.contains("keep-alive"), "{}", answer.head);
    assert!(answer.head.contains("x-end"), "{}", answer.head);
    let request = upstream.only();
    for gone in ["x-secret", "x-other", "te:", "upgrade", "proxy-authorization", "connection:"] {
        assert!(!request.contains(gone), "{gone} in {request}");
    }
    assert!(request.contains("x-end: 1"), "{request}");
}

#[test]
fn answers_without_a_body_have_none() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            connection.write(match request.split(' ').nth(1).unwrap() {
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            });
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(header(&client.head().unwrap(), "content-length"), Some("1000"));
    assert_eq!(client.get("/204").status, 204);
    assert_eq!(header(&client.get("/304").head, "etag"), Some("\"x\""));
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_informational_answer_is_not_the_answer() {
    let upstream = Upstream::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let proxy = Proxy::start(&upstream, &[]);
    assert_eq!(proxy.client().get("/").body, "ok");
}

#[test]
fn a_client_of_http_1_0_gets_neither_chunks_nor_a_kept_connection() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n");
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.body.as_str(), header(&answer.head, "transfer-encoding")), ("okay!", None));
    let request = upstream.only();
    assert!(request.starts_with("GET / HTTP/1.1\r\n") && request.contains("via: 1.0 sidekit-proxy"), "{request}");
    assert!(request.contains(&format!("host: {}", upstream.address)), "{request}");
}

#[test]
fn an_absolute_target_becomes_a_path() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET http://app/x//y?z HTTP/1.1\r\nHost: app\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(upstream.only().starts_with("GET /x//y?z HTTP/1.1\r\n"));
}

#[test]
fn an_outbound_listener_names_the_upstream_and_tells_nothing_of_the_app() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--direction", "outbound"]);
    assert_eq!(proxy.client().get("/").status, 200);
    let request = upstream.only();
    assert!(request.contains(&format!("host: {}\r\n", upstream.address)), "{request}");
    assert!(!request.contains("forwarded"), "{request}");
}

#[test]
fn max_forwards_ends_an_options_request_here() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    assert_eq!(client.answer().status, 204);
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 2\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let request = upstream.only();
    assert!(request.starts_with("OPTIONS * HTTP/1.1\r\n") && request.contains("max-forwards: 1\r\n"), "{request}");
}

#[test]
fn options_of_a_whole_server_becomes_an_asterisk_and_of_a_path_stays() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    let targets = ["http://a", "http://a/", "http://a/x", "http://a?x", "/"];
    for target in targets {
        client.send(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.answer().status, 200, "{target}");
    }
    let requests = upstream.requests();
    let sent: Vec<_> = requests.iter().map(|request| request.split(' ').nth(1).unwrap()).collect();
    assert_eq!(sent, ["*", "*", "/x", "/?x", "/"]);
}

#[test]
fn a_client_cannot_claim_to_be_another() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(!upstream.only().contains("1.1.1.1"));
}
