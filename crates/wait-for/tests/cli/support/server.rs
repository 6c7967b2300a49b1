//! Servers of a few lines each: a listener on the loopback, a thread for each connection, a script.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::DEADLINE;

/// A server that runs as long as the test's process
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Serves each connection on a thread of its own. The script gets the stream and how many came
    /// before; the connection ends with it.
    pub(crate) fn start(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(crate) fn on(listener: TcpListener, script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let server = Self { address: listener.local_addr().unwrap(), accepted: Arc::default() };
        let (accepted, script) = (server.accepted.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let nth = accepted.fetch_add(1, Ordering::SeqCst);
                let script = script.clone();
                thread::spawn(move || {
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    script(stream, nth);
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there have been
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A port of the loopback that is bound, so that no other program gets it, and does not listen
pub(crate) struct ClosedPort(OwnedFd);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        Self::on(Ipv4Addr::LOCALHOST)
    }

    fn on(ip: Ipv4Addr) -> Self {
        // Programs that other tests start at the same time must not inherit it.
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((ip, 0))).unwrap();
        Self(socket)
    }

    pub(crate) fn port(&self) -> u16 {
        SocketAddr::try_from(rustix::net::getsockname(&self.0).unwrap()).unwrap().port()
    }

    pub(crate) fn url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port())
    }

    /// From now on it listens.
    pub(crate) fn open(self) -> TcpListener {
        self.listen(128)
    }

    fn listen(self, backlog: i32) -> TcpListener {
        rustix::net::listen(&self.0, backlog).unwrap();
        self.0.into()
    }
}

/// A port whose backlog is full, so that the kernel drops what comes, as a firewall would
pub(crate) struct Silent {
    listener: TcpListener,
    _backlog: Vec<TcpStream>,
}

impl Silent {
    pub(crate) fn new() -> Self {
        Self::on(Ipv4Addr::LOCALHOST)
    }

    pub(crate) fn on(ip: Ipv4Addr) -> Self {
        let listener = ClosedPort::on(ip).listen(0);
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        Self { listener, _backlog: std::iter::from_fn(connect).collect() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(crate) fn url(&self) -> String {
        format!("tcp://{}", self.listener.local_addr().unwrap())
    }
}

/// Keeps a connection open until the other side closes it.
pub(crate) fn hold(mut stream: impl Read) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Ends a connection by a reset.
pub(crate) fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Resets the connection once the client has spoken: before, the client may not even be connected.
pub(crate) fn reset_when_spoken_to(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
    reset(stream);
}

/// Sends the same bytes until the client has left.
pub(crate) fn pour(mut stream: impl Write, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

/// Sends a byte a second until the client has left.
pub(crate) fn drip(mut stream: impl Write, byte: u8) {
    while stream.write_all(&[byte]).and_then(|()| stream.flush()).is_ok() {
        thread::sleep(Duration::from_secs(1));
    }
}
