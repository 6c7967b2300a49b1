//! The health listener amid connections that hold their place and ask for nothing.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::support::{DEADLINE, Program, end, sidecar, sidecar_command, until};

/// Three times as many as the listener keeps open
const CROWD: usize = 96;
/// Time for the helper on a small machine, because the test is not about shares of the processor.
const PAUSE: Duration = Duration::from_millis(1);

/// Clients that send half a request line each, and again on a new connection once it is closed; they leave with this
struct Crowd {
    leave: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Crowd {
    fn around(address: SocketAddr) -> Self {
        let crowd = Self { leave: Arc::default(), connections: Arc::default() };
        for _ in 0..CROWD {
            let (leave, connections) = (crowd.leave.clone(), crowd.connections.clone());
            thread::spawn(move || {
                while !leave.load(SeqCst) {
                    hold_half_open(address, &connections);
                    thread::sleep(PAUSE);
                }
            });
        }
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.leave.store(true, SeqCst);
    }
}

/// Returns once the server has closed.
fn hold_half_open(address: SocketAddr, connections: &AtomicUsize) {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, DEADLINE) else { return };
    connections.fetch_add(1, SeqCst);
    let _ = stream.write_all(b"GET /liv");
    let _ = stream.set_read_timeout(Some(DEADLINE));
    let _ = stream.read(&mut [0; 64]);
}

#[test]
fn a_crowd_that_says_half_a_word_locks_no_probe_out() {
    let mut program = Program::start(&mut sidecar(&[]));
    let address = program.address("health");
    let crowd = Crowd::around(address);
    until("the crowd is there", || (crowd.connections.load(SeqCst) >= CROWD).then_some(()));
    for attempt in 0..20 {
        let ended = end(sidecar_command(&["probe", "live", "--health-addr", &address.to_string()]));
        assert_eq!(ended.code, Some(0), "attempt {attempt}: {ended:#?}");
    }
}
