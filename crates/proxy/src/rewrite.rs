//! The heads that go on: hop-by-hop headers gone, ours set, the target in origin form.

pub(crate) mod http2;

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri, Version,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, MAX_FORWARDS, TE,
        TRANSFER_ENCODING, UPGRADE, VIA,
    },
    request, response,
};

use crate::{
    direction::Direction,
    head::{
        forwarded::{Forwarded, trace_context::Traces},
        hop_by_hop::{self, seen::Seen},
    },
    plan::ListenerPlan,
    refusal::Refusal,
    route::{Route, upstream_url::UpstreamUrl},
};

/// The name in `Via` (RFC 9110, section 7.6.3), which hides the host's own name
const VIA_1_1: HeaderValue = HeaderValue::from_static("1.1 sidekit-proxy");
const VIA_2: HeaderValue = HeaderValue::from_static("2 sidekit-proxy");
const VIA_1_0: HeaderValue = HeaderValue::from_static("1.0 sidekit-proxy");

/// Makes a judged head the one that the upstream gets.
pub(crate) fn to_upstream(
    head: &mut request::Parts,
    plan: &ListenerPlan,
    forwarded: &Forwarded,
    route: &Route,
    upstream: &UpstreamUrl,
    traces: &Traces,
    seen: Seen,
) {
    let headers = &mut head.headers;
    let is_chunked = seen.has(Seen::TRANSFER_ENCODING);
    let takes_trailers =
        seen.has(Seen::TE) && headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    hop_by_hop::strip(headers, seen);
    if is_chunked {
        // Without this, hyper sends no body of unknown length with GET and HEAD.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if seen.has(Seen::CONTENT_LENGTH) {
        settle_length(headers);
    }
    if seen.has(Seen::COOKIE) && head.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if takes_trailers {
        // Trailers pass through here, so the upstream may send them (RFC 9110, section 10.1.4).
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    // The proxy itself says 100 Continue, when the upstream's connection stands.
    if seen.has(Seen::EXPECT) {
        headers.remove(EXPECT);
    }
    match plan.direction {
        Direction::Inbound => {
            if plan.trusts(forwarded.peer()) {
                forwarded.apply_believing(headers);
            } else {
                forwarded.apply(headers, seen);
            }
            if plan.tells_identity {
                forwarded.apply_identity(headers);
            }
            if !seen.has(Seen::HOST) {
                headers.insert(HOST, upstream.authority.clone());
            }
        }
        // The app names this proxy; the server wants its own name.
        Direction::Outbound => {
            headers.insert(HOST, upstream.authority.clone());
        }
    }
    headers.append(VIA, via(head.version));
    traces.settle(headers, seen);
    route.request_headers.apply_to_request(headers);
    if head.uri.authority().is_some() {
        head.uri = origin_form(head);
    }
    head.version = Version::HTTP_11;
}

/// `Max-Forwards` of an OPTIONS request, taken down by one; `false` if the request must not go on (RFC 9110, section 7.6.2).
pub(crate) fn may_go_on(method: &Method, headers: &mut HeaderMap) -> bool {
    if *method != Method::OPTIONS {
        return true;
    }
    let left = headers.get(MAX_FORWARDS).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    match left {
        None => true,
        Some(0) => false,
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            true
        }
    }
}

/// Judges the head of an answer: framed in one way, and none of a protocol that was not asked for. Settles its length.
pub(crate) fn judge_answer(head: &mut response::Parts, seen: Seen) -> Result<(), Refusal> {
    let is_framed = !seen.has(Seen::TRANSFER_ENCODING) || {
        let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        let is_chunked = codings.next().is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        is_chunked && codings.next().is_none() && !seen.has(Seen::CONTENT_LENGTH)
    };
    let has_length = !seen.has(Seen::CONTENT_LENGTH) || settle_length(&mut head.headers);
    if is_framed && has_length && !head.status.is_informational() { Ok(()) } else { Err(Refusal::UpstreamBroken) }
}

