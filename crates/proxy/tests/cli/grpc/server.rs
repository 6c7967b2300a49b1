//! A server of gRPC whose answers a script gives, frame by frame.

use std::{
    future::{Future, pending, poll_fn},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use h2::{Reason, SendStream, server};
use harness::until;
use http::{Response, request};
use hyper::body::Bytes;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::grpc::peers::{Incoming, RUNTIME, framed, headers};

/// A server whose answers a script gives
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<request::Parts>>>,
    connections: Arc<AtomicUsize>,
    resets: Arc<Mutex<Vec<Reason>>>,
}

/// A call as the server sees it
pub(crate) struct Asked {
    /// Of this number, from 0
    pub(crate) number: usize,
    pub(crate) head: request::Parts,
    pub(crate) incoming: Incoming,
    respond: server::SendResponse<Bytes>,
    resets: Arc<Mutex<Vec<Reason>>>,
}

/// The answer under way
pub(crate) struct Answering {
    stream: SendStream<Bytes>,
    resets: Arc<Mutex<Vec<Reason>>>,
}

impl Server {
    pub(crate) fn start<F>(script: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with_tls(None, script)
    }

    pub(crate) fn echoing() -> Self {
        Self::start(echo)
    }

    /// Over TLS, if there is a configuration for it
    pub(crate) fn with_tls<F>(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Asked) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with_each_tls(tls.into_iter().collect(), script)
    }

    /// Over TLS with the first configuration for the first connection, and so on; the last one is for
    /// all others. A connection without HTTP/2 says nothing.
    pub(crate) fn with_each_tls<F>(
        tls: Vec<Arc<ServerConfig>>,
        script: impl Fn(Asked) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, heads: Arc::default(), connections: Arc::default(), resets: Arc::default() };
        let (heads, connections, resets) = (server.heads.clone(), server.connections.clone(), server.resets.clone());
        let script = Arc::new(script);
        RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let number = connections.fetch_add(1, SeqCst);
                let tls = tls.get(number).or(tls.last()).cloned();
                let (script, heads, resets) = (script.clone(), heads.clone(), resets.clone());
                match tls.map(TlsAcceptor::from) {
                    None => tokio::spawn(serve(stream, script, heads, resets)),
                    Some(tls) => tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                                return pending().await;
                            }
                            serve(stream, script, heads, resets).await;
                        }
                    }),
                };
            }
        });
        server
    }

    /// Answers each call with its first message, and then with status 0.
    pub(crate) fn echo() -> Self {
        Self::start(|mut asked| async move {
            let message = asked.incoming.message().await.unwrap().unwrap();
            let mut answering = asked.begin();
            answering.send(&message);
            answering.end(&[("grpc-status", "0")]);
        })
    }

    /// The heads of all calls so far
    pub(crate) fn heads(&self) -> Vec<request::Parts> {
        self.heads.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn wait_for_calls(&self, count: usize) {
        until(&format!("the server has {count} calls"), || (self.heads().len() >= count).then_some(()));
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Waits for the reset of a call, and says why it came.
    #[track_caller]
    pub(crate) fn wait_for_reset(&self) -> Reason {
        until("a call is reset", || self.resets.lock().unwrap().first().copied())
    }
}

async fn serve<F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Arc<impl Fn(Asked) -> F>,
    heads: Arc<Mutex<Vec<request::Parts>>>,
    resets: Arc<Mutex<Vec<Reason>>>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let number = {
            let mut heads = heads.lock().unwrap();
            heads.push(head.clone());
            heads.len() - 1
        };
        let incoming = Incoming::new(body);
        tokio::spawn(script(Asked { number, head, incoming, respond, resets: resets.clone() }));
    }
}

/// Echoes each message as it comes, behind a head that comes before any of them, and ends with the client.
pub(crate) async fn echo(mut asked: Asked) {
    let mut answering = asked.begin();
    while let Ok(Some(message)) = asked.incoming.message().await {
        answering.send(&message);
    }
    answering.end(&[("grpc-status", "0")]);
}

impl Asked {
    /// Sends the head of an answer that goes on.
    pub(crate) fn begin(&mut self) -> Answering {
        let stream = self.respond.send_response(head(&[]), false).unwrap();
        Answering { stream, resets: self.resets.clone() }
    }

    /// Sends an answer that is nothing but trailers.
    pub(crate) fn refuse(&mut self, lines: &[(&'static str, &str)]) {
        self.respond.send_response(head(lines), true).unwrap();
    }

    /// Waits until the other side resets the call before an answer.
    pub(crate) async fn until_reset(mut self) {
        let reason = poll_fn(|context| self.respond.poll_reset(context)).await.unwrap();
        self.resets.lock().unwrap().push(reason);
    }
}

impl Answering {
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.stream.send_data(framed(message), false).unwrap();
    }

    pub(crate) fn end(mut self, trailers: &[(&'static str, &str)]) {
        self.stream.send_trailers(headers(trailers)).unwrap();
    }

    pub(crate) fn reset(mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Waits until the other side resets the call.
    pub(crate) async fn until_reset(mut self) {
        let reason = poll_fn(|context| self.stream.poll_reset(context)).await.unwrap();
        self.resets.lock().unwrap().push(reason);
    }
}

fn head(lines: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = headers(&[&[("content-type", "application/grpc")], lines].concat());
    response
}
