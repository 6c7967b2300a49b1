//! An app as a process of its own, so that it can be stopped, killed and started again on the same port.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process,
    sync::atomic::{AtomicU8, Ordering::SeqCst},
};

use crate::{
    support::{Program, Signal, proxy},
    upstream::Upstream,
};

/// An app whose answers a script gives. The process is a proxy in front of it, so that all of its sockets end with it.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    script: Upstream,
    process: Option<Program>,
}

impl App {
    /// An app that does not run yet
    pub(crate) fn new(script: Upstream) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        // An address that no other test has, so that its port stays free while the app is down.
        let [_, _, high, low] = process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, high.max(1), low, NUMBER.fetch_add(1, SeqCst));
        Self { address: (ip, 8080).into(), script, process: None }
    }

    pub(crate) fn running(script: Upstream) -> Self {
        let mut app = Self::new(script);
        app.start();
        app
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it, and waits until it accepts connections.
    pub(crate) fn start(&mut self) {
        let (listen, upstream) = (self.address.to_string(), self.script.url());
        let arguments = ["--listen", &listen, "--upstream", &upstream, "--request-timeout", "0s"];
        self.process = Some(Program::start(&mut proxy(&arguments)));
        harness::until("the app accepts", || TcpStream::connect(self.address).ok());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().unwrap().signal(signal);
    }

    /// Stops all its threads (SIGSTOP), and returns when the kernel says that none of them runs.
    pub(crate) fn halt(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.process.as_ref().unwrap().id());
        let is_stopped = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"));
        harness::until("all threads of the app are stopped", || {
            let mut stats =
                fs::read_dir(&tasks).unwrap().map(|task| fs::read_to_string(task.unwrap().path().join("stat")));
            stats.all(|stat| stat.is_ok_and(is_stopped)).then_some(())
        });
    }

    /// All requests so far, as they came
    pub(crate) fn requests(&self) -> Vec<String> {
        self.script.requests()
    }

    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        self.script.wait_for_requests(count);
    }

    /// Ends it at once, as a lack of memory would.
    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }
}
