//! Many connections at once, and the memory that they take.

use std::sync::Barrier;

use harness::until;

use crate::{
    client::Client,
    support::{OK, Proxy},
    upstream::Upstream,
};

const CLIENTS: usize = 800;
/// Far less than the 16 MB of buffers that all of the clients would have
const ROOM: u64 = 9_000_000;

#[test]
fn connections_that_have_just_been_used_do_not_all_keep_their_buffers() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| proxy.client()).collect();
    clients[0].get("/");
    let before = proxy.metric("process_resident_memory_bytes");
    for _ in 0..2 {
        for client in &mut clients {
            assert_eq!(client.get("/").status, 200);
        }
    }
    let grown = proxy.metric("process_resident_memory_bytes").saturating_sub(before);
    assert!(grown < ROOM, "{grown}");
    proxy.stop();
}

#[test]
fn an_idle_connection_keeps_nothing_of_a_long_head() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| proxy.client()).collect();
    clients[0].get("/");
    let before = proxy.metric("process_resident_memory_bytes");
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(30_000));
    for client in &mut clients {
        client.send(&head);
        assert_eq!(client.answer().status, 200);
    }
    until("memory is given back", || (proxy.metric("process_resident_memory_bytes") < before + ROOM).then_some(()));
    proxy.stop();
}

#[test]
fn a_burst_leaves_few_connections_and_little_memory_behind() {
    const BURST: usize = 300;
    // A little more than the proxy keeps of the 13 MB of buffers
    const LEFT: u64 = 3_000_000;
    let all_are_there = Barrier::new(BURST);
    let upstream = Upstream::start(move |connection| {
        if connection.request().is_some() {
            all_are_there.wait();
            connection.write(OK);
            connection.request();
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let before = proxy.metric("process_resident_memory_bytes");
    let mut clients: Vec<Client> = (0..BURST).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    drop(clients);
    upstream.wait_for_closed(BURST - 16);
    until("memory is given back", || (proxy.metric("process_resident_memory_bytes") < before + LEFT).then_some(()));
    proxy.stop();
}
