//! A plain HTTP/1.1 server whose answers a test decides, down to the byte.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::until::DEADLINE;

/// Bytes of a request's head
const HEAD_LIMIT: usize = 64 * 1024;

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server on loopback that has one thread a connection, and one request on each. It ends when it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    has_ended: Arc<AtomicBool>,
}

/// A request
#[derive(Clone, Debug)]
pub struct Asked {
    /// GET, POST …
    pub method: String,
    /// With the query
    pub path: String,
    /// Names in lower case
    pub headers: Vec<(String, String)>,
    /// Whole
    pub body: String,
    /// The client's certificate, as DER, where TLS asked for one
    pub certificate: Option<Vec<u8>>,
}

/// What a server does with a request
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with a status, headers and a body, whose length it adds
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Sends these bytes and closes the connection
    Bytes(String),
    /// Keeps the connection open without a word until the server ends
    Silence,
}

impl HttpServer {
    /// Answers each request as the handler says.
    pub fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_tls(None, handler)
    }

    /// The same with TLS, for the name `localhost`.
    pub fn with_tls(tls: Option<Arc<ServerConfig>>, handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), tls, handler)
    }

    /// The same on a listener, so that a server can come back at its old address.
    pub fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, has_ended) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(AtomicBool::new(false)));
        let (handler, list, ended): (Arc<Handler>, _, _) = (Arc::new(handler), asked.clone(), has_ended.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (handler, tls, list, ended) = (handler.clone(), tls.clone(), list.clone(), ended.clone());
                thread::spawn(move || {
                    stream.set_read_timeout(Some(DEADLINE)).ok();
                    match tls {
                        None => serve(stream, |_| None, &*handler, &list, &ended),
                        Some(tls) => {
                            let stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
                            serve(stream, certificate, &*handler, &list, &ended);
                        }
                    }
                });
            }
        });
        Self { address, scheme, asked, has_ended }
    }

    /// Where it listens
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, with the host `127.0.0.1`, or `localhost` where there is TLS
    pub fn url(&self, path: &str) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// All requests up to now
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.has_ended.store(true, Relaxed);
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
    }
}

impl Asked {
    /// The value of a header, by its name in lower case
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    /// A JSON document with a status
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        Self::Answer(status, vec![("Content-Type", "application/json".into())], document.to_string())
    }

    /// A status without more
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }
}

fn certificate(stream: &StreamOwned<ServerConnection, TcpStream>) -> Option<Vec<u8>> {
    stream.conn.peer_certificates()?.first().map(|certificate| certificate.to_vec())
}

/// Reads one request, and does with it as the handler says. A client that breaks off is no fault.
fn serve<S: Read + Write>(
    mut stream: S,
    certificate: impl Fn(&S) -> Option<Vec<u8>>,
    handler: &Handler,
    asked: &Mutex<Vec<Asked>>,
    ended: &AtomicBool,
) {
    let Some(mut request) = read(&mut stream) else { return };
    request.certificate = certificate(&stream);
    lock(asked).push(request.clone());
    let bytes = match handler(&request) {
        Reply::Bytes(bytes) => bytes,
        Reply::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            for (name, value) in headers {
                head.extend([name, ": ", &value, "\r\n"]);
            }
            format!("{head}\r\n{body}")
        }
        Reply::Silence => {
            while !ended.load(Relaxed) {
                thread::park_timeout(std::time::Duration::from_millis(20));
            }
            return;
        }
    };
    stream.write_all(bytes.as_bytes()).and_then(|()| stream.flush()).ok();
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_LIMIT {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(Some(0), |(_, length)| length.parse().ok())?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body: String::from_utf8(body).ok()?, certificate: None })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
