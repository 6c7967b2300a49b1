//! `tcp://`: connected, and still open a moment later.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

use crate::support::{
    Program, namespace, proof, reason, run,
    server::{ClosedPort, Server, Silent, hold, pour, reset},
    wait_for,
};

#[test]
fn a_server_that_listens_is_ready() {
    let server = Server::start(|stream, _| hold(stream));
    assert_eq!(proof(&[&server.url("tcp")]), "connected and held");
}

#[test]
fn a_server_that_speaks_first_is_ready() {
    let server = Server::start(|stream, _| pour(stream, b"220 ready\r\n"));
    assert_eq!(proof(&[&server.url("tcp")]), "connected and held");
}

#[test]
fn a_port_that_opens_late_is_ready() {
    let port = ClosedPort::new();
    let mut program = Program::start(&mut wait_for(&[&port.url()]));
    program.wait_for_reason("connection refused");
    Server::on(port.open(), |stream, _| hold(stream));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_port_proxy_that_accepts_and_closes_is_not_ready() {
    let server = Server::start(|stream, _| drop(stream));
    assert_eq!(reason(&[&server.url("tcp")]), "accepted, then closed");
}

#[test]
fn a_server_that_accepts_and_resets_is_not_ready() {
    let server = Server::start(|stream, _| reset(stream));
    assert_eq!(reason(&[&server.url("tcp")]), "accepted, then closed");
}

#[test]
fn without_a_hold_the_connection_alone_is_enough() {
    let server = Server::start(|stream, _| drop(stream));
    assert_eq!(proof(&[&format!("{}#hold=0s", server.url("tcp"))]), "connected");
}

#[test]
fn a_longer_hold_finds_a_later_close() {
    let server = Server::start(|stream, _| {
        thread::sleep(Duration::from_millis(300));
        drop(stream);
    });
    assert_eq!(reason(&[&format!("{}#hold=30s&attempt-timeout=1m", server.url("tcp"))]), "accepted, then closed");
}

#[test]
fn an_ipv6_address_is_dialed() {
    namespace::inside(|| {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let server = Server::on(listener, |stream, _| hold(stream));
        assert_eq!(proof(&[&format!("tcp://[::1]:{}", server.port())]), "connected and held");
    });
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    namespace::inside(|| {
        // The next is tried as soon as one refuses: a pause at each would take longer than an
        // attempt may.
        let hosts: Vec<_> = (1..=40).map(|nth| format!("127.0.0.{nth} db\n")).collect();
        namespace::hosts(&hosts.concat());
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 40), 0)).unwrap();
        let server = Server::on(listener, |stream, _| hold(stream));
        let ended = run(&[&format!("tcp://db:{}", server.port())]);
        assert_eq!(ended.message("ready")["attempts"], 1);
    });
}

#[test]
fn an_address_that_this_host_cannot_dial_does_not_hide_what_the_others_say() {
    namespace::inside(|| {
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        namespace::hosts("::1 db\n127.0.0.1 db\n");
        assert_eq!(reason(&["tcp://db:9"]), "connection refused");
        assert_eq!(proof(&["tcp://db:9#not"]), "gone: connection refused");
    });
}

#[test]
fn a_network_without_a_route_is_told() {
    namespace::inside(|| {
        assert_eq!(reason(&["tcp://192.0.2.1:9"]), "network unreachable");
        let not = reason(&["tcp://192.0.2.1:9#not"]);
        assert_eq!(not, "not proven gone: network unreachable");
    });
}

#[test]
fn an_address_that_is_silent_does_not_hold_up_the_next() {
    namespace::inside(|| {
        namespace::hosts("127.0.0.2 db\n127.0.0.3 db\n");
        let silent = Silent::on(Ipv4Addr::new(127, 0, 0, 2));
        let ip = Ipv4Addr::new(127, 0, 0, 3);
        Server::on(TcpListener::bind((ip, silent.port())).unwrap(), |stream, _| hold(stream));
        let ended = run(&["--attempt-timeout", "30s", &format!("tcp://db:{}", silent.port())]);
        assert_eq!(ended.message("ready")["attempts"], 1);
    });
}

#[test]
fn a_server_that_never_accepts_costs_an_attempt_its_deadline() {
    let silent = Silent::new();
    let url = silent.url();
    assert_eq!(reason(&["--attempt-timeout", "200ms", &url]), "no answer within 200ms");
    assert_eq!(reason(&[&format!("{url}#attempt-timeout=300ms")]), "no answer within 300ms");
}
