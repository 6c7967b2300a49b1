//! One request of a source, and the meaning of its answer. It is sent once: repeating is the scheduler's work.

pub(crate) mod json_pointer;
pub(crate) mod request_headers;
pub(crate) mod scrub;
pub(crate) mod server;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::ErrorKind,
    time::{Duration, SystemTime},
};

use endpoint::{Failure, HttpAnswer, HttpClient, HttpRequest, one_line, sent_secrets, url_label};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, AGE, DATE, LOCATION, RETRY_AFTER, USER_AGENT},
};
use lifecycle::Secret;
use serde_json::Value;
use url::Url;

use crate::{
    exchange::scrub::{scrubbed, without_sent},
    value::bounded_json,
    value::fetch_error::FetchError,
};

/// From the lookup of the name to the last byte of the answer. Two requests fit into the 30 s that a source has.
const DEADLINE: Duration = Duration::from_secs(14);
/// Bytes of an answer
const BODY_LIMIT: usize = 1024 * 1024;
/// No server can make us wait longer than this.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60 * 60);
/// 2025 began
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);
/// Some APIs answer nobody who does not say its name.
const NAME: &str = concat!("token-refresher/", env!("CARGO_PKG_VERSION"));

/// An answer of any status but a redirect
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// The server's clock when it answered; ours where it does not tell
    pub(crate) server_now: SystemTime,
    headers: HeaderMap,
    /// All that was sent and may be secret, for errors without it
    secrets: Vec<Secret>,
    label: String,
}

/// A request that has no answer
pub(crate) struct Unanswered {
    pub(crate) error: FetchError,
    /// The server may have got the request, and done as it asks
    pub(crate) may_have_arrived: bool,
}

impl Answer {
    /// Sends the request, in which these secrets stand, and waits for the whole answer.
    pub(crate) async fn to(
        client: &HttpClient,
        request: HttpRequest,
        secrets: Vec<Secret>,
    ) -> Result<Self, FetchError> {
        Self::to_single(client, request, secrets).await.map_err(|unanswered| unanswered.error)
    }

    /// The same for a request that must not be repeated before its fate is known.
    pub(crate) async fn to_single(
        client: &HttpClient,
        mut request: HttpRequest,
        mut secrets: Vec<Secret>,
    ) -> Result<Self, Unanswered> {
        let label = url_label(request.url.as_str());
        let headers = &mut request.headers;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(NAME));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let url = request.url.clone();
        let answer = client.send(request, DEADLINE, BODY_LIMIT).await.map_err(|failure| unanswered(&label, failure))?;
        let HttpAnswer { status, headers, body, sent } = answer;
        secrets.extend(sent_secrets(&sent));
        secrets.extend(values_of_query(&url));
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            let error = FetchError::Refused(redirect(&label, &url, status, headers.get(LOCATION), &secrets));
            return Err(Unanswered { error, may_have_arrived: false });
        }
        let server_now = server_time(&headers).unwrap_or_else(SystemTime::now);
        Ok(Self { status, body, server_now, headers, secrets, label })
    }

    /// The same answer if its status is one of success.
    pub(crate) fn success(self) -> Result<Self, FetchError> {
        if self.status.is_success() { Ok(self) } else { Err(self.error()) }
    }

    /// The meaning of a status that is not one of success: a login that is refused, a server that cannot answer now, or a
    /// request that it does not understand.
    pub(crate) fn error(&self) -> FetchError {
        let reason = format!("{} answers {}{}", self.label, self.status, self.words());
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                FetchError::Refused(reason)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                FetchError::Unavailable { reason, retry_after: self.retry_after() }
            }
            status if status.is_server_error() => FetchError::Unavailable { reason, retry_after: self.retry_after() },
            _ => FetchError::BadAnswer(reason),
        }
    }

    /// The body as JSON. An error tells the place of the fault, and nothing of the content.
    pub(crate) fn json(&self) -> Result<Value, FetchError> {
        bounded_json::read(&self.body).map_err(|fault| self.bad(fault))
    }

    /// This answer cannot be right, because it is this. The fault may repeat names that the server chose.
    pub(crate) fn bad(&self, fault: impl fmt::Display) -> FetchError {
        let fault = one_line(&without_sent(&fault.to_string(), &self.secrets));
        FetchError::BadAnswer(format!("the answer of {} is {fault}", self.label))
    }

    /// A text of the server without anything that may be a secret, short and on one line
    pub(crate) fn scrubbed(&self, text: &str) -> String {
        scrubbed(text, &self.secrets)
    }

    /// When the server wants to be asked again, within bounds (RFC 9110, section 10.2.3)
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        // More seconds than a number can hold are still a number.
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let wait = if is_number {
            text.parse().map_or(Duration::MAX, Duration::from_secs)
        } else {
            let at = httpdate::parse_http_date(text).ok()?;
            at.duration_since(self.server_now).unwrap_or_default()
        };
        Some(wait.min(RETRY_AFTER_LIMIT))
    }

    /// What the server says in an error: `: text`, or nothing
    fn words(&self) -> String {
        /// Fields of errors in OAuth (RFC 6749), Kubernetes, Vault, problem details (RFC 9457), and elsewhere
        const FIELDS: [&str; 7] = ["error", "error_description", "message", "errors", "title", "detail", "reason"];
        let body = String::from_utf8_lossy(&self.body);
        let said = match bounded_json::read(body.as_bytes()) {
            Ok(Value::Object(object)) => {
                let texts = FIELDS.iter().filter_map(|name| object.get(*name)).flat_map(texts);
                texts.collect::<Vec<_>>().join(": ")
            }
            _ => body.into_owned(),
        };
        let said = self.scrubbed(&said);
        if said.is_empty() { said } else { format!(": {said}") }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Answer").field("label", &self.label).field("status", &self.status).finish_non_exhaustive()
    }
}

