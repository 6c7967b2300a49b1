//! The exporter in a pod: a running binary, and the page that it serves.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

pub(crate) use harness::{HttpServer, Reply};
use harness::{Program, command, http};

/// A running exporter, ready
pub(crate) struct Exporter {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

impl Exporter {
    /// Starts an exporter with these flags and no collectors, on a port that the system chooses.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_command(&mut exporter(&[&["--collect", "none"], arguments].concat()))
    }

    pub(crate) fn start_command(command: &mut Command) -> Self {
        let mut program = Program::start(command);
        let address = program.address("health");
        http::until_status(address, "/readyz", 200);
        Self { program, address }
    }

    /// The page in text format.
    pub(crate) fn page(&self) -> String {
        self.get("/metrics")
    }

    /// The resident memory of the exporter in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let answer = http::get(self.address, path);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }
}

/// The exporter's binary with nothing in its environment
pub(crate) fn exporter(arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_metrics-exporter"), arguments);
    command.args(["--health-addr", "127.0.0.1:0"]);
    command
}

/// A page in text format 0.0.4
pub(crate) fn text_page(page: &str) -> Reply {
    Reply::Answer(200, vec![("Content-Type", "text/plain; version=0.0.4".into())], page.into())
}

/// The value of a series, which must be on the page in exactly this form.
#[track_caller]
pub(crate) fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().unwrap()
}

/// True when a series is on the page.
pub(crate) fn has(page: &str, series: &str) -> bool {
    page.lines().any(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))
}

/// A source that answers once it is released, and counts requests and hang-ups
pub(crate) struct SlowServer {
    address: SocketAddr,
    state: Arc<SlowState>,
}

#[derive(Default)]
struct SlowState {
    requests: AtomicUsize,
    hang_ups: AtomicUsize,
    is_released: Mutex<bool>,
    released: Condvar,
}

impl SlowServer {
    pub(crate) fn start(page: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<SlowState>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || state.serve(stream, page));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    pub(crate) fn release(&self) {
        *self.state.is_released.lock().unwrap() = true;
        self.state.released.notify_all();
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(SeqCst)
    }

    pub(crate) fn hang_ups(&self) -> usize {
        self.state.hang_ups.load(SeqCst)
    }
}

impl SlowState {
    fn serve(self: &Arc<Self>, mut stream: TcpStream, page: &str) {
        let mut head = [0; 4096];
        // The exporter sends a head in one piece.
        if stream.read(&mut head).unwrap_or(0) == 0 {
            return;
        }
        self.requests.fetch_add(1, SeqCst);
        let (state, mut watched) = (self.clone(), stream.try_clone().unwrap());
        thread::spawn(move || {
            if !matches!(watched.read(&mut [0]), Ok(1)) && !*state.is_released.lock().unwrap() {
                state.hang_ups.fetch_add(1, SeqCst);
            }
        });
        let mut is_released = self.is_released.lock().unwrap();
        while !*is_released {
            is_released = self.released.wait(is_released).unwrap();
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", page.len());
        stream.write_all(format!("{head}{page}").as_bytes()).ok();
    }
}
