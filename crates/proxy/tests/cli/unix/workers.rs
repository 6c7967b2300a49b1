//! Several workers that accept from one socket: no client is cut, and the socket goes with the last
//! of them.

use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use harness::until;

use super::Place;
use crate::{
    client::Client,
    support::{OK, Program, Proxy, Signal},
    upstream::Upstream,
};

/// Clients that connect again and again, one request each, until no socket is there; none may be
/// cut. `stop` is called at the same time.
fn requests_until_the_end(place: &Place, stop: impl FnOnce()) {
    let done = Arc::new(AtomicUsize::new(0));
    let client = || {
        let (path, done) = (place.path.clone(), done.clone());
        thread::spawn(move || {
            while let Ok(stream) = UnixStream::connect(&path) {
                let mut client = Client::of(OwnedFd::from(stream).into());
                assert_eq!(client.try_get("/").map(|answer| answer.status), Some(200), "a client was cut");
                done.fetch_add(1, SeqCst);
            }
        })
    };
    let clients: Vec<_> = (0..4).map(|_| client()).collect();
    until("requests are answered", || (done.load(SeqCst) > 50).then_some(()));
    stop();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn workers_share_a_socket_and_a_stop_cuts_no_client() {
    let upstream = Upstream::answering(OK);
    for workers in ["1", "3"] {
        let place = Place::new();
        let proxy = Proxy::run(&["--listen", &place.url, "--upstream", &upstream.url(), "--workers", workers]);
        requests_until_the_end(&place, || proxy.program.signal(Signal::TERM));
        let ended = proxy.program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(!place.path.exists());
    }
}

/// How many descriptors of the program lead to the socket that listens at this path
fn holders(program: &Program, path: &Path) -> usize {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    // Columns as in proc(5): the sixth is the state (1 listens), the seventh the inode.
    let inode = table.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        (columns[5..].first() == Some(&"01") && columns.last() == path.to_str().as_ref()).then(|| columns[6].to_owned())
    });
    let socket = format!("socket:[{}]", inode.expect("a socket that listens"));
    let files = fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap();
    files.filter(|file| fs::read_link(file.as_ref().unwrap().path()).is_ok_and(|to| to == Path::new(&socket))).count()
}

#[test]
fn a_socket_stays_until_the_last_worker_leaves_it() {
    let (place, upstream) = (Place::new(), Upstream::answering(OK));
    let outbound = ["--direction", "outbound", "--workers", "2"];
    let proxy = Proxy::run(&[&["--listen", &place.url, "--upstream", &upstream.url()], &outbound[..]].concat());
    let mut kept = place.client();
    assert_eq!(kept.get("/").status, 200);
    let before = holders(&proxy.program, &place.path);
    proxy.program.signal(Signal::TERM);
    // The worker without a connection finds that the app has gone.
    until("a worker has left", || (holders(&proxy.program, &place.path) < before).then_some(()));
    assert_eq!(place.client().get("/").status, 200);
    assert_eq!(kept.get("/").status, 200);
    drop(kept);
    assert_eq!(proxy.program.end().code, Some(0));
    assert!(!place.path.exists());
}