/// Whether the upstream's connection must not carry another request: it ends, or its server speaks HTTP/1.0, to which hyper would
/// send no chunked body.
pub(crate) fn is_last(head: &response::Parts, seen: Seen) -> bool {
    if !seen.has(Seen::CONNECTION) {
        return head.version == Version::HTTP_10;
    }
    let mut options =
        head.headers.get_all(CONNECTION).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    head.version == Version::HTTP_10 || options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// Whether an answer may last for ever (server-sent events)
pub(crate) fn is_endless(head: &response::Parts) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().get(..EVENTS.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}

/// Whether a stream of events is framed in a way, and coded in a way, that lets the proxy end it between two events
pub(crate) fn ends_between_events(head: &response::Parts) -> bool {
    !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(CONTENT_ENCODING)
}

/// How long the upstream says that it keeps an idle connection
pub(crate) fn announced_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Makes a judged head the one that the client gets.
pub(crate) fn to_client(head: &mut response::Parts, route: &Route, closes: bool, seen: Seen) {
    let version = head.version;
    // The answer 426 says with it which protocols the client can choose from (RFC 9110, section 15.5.22).
    let mut needed = Vec::new();
    if head.status == StatusCode::UPGRADE_REQUIRED {
        needed.extend(head.headers.get_all(UPGRADE).iter().cloned());
        head.headers.remove(UPGRADE);
    }
    hop_by_hop::strip(&mut head.headers, seen);
    head.headers.append(VIA, via(version));
    route.response_headers.apply(&mut head.headers);
    if !needed.is_empty() {
        head.headers.extend(needed.into_iter().map(|protocol| (UPGRADE, protocol)));
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if closes {
        close(&mut head.headers);
    }
    head.version = Version::HTTP_11;
}

/// Says that the connection ends behind this answer.
pub(crate) fn close(headers: &mut HeaderMap) {
    let close = HeaderValue::from_static("close");
    if !headers.get_all(CONNECTION).iter().any(|line| line == close) {
        headers.append(CONNECTION, close);
    }
}

/// The proxy's element of `Via` for a message that was received in this version.
pub(crate) fn via(version: Version) -> HeaderValue {
    match version {
        Version::HTTP_10 => VIA_1_0,
        Version::HTTP_2 => VIA_2,
        _ => VIA_1_1,
    }
}

/// Path and query, byte for byte; `*` where OPTIONS asks for a server as a whole (RFC 9112, section 3.2.4). A `Uri` does not tell
/// `http://a`, which does that in HTTP/1, from `http://a/`.
fn origin_form(head: &request::Parts) -> Uri {
    let is_whole = head.method == Method::OPTIONS && head.version != Version::HTTP_2;
    match head.uri.path_and_query() {
        Some(path) if is_whole && path.as_str() == "/" => Uri::from_static("*"),
        Some(path) => Uri::from(path.clone()),
        None => Uri::from_static("/"),
    }
}

/// HTTP/2 may send a cookie in crumbs, which are one field in HTTP/1 (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice()))
    {
        headers.insert(COOKIE, cookie);
    }
}

/// Writes the length once, because apps read `5, 5` and `005` in several ways. `false` if the
/// values differ or one is no length (RFC 9110, section 8.6).
fn settle_length(headers: &mut HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    // Nearly all are one number already, without zeros or spaces before it.
    if let (Some(value), None) = (values.next(), values.next())
        && let [b'1'..=b'9', rest @ ..] = value.as_bytes()
        && rest.len() < 19
        && rest.iter().all(u8::is_ascii_digit)
    {
        return true;
    }
    let values = headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(number);
    let Some(first) = lengths.next() else { return true };
    if first.is_none() || lengths.any(|length| length != first) {
        return false;
    }
    if let Some(length) = first {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    true
}

fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    // `parse` would take a sign.
    let is_digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| is_digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_one_or_none() {
        for (lines, settled) in [
            (&["5"][..], Some("5")),
            (&["5, 5"], Some("5")),
            (&["5", "005"], Some("5")),
            (&["5", "6"], None),
            (&["5, "], None),
            (&["+5"], None),
            (&["0x5"], None),
            (&["18446744073709551616"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
            }
            assert_eq!(settle_length(&mut headers), settled.is_some(), "{lines:?}");
            if let Some(length) = settled {
                let values: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
                assert_eq!(values, [length], "{lines:?}");
            }
        }
        assert!(settle_length(&mut HeaderMap::new()));
    }
}
