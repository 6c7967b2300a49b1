//! A gRPC server for stories: every method sends each message back as it comes, and ends well.
//!
//! `test-grpc ADDRESS` serves over HTTP/2 without TLS. `/grpc.health.v1.Health/Check` answers that it serves, as the kubelet's probes ask.

use std::{
    convert::Infallible,
    env,
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll},
};

use hyper::{
    HeaderMap, Request, Response,
    body::{Body, Bytes, Frame, Incoming},
    header::HeaderValue,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// `HealthCheckResponse { status: SERVING }` with the prefix of a message
const SERVING: [u8; 7] = [0, 0, 0, 0, 2, 8, 1];

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Some(address) = env::args().nth(1) else {
        return Err(io::Error::other("usage: test-grpc ADDRESS"));
    };
    let listener = TcpListener::bind(address).await?;
    writeln!(io::stdout(), "listens on {}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(async |request| Ok::<_, Infallible>(answer(request)));
        // A client that breaks off ends its own connection only.
        task::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: Request<Incoming>) -> Response<Answer> {
    let first = (request.uri().path() == HEALTH).then(|| Bytes::from_static(&SERVING));
    let body = Answer { first, messages: Some(request.into_body()), has_ended: false };
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// The messages of the call, then the trailers
struct Answer {
    first: Option<Bytes>,
    /// Nothing once they have ended
    messages: Option<Incoming>,
    has_ended: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            // A check has one message, which is not sent back.
            this.messages = None;
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        while let Some(messages) = &mut this.messages {
            match Pin::new(messages).poll_frame(context) {
                Poll::Ready(None) => this.messages = None,
                // The end of the messages. h2 ends a connection over which many empty frames come (its count has no reset).
                Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(Bytes::is_empty) => (),
                polled => return polled,
            }
        }
        if std::mem::replace(&mut this.has_ended, true) {
            return Poll::Ready(None);
        }
        let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))]);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}
