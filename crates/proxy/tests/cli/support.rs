//! The proxy under test.

use std::{
    net::SocketAddr,
    process::Command,
    thread,
    time::{Duration, Instant},
};

pub(crate) use harness::{Ended, Program, Signal};

use crate::{client::Client, upstream::Upstream};

/// The answer of an upstream in most tests
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A running proxy
pub(crate) struct Proxy {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    pub(crate) health: SocketAddr,
}

impl Proxy {
    /// In front of this upstream, with more arguments.
    #[track_caller]
    pub(crate) fn start(upstream: &Upstream, arguments: &[&str]) -> Self {
        Self::run(&[&["--listen", "127.0.0.1:0", "--upstream", &upstream.url()], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::of(&mut proxy(arguments))
    }

    /// Started by this command
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut program = Program::start(command);
        let health = program.address("health");
        Self::listening(program, health)
    }

    /// In front of this upstream, and the address of its admin listener
    #[track_caller]
    pub(crate) fn with_admin(upstream: &Upstream) -> (Self, SocketAddr) {
        let arguments = ["--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--admin-addr", "127.0.0.1:0"];
        let mut program = Program::start(&mut proxy(&arguments));
        let (health, admin) = (program.address("health"), program.address("admin"));
        (Self::listening(program, health), admin)
    }

    #[track_caller]
    fn listening(mut program: Program, health: SocketAddr) -> Self {
        let line = program.wait_for_message("listening");
        // A Unix socket has none.
        let address = line["address"].as_str().unwrap().parse().unwrap_or(([0, 0, 0, 0], 0).into());
        // By then all workers serve, and count.
        harness::http::until_status(health, "/startupz", 200);
        Self { program, address, health }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A metric's value
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = harness::http::get(self.health, "/metrics").body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }

    /// How often a reason was a request's end
    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        self.metric(&format!("sidekit_proxy_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// The sum of a metric over all its series, also while there is none
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let page = harness::http::get(self.health, "/metrics").body;
        let series =
            page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Requests in flight
    pub(crate) fn active(&self) -> u64 {
        self.metric("http_server_active_requests{listener=\"127.0.0.1:0\"}")
    }

    /// Stops it, and waits for a good end.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.program.signal(Signal::TERM);
        let ended = self.program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }
}

/// proxy with these arguments, no drain delay and a health listener on any port
pub(crate) fn proxy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
    command.args(["--health-addr", "127.0.0.1:0"]).args(arguments).env_clear();
    if !arguments.contains(&"--drain-delay") {
        command.args(["--drain-delay", "0s"]);
    }
    command
}

/// Waits side by side for the end of each client of a dozen: within `--drain-delay 3s` from the start, and not all at once.
#[track_caller]
pub(crate) fn leave_over_3_s(start: Instant, clients: Vec<Client>, wait_for_end: fn(&mut Client)) {
    let watch = |mut client| {
        thread::spawn(move || {
            wait_for_end(&mut client);
            start.elapsed()
        })
    };
    let watches: Vec<_> = clients.into_iter().map(watch).collect();
    let mut times: Vec<_> = watches.into_iter().map(|watch| watch.join().unwrap()).collect();
    times.sort_unstable();
    let (first, last) = (times[0], times[times.len() - 1]);
    assert!(last < Duration::from_millis(3500), "{times:?}");
    // All at once by chance is as likely as a dozen dice with one face.
    assert!(last > first + Duration::from_millis(500), "{times:?}");
}
