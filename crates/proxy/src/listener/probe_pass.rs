//! The kubelet's probes of the app, on a plain listener of their own: nothing but GET and HEAD of the named paths goes on.
//!
//! A probe says how the app is, so it goes over a connection of its own, is never sent twice, and meets no limit of the other
//! listeners. The listener serves until the process ends, because the app is probed for as long as it runs.

mod question;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{IpAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use endpoint::Names;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, VIA},
    request,
};
use http_body_util::Full;
use hyper::{
    body::{Body, Bytes, Incoming},
    server,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use lifecycle::LogThrottle;
use tokio::{
    net::TcpStream,
    task::{self, AbortHandle},
    time,
};

use crate::{
    head::{
        forwarded::Forwarded,
        hop_by_hop::{self, seen::Seen},
        request_head,
    },
    plan::Plan,
    refusal::{PROXY_STATUS, Refusal},
    rewrite,
    route::{probe_path::ProbePath, upstream_url::UpstreamUrl},
};

/// Open connections; a kubelet needs one for each probe. One more closes the oldest, because any pod can reach the listener and idle
/// connections must not lock the kubelet out.
const CONNECTION_LIMIT: usize = 32;
/// The time for a request's head; the kubelet sends it in one piece.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for the app's answer: longer than a kubelet waits for it with any sensible `timeoutSeconds`
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head
const HEAD_LIMIT: usize = 16 * 1024;
/// Bytes of an answer; the kubelet reads 10 KiB.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The pause after a failed accept, whose usual cause is a lack of descriptors
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The paths that pass, each with its app
#[derive(Default)]
pub(crate) struct ProbePass {
    targets: Mutex<Vec<Target>>,
    names: Names,
}

/// A path, and the app that it is asked of
struct Target {
    path: ProbePath,
    app: UpstreamUrl,
}

type Answer = Response<Full<Bytes>>;

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, pass: Arc<ProbePass>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot pass probes"),
    };
    let (mut open, mut throttle) = (VecDeque::new(), LogThrottle::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                make_room(&mut open);
                open.push_back(task::spawn(pass.clone().connection(stream, peer.ip())).abort_handle());
                // Let the new connection send a request on that it already has, before the next one can close it.
                task::yield_now().await;
            }
            Err(error) => {
                if throttle.is_due(&error.to_string(), Instant::now()) {
                    tracing::warn!(%error, "cannot accept probes");
                }
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Closes the oldest connection when there are as many as there may be.
fn make_room(open: &mut VecDeque<AbortHandle>) {
    open.retain(|connection| !connection.is_finished());
    if open.len() >= CONNECTION_LIMIT
        && let Some(oldest) = open.pop_front()
    {
        oldest.abort();
    }
}

impl ProbePass {
    /// Asks for these paths where the first inbound listener sends them. An error changes nothing.
    pub(crate) fn aim(&self, paths: &[ProbePath], plan: &Plan) -> Result<(), String> {
        let target =
            |path: &ProbePath| Ok::<_, String>(Target { path: path.clone(), app: plan.probed_app(path)?.clone() });
        let targets = paths.iter().map(target).collect::<Result<_, _>>()?;
        *self.lock() = targets;
        Ok(())
    }

    /// The app that this target is asked of, if it may pass. It is compared as it was written: neither an absolute form nor another
    /// query is the named path.
    fn app(&self, target: &Uri) -> Option<UpstreamUrl> {
        let targets = self.lock();
        let named = targets.iter().find(|named| target.authority().is_none() && named.path.is(target));
        named.map(|named| named.app.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request of a client.
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: IpAddr) {
        let service = service_fn(|request| {
            let pass = self.clone();
            async move { Ok::<_, Infallible>(pass.answer(request, peer).await) }
        });
        let connection = server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service);
        // A client that closes early loses only its own answer.
        let _ = time::timeout(HEAD_TIMEOUT + ANSWER_TIMEOUT, connection).await;
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let (head, body) = request.into_parts();
        let Some(app) = self.app(&head.uri) else {
            return text(StatusCode::NOT_FOUND, "this path is not one of --probe-pass\n");
        };
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD here\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        if !body.is_end_stream() {
            return text(StatusCode::BAD_REQUEST, "a probe has no body\n");
        }
        let asked = match request_head::judge(&head, Seen::of(&head.headers)) {
            Ok(()) => time::timeout(ANSWER_TIMEOUT, self.ask(&app, head, peer)).await,
            Err(refusal) => Ok(Err(refusal)),
        };
        asked.unwrap_or(Err(Refusal::UpstreamSilent)).unwrap_or_else(|refusal| {
            let mut answer = text(refusal.status(), refusal.text());
            let proxy_status = HeaderValue::try_from(refusal.proxy_status()).expect("names are ASCII");
            answer.headers_mut().insert(PROXY_STATUS, proxy_status);
            answer
        })
    }

    /// Asks the app over a connection of its own.
    async fn ask(&self, app: &UpstreamUrl, mut head: request::Parts, peer: IpAddr) -> Result<Answer, Refusal> {
        let is_head = head.method == Method::HEAD;
        let seen = Seen::of(&head.headers);
        hop_by_hop::strip(&mut head.headers, seen);
        head.headers.remove(EXPECT);
        head.headers.remove(CONTENT_LENGTH);
        Forwarded::new(peer.into()).apply(&mut head.headers, seen);
        head.headers.append(VIA, rewrite::via(head.version));
        head.headers.entry(HOST).or_insert_with(|| HeaderValue::from_static("localhost"));
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let (mut head, body) = question::ask(app, &self.names, head).await?.into_parts();
        let seen = Seen::of(&head.headers);
        hop_by_hop::strip(&mut head.headers, seen);
        if !is_head {
            head.headers.remove(CONTENT_LENGTH);
        }
        head.version = Version::HTTP_11;
        Ok(Response::from_parts(head, Full::new(body)))
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
