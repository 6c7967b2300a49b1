//! The memory limit of a real cgroup: requests are refused before the kernel kills the proxy.

#[cfg(test)]
mod as_root {
    use std::{
        future::poll_fn,
        io::{ErrorKind, Read, Write},
        net::{SocketAddr, TcpStream},
        thread,
        time::Duration,
    };

    use harness::MemoryCgroup;
    use socket2::{Domain, Socket, Type};

    use crate::{
        http2_upstream::{Asked, Http2Upstream},
        raw_http2::{PREFACE, SETTINGS, WINDOW_UPDATE, frame, get},
        support::{OK, Program, Signal, proxy},
        upstream::Upstream,
    };

    /// Bytes: the debug build under test takes up to 3 MiB for itself, and more for a request than a release.
    const SMALL: u64 = 16 * 1024 * 1024;
    const LARGER: u64 = 24 * 1024 * 1024;
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    /// How long the proxy must live under a load after the last answer: a kill comes within milliseconds.
    const UNDER_LOAD: Duration = Duration::from_secs(1);

    /// A proxy in a cgroup
    struct Contained {
        // Ends before its cgroup is removed
        program: Program,
        health: SocketAddr,
        address: SocketAddr,
        _cgroup: MemoryCgroup,
    }

    /// Answers that have come, and what took their place
    #[derive(Debug, Default)]
    struct Answers {
        good: usize,
        refused: usize,
        /// No byte has come, because the request or its connection waits
        none: usize,
        /// Closed before all of a refusal could be read
        closed: usize,
    }

    impl Contained {
        fn start(limit: u64, upstream: &Upstream) -> Self {
            Self::before(limit, &upstream.url())
        }

        fn before(limit: u64, url: &str) -> Self {
            let cgroup = MemoryCgroup::new(limit);
            let command = proxy(&["--listen", "127.0.0.1:0", "--upstream", url, "--max-requests", "10000"]);
            let mut program = Program::start(&mut cgroup.enter(&command));
            let health = program.address("health");
            let address = program.wait_for_message("listening")["address"].as_str().unwrap().parse().unwrap();
            harness::http::until_status(health, "/startupz", 200);
            Self { program, health, address, _cgroup: cgroup }
        }

        /// Opens this many connections at once, and begins each with these bytes.
        fn burst(&self, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
            let mut streams: Vec<TcpStream> = (0..count)
                .map(|_| {
                    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                    socket.set_nonblocking(true).unwrap();
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

        /// What has come when nothing more does, and at least this many answers have begun.
        fn answers(&mut self, streams: &mut [TcpStream], least: usize) -> Answers {
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
        fn recovers(self) {
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
    fn upstream() -> Upstream {
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

    #[test]
    fn a_thousand_requests_at_once_do_not_end_in_a_kill() {
        let upstream = upstream();
        let mut proxy = Contained::start(SMALL, &upstream);
        let mut clients = proxy.burst(1000, b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 80 && answers.refused >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    #[test]
    fn slow_readers_of_long_answers_do_not_end_in_a_kill() {
        for count in [300, 900] {
            let upstream = upstream();
            let mut proxy = Contained::start(LARGER, &upstream);
            let mut clients = proxy.burst(count, GET.as_bytes());
            let answers = proxy.answers(&mut clients, 50);
            assert!(answers.good >= 50, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }

    #[test]
    fn slow_readers_of_streams_do_not_end_in_a_kill() {
        let upstream = Http2Upstream::start(|mut asked: Asked| async move {
            if asked.path() == "/short" {
                return asked.ok("ok");
            }
            let mut stream = asked.begin(200, &[]);
            loop {
                stream.reserve_capacity(16 * 1024);
                let room = poll_fn(|context| stream.poll_capacity(context)).await;
                let Some(Ok(room)) = room else { return };
                if stream.send_data(vec![b'x'; room].into(), false).is_err() {
                    return;
                }
            }
        });
        for count in [300, 900] {
            let mut proxy = Contained::before(LARGER, &upstream.url());
            let mut clients = proxy.burst(count, GET.as_bytes());
            let answers = proxy.answers(&mut clients, 50);
            assert!(answers.good >= 50, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }

    /// Without windows, each stream holds a part of its answer; with large ones, what h2 takes of it.
    #[test]
    fn streams_of_clients_that_do_not_read_do_not_end_in_a_kill() {
        for window in [0, u32::MAX >> 1] {
            let upstream = upstream();
            let mut proxy = Contained::start(LARGER, &upstream);
            let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
            let more = (u32::MAX >> 1) - 65_535;
            let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat();
            bytes.extend(frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()));
            bytes.extend((1..200).step_by(2).flat_map(|stream| get(stream, "/")));
            let clients = proxy.burst(60, &bytes);
            thread::sleep(2 * UNDER_LOAD);
            assert!(proxy.program.is_running(), "the proxy was killed with windows of {window}");
            assert_eq!(harness::http::get(proxy.health, "/livez").status, 200);
            drop(clients);
            proxy.recovers();
        }
    }

    #[test]
    fn large_uploads_over_streams_that_nobody_reads_do_not_end_in_a_kill() {
        let upstream = Http2Upstream::start(|asked: Asked| async move {
            if asked.path() == "/short" {
                return asked.ok("ok");
            }
            // It gives no window for the rest, and ends before a stop of the proxy must.
            tokio::time::sleep(Duration::from_secs(15)).await;
            drop(asked);
        });
        let mut proxy = Contained::before(LARGER, &upstream.url());
        let mut clients = proxy.burst(300, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..8 {
            for client in &mut clients {
                let _ = client.write(&piece);
            }
        }
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    #[test]
    fn large_uploads_to_an_upstream_that_does_not_read_do_not_end_in_a_kill() {
        let upstream = upstream();
        let mut proxy = Contained::start(LARGER, &upstream);
        let mut clients = proxy.burst(300, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        // More than the proxy's buffers hold
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..8 {
            for client in &mut clients {
                let _ = client.write(&piece);
            }
        }
        let answers = proxy.answers(&mut clients, 0);
        assert!(answers.none >= 100, "{answers:?}");
        drop(clients);
        proxy.recovers();
    }

    #[test]
    fn heads_that_do_not_end_do_not_end_in_a_kill() {
        let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}", "x".repeat(31_000));
        for (count, head) in [(5000, "GET / HTTP/1.1\r\n"), (1000, &large)] {
            let upstream = upstream();
            let mut proxy = Contained::start(SMALL, &upstream);
            let mut clients = proxy.burst(count, head.as_bytes());
            let answers = proxy.answers(&mut clients, 0);
            assert!(answers.refused + answers.closed > 0 && answers.good == 0, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }
}
