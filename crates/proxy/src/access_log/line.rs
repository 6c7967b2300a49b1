//! One line of the access log: the parts of a request that it keeps, and those that it hides.
//!
//! No line holds a value of a query, a user and password of a URL, `Authorization` or a cookie. Names are OpenTelemetry's where it
//! has one for the attribute.
//!
//! Long because both formats of a line hide the same things.

use std::{
    borrow::Cow,
    net::IpAddr,
    rc::Rc,
    time::{Duration, SystemTime},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{HOST, REFERER, USER_AGENT},
};
use serde::Serialize;

use super::tls_fields::TlsFields;
use crate::{
    direction::Direction, grpc::status::Status, head::forwarded::trace_context, peer::Peer, refusal::fault::Fault,
    tls::Session,
};

/// Characters of a header that are written
const VALUE_LIMIT: usize = 256;
/// Characters of a method that are written
const METHOD_LIMIT: usize = 32;
/// Characters of a path and of a query that are written
const TARGET_LIMIT: usize = 1024;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The mark in place of a hidden value, and of the rest of a text that is too long
const HIDDEN: &str = "…";

/// The parts of a request's head that its line needs; they share the head's memory
#[derive(Debug)]
pub(crate) struct Entry {
    peer: Peer,
    /// Nothing without TLS
    session: Option<Rc<Session>>,
    /// Nothing if the head could not be read
    head: Option<Head>,
}

#[derive(Debug)]
struct Head {
    method: Method,
    target: Uri,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
    /// The value of `X-Forwarded-For` that the app gets; the first address is the client's
    forwarded_for: Option<HeaderValue>,
}

/// The end of a request
#[derive(Clone, Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) listener: &'a str,
    pub(crate) route: Option<&'a str>,
    pub(crate) upstream: Option<&'a str>,
    pub(crate) retries: u32,
    pub(crate) status: StatusCode,
    pub(crate) fault: Option<Fault>,
    /// Of a call of gRPC
    pub(crate) call: Option<Status>,
    /// Of the answer's body
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    listener: &'a str,
    #[serde(rename = "client.address")]
    client_address: String,
    #[serde(rename = "network.peer.address", skip_serializing_if = "Option::is_none")]
    peer_address: Option<IpAddr>,
    #[serde(rename = "network.transport", skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    #[serde(flatten)]
    tls: Option<TlsFields<'a>>,
    #[serde(flatten)]
    request: Option<RequestFields<'a>>,
    #[serde(rename = "http.route", skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "http.response.body.size")]
    bytes: u64,
    #[serde(rename = "rpc.response.status_code", skip_serializing_if = "Option::is_none")]
    call: Option<&'a str>,
    #[serde(rename = "error.type", skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    duration_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    retries: u32,
}

#[derive(Serialize)]
struct RequestFields<'a> {
    #[serde(rename = "http.request.method")]
    method: String,
    #[serde(rename = "url.path")]
    path: String,
    #[serde(rename = "url.query", skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(rename = "network.protocol.version")]
    version: &'a str,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(rename = "user_agent.original", skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(rename = "http.request.header.referer", skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
}

impl Entry {
    /// Of a head that was read
    pub(crate) fn new<B>(peer: Peer, session: Option<Rc<Session>>, request: &Request<B>) -> Self {
        let value = |name: HeaderName| request.headers().get(name).cloned();
        let head = Head {
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            // Over HTTP/2 it is a part of the target.
            host: value(HOST).or_else(|| HeaderValue::try_from(request.uri().authority()?.as_str()).ok()),
            user_agent: value(USER_AGENT),
            referer: value(REFERER),
            traceparent: value(trace_context::TRACEPARENT),
            forwarded_for: None,
        };
        Self { peer, session, head: Some(head) }
    }

    /// Of a head that could not be read
    pub(crate) fn unreadable(peer: Peer) -> Self {
        Self { peer, session: None, head: None }
    }

    /// The trace that the request goes on with, and the client that the app reads of
    pub(crate) fn forwarded(&mut self, headers: &HeaderMap, direction: Direction) {
        if let Some(head) = &mut self.head {
            head.traceparent = headers.get(trace_context::TRACEPARENT).cloned();
            // Outbound, this is the app's own word.
            head.forwarded_for = headers.get(FORWARDED_FOR).filter(|_| direction == Direction::Inbound).cloned();
        }
    }

    /// The client, after the word of a trusted proxy
    fn client(&self) -> String {
        let told = self.head.as_ref().and_then(|head| head.forwarded_for.as_ref()?.to_str().ok()?.split(',').next());
        told.map_or_else(|| self.peer.to_string(), |client| shortened(client, VALUE_LIMIT))
    }

