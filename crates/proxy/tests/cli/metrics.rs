//! Metrics: OpenTelemetry's names and labels, and what is counted when.

use std::{thread, time::Duration};

use crate::{
    support::{OK, Proxy},
    upstream::Upstream,
};

/// Series of a page, with their values
fn series(proxy: &Proxy, name: &str) -> Vec<String> {
    let page = harness::http::get(proxy.health, "/metrics").body;
    page.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

/// Requests to the upstream: method, status and error of each kind, with their number
fn of_client(proxy: &Proxy, upstream: &Upstream) -> Vec<(String, String, String, u64)> {
    let address = format!("server_address=\"127.0.0.1\",server_port=\"{}\"", upstream.address.port());
    let kind = |line: &String| {
        assert!(line.contains(&address), "{line}");
        let label =
            |name: &str| line.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let count = line.rsplit(' ').next().unwrap().parse().unwrap();
        (label("http_request_method"), label("http_response_status_code"), label("error_type"), count)
    };
    series(proxy, "http_client_request_duration_seconds_count").iter().map(kind).collect()
}

fn kind(method: &str, status: &str, error: &str, count: u64) -> (String, String, String, u64) {
    (method.into(), status.into(), error.into(), count)
}

#[test]
fn requests_are_counted_on_both_sides_with_their_errors() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("/404") {
                connection.write("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
            } else if request.contains("/503") {
                connection.write("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
            } else if request.contains("/cut") {
                return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            } else if request.contains("/broken") {
                return connection.write("nonsense\r\n\r\n");
            } else if request.contains("/silent") {
                thread::sleep(Duration::from_secs(30));
            } else {
                connection.write(OK);
            }
        }
    });
    let proxy = Proxy::start(&upstream, &["--request-timeout", "700ms"]);
    let mut client = proxy.client();
    for path in ["/", "/", "/404", "/503", "/broken", "/silent"] {
        client.get(path);
    }
    client.send("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.answer();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    client.rest();
    proxy.client().get("/ /");
    harness::until("all have ended", || (proxy.active() == 0).then_some(()));
    let server: Vec<_> = [("_OTHER", "200", "", 1), ("GET", "200", "", 2), ("GET", "200", "answer-cut", 1)]
        .into_iter()
        .chain([("GET", "404", "", 1), ("GET", "502", "upstream-broken", 1), ("GET", "503", "503", 1)])
        .chain([("GET", "504", "upstream-silent", 1), ("HEAD", "200", "", 1)])
        .collect();
    for (method, status, error, count) in server {
        let name = format!(
            "http_server_request_duration_seconds_count{{error_type=\"{error}\",http_request_method=\"{method}\",\
http_response_status_code=\"{status}\",http_route=\"default\",listener=\"127.0.0.1:0\",url_scheme=\"http\"}}"
        );
        assert_eq!(proxy.metric(&name), count, "{name}");
    }
    let mut kinds = of_client(&proxy, &upstream);
    kinds.sort();
    assert_eq!(
        kinds,
        [
            kind("GET", "", "given-up", 1),
            kind("GET", "", "upstream-broken", 1),
            kind("GET", "200", "", 2),
            kind("GET", "200", "answer-cut", 1),
            kind("GET", "404", "404", 1),
            kind("GET", "503", "503", 1),
            kind("HEAD", "200", "", 1),
            kind("_OTHER", "200", "", 1),
        ]
    );
}

#[test]
fn connections_to_the_upstream_are_active_or_idle_until_they_are_closed() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
            if request.contains("/last") {
                return connection.write("lf");
            }
            thread::sleep(Duration::from_millis(300));
            connection.write("lf");
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let open = || {
        let of = |state: &str| {
            let port = upstream.address.port();
            proxy.metric(&format!(
                "http_client_open_connections{{http_connection_state=\"{state}\",server_address=\"127.0.0.1\",server_port=\"{port}\"}}"
            ))
        };
        (of("active"), of("idle"))
    };
    let becomes = |state| harness::until(&format!("{state:?}"), || (open() == state).then_some(()));
    let mut clients = [proxy.client(), proxy.client()];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.head();
    }
    assert_eq!(open(), (2, 0));
    for client in &mut clients {
        client.bytes(4);
    }
    becomes((0, 2));
    for (client, left) in clients.iter_mut().zip([1, 0]) {
        client.send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n");
        client.answer();
        // Before the close is seen, the next request would go over this connection, and be sent again.
        becomes((0, left));
    }
    let of = |kind: &str| {
        proxy.metric(&format!(
            "sidekit_proxy_upstream_connections_total{{kind=\"{kind}\",upstream=\"{}\"}}",
            upstream.address
        ))
    };
    assert_eq!((of("fresh"), of("reused")), (2, 2));
}

