//! An HTTP/2 client that keeps the rules, by the library that the proxy uses too; `raw_http2` breaks them.

use std::{net::SocketAddr, sync::Arc};

use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use harness::DEADLINE;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Bytes;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Runtime,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::tls_client::TlsSettings;

/// A connection to the proxy. Its frames are read and written only while a method waits.
pub(crate) struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) trailers: Option<HeaderMap>,
}

/// A request that was begun
pub(crate) struct Stream {
    response: ResponseFuture,
    pub(crate) sender: SendStream<Bytes>,
}

/// A tunnel over a stream
pub(crate) struct Http2Tunnel {
    pub(crate) head: http::response::Parts,
    body: RecvStream,
    pub(crate) sender: SendStream<Bytes>,
    unread: Vec<u8>,
}

impl Http2 {
    /// A connection without TLS, by prior knowledge
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::over(|| async move { TcpStream::connect(address).await.unwrap() })
    }

    /// A connection with TLS, to a server whose certificate this authority has signed
    pub(crate) fn with_tls(address: SocketAddr, name: &str, root: &CertificateDer<'static>) -> Self {
        let mut config = TlsSettings::new(root).0.as_ref().clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self::over(move || async move {
            let stream = TcpStream::connect(address).await.unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
        })
    }

    /// Over the connection that this makes
    pub(crate) fn over<I, F>(connect: impl FnOnce() -> F) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = I>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, connection) = runtime.block_on(async {
            let io = connect().await;
            let (sender, connection) = h2::client::handshake(io).await.unwrap();
            (sender, tokio::spawn(connection))
        });
        Self { runtime, sender, connection }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answered {
        self.request(get(path), "")
    }

    /// Sends a request with this body, and waits for its answer.
    #[track_caller]
    pub(crate) fn request(&mut self, request: Request<()>, body: &str) -> Answered {
        self.try_request(request, body).unwrap()
    }

    /// The same, or why the stream or the connection ended
    #[track_caller]
    pub(crate) fn try_request(&mut self, request: Request<()>, body: &str) -> Result<Answered, h2::Error> {
        let mut stream = self.begin(request, body.is_empty())?;
        if !body.is_empty() {
            stream.sender.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        }
        self.answer(stream)
    }

    /// Sends the head of a request.
    pub(crate) fn begin(&mut self, request: Request<()>, is_all: bool) -> Result<Stream, h2::Error> {
        self.runtime.block_on(async {
            let mut ready = self.sender.clone().ready().await?;
            let (response, sender) = ready.send_request(request, is_all)?;
            tokio::task::yield_now().await;
            Ok(Stream { response, sender })
        })
    }

    /// Waits for an answer and all of its body.
    #[track_caller]
    pub(crate) fn answer(&mut self, stream: Stream) -> Result<Answered, h2::Error> {
        let answered = async {
            let (head, mut body) = stream.response.await?.into_parts();
            let text = read(&mut body).await?;
            let trailers = body.trailers().await?;
            Ok(Answered { status: head.status.as_u16(), headers: head.headers, body: text, trailers })
        };
        self.runtime.block_on(async { timeout(DEADLINE, answered).await }).expect("an answer in time")
    }

    /// Asks for another protocol, and waits for the head of the answer (RFC 8441).
    #[track_caller]
    pub(crate) fn connect(&mut self, path: &str, protocol: &'static str, lines: &[(&str, &str)]) -> Http2Tunnel {
        let mut request = Request::builder().method("CONNECT").uri(format!("http://app{path}"));
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static(protocol));
        let Stream { response, sender } = self.begin(request, false).unwrap();
        let response =
            self.runtime.block_on(async { timeout(DEADLINE, response).await }).expect("a head in time").unwrap();
        let (head, body) = response.into_parts();
        Http2Tunnel { head, body, sender, unread: Vec::new() }
    }

    /// Bytes of a tunnel; fewer at its end
    #[track_caller]
    pub(crate) fn read(&mut self, tunnel: &mut Http2Tunnel, length: usize) -> Vec<u8> {
        let reading = async {
            while tunnel.unread.len() < length
                && let Some(data) = tunnel.body.data().await
            {
                let data = data.unwrap();
                tunnel.body.flow_control().release_capacity(data.len()).unwrap();
                tunnel.unread.extend_from_slice(&data);
            }
        };
        self.runtime.block_on(async { timeout(DEADLINE, reading).await }).expect("bytes in time");
        let length = length.min(tunnel.unread.len());
        tunnel.unread.drain(..length).collect()
    }

    /// Waits until the server allows an extended CONNECT.
    #[track_caller]
    pub(crate) fn until_it_may_connect(&mut self) {
        let waiting = async {
            while !self.sender.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        self.runtime.block_on(async { timeout(DEADLINE, waiting).await }).expect("the setting in time");
    }

    /// Waits until the connection has ended: why.
    #[track_caller]
    pub(crate) fn ended(self) -> Result<(), h2::Error> {
        let Self { runtime, sender, connection } = self;
        drop(sender);
        runtime.block_on(async { timeout(DEADLINE, connection).await }).expect("an end in time").unwrap()
    }
}

impl Answered {
    /// A header's value, or nothing
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The reason of an answer of the proxy's own
    pub(crate) fn reason(&self) -> &str {
        self.header("proxy-status").split("details=\"").nth(1).map_or("", |reason| reason.trim_end_matches('"'))
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status == StatusCode::OK.as_u16()
    }
}

/// A GET request for this path
pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://app{path}")).body(()).unwrap()
}

/// A POST request for this path
pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://app{path}")).body(()).unwrap()
}

async fn read(body: &mut RecvStream) -> Result<String, h2::Error> {
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        text.extend_from_slice(&data);
    }
    Ok(String::from_utf8(text).unwrap())
}
