//! `http://host/path`: a batch is the body of a POST, as NDJSON or as it is; an answer of 2xx delivers it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::time;

use super::{Attempt, Opened, Output, Scheme, Setup, tcp::Address};
use crate::{
    batch::Batch,
    encoding::{self, Encoding, write_objects},
    identity::hash_of_end,
    pool::Pool,
    retry::retry_after,
};

/// A whole exchange must pass within this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A connection must stand within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; its first words are the reason of a refusal
const ANSWER_LIMIT: usize = 64 * 1024;
/// Bytes of an answer that are told
const REASON_LIMIT: usize = 200;
/// The body goes out in pieces, so that an answer that comes before its end is told from one to all of it.
const PIECE: usize = 64 * 1024;
/// Of a line as an object: what stands around the message
const OBJECT_OVERHEAD: usize = 160;
const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("log-forwarder/", env!("CARGO_PKG_VERSION")));

/// Batches as bodies of requests
pub(super) const SCHEME: Scheme = Scheme {
    name: "http",
    example: "http://collector:8080/lines",
    delivered: "once the answer is 2xx",
    options: &[encoding::OPTION],
    shared: &[],
    open,
};

fn open(setup: &mut Setup) -> Opened {
    let (url, pool) = (setup.url, setup.pool.clone());
    let encoding = Encoding::from_options(&mut setup.options, Encoding::Ndjson)?;
    let address = Address::of(url, Some(80))?;
    let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    let host = if url.port().is_some() { address.authority() } else { url.host_str().unwrap_or_default().to_owned() };
    let host = HeaderValue::from_str(&host).map_err(|_| "the host is no header value")?;
    Ok(Box::new(Http { address, host, path, encoding, pool, sender: None }))
}

struct Http {
    address: Address,
    host: HeaderValue,
    path: String,
    encoding: Encoding,
    pool: Pool,
    sender: Option<SendRequest<Pieces>>,
}

impl Output for Http {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            time::timeout(TIMEOUT, self.send(batch))
                .await
                .unwrap_or_else(|_| Attempt::again("no answer within a minute"))
        })
    }
}

impl Http {
    async fn send(&mut self, batch: &Batch) -> Attempt {
        // Taken out, and put back only after a whole exchange: what fails or is given up takes its connection along.
        let mut sender = match self.connection().await {
            Ok(sender) => sender,
            Err(reason) => return Attempt::again(reason),
        };
        let sent = Arc::new(AtomicBool::new(false));
        let request = match self.request(batch, &sent) {
            Ok(request) => request,
            Err(error) => return Attempt::again(error),
        };
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => return Attempt::again(words(&error)),
        };
        let (attempt, complete) = judge(response, sent.load(Relaxed)).await;
        if complete && sent.load(Relaxed) {
            self.sender = Some(sender);
        }
        attempt
    }

    /// The connection of the last request, or a new one
    async fn connection(&mut self) -> Result<SendRequest<Pieces>, String> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = match time::timeout(CONNECT_TIMEOUT, self.address.dial()).await {
            Ok(stream) => stream.map_err(|error| error.to_string())?,
            Err(_) => return Err("no connection within 10 s".into()),
        };
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| words(&error))?;
        // It ends with its sender, and its error reaches the request.
        tokio::spawn(async { drop(driver.await) });
        Ok(sender)
    }

    fn request(&self, batch: &Batch, sent: &Arc<AtomicBool>) -> hyper::http::Result<Request<Pieces>> {
        let mut body = self.pool.empty(batch.bytes().len() * 2 + OBJECT_OVERHEAD);
        let kind = match self.encoding {
            Encoding::Ndjson => {
                write_objects(batch, &mut body);
                "application/x-ndjson"
            }
            Encoding::Raw => {
                let mut room = Vec::new();
                body.extend_from_slice(self.encoding.bytes(batch, &mut room));
                "text/plain; charset=utf-8"
            }
        };
        // The end of the content besides: without a checkpoint, a truncated file's new lines could have the name of old ones.
        let (range, end) = ((batch.offset, batch.end()), hash_of_end(batch.bytes()));
        let key = format!("{}-{}-{}-{end:016x}", batch.source.generation, range.0, range.1);
        Request::post(self.path.as_str())
            .header(HOST, &self.host)
            .header(USER_AGENT, OURSELVES)
            .header(CONTENT_TYPE, kind)
            .header("idempotency-key", key)
            .body(Pieces { rest: Bytes::from_owner(body), sent: sent.clone() })
    }
}

/// What an answer means, and whether the connection is good for another request.
async fn judge(response: Response<Incoming>, all_sent: bool) -> (Attempt, bool) {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await;
    let complete = body.is_ok();
    let said = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[..said.len().min(REASON_LIMIT)]);
    let said = said.lines().next().map(str::trim).unwrap_or_default();
    let reason = if said.is_empty() { head.status.to_string() } else { format!("{}: {said}", head.status) };
    let attempt = match head.status {
        status if status.is_success() && !all_sent => Attempt::again("it was answered before it was sent"),
        status if status.is_success() => Attempt::Delivered,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Attempt::Refused(reason),
        _ => {
            let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Attempt::Again { reason, after: after.and_then(|value| retry_after(value, SystemTime::now())) }
        }
    };
    (attempt, complete)
}

/// The innermost cause: hyper's own words say only in which step it was.
fn words(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_incomplete_message() { "closed without an answer".into() } else { cause.to_string() }
}

/// A body that tells when it was asked for its last byte
struct Pieces {
    rest: Bytes,
    sent: Arc<AtomicBool>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.rest.is_empty() {
            self.sent.store(true, Relaxed);
        }
        Poll::Ready((length > 0).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
