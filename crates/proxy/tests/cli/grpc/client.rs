//! A client of gRPC that sends and reads frame by frame.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use h2::{Reason, SendStream, client};
use harness::{Authority, until};
use http::{HeaderMap, Request, response};
use hyper::body::Bytes;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::grpc::peers::{Incoming, RUNTIME, framed, headers, wait};

/// A client's connection
pub(crate) struct Client {
    sender: client::SendRequest<Bytes>,
    has_ended: Arc<AtomicBool>,
}

/// A call as the client sees it
pub(crate) struct Call {
    response: Option<client::ResponseFuture>,
    outgoing: SendStream<Bytes>,
    incoming: Option<Incoming>,
}

/// The end of a call
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) head: response::Parts,
    pub(crate) messages: Vec<Vec<u8>>,
    /// Of an answer that is nothing but trailers they stand in the head.
    pub(crate) trailers: HeaderMap,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::over(async move { TcpStream::connect(address).await.unwrap() })
    }

    /// Over TLS, to a server with a certificate of this authority for `localhost`
    pub(crate) fn with_tls(address: SocketAddr, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self::over(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
        })
    }

    /// Over a connection that this future makes
    pub(crate) fn over<S>(connected: impl Future<Output = S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = wait(async move { client::handshake(connected.await).await.unwrap() });
        let has_ended = Arc::new(AtomicBool::new(false));
        let at_end = has_ended.clone();
        RUNTIME.spawn(async move {
            let _ = connection.await;
            at_end.store(true, SeqCst);
        });
        Self { sender, has_ended }
    }

    /// Begins a call with these headers behind those that each call has.
    #[track_caller]
    pub(crate) fn call(&mut self, path: &str, lines: &[(&'static str, &str)]) -> Call {
        self.begin(path, lines, false)
    }

    fn begin(&mut self, path: &str, lines: &[(&'static str, &str)], is_empty: bool) -> Call {
        let mut request = Request::post(format!("http://app{path}")).body(()).unwrap();
        let common = [("te", "trailers"), ("content-type", "application/grpc")];
        *request.headers_mut() = headers(&[&common, lines].concat());
        let sender = &mut self.sender;
        let (response, outgoing) = wait(async {
            poll_fn(|context| sender.poll_ready(context)).await.unwrap();
            sender.send_request(request, is_empty).unwrap()
        });
        Call { response: Some(response), outgoing, incoming: None }
    }

    /// A call of one message
    #[track_caller]
    pub(crate) fn unary(&mut self, path: &str, lines: &[(&'static str, &str)], message: &[u8]) -> End {
        let mut call = self.call(path, lines);
        // A call that is refused by its head may have ended by now.
        let sent = call.outgoing.send_data(framed(message), false);
        let _ = sent.and_then(|()| call.outgoing.send_data(Bytes::new(), true));
        call.end()
    }

    /// A call without a message
    #[track_caller]
    pub(crate) fn empty(&mut self, path: &str, lines: &[(&'static str, &str)]) -> End {
        self.begin(path, lines, true).end()
    }

    /// Waits until the other side closes the connection.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        until("the connection ends", || self.has_ended.load(SeqCst).then_some(()));
    }
}

impl Call {
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.outgoing.send_data(framed(message), false).unwrap();
    }

    /// Ends the client's messages.
    pub(crate) fn close(&mut self) {
        self.outgoing.send_data(Bytes::new(), true).unwrap();
    }

    pub(crate) fn cancel(&mut self) {
        self.outgoing.send_reset(Reason::CANCEL);
    }

    /// The head of the answer
    #[track_caller]
    pub(crate) fn head(&mut self) -> response::Parts {
        let response = self.response.take().expect("the head is read once");
        let (head, body) = wait(response).expect("an answer").into_parts();
        self.incoming = Some(Incoming::new(body));
        head
    }

    /// The next message, behind the head
    #[track_caller]
    pub(crate) fn message(&mut self) -> Option<Vec<u8>> {
        wait(self.incoming.as_mut().unwrap().message()).unwrap()
    }

    /// The trailers, behind all messages
    #[track_caller]
    pub(crate) fn trailers(&mut self) -> HeaderMap {
        wait(self.incoming.as_mut().unwrap().trailers()).unwrap().expect("trailers")
    }

    /// The rest of the answer
    #[track_caller]
    pub(crate) fn end(mut self) -> End {
        let head = self.head();
        let mut messages = Vec::new();
        while let Some(message) = self.message() {
            messages.push(message);
        }
        let trailers = wait(self.incoming.as_mut().unwrap().trailers()).unwrap();
        let trailers = trailers.unwrap_or_else(|| head.headers.clone());
        End { head, messages, trailers }
    }
}

impl End {
    /// `grpc-status`
    pub(crate) fn status(&self) -> &str {
        self.trailers["grpc-status"].to_str().unwrap()
    }

    /// `grpc-message`
    pub(crate) fn message(&self) -> &str {
        self.trailers.get("grpc-message").map_or("", |message| message.to_str().unwrap())
    }
}