/// The strings of a value: itself, of a list, or of an object's `message`
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(object) => object.get("message").and_then(Value::as_str).map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The server's clock at its answer. A cache adds the age of what it kept. A clock that is older than this program is wrong, and
/// would give values a life of many years.
fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let date = httpdate::parse_http_date(text(DATE)?).ok()?;
    let age = text(AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
    let earliest = SystemTime::UNIX_EPOCH + EARLIEST;
    date.checked_add(Duration::from_secs(age)).filter(|_| date >= earliest)
}

/// The values of a URL's query that are long enough for a key
fn values_of_query(url: &Url) -> impl Iterator<Item = Secret> {
    /// Bytes
    const SHORTEST: usize = 8;
    url.query_pairs().filter(|(_, value)| value.len() >= SHORTEST).map(|(_, value)| Secret::from(&*value))
}

/// Only the origin of the target: its path and its query may hold a code or a token.
fn redirect(label: &str, url: &Url, status: StatusCode, location: Option<&HeaderValue>, secrets: &[Secret]) -> String {
    let target = location.and_then(|location| location.to_str().ok()).and_then(|location| url.join(location).ok());
    let target = match target.map(|target| target.origin()).filter(url::Origin::is_tuple) {
        Some(origin) => format!("to {}", one_line(&without_sent(&origin.ascii_serialization(), secrets))),
        None => "without a target".to_owned(),
    };
    let code = status.as_u16();
    format!("{label} answers with a redirect ({code}) {target}, which is not followed: configure the final URL")
}

fn unanswered(label: &str, failure: Failure) -> Unanswered {
    let may_have_arrived = matches!(failure, Failure::Reset | Failure::Silent | Failure::Io { .. });
    let error = match failure {
        Failure::File { reason, .. } => FetchError::Input(reason),
        Failure::Io { kind: ErrorKind::FileTooLarge, text } => FetchError::BadAnswer(format!("{label}: {text}")),
        Failure::Io { kind: ErrorKind::InvalidInput, text } => FetchError::Input(format!("{label}: {text}")),
        failure => FetchError::Unavailable { reason: format!("{label}: {failure}"), retry_after: None },
    };
    Unanswered { error, may_have_arrived }
}
