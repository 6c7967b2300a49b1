//! Clients of HTTP/2, which share a few connections, and of gRPC.

use std::{
    cell::Cell,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use h2::Reason;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Mutex, mpsc, oneshot},
    task, time,
};
use tokio_rustls::TlsConnector;

use super::{Answered, Outcome, PATIENCE, POST_EVERY, keep_asking};

/// Connections that the requests take in turn
const CONNECTIONS: usize = 6;
/// The messages of a call, each of which must come back before the next one goes
const MESSAGES: u32 = 10;
/// The time between two of them
const PAUSE: Duration = Duration::from_millis(200);
/// How often a request is sent that no server has begun
const MOST_TRIES: u32 = 5;

/// Clients of one server
pub(super) struct StreamClients {
    address: SocketAddr,
    /// Without it, the requests are calls of gRPC.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    start: Instant,
    connections: Vec<Mutex<Option<SendRequest<Sent>>>>,
    opened: Cell<u64>,
}

impl StreamClients {
    pub(super) fn new(address: SocketAddr, tls: Option<(TlsConnector, ServerName<'static>)>) -> Rc<Self> {
        let connections = (0..CONNECTIONS).map(|_| Mutex::default()).collect();
        Rc::new(Self { address, tls, start: Instant::now(), connections, opened: Cell::default() })
    }

    pub(super) async fn keep_asking(self: Rc<Self>, a_second: u32, ended: oneshot::Receiver<()>) -> Outcome {
        let outcome = keep_asking(a_second, ended, |number| self.clone().ask(number)).await;
        Outcome { connections: self.opened.get(), ..outcome }
    }

    async fn ask(self: Rc<Self>, number: u64) -> Answered {
        let start = Instant::now();
        let asked = async { if self.tls.is_some() { self.request(number).await } else { self.call(number).await } };
        let answered = time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let since = start.duration_since(self.start).as_secs_f64();
        answered.map(|()| start.elapsed()).map_err(|error| format!("{since:.1}s: {number}: {error}"))
    }

    async fn request(&self, number: u64) -> Result<(), String> {
        let make = || {
            let (method, body) = if number.is_multiple_of(POST_EVERY) { ("POST", "a visit") } else { ("GET", "") };
            let request = Request::builder().method(method).uri(format!("https://web/?n={number}"));
            (request.body(Sent::whole(body)).expect("a request"), ())
        };
        let (response, ()) = self.send(number, make).await?;
        // An app may refuse a method; the proxy's own answers have Proxy-Status.
        if !(200..500).contains(&response.status().as_u16()) || response.headers().contains_key("proxy-status") {
            return Err(format!("{} {:?}", response.status(), response.headers().get("proxy-status")));
        }
        let body = response.into_body().collect().await;
        body.map(drop).map_err(|error| format!("no whole answer: {}", said(&error)))
    }

    async fn call(&self, number: u64) -> Result<(), String> {
        let make = || {
            let (messages, body) = Sent::stream();
            let request = Request::post("http://web/test.Echo/Stream").header("content-type", "application/grpc");
            (request.header("te", "trailers").body(body).expect("a request"), messages)
        };
        let (response, messages) = self.send(number, make).await?;
        if response.status() != 200 || response.headers().contains_key("grpc-status") {
            return Err(format!("{} {:?}", response.status(), response.headers()));
        }
        let mut body = response.into_body();
        for nth in 0..MESSAGES {
            let message = message(nth);
            messages.send(message.clone()).map_err(|_| "the call takes no more messages")?;
            let mut back = Vec::new();
            while back.len() < message.len() {
                let frame = body.frame().await.ok_or_else(|| format!("the call ended at message {nth}"))?;
                let frame = frame.map_err(|error| format!("message {nth} did not come back: {}", said(&error)))?;
                back.extend_from_slice(frame.data_ref().ok_or_else(|| format!("trailers at message {nth}"))?);
            }
            if back != message {
                return Err(format!("another message came back than number {nth}"));
            }
            time::sleep(PAUSE).await;
        }
        drop(messages);
        let last = body.frame().await.ok_or("no trailers")?.map_err(|error| said(&error))?;
        let status = last.trailers_ref().and_then(|trailers| trailers.get("grpc-status"));
        if status.is_some_and(|status| status == "0") { Ok(()) } else { Err(format!("trailers {last:?}")) }
    }

    /// Sends a request over the connection whose turn it is, and again where no server has begun it.
    async fn send<T>(
        &self,
        number: u64,
        make: impl Fn() -> (Request<Sent>, T),
    ) -> Result<(Response<Incoming>, T), String> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut connection = self.connection(number).await.map_err(|error| format!("no connection: {error}"))?;
            let (request, of_caller) = make();
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, of_caller)),
                Err(failed) => {
                    let is_unsent = failed.message().is_some() || is_unprocessed(failed.error());
                    if !is_unsent || tries == MOST_TRIES {
                        return Err(format!("no answer: {}", said(failed.error())));
                    }
                    // It may go on for the streams that it has, and takes no more.
                    self.slot(number).lock().await.take();
                }
            }
        }
    }

    /// The place of the connection whose turn it is
    fn slot(&self, number: u64) -> &Mutex<Option<SendRequest<Sent>>> {
        &self.connections[usize::try_from(number).unwrap_or(0) % CONNECTIONS]
    }

    async fn connection(&self, number: u64) -> Result<SendRequest<Sent>, String> {
        let mut connection = self.slot(number).lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let opened = match &self.tls {
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), stream).await.map_err(|error| error.to_string())?;
                shake_hands(stream).await?
            }
            None => shake_hands(stream).await?,
        };
        self.opened.set(self.opened.get() + 1);
        Ok(connection.insert(opened).clone())
    }
}

async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> Result<SendRequest<Sent>, String> {
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| said(&error))?;
    task::spawn(driver);
    Ok(sender)
}

/// Whether the server says that it has not begun the request: a refused stream, or one behind the last of a GOAWAY.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
    })
}

/// The error with its reasons
fn said(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// A message of gRPC: not compressed, with its length
fn message(number: u32) -> Bytes {
    let content = format!("message {number}");
    let length = u32::try_from(content.len()).unwrap_or(0).to_be_bytes();
    [&[0][..], &length, content.as_bytes()].concat().into()
}

/// The body of a request
enum Sent {
    Whole(Option<Bytes>),
    Stream(mpsc::UnboundedReceiver<Bytes>),
}

impl Sent {
    fn whole(text: &'static str) -> Self {
        Self::Whole((!text.is_empty()).then(|| Bytes::from_static(text.as_bytes())))
    }

    fn stream() -> (mpsc::UnboundedSender<Bytes>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self::Stream(receiver))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Stream(messages) => {
                messages.poll_recv(context).map(|message| message.map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}
