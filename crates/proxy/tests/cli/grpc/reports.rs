//! Calls in the metrics and in the access log.

use serde_json::Value;

use crate::{
    grpc::{proxy, server::Server},
    support::Proxy,
};

/// Ends each call as its path says, `/status/NUMBER`, and leaves one without a number unanswered.
fn server() -> Server {
    Server::start(|mut asked| async move {
        let path = asked.head.uri.path().to_owned();
        match path.strip_prefix("/status/").filter(|number| !number.is_empty()) {
            Some(number) => {
                let answering = asked.begin();
                answering.end(&[("grpc-status", number)]);
            }
            None if path == "/alone" => asked.refuse(&[("grpc-status", "5")]),
            None => asked.until_reset().await,
        }
    })
}

/// Status and error of each line, in order
#[track_caller]
fn lines(proxy: Proxy) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (text(&line["rpc.response.status_code"]), text(&line["error.type"]))
    };
    proxy.stop().stdout.lines().map(line).collect()
}

#[test]
fn each_call_has_its_status() {
    let server = server();
    let proxy = proxy(&server, &["--access-log", "json"]);
    let mut client = proxy.grpc();
    for (path, headers, status) in [
        ("/status/0", &[][..], "0"),
        ("/alone", &[], "5"),
        ("/status/99", &[], "99"),
        ("/status/0", &[("x_forwarded_for", "6.6.6.6")], "13"),
        ("/silent", &[("grpc-timeout", "100m")], "4"),
    ] {
        assert_eq!(client.unary(path, headers, b"hello").status(), status, "{path}");
    }
    let mut cancelled = client.call("/silent", &[]);
    server.wait_for_calls(5);
    cancelled.cancel();
    harness::until("no request is in flight", || (proxy.active() == 0).then_some(()));
    let calls = |status: &str| {
        let labels =
            format!("{{http_route=\"default\",listener=\"127.0.0.1:0\",rpc_response_status_code=\"{status}\"}}");
        proxy.metric(&format!("sidekit_proxy_grpc_calls_total{labels}"))
    };
    let statuses = ["OK", "NOT_FOUND", "_OTHER", "DEADLINE_EXCEEDED", "CANCELLED"];
    assert_eq!(statuses.map(calls), [1; 5]);
    assert_eq!(proxy.counted("sidekit_proxy_grpc_calls_total"), 6);
    let lines = lines(proxy);
    let lines: Vec<_> = lines.iter().map(|(status, error)| (&**status, &**error)).collect();
    assert_eq!(
        lines,
        [
            ("OK", ""),
            ("NOT_FOUND", ""),
            ("_OTHER", ""),
            ("INTERNAL", "mimicked-header"),
            ("DEADLINE_EXCEEDED", "grpc-deadline"),
            ("CANCELLED", "client-gone"),
        ]
    );
}

#[test]
fn a_call_that_the_server_has_failed_has_a_line_in_every_sample() {
    let server = server();
    let proxy = proxy(&server, &["--access-log", "json", "--access-log-slow", "1h"]);
    let mut client = proxy.grpc();
    for number in 0..17 {
        client.unary(&format!("/status/{number}"), &[], b"hello");
    }
    let lines = lines(proxy);
    let statuses: Vec<_> = lines.iter().map(|(status, _)| &**status).collect();
    assert_eq!(statuses, ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]);
}
