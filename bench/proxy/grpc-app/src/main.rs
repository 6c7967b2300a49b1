//! An app that answers each unary gRPC call with one message of 100 bytes and `grpc-status: 0`, over HTTP/2 without TLS.

use std::{
    convert::Infallible,
    env,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::{
    body::{Body, Bytes, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// No compression (0), and the length of what follows
const PREFIX: [u8; 5] = [0, 0, 0, 0, 100];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: grpc-app ADDRESS")?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(10_000);
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// Answers at the end of the request, as a server of unary calls does.
async fn answer(request: Request<Incoming>) -> Result<Response<Message>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {}
    let mut response = Response::new(Message::Data);
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// The parts of an answer that are still to be sent
enum Message {
    Data,
    Trailers,
    End,
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {
            Self::Data => {
                *self = Self::Trailers;
                Poll::Ready(Some(Ok(Frame::data([&PREFIX[..], &[b'x'; 100]].concat().into()))))
            }
            Self::Trailers => {
                *self = Self::End;
                let status = (http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::from_iter([status])))))
            }
            Self::End => Poll::Ready(None),
        }
    }
}
