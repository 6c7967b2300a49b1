//! An HTTP/2 server of a few lines: prior knowledge or TLS, a script, and every request remembered.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response, StatusCode};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task,
};
use tokio_rustls::TlsAcceptor;

/// A request with its body
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The answer of the script
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(&'static str, String)>,
}

/// An HTTP/2 server that runs as long as the test's process
pub(crate) struct Http2 {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

type Script = Arc<dyn Fn(&Heard) -> Reply + Send + Sync>;

impl Http2 {
    pub(crate) fn start(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        listener.set_nonblocking(true).unwrap();
        let (heard, script): (_, Script) = (server.heard.clone(), Arc::new(script));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            task::LocalSet::new().block_on(&runtime, accept(listener, tls, heard, script));
        });
        server
    }

    /// The only request that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Heard {
        let heard = self.heard.lock().unwrap();
        assert_eq!(heard.len(), 1, "{heard:#?}");
        heard[0].clone()
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    script: Script,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (heard, script, tls) = (heard.clone(), script.clone(), tls.clone());
        task::spawn_local(async move {
            let Some(config) = tls else { return serve(stream, heard, script).await };
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                serve(stream, heard, script).await;
            }
        });
    }
}

/// Serves one connection; its errors are the client's to notice.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, heard: Arc<Mutex<Vec<Heard>>>, script: Script) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (heard, script) = (heard.clone(), script.clone());
        task::spawn_local(async move {
            let request = listen(request).await;
            heard.lock().unwrap().push(request.clone());
            let _ = answer(script(&request), respond);
        });
    }
}

async fn listen(request: Request<RecvStream>) -> Heard {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        body.extend_from_slice(&data);
    }
    Heard { method: head.method.to_string(), uri: head.uri.to_string(), headers: head.headers, body }
}

fn answer(reply: Reply, mut respond: SendResponse<hyper::body::Bytes>) -> Result<(), h2::Error> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
    let mut trailers = HeaderMap::new();
    for (name, value) in reply.trailers {
        trailers.insert(name, value.parse().unwrap());
    }
    stream.send_data(reply.body.into(), trailers.is_empty())?;
    if trailers.is_empty() { Ok(()) } else { stream.send_trailers(trailers) }
}