#[test]
fn a_retry_that_the_budget_denies_is_counted() {
    // Each connection answers two requests, so that it is worth keeping, and closes when it has read the third one.
    let upstream = Upstream::start(|connection| {
        for _ in 0..2 {
            connection.request();
            connection.write(OK);
        }
        connection.request();
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    let retries =
        |name: &str| proxy.metric(&format!("sidekit_proxy_{name}_total{{upstream=\"{}\"}}", upstream.address));
    let mut failed = 0;
    for _ in 0..30 {
        failed += u64::from(client.get("/").status == 502);
    }
    assert!(failed > 0);
    assert_eq!((retries("retries"), retries("denied_retries")), (10, failed));
}

#[test]
fn every_bound_that_is_met_is_counted_by_its_flag() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("/silent") {
                thread::sleep(Duration::from_secs(30));
            }
            connection.write(OK);
        }
    });
    let met =
        |proxy: &Proxy, limit: &str| proxy.metric(&format!("sidekit_proxy_limits_met_total{{limit=\"{limit}\"}}"));
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx";
    let wide = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for (arguments, bytes, limit, status) in [
        (&["--max-body", "10B"][..], post, "max-body", 413),
        (&[], &wide, "max-header-size", 431),
        (&["--header-timeout", "300ms"], "GET / HT", "header-timeout", 408),
        (&["--request-timeout", "500ms"], post, "request-timeout", 408),
        (&["--request-timeout", "500ms"], "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n", "request-timeout", 504),
    ] {
        let proxy = Proxy::start(&upstream, arguments);
        let mut client = proxy.client();
        client.try_send(bytes);
        assert_eq!(client.answer().status, status, "{limit}");
        let all = series(&proxy, "sidekit_proxy_limits_met_total");
        assert_eq!(met(&proxy, limit), 1, "{all:#?}");
        assert_eq!(all.iter().filter(|line| !line.ends_with(" 0")).count(), 1, "{all:#?}");
    }
    let proxy = Proxy::start(&upstream, &["--max-requests", "1", "--max-connections", "3", "--idle-timeout", "800ms"]);
    let (mut busy, before) = (proxy.client(), upstream.requests().len());
    busy.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_for_requests(before + 1);
    assert_eq!((proxy.client().get("/").status, met(&proxy, "max-requests")), (503, 1));
    let mut idle = [proxy.client(), proxy.client()];
    assert!(idle.iter_mut().all(crate::client::Client::is_closed));
    assert!(met(&proxy, "max-connections") >= 1 && met(&proxy, "idle-timeout") >= 2);
    let accepted = proxy.metric("sidekit_proxy_accepted_connections_total{listener=\"127.0.0.1:0\"}");
    assert_eq!(accepted, 4);
}

#[test]
fn an_upstream_cannot_make_series_by_inventing_statuses() {
    let upstream = Upstream::start(|connection| {
        for status in 600.. {
            if connection.request().is_none() {
                return;
            }
            connection.write(format!("HTTP/1.1 {status} New\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    for status in 600..700 {
        assert_eq!(client.get("/").status, status);
    }
    assert_eq!(of_client(&proxy, &upstream), [kind("GET", "_OTHER", "_OTHER", 100)]);
    let server = series(&proxy, "http_server_request_duration_seconds_count");
    assert!(server.len() == 1 && server[0].contains("http_response_status_code=\"_OTHER\""), "{server:#?}");
}
