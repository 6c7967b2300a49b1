//! Many connections at once, and the memory that they take.

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
