//! `--hold-start`: nothing starts before the first upstream accepts connections.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use crate::{
    app::App,
    client::Client,
    support::{OK, Program, Signal, proxy},
    upstream::{Upstream, closed_port},
};

/// A proxy that may wait
struct Held {
    program: Program,
    health: SocketAddr,
}

fn start(upstream: &str, arguments: &[&str]) -> Held {
    let front = ["--listen", "127.0.0.1:0", "--upstream", upstream, "--direction", "outbound", "--hold-start"];
    let mut program = Program::start(&mut proxy(&[&front, arguments].concat()));
    let health = program.address("health");
    Held { program, health }
}

fn status(held: &Held, path: &str) -> u16 {
    harness::http::get(held.health, path).status
}

#[test]
fn the_start_waits_for_the_upstream() {
    let mut upstream = App::new(Upstream::answering(OK));
    let mut held = start(&upstream.url(), &[]);
    let line = held.program.wait_for_message("waiting for the first upstream");
    assert!(line["upstream"] == upstream.address.to_string(), "{line:?}");
    assert_eq!((status(&held, "/startupz"), status(&held, "/readyz"), status(&held, "/livez")), (503, 503, 200));
    upstream.start();
    let line = held.program.wait_for_message("listening");
    harness::http::until_status(held.health, "/startupz", 200);
    assert_eq!(status(&held, "/readyz"), 200);
    let mut client = Client::new(line["address"].as_str().unwrap().parse().unwrap());
    assert_eq!(client.get("/").status, 200);
    drop(client);
    held.program.signal(Signal::TERM);
    let ended = held.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // One line for the failure, however often it was met.
    let lines = ended.log.iter().filter(|line| line["message"] == "waiting for the first upstream").count();
    assert_eq!(lines, 1);
}

#[test]
fn a_stop_ends_the_wait_at_once() {
    // A port that refuses, and one that takes connections no more
    let (refuses, _socket) = closed_port();
    let full = full_listener();
    for address in [refuses, full.0.local_addr().unwrap()] {
        let held = start(&format!("http://{address}"), &["--drain-delay", "10s"]);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(status(&held, "/startupz"), 503);
        let start = Instant::now();
        held.program.signal(Signal::TERM);
        let ended = held.program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        harness::assert_at_once(start);
    }
}

/// A listener whose queue is full, so that no further connection is made
pub(crate) fn full_listener() -> (TcpListener, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let short = Duration::from_millis(200);
    let queued = std::iter::from_fn(|| TcpStream::connect_timeout(&address, short).ok()).take(16).collect();
    (listener, queued)
}

#[test]
fn an_inbound_listener_alone_has_nothing_to_wait_for() {
    let arguments = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--hold-start"];
    let ended = Program::start(&mut proxy(&arguments)).end();
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(format!("{:?}", ended.log.last()).contains("--hold-start needs an outbound listener"), "{ended:#?}");
    let entry = "- {address: '127.0.0.1:0', direction: inbound, routes: [{upstream: 'http://127.0.0.1:1'}]}";
    let (_directory, file) = harness::config_file(&format!("listeners:\n{entry}\n"));
    for question in [&["--config", &file][..], &["check", &file]] {
        let ended = Program::start(&mut proxy(&[&["--hold-start", "--drain-delay", "0s"], question].concat())).end();
        let is_named = ended.everything().contains("--hold-start needs an outbound listener");
        assert!(ended.code == Some(78) && is_named, "{ended:#?}");
    }
}
