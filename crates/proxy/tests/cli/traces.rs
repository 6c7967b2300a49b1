//! W3C trace context: passed on, or begun.

use crate::{
    client::header,
    support::{OK, Proxy},
    upstream::Upstream,
};

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// `traceparent` and `tracestate` as the upstream got them, of a request with these lines
fn passed_on(arguments: &[&str], lines: &str) -> (Option<String>, Option<String>) {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, arguments);
    let mut client = proxy.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    assert_eq!(client.answer().status, 200);
    let request = upstream.only();
    let of = |name| header(&request, name).map(str::to_owned);
    assert!(request.matches("traceparent").count() <= 1, "{request}");
    (of("traceparent"), of("tracestate"))
}

/// Whether it is a `traceparent` of its own with these flags
fn is_begun(traceparent: Option<&str>, flags: &str) -> bool {
    let parts: Vec<_> = traceparent.unwrap_or_default().split('-').collect();
    let is_id = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
            && text != "0".repeat(length)
    };
    matches!(&parts[..], ["00", trace, span, end]
        if is_id(trace, 32) && is_id(span, 16) && *end == flags && !VALID.contains(trace))
}

#[test]
fn a_valid_context_goes_on_as_it_is_in_both_directions() {
    for direction in ["inbound", "outbound"] {
        let lines = format!("Traceparent: {VALID}\r\nTracestate: a=1,b=2\r\n");
        let context = (Some(VALID.to_owned()), Some("a=1,b=2".to_owned()));
        assert_eq!(passed_on(&["--direction", direction], &lines), context, "{direction}");
    }
}

#[test]
fn a_context_that_is_not_valid_is_replaced_and_a_missing_one_begun() {
    let twice = format!("traceparent: {VALID}\r\ntraceparent: {VALID}\r\ntracestate: a=1\r\n");
    for direction in ["inbound", "outbound"] {
        for lines in ["", "traceparent: 00-xyz\r\ntracestate: a=1\r\n", "tracestate: a=1\r\n", &twice] {
            let (parent, state) = passed_on(&["--direction", direction], lines);
            assert!(is_begun(parent.as_deref(), "01") && state.is_none(), "{lines:?}: {parent:?} {state:?}");
        }
    }
}

#[test]
fn whether_it_is_begun_and_recorded_is_a_setting() {
    let (parent, _) = passed_on(&["--begin-trace", "unsampled"], "");
    assert!(is_begun(parent.as_deref(), "00"), "{parent:?}");
    assert_eq!(passed_on(&["--begin-trace", "never"], ""), (None, None));
    let broken = (Some("00-xyz".to_owned()), Some("a=1".to_owned()));
    assert_eq!(passed_on(&["--begin-trace", "never"], "traceparent: 00-xyz\r\ntracestate: a=1\r\n"), broken);
}

#[test]
fn the_access_log_names_a_trace_that_was_begun() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--access-log", "json"]);
    proxy.client().get("/");
    let line: serde_json::Value = serde_json::from_str(&proxy.stop().stdout).unwrap();
    let request = upstream.only();
    let parent = header(&request, "traceparent").unwrap();
    assert_eq!(line["trace_id"], parent[3..35]);
}