    /// One object; JSON escapes what could forge a line.
    pub(crate) fn json(&self, outcome: &Outcome) -> String {
        let (peer_address, transport) = match self.peer {
            Peer::Ip(ip) => (Some(ip), None),
            Peer::Unix => (None, Some("unix")),
        };
        let line = Line {
            time: lifecycle::timestamp(),
            trace_id: self.head.as_ref().and_then(|head| trace_context::trace_id(head.traceparent.as_ref()?)),
            listener: outcome.listener,
            client_address: self.client(),
            peer_address,
            transport,
            tls: self.session.as_deref().map(TlsFields::of),
            request: self.head.as_ref().map(Head::fields),
            route: outcome.route,
            status: outcome.status.as_u16(),
            bytes: outcome.bytes,
            call: outcome.call.map(Status::name),
            error_type: outcome.fault.map(Fault::name),
            duration_seconds: outcome.elapsed.as_secs_f64(),
            upstream: outcome.upstream,
            retries: outcome.retries,
        };
        serde_json::to_string(&line).expect("a line is JSON") + "\n"
    }

    /// As Apache and nginx write it. Quotes and control characters are escaped, so that no client can forge a line.
    pub(crate) fn combined(&self, outcome: &Outcome) -> String {
        let quoted = |text: Option<String>| text.map_or_else(|| "-".to_owned(), |text| text.escape_debug().to_string());
        let (request, referer, user_agent) = match &self.head {
            None => ("-".to_owned(), None, None),
            Some(head) => {
                let RequestFields { method, path, query, version, user_agent, referer, .. } = head.fields();
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                (format!("{method} {} HTTP/{version}", format!("{path}{query}").escape_debug()), referer, user_agent)
            }
        };
        format!(
            "{} - - [{}] \"{request}\" {} {} \"{}\" \"{}\"\n",
            self.client(),
            common_log_time(SystemTime::now()),
            outcome.status.as_u16(),
            outcome.bytes,
            quoted(referer),
            quoted(user_agent),
        )
    }
}

impl Head {
    fn fields(&self) -> RequestFields<'_> {
        let value = |value: &Option<HeaderValue>| value.as_ref().map(|value| shortened(&text(value), VALUE_LIMIT));
        RequestFields {
            method: shortened(self.method.as_str(), METHOD_LIMIT),
            path: shortened(self.target.path(), TARGET_LIMIT),
            query: self.target.query().map(|query| shortened(&without_values(query), TARGET_LIMIT)),
            version: match self.version {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            },
            host: self.host.as_ref().map(|host| shortened(without_port(&without_login(&text(host))), VALUE_LIMIT)),
            user_agent: value(&self.user_agent),
            referer: self.referer.as_ref().map(|referer| shortened(&public_url(&text(referer)), VALUE_LIMIT)),
        }
    }
}

impl Outcome<'_> {
    /// An end with this status, at once
    pub(crate) fn new(status: StatusCode) -> Self {
        let (listener, route, upstream) = ("", None, None);
        let elapsed = Duration::ZERO;
        Self { listener, route, upstream, retries: 0, status, fault: None, call: None, bytes: 0, elapsed }
    }

    /// Whether it ended otherwise than by a good answer, or one that blames the client
    pub(crate) fn has_failed(&self) -> bool {
        let is_failed_call = self.call.is_some_and(Status::is_servers_fault);
        self.fault.is_some() || self.status.is_server_error() || is_failed_call
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The beginning of a text
fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => text[..end].to_owned() + HIDDEN,
        None => text.to_owned(),
    }
}

/// A URL without login and fragment, and without values in its query
fn public_url(url: &str) -> String {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    let place = match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", without_login(authority))
        }
        None => place.to_owned(),
    };
    query.map_or(place.clone(), |query| format!("{place}?{}", without_values(query)))
}

/// An authority, its user and password hidden
fn without_login(authority: &str) -> Cow<'_, str> {
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}").into(),
        None => authority.into(),
    }
}

/// A host without its port
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The names of a query, each with `…` for its value
fn without_values(query: &str) -> String {
    let names = query.split(['&', ';']).map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={HIDDEN}"),
        // Without a name, the whole may be the value.
        None => HIDDEN.to_owned(),
    });
    names.collect::<Vec<_>>().join("&")
}

/// `10/Oct/2000:13:55:36 +0000`, from the fixed columns of an HTTP date (RFC 9110, section 5.6.7).
fn common_log_time(time: SystemTime) -> String {
    let date = httpdate::fmt_http_date(time);
    format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25])
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
