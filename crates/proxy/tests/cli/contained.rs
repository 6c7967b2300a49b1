//! A proxy in a cgroup with a memory limit, and bursts of clients that its kernel may kill it for.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use harness::MemoryCgroup;
use socket2::{Domain, Socket, Type};

use crate::{
    support::{OK, Program, Signal, proxy},
    upstream::Upstream,
};

/// Bytes: the debug build under test takes up to 3 MiB for itself, and more for a request than a release.
pub(crate) const SMALL: u64 = 16 * 1024 * 1024;
pub(crate) const LARGER: u64 = 24 * 1024 * 1024;
/// How long the proxy must live under a load after the last answer: a kill comes within milliseconds.
pub(crate) const UNDER_LOAD: Duration = Duration::from_secs(1);

/// A proxy in a cgroup
pub(crate) struct Contained {
    // Ends before its cgroup is removed
    pub(crate) program: Program,
    pub(crate) health: SocketAddr,
    pub(crate) address: SocketAddr,
    _cgroup: MemoryCgroup,
}

/// Answers that have come, and what took their place
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) good: usize,
    pub(crate) refused: usize,
    /// No byte has come, because the request or its connection waits
    pub(crate) none: usize,
    /// Closed before all of a refusal could be read
    pub(crate) closed: usize,
}

impl Contained {
    pub(crate) fn start(limit: u64, upstream: &Upstream) -> Self {
        Self::before(limit, &upstream.url())
    }

    pub(crate) fn before(limit: u64, url: &str) -> Self {
        let cgroup = MemoryCgroup::new(limit);
        let command = proxy(&["--listen", "127.0.0.1:0", "--upstream", url, "--max-requests", "10000"]);
        let mut program = Program::start(&mut cgroup.enter(&command));
        let health = program.address("health");
        let address = program.wait_for_message("listening")["address"].as_str().unwrap().parse().unwrap();
        harness::http::until_status(health, "/startupz", 200);
        Self { program, health, address, _cgroup: cgroup }
    }

    /// Opens this many connections at once, and begins each with these bytes.
    pub(crate) fn burst(&self, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
        let mut streams: Vec<TcpStream> = (0..count)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                // Of what hundreds of clients write, the kernel would otherwise hold more than it has for all sockets.
                socket.set_send_buffer_size(64 * 1024).unwrap();
                // Where the queue of the listener is full, the connection comes later.
                let _ = socket.connect(&self.address.into());
                socket.into()
            })
            .collect();
        for stream in &mut streams {
            // A connection may not stand yet, or be closed before it has said anything.
            let _ = stream.write(bytes);
        }
        streams
    }

    /// As many clients, each of which writes all of these bytes
    pub(crate) fn write_all(&self, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
        let address = self.address;
        let write = || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_write_timeout(Some(harness::DEADLINE)).unwrap();
            // The proxy may end a connection that asks for too much.
            let _ = stream.write_all(bytes);
            stream
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..count).map(|_| scope.spawn(write)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        })
    }

    /// It lives on under the load.
    #[track_caller]
    pub(crate) fn lives(&mut self) {
        thread::sleep(2 * UNDER_LOAD);
        assert!(self.program.is_running(), "the proxy was killed");
        assert_eq!(harness::http::get(self.health, "/livez").status, 200);
    }

    /// The bytes that have come when no more do, and at least this many answers have begun.
    pub(crate) fn answers(&mut self, streams: &mut [TcpStream], least: usize) -> Answers {
        let mut begun = usize::MAX;
        harness::until("no more answers begin", || {
            let before = begun;
            thread::sleep(UNDER_LOAD);
            begun = streams.iter().filter(|stream| stream.peek(&mut [0]).is_ok()).count();
            (begun == before && begun >= least).then_some(())
        });
        let mut answers = Answers::default();
        for stream in streams {
            let mut start = [0; 12];
            match stream.read(&mut start) {
                Ok(_) if start.ends_with(b"200") => answers.good += 1,
                Ok(_) if start.ends_with(b"503") => answers.refused += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => answers.none += 1,
                _ => answers.closed += 1,
            }
        }
        assert!(self.program.is_running(), "the proxy was killed: {answers:?}");
        assert_eq!(harness::http::get(self.health, "/livez").status, 200);
        answers
    }

    /// The clients have gone: it serves again, and ends well.
    pub(crate) fn recovers(self) {
        harness::until("it serves again", || {
            let mut client = crate::client::Client::new(self.address);
            let answer = client.try_get("/short")?;
            (answer.status == 200).then_some(())
        });
        self.program.signal(Signal::TERM);
        let ended = self.program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

/// Answers `/short` at once and a GET with what no client reads to the end; reads no other body than it must.
pub(crate) fn upstream() -> Upstream {
    Upstream::start(|connection| {
        while let Some(head) = connection.head() {
            if head.starts_with("GET /short ") {
                connection.write(OK);
            } else if head.starts_with("GET /silent ") || head.starts_with("POST ") {
                // It neither answers nor reads any more, and keeps the connection.
                thread::sleep(harness::DEADLINE);
                return;
            } else {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                while connection.try_write([b'x'; 16 * 1024]) {}
            }
        }
    })
}
