//! The memory limit of a real cgroup: requests are refused before the kernel kills the proxy.

#[cfg(test)]
mod as_root {
    use std::{
        fs,
        io::{ErrorKind, Read, Write},
        net::{SocketAddr, TcpStream},
        path::{Path, PathBuf},
        process::Command,
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        thread,
        time::Duration,
    };

    use socket2::{Domain, Socket, Type};

    use crate::{
        support::{OK, Program, Signal, proxy},
        upstream::Upstream,
    };

    /// Bytes: the debug build under test takes up to 3 MiB for itself, and more for a request than a release.
    const SMALL: u64 = 16 * 1024 * 1024;
    const LARGER: u64 = 24 * 1024 * 1024;
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    /// Cgroups so far
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    /// How long the proxy must live under a load after the last answer: a kill comes within milliseconds.
    const UNDER_LOAD: Duration = Duration::from_secs(1);

    /// A cgroup with a memory limit, of whichever version this system has
    struct Cgroup(PathBuf);

    impl Cgroup {
        fn new(limit: u64) -> Self {
            let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers");
            let is_v2 = fs::read_to_string(v2).is_ok_and(|names| names.contains("memory"));
            let (root, files) = if is_v2 {
                ("/sys/fs/cgroup", &["memory.max"][..])
            } else {
                ("/sys/fs/cgroup/memory", &["memory.limit_in_bytes"][..])
            };
            let number = NUMBER.fetch_add(1, SeqCst);
            let cgroup = Path::new(root).join(format!("sidekit-test-{}-{number}", std::process::id()));
            fs::create_dir(&cgroup).unwrap();
            for file in files {
                fs::write(cgroup.join(file), limit.to_string()).unwrap();
            }
            Self(cgroup)
        }

        /// The same program in this cgroup from its first instruction on
        fn enter(&self, program: &Command) -> Command {
            let mut shell = Command::new("sh");
            shell.args(["-c", "echo $$ >\"$0\"; exec \"$@\""]).arg(self.0.join("cgroup.procs"));
            shell.arg(program.get_program()).args(program.get_args()).env_clear();
            shell
        }
    }

    impl Drop for Cgroup {
        fn drop(&mut self) {
            // It is busy for a moment after its last process has gone.
            for _ in 0..100 {
                if fs::remove_dir(&self.0).is_ok() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// A proxy in a cgroup
    struct Contained {
        // Ends before its cgroup is removed
        program: Program,
        health: SocketAddr,
        address: SocketAddr,
        _cgroup: Cgroup,
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
            let cgroup = Cgroup::new(limit);
            let command = proxy(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--max-requests", "10000"]);
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

        /// What has come when nothing more does.
        fn answers(&mut self, streams: &mut [TcpStream]) -> Answers {
            let mut begun = usize::MAX;
            harness::until("no more answers begin", || {
                let before = begun;
                thread::sleep(UNDER_LOAD);
                begun = streams.iter().filter(|stream| stream.peek(&mut [0]).is_ok()).count();
                (begun == before).then_some(())
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
        let answers = proxy.answers(&mut clients);
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
            let answers = proxy.answers(&mut clients);
            assert!(answers.good >= 50, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
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
        let answers = proxy.answers(&mut clients);
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
            let answers = proxy.answers(&mut clients);
            assert!(answers.refused + answers.closed > 0 && answers.good == 0, "{answers:?}");
            drop(clients);
            proxy.recovers();
        }
    }
}
