//! One request to one source. Its result is a body of a known format, or a fault.

pub(crate) mod chain;
pub(crate) mod fetch_fault;
pub(crate) mod scrape_limit;
pub(crate) mod source_outcome;

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use endpoint::{Failure, HttpAnswer, HttpRequest};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, USER_AGENT, VIA,
    },
};

use self::{
    fetch_fault::{FetchFault, Reason},
    scrape_limit::SCRAPE_TIMEOUT,
};
use crate::{
    exposition::{compression::DecompressFault, compression::Encoding, page_format::PageFormat},
    page_memory::{BodyMemory, NoRoom},
    source::Source,
};

/// For scrapers that accept protobuf, because only protobuf carries native histograms.
const ACCEPT_NATIVE: HeaderValue = HeaderValue::from_static(
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
     application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
);
const ACCEPT_TEXT: HeaderValue = HeaderValue::from_static(
    "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
);
/// No compression, because sources are in the pod, where it costs more than the bytes that it saves.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const NAME: HeaderValue = HeaderValue::from_static(concat!("metrics-exporter/", env!("CARGO_PKG_VERSION")));

/// The result of one request, and the time that it took
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) result: Result<Body, FetchFault>,
    pub(crate) duration: Duration,
    /// The memory of the body
    _memory: Option<BodyMemory>,
}

/// The body of a source's answer, decompressed, and its format
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) format: PageFormat,
    pub(crate) bytes: Vec<u8>,
}

impl Fetched {
    /// The result of a request without an answer in time.
    pub(crate) fn late(duration: Duration) -> Self {
        Self { result: Err(FetchFault::from(Failure::Silent)), duration, _memory: None }
    }
}

/// Requests a source's page once. `via` names the exporters that the scrape came through. The request ends at the limit, which
/// the source finds in `X-Prometheus-Scrape-Timeout-Seconds`, as Prometheus' targets do.
pub(crate) async fn fetch(
    source: &Source,
    wants_native: bool,
    via: Option<&HeaderValue>,
    limit: Duration,
    mut memory: BodyMemory,
) -> Fetched {
    let begin = Instant::now();
    let mut headers = HeaderMap::from_iter([
        (ACCEPT, if wants_native { ACCEPT_NATIVE } else { ACCEPT_TEXT }),
        (ACCEPT_ENCODING, IDENTITY),
        (USER_AGENT, NAME),
    ]);
    headers.extend(via.map(|via| (VIA, via.clone())));
    // Cannot fail: a number of seconds is a valid header value.
    headers.extend(HeaderValue::try_from(limit.as_secs_f64().to_string()).map(|limit| (SCRAPE_TIMEOUT, limit)));
    let url = source.client.url().clone();
    let request = HttpRequest { method: Method::GET, url, headers, body: Vec::new() };
    let mut refusal = None;
    let judge = |length| {
        memory.resize(length).map_err(|fault| {
            refusal = Some(fault);
            Failure::Io { kind: ErrorKind::OutOfMemory, text: String::new() }
        })
    };
    let answered = source.client.send_within(request, limit, judge).await;
    let result = match (answered, refusal) {
        (Ok(answer), _) => body(answer, &mut memory),
        (Err(_), Some(refusal)) => Err(refusal.into()),
        (Err(failure), None) => Err(failure.into()),
    };
    let memory = result.is_ok().then_some(memory);
    Fetched { result, duration: begin.elapsed(), _memory: memory }
}

