//! `grpc://host:port[/service]`, `grpcs://`: the health protocol's Check answers SERVING.
//!
//! Protocol: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md> over
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::sync::Arc;

use endpoint::{Address, LoginHeaders, Options, TlsClient, UrlLogin, one_line, split_http_unix, without_secrets};
use futures_util::{FutureExt, future::LocalBoxFuture};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE},
};
use lifecycle::Exit;
use percent_encoding::percent_decode_str;
use prost::Message;
use url::Url;

use super::shape;
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    web::{self, Client},
    wire::decode,
};

const PATH: &str = "/grpc.health.v1.Health/Check";
/// Bytes; an answer has seven.
const ANSWER_LIMIT: usize = 4096;
/// Statuses of a login that is missing or wrong, and of one that may not ask
const PERMISSION_DENIED: &str = "7";
const UNAUTHENTICATED: &str = "16";
/// A message's flag of compression and its length
const PREFIX: usize = 5;

#[derive(Debug)]
struct Grpc {
    client: Client,
    uri: Uri,
    login: LoginHeaders,
    service: String,
}

#[derive(Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "stable=3")?;
    shape::no_login(url)?;
    let tls = if url.scheme() == "grpcs" { TlsClient::from_options(options)? } else { TlsClient::without_options()? };
    let (socket, url) = match url.scheme() {
        "grpc+unix" => split_http_unix(url).map(|(socket, asked)| (Some(socket), asked))?,
        _ => (None, url.clone()),
    };
    let address = Address::of(&url, None)?;
    let service = decode(url.path().trim_start_matches('/'))?;
    let scheme = if url.scheme() == "grpcs" { "https" } else { "http" };
    let uri = format!("{scheme}://{}{PATH}", address.authority());
    let uri = uri.parse().map_err(|_| "the host is not a host name".to_owned())?;
    let mut client = Client::new(address.host, tls);
    client.http2 = true;
    client.secure_scheme = "grpcs";
    client.unix_socket = socket;
    let login = LoginHeaders::from_options(options, UrlLogin::default(), &[CONTENT_TYPE, TE])?;
    Ok(Arc::new(Grpc { client, uri, login, service }))
}

impl Check for Grpc {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let message = HealthCheckRequest { service: self.service.clone() }.encode_to_vec();
            let length = u32::try_from(message.len()).map_err(|_| NotReady::never("the service's name is too long"))?;
            let message = Bytes::from([&[0], &length.to_be_bytes()[..], &message].concat());
            let mut request = Request::new(Full::from(message));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.uri.clone();
            let login = self.login.current().await?;
            *request.headers_mut() = login.clone();
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            let mut answer = self.client.send(network, request).await?;
            let said = read(&mut answer.response).await?;
            let verdict = judge(said, self.login.has_login());
            answer.leave().await;
            verdict.map_err(|refusal| {
                if refusal.never_exit() == Some(Exit::Denied) {
                    self.login.forget();
                }
                NotReady { reason: without_secrets(&refusal.reason, &login), ..refusal }
            })
        }
        .boxed_local()
    }
}

/// The content of an answer: its status from the trailers, or from the headers when there is no
/// body
struct Answer {
    status: Option<String>,
    words: String,
    message: Vec<u8>,
}

async fn read(response: &mut Response<Incoming>) -> Result<Answer, NotReady> {
    let mut answer = Answer { status: None, words: String::new(), message: Vec::new() };
    // <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
    let code = match response.status() {
        StatusCode::OK => None,
        StatusCode::UNAUTHORIZED => Some(UNAUTHENTICATED),
        StatusCode::FORBIDDEN => Some(PERMISSION_DENIED),
        status => return Err(web::refusal(status, response.headers())),
    };
    if let Some(code) = code {
        let words = format!("HTTP {}", response.status());
        return Ok(Answer { status: Some(code.into()), words, ..answer });
    }
    answer.note(response.headers());
    while let Some(frame) = response.body_mut().frame().await {
        let frame = frame.map_err(|error| web::broken_body(&error))?;
        if let Some(trailers) = frame.trailers_ref() {
            answer.note(trailers);
        }
        if let Some(data) = frame.data_ref() {
            answer.message.extend_from_slice(data);
        }
        if answer.message.len() > ANSWER_LIMIT {
            return Err(not_grpc());
        }
    }
    Ok(answer)
}

impl Answer {
    fn note(&mut self, headers: &HeaderMap) {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        self.status = text("grpc-status").or(self.status.take());
        if let Some(words) = text("grpc-message") {
            self.words = one_line(&percent_decode_str(&words).decode_utf8_lossy());
        }
    }
}

/// The codes are those of <https://grpc.io/docs/guides/status-codes/>.
fn judge(answer: Answer, has_login: bool) -> Verdict {
    let words = answer.words;
    match answer.status.as_deref() {
        Some("0") => judge_message(&answer.message),
        Some("5") => Err(NotReady::new(Cause::Contrary, "the server does not know this service (NOT_FOUND)")),
        Some("12") => {
            Err(NotReady::never("the server has no health service (UNIMPLEMENTED): check it by tcp:// instead"))
        }
        Some("8") => Err(NotReady::full(format!("gRPC status 8 (RESOURCE_EXHAUSTED): {words}"))),
        Some(code @ (PERMISSION_DENIED | UNAUTHENTICATED)) if has_login => Err(NotReady::denied(format!(
            "login refused: gRPC status {code}: {words}; are token and permissions right?"
        ))),
        // As for HTTP: a server that is still starting may answer every client like that.
        Some(code @ (PERMISSION_DENIED | UNAUTHENTICATED)) => {
            let remedy = "does the server want a login? then give token-file=PATH";
            Err(NotReady::new(Cause::Busy, format!("gRPC status {code}: {words}; {remedy}")))
        }
        Some(code) => Err(NotReady::new(Cause::Busy, format!("gRPC status {}: {words}", one_line(code)))),
        None => Err(not_grpc()),
    }
}

fn judge_message(message: &[u8]) -> Verdict {
    let message = message.get(PREFIX..).and_then(|message| HealthCheckResponse::decode(message).ok());
    match message.ok_or_else(not_grpc)?.status() {
        ServingStatus::Serving => Ok("SERVING".into()),
        ServingStatus::NotServing => Err(NotReady::new(Cause::Contrary, "NOT_SERVING")),
        ServingStatus::Unknown => Err(NotReady::new(Cause::Contrary, "status UNKNOWN")),
        ServingStatus::ServiceUnknown => Err(NotReady::new(Cause::Contrary, "SERVICE_UNKNOWN")),
    }
}

fn not_grpc() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not gRPC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: &str, message: &[u8]) -> Result<String, Cause> {
        let answer = Answer { status: Some(status.into()), words: String::new(), message: message.to_vec() };
        judge(answer, true).map_err(|failure| failure.cause)
    }

    #[test]
    fn answers() {
        assert_eq!(judged("0", &[0, 0, 0, 0, 2, 8, 1]), Ok("SERVING".into()));
        assert_eq!(judged("0", &[0, 0, 0, 0, 2, 8, 2]), Err(Cause::Contrary));
        assert_eq!(judged("0", &[0, 0, 0, 0, 0]), Err(Cause::Contrary));
        assert_eq!(judged("0", &[0, 0]), Err(Cause::Odd));
        assert_eq!(judged("5", &[]), Err(Cause::Contrary));
        assert_eq!(judged("12", &[]), Err(Cause::Never(Exit::Unavailable)));
        assert_eq!(judged("16", &[]), Err(Cause::Never(Exit::Denied)));
        assert_eq!(judged("14", &[]), Err(Cause::Busy));
    }
}
