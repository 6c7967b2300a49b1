//! The memory limit of a real cgroup: requests are refused before the kernel kills the proxy.

#[cfg(test)]
mod as_root {
    use std::{
        fs,
        io::{Read, Write},
        net::TcpStream,
        path::{Path, PathBuf},
        process::Command,
        thread,
        time::Duration,
    };

    use crate::{
        support::{OK, Program, Signal, proxy},
        upstream::Upstream,
    };

    /// Bytes; the proxy itself takes about a third.
    const LIMIT: u64 = 24 * 1024 * 1024;
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// A cgroup with a memory limit, of whichever version this system has
    struct Cgroup(PathBuf);

    impl Cgroup {
        fn new() -> Self {
            let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers");
            let is_v2 = fs::read_to_string(v2).is_ok_and(|names| names.contains("memory"));
            let (root, files) = if is_v2 {
                ("/sys/fs/cgroup", &["memory.max"][..])
            } else {
                ("/sys/fs/cgroup/memory", &["memory.limit_in_bytes"][..])
            };
            let cgroup = Path::new(root).join(format!("sidekit-test-{}", std::process::id()));
            fs::create_dir(&cgroup).unwrap();
            for file in files {
                fs::write(cgroup.join(file), LIMIT.to_string()).unwrap();
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

    #[test]
    fn slow_readers_of_long_answers_do_not_end_in_a_kill() {
        let cgroup = Cgroup::new();
        // Answers that no client reads to the end
        let upstream = Upstream::start(|connection| {
            while let Some(request) = connection.request() {
                if request.starts_with("GET /short ") {
                    connection.write(OK);
                    continue;
                }
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                while connection.try_write([b'x'; 16 * 1024]) {}
            }
        });
        let command = proxy(&["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--max-requests", "10000"]);
        let mut program = Program::start(&mut cgroup.enter(&command));
        let health = program.address("health");
        let address = program.wait_for_message("listening")["address"].as_str().unwrap().parse().unwrap();
        harness::http::until_status(health, "/startupz", 200);

        let mut readers = Vec::new();
        let mut refused = None;
        while refused.is_none() {
            assert!(readers.len() < 3000, "the limit has no effect");
            assert!(program.is_running(), "the proxy was killed with {} readers", readers.len());
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
            // Nothing comes where the proxy accepts no more: that is a refusal too.
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            stream.write_all(GET.as_bytes()).unwrap();
            let mut start = [0; 12];
            match stream.read_exact(&mut start) {
                Ok(()) if start.ends_with(b"200") => readers.push(stream),
                Ok(()) => refused = Some(String::from_utf8_lossy(&start).into_owned()),
                Err(error) => refused = Some(error.to_string()),
            }
        }
        // It lives on, and serves again once its clients have gone.
        assert!(program.is_running() && readers.len() > 20, "{} readers, {refused:?}", readers.len());
        assert_eq!(harness::http::get(health, "/livez").status, 200);
        drop(readers);
        harness::until("it serves again", || {
            let mut client = crate::client::Client::new(address);
            let answer = client.try_get("/short")?;
            (answer.status == 200).then_some(())
        });
        program.signal(Signal::TERM);
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}