/// The body of an answer, unless status, headers or content show that it is no page of metrics.
fn body(answer: HttpAnswer, memory: &mut BodyMemory) -> Result<Body, FetchFault> {
    let HttpAnswer { status, headers, body, .. } = answer;
    if status.is_redirection() {
        let text = format!("it answers {status}, and redirects are not followed: scrape the URL that it leads to");
        return Err(FetchFault::new(Reason::Redirect, text));
    }
    if status == StatusCode::LOOP_DETECTED {
        let text = "it answers 508 Loop Detected: the URL leads back to this exporter, or to one that asks this one";
        return Err(FetchFault::new(Reason::Loop, text));
    }
    if status != StatusCode::OK {
        let remedy = match status {
            StatusCode::NOT_FOUND => ": does the path of the URL lead to metrics?",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": it asks for a login, which options of the URL give",
            _ => "",
        };
        return Err(FetchFault::new(Reason::HttpStatus, format!("it answers {status}{remedy}")));
    }
    if lengths(&headers) > 1 {
        return Err(FetchFault::new(Reason::TwoLengths, "its answer has two lengths, so where it ends is a guess"));
    }
    let format = format(&headers)?;
    let mut bytes = decompressed(encoding(&headers)?, body, memory)?;
    if is_stub_status(&bytes) {
        let text = "this is nginx's stub_status page, not metrics: run an exporter that reads it, and scrape that";
        return Err(FetchFault::new(Reason::NoMetrics, text));
    }
    if format == PageFormat::Text && is_markup(&bytes) {
        let text = "it sends a page for people (HTML), not metrics: does the path of the URL lead to metrics?";
        return Err(FetchFault::new(Reason::NoMetrics, text));
    }
    // A body with a length is whole, so a last line without a newline is a habit of the app, which Prometheus accepts too.
    let is_whole = lengths(&headers) == 1;
    if format == PageFormat::Text && is_whole && bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
    Ok(Body { format, bytes })
}

/// Decompresses the body, while both forms are in memory.
fn decompressed(encoding: Encoding, body: Vec<u8>, memory: &mut BodyMemory) -> Result<Vec<u8>, FetchFault> {
    if encoding == Encoding::Identity {
        return Ok(body);
    }
    let limit = memory.most_beside(body.len());
    let page = encoding.decompress(body, limit);
    match page {
        Ok(page) => Ok(memory.resize(page.len()).map(|()| page)?),
        // Try one byte more, which fails at the limit that stopped the decompression.
        Err(DecompressFault::TooLarge) => Err(memory.resize(limit + 1).err().unwrap_or(NoRoom::Memory).into()),
        Err(fault) => Err(FetchFault::new(Reason::BadEncoding, format!("its body is no page: {fault}"))),
    }
}

/// The number of body lengths in a head. RFC 9112, section 6.3, calls more than one an attack or a fault.
fn lengths(headers: &HeaderMap) -> usize {
    let values = headers.get_all(CONTENT_LENGTH).iter();
    let lengths: usize = values.map(|value| value.as_bytes().split(|byte| *byte == b',').count()).sum();
    lengths + usize::from(headers.contains_key(TRANSFER_ENCODING))
}

/// The format that the content type names. A type that names no other format means text 0.0.4, as in Prometheus 2.
fn format(headers: &HeaderMap) -> Result<PageFormat, FetchFault> {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let parameter = |name: &str| {
        let mut pairs = value.split(';').skip(1).filter_map(|part| part.split_once('='));
        pairs.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().trim_matches('"'))
    };
    match parts.next().unwrap_or_default() {
        "application/openmetrics-text" => Ok(PageFormat::OpenMetrics),
        "application/vnd.google.protobuf" => {
            if parameter("encoding").is_none_or(|encoding| encoding == "delimited")
                && parameter("proto").is_none_or(|proto| proto == "io.prometheus.client.metricfamily")
            {
                return Ok(PageFormat::Protobuf);
            }
            let text = "it sends a form of protobuf that is not delimited messages of MetricFamily";
            Err(FetchFault::new(Reason::ContentType, text))
        }
        // Some web frameworks send metrics as text/html; the body tells them from a page for people.
        _ => Ok(PageFormat::Text),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, FetchFault> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let first = values.next().map(HeaderValue::to_str).transpose();
    let encoding = first.ok().map(Option::unwrap_or_default).and_then(Encoding::named);
    encoding.filter(|_| values.next().is_none()).ok_or_else(|| {
        FetchFault::new(
            Reason::BadEncoding,
            "its body is in an encoding other than gzip and zstd, and none was asked for",
        )
    })
}

/// True when the body begins like HTML or XML, and therefore not like a line of metrics
fn is_markup(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// True when the body begins like the page of `ngx_http_stub_status_module`, which is text/plain
fn is_stub_status(body: &[u8]) -> bool {
    body.starts_with(b"Active connections: ")
}

#[cfg(test)]
mod tests;
