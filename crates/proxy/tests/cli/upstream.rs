//! Upstreams that answer as a test says, and keep every byte that they get.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use harness::{DEADLINE, until};
use socket2::{Domain, Socket, Type};

/// A port that refuses connections for as long as the socket is there, because it is taken and does not listen
pub(crate) fn closed_port() -> (SocketAddr, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap(), socket)
}

/// An upstream; its threads end with the test's process
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

/// One connection to an upstream
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// The number of this connection, from 0
    pub(crate) number: usize,
    heard: Arc<Mutex<Vec<String>>>,
    unread: Vec<u8>,
}

impl Upstream {
    /// Each connection is served by the script, which ends it by returning.
    pub(crate) fn start(script: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(crate) fn on(listener: TcpListener, script: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        Self::serve(address, move || listener.accept().map(|(stream, _)| stream).ok(), script)
    }

    /// On a Unix socket at this path; it has no address.
    pub(crate) fn on_unix(path: &Path, script: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let accept = move || listener.accept().map(|(stream, _)| OwnedFd::from(stream).into()).ok();
        Self::serve(SocketAddr::from(([0, 0, 0, 0], 0)), accept, script)
    }

    /// Serves the connections that `accept` gives.
    fn serve(
        address: SocketAddr,
        accept: impl Fn() -> Option<TcpStream> + Send + 'static,
        script: impl Fn(&mut Connection) + Send + Sync + 'static,
    ) -> Self {
        let (heard, connections, script) =
            (Arc::new(Mutex::default()), Arc::new(AtomicUsize::new(0)), Arc::new(script));
        let closed = Arc::new(AtomicUsize::new(0));
        let upstream = Self {
            closed: Arc::clone(&closed),
            address,
            heard: Arc::clone(&heard),
            connections: Arc::clone(&connections),
        };
        thread::spawn(move || {
            loop {
                let Some(stream) = accept() else { continue };
                let (heard, script) = (Arc::clone(&heard), Arc::clone(&script));
                let number = connections.fetch_add(1, SeqCst);
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                // A Unix socket has no such setting.
                let _ = stream.set_nodelay(true);
                let closed = Arc::clone(&closed);
                thread::spawn(move || {
                    script(&mut Connection { stream, number, heard, unread: Vec::new() });
                    closed.fetch_add(1, SeqCst);
                });
            }
        });
        upstream
    }

    /// Answers every request with these bytes, and keeps connections.
    pub(crate) fn answering(answer: &'static str) -> Self {
        Self::start(move |connection| {
            while connection.request().is_some() {
                connection.write(answer);
            }
        })
    }

    /// Answers as `answering` does. It closes in the middle of the next request or answer, after a time that differs
    /// from connection to connection.
    pub(crate) fn closing_at_any_moment(answer: &'static str) -> Self {
        Self::start(move |connection| {
            let stream = connection.stream.try_clone().unwrap();
            let pause = Duration::from_micros(200 + connection.number as u64 * 137 % 5000);
            let mut close = Some(move || {
                thread::sleep(pause);
                let _ = stream.shutdown(Shutdown::Both);
            });
            while connection.request().is_some() {
                connection.write(answer);
                close.take().map(thread::spawn);
            }
        })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, as they came
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The only request
    #[track_caller]
    pub(crate) fn only(&self) -> String {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests[0].clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Waits until this number of connections have ended their scripts and are closed.
    #[track_caller]
    pub(crate) fn wait_for_closed(&self, count: usize) {
        until(&format!("the upstream has closed {count}"), || (self.closed.load(SeqCst) >= count).then_some(()));
    }

    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        until(&format!("the upstream has {count} requests"), || (self.requests().len() >= count).then_some(()));
    }
}

impl Connection {
    /// The next request whole, with a body of a length or in chunks; nothing when the connection ends.
    pub(crate) fn request(&mut self) -> Option<String> {
        let head = self.until("\r\n\r\n")?;
        let lower = head.to_lowercase();
        let body = if lower.contains("\r\ntransfer-encoding: chunked\r\n") {
            self.until("\r\n\r\n")?
        } else {
            let length = lower.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            self.take(length.unwrap_or(0))?
        };
        self.heard.lock().unwrap().push(head.clone() + &body);
        Some(head + &body)
    }

    /// The head of the next request, whose body stays unread
    pub(crate) fn head(&mut self) -> Option<String> {
        let head = self.until("\r\n\r\n")?;
        self.heard.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Bytes that were read behind the last head
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// The bytes that were read behind the last head
    pub(crate) fn rest_of_read(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(bytes);
    }

    /// Whether the proxy still takes bytes
    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end.as_bytes()) {
                return self.take(at + end.len());
            }
            self.read()?;
        }
    }

    fn take(&mut self, length: usize) -> Option<String> {
        while self.unread.len() < length {
            self.read()?;
        }
        let rest = self.unread.split_off(length);
        let taken = std::mem::replace(&mut self.unread, rest);
        Some(String::from_utf8_lossy(&taken).into_owned())
    }

    fn read(&mut self) -> Option<()> {
        let mut room = [0; 16 * 1024];
        let length = self.stream.read(&mut room).ok().filter(|length| *length > 0)?;
        self.unread.extend_from_slice(&room[..length]);
        Some(())
    }
}
