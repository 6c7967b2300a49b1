//! A configuration that changes while requests come: no connection is dropped, and the next request meets the new routes.
//!
//! Long because each kind of change is a story.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use harness::until;
use tempfile::TempDir;

use crate::{
    client::{Client, header},
    support::{OK, Proxy, Signal},
    upstream::Upstream,
};

const NEW: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew";

/// A configuration file that changes whole
pub(crate) struct File {
    directory: TempDir,
    pub(crate) path: String,
}

impl File {
    pub(crate) fn new(text: &str) -> Self {
        let (directory, path) = harness::config_file(text);
        Self { directory, path }
    }

    pub(crate) fn write(&self, text: &str) {
        let temporary = self.directory.path().join("next");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, &self.path).unwrap();
    }
}

impl Proxy {
    pub(crate) fn reloads(&self, file: &str, result: &str) -> u64 {
        self.metric(&format!("sidekit_config_reloads_total{{file=\"{file}\",result=\"{result}\"}}"))
    }

    /// Writes a new configuration, and waits until it is in force in the only worker.
    pub(crate) fn reload(&self, file: &File, text: &str) {
        let before = self.reloads(&file.path, "accepted");
        file.write(text);
        until("the configuration is in force", || (self.reloads(&file.path, "accepted") > before).then_some(()));
    }
}

/// A listener with one route
fn listener(name: &str, address: impl std::fmt::Display, route: &str, upstream: &Upstream) -> String {
    format!(
        "- name: {name}\n  address: '{address}'\n  direction: inbound\n  routes:\n  - {{name: {route}, upstream: '{}'}}\n",
        upstream.url()
    )
}

fn listeners(entries: &[String]) -> String {
    format!("listeners:\n{}", entries.concat())
}

/// An address that no program listens on
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_kept_connection_meets_the_new_route() {
    let (old, new) = (Upstream::answering(OK), Upstream::answering(NEW));
    let text = |upstream| listeners(&[listener("front", "127.0.0.1:0", "app", upstream)]);
    let file = File::new(&text(&old));
    let proxy = Proxy::run(&["--config", &file.path]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").body, "ok");
    proxy.reload(&file, &text(&new));
    // The connection and its socket are the same.
    let answer = client.get("/");
    assert_eq!((&*answer.body, header(&answer.head, "connection")), ("new", None));
    assert_eq!((proxy.client().get("/").body, client.get("/").body), ("new".into(), "new".into()));
    proxy.stop();
}

#[test]
fn a_request_in_flight_ends_where_it_began() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let answers = may_answer.clone();
    let old = Upstream::start(move |connection| {
        while connection.request().is_some() {
            until("the old upstream may answer", || answers.load(SeqCst).then_some(()));
            connection.write(OK);
        }
    });
    let new = Upstream::answering(NEW);
    let text = |route, upstream| listeners(&[listener("front", "127.0.0.1:0", route, upstream)]);
    let file = File::new(&text("old", &old));
    let proxy = Proxy::run(&["--config", &file.path]);
    let (mut slow, mut other) = (proxy.client(), proxy.client());
    slow.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    old.wait_for_requests(1);
    proxy.reload(&file, &text("new", &new));
    assert_eq!(other.get("/").body, "new");
    may_answer.store(true, SeqCst);
    let answer = slow.answer();
    assert_eq!((&*answer.body, header(&answer.head, "connection")), ("ok", None));
    assert_eq!(slow.get("/").body, "new");
    proxy.stop();
}

#[test]
fn an_upstream_that_stays_keeps_its_connections() {
    let (stays, other) = (Upstream::answering(OK), Upstream::answering(NEW));
    let entry = |route| listener("front", "127.0.0.1:0", route, &stays);
    let file = File::new(&listeners(&[entry("one")]));
    let proxy = Proxy::run(&["--config", &file.path]);
    let mut client = proxy.client();
    client.get("/");
    proxy.reload(&file, &listeners(&[listener("other", free_address(), "other", &other), entry("two")]));
    client.get("/");
    assert_eq!((stays.connections(), stays.requests().len()), (1, 2));
    // The connections of an upstream that goes are closed.
    proxy.reload(&file, &listeners(&[listener("front", "127.0.0.1:0", "three", &other)]));
    stays.wait_for_closed(1);
    assert_eq!(client.get("/").body, "new");
    proxy.stop();
}

#[test]
fn fifty_reloads_under_load_fail_no_request() {
    let (old, new) = (Upstream::answering(OK), Upstream::answering(NEW));
    let text = |nth: usize| {
        let upstream = if nth.is_multiple_of(2) { &old } else { &new };
        listeners(&[listener("front", "127.0.0.1:0", &format!("route-{nth}"), upstream)])
    };
    let file = File::new(&text(0));
    let proxy = Proxy::run(&["--config", &file.path, "--workers", "2"]);
    let (is_over, address) = (Arc::new(AtomicBool::new(false)), proxy.address);
    let count = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|nth| {
            let (is_over, count) = (is_over.clone(), count.clone());
            thread::spawn(move || {
                let mut kept = Client::new(address);
                while !is_over.load(SeqCst) {
                    // Half of the clients keep one connection, and the other half never do.
                    let answer = if nth % 2 == 0 { kept.get("/") } else { Client::new(address).get("/") };
                    assert_eq!((answer.status, header(&answer.head, "connection")), (200, None), "{answer:?}");
                    count.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for nth in 1..=50 {
        proxy.reload(&file, &text(nth));
    }
    is_over.store(true, SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    assert!(count.load(SeqCst) > 500, "{count:?}");
    // Metrics of 49 routes and of one upstream have gone with them.
    proxy.client().get("/");
    until("the series of old routes have gone", || {
        let page = harness::http::get(proxy.health, "/metrics").body;
        let is_old = |line: &str| line.contains("http_route=\"route-") && !line.contains("http_route=\"route-50\"");
        let is_gone = !page.lines().any(is_old) && !page.contains(&new.address.to_string());
        (is_gone && page.contains("http_route=\"route-50\"")).then_some(())
    });
    proxy.stop();
}

#[test]
fn a_wrong_file_changes_nothing() {
    let upstream = Upstream::answering(OK);
    let text = listeners(&[listener("front", "127.0.0.1:0", "app", &upstream)]);
    let file = File::new(&text);
    let mut proxy = Proxy::run(&["--config", &file.path]);
    let mut client = proxy.client();
    client.get("/");
    file.write(&text.replace("inbound", "sideways"));
    let line = proxy.program.wait_for_line("new configuration refused");
    assert!(line.message().contains("config.yaml:4:"), "{line:?}");
    assert_eq!(proxy.reloads(&file.path, "refused"), 1);
    assert_eq!((client.get("/").status, proxy.client().get("/").status), (200, 200));
    proxy.stop();
}

#[test]
fn listeners_come_and_go() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let answers = may_answer.clone();
    let slow = Upstream::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.contains("/slow") {
                until("the upstream may answer", || answers.load(SeqCst).then_some(()));
            }
            connection.write(OK);
        }
    });
    let (first, second) = (free_address(), free_address());
    let file = File::new(&listeners(&[listener("first", first, "app", &slow)]));
    let mut proxy = Proxy::run(&["--config", &file.path]);
    let (mut busy, mut idle) = (proxy.client(), proxy.client());
    idle.get("/");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.wait_for_requests(2);
    proxy.reload(&file, &listeners(&[listener("second", second, "app", &slow)]));
    let line = proxy.program.wait_for_message("listening");
    assert_eq!(line["address"].as_str(), Some(&*second.to_string()));
    proxy.program.wait_for_message("no longer listening");
    assert_eq!(Client::new(second).get("/").body, "ok");
    // The first one ends as at a stop: idle connections close, and requests in flight finish.
    assert!(idle.is_closed());
    until("the port is closed", || TcpListener::bind(first).is_ok().then_some(()));
    may_answer.store(true, SeqCst);
    let answer = busy.answer();
    assert_eq!((answer.status, header(&answer.head, "connection")), (200, Some("close")));
    until("the series of the first listener have gone", || {
        let page = harness::http::get(proxy.health, "/metrics").body;
        (!page.contains("listener=\"first\"")).then_some(())
    });
    // Back again, while it was served before
    proxy.reload(&file, &listeners(&[listener("first", first, "app", &slow)]));
    assert_eq!(Client::new(first).get("/").body, "ok");
    proxy.stop();
}

#[test]
fn an_address_that_is_taken_refuses_the_whole_file() {
    let upstream = Upstream::answering(OK);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (front, other) = (free_address(), free_address());
    let before = listeners(&[listener("front", front, "app", &upstream)]);
    let after = listeners(&[
        listener("other", other, "app", &upstream),
        listener("taken", taken.local_addr().unwrap(), "app", &upstream),
    ]);
    let file = File::new(&before);
    let mut proxy = Proxy::run(&["--config", &file.path, "--workers", "2"]);
    let mut client = Client::new(front);
    client.get("/");
    file.write(&after);
    let line = proxy.program.wait_for_line("new configuration refused");
    assert!(line.message().contains(&format!("cannot bind {}", taken.local_addr().unwrap())), "{line:?}");
    assert_eq!(proxy.reloads(&file.path, "refused"), 1);
    assert_eq!(client.get("/").status, 200);
    TcpListener::bind(other).expect("no socket of the refused configuration stays");
    // SIGHUP tries again, and now the address is free.
    drop(taken);
    proxy.program.signal(Signal::HUP);
    proxy.program.wait_for_message("new configuration in force");
    assert!(client.is_closed());
    assert_eq!(Client::new(other).get("/").status, 200);
    proxy.stop();
}

#[test]
fn a_config_map_changes_by_its_data_link() {
    let (old, new) = (Upstream::answering(OK), Upstream::answering(NEW));
    let text = |upstream| listeners(&[listener("front", "127.0.0.1:0", "app", upstream)]);
    let directory = TempDir::new().unwrap();
    let publish = |version: &str, text: &str| {
        fs::create_dir(directory.path().join(version)).unwrap();
        fs::write(directory.path().join(version).join("proxy.yaml"), text).unwrap();
        std::os::unix::fs::symlink(version, directory.path().join("..next")).unwrap();
        fs::rename(directory.path().join("..next"), directory.path().join("..data")).unwrap();
    };
    publish("..1", &text(&old));
    let path = directory.path().join("proxy.yaml");
    std::os::unix::fs::symlink(Path::new("..data/proxy.yaml"), &path).unwrap();
    let mut proxy = Proxy::run(&["--config", path.to_str().unwrap()]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").body, "ok");
    publish("..2", &text(&new));
    proxy.program.wait_for_message("new configuration in force");
    assert_eq!(client.get("/").body, "new");
    proxy.stop();
}

#[test]
fn a_trusted_proxy_that_is_no_longer_trusted_is_not_believed_on_its_old_connection() {
    let upstream = Upstream::answering(OK);
    let text = |trusted: &str| {
        listeners(&[listener("front", "127.0.0.1:0", "app", &upstream)])
            .replace("  routes:", &format!("  trusted-proxies: [{trusted}]\n  routes:"))
    };
    let file = File::new(&text("127.0.0.1"));
    let proxy = Proxy::run(&["--config", &file.path]);
    let mut client = proxy.client();
    let mut is_believed = || {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
        client.answer();
        upstream.requests().last().unwrap().contains("1.1.1.1")
    };
    assert!(is_believed());
    proxy.reload(&file, &text(""));
    assert!(!is_believed());
}

#[test]
fn a_listener_that_turns_inbound_during_a_drain_tells_its_clients_to_go() {
    let upstream = Upstream::answering(OK);
    let text = |direction: &str| {
        listeners(&[listener("front", "127.0.0.1:0", "app", &upstream)]).replace("inbound", direction)
    };
    let (file, admin) = (File::new(&text("outbound")), free_address());
    let proxy = Proxy::run(&["--config", &file.path, "--admin-addr", &admin.to_string()]);
    assert_eq!(harness::http::ask(admin, "POST", "/drain").status, 200);
    let mut client = proxy.client();
    let mut connection = || header(&client.get("/").head, "connection").map(str::to_owned);
    assert_eq!(connection(), None);
    proxy.reload(&file, &text("inbound"));
    until("the answer ends the connection", || connection().map(|word| assert_eq!(word, "close")));
    proxy.stop();
}

#[test]
fn a_stop_ends_a_proxy_with_a_file() {
    let upstream = Upstream::answering(OK);
    let file = File::new(&listeners(&[listener("front", "127.0.0.1:0", "app", &upstream)]));
    let proxy = Proxy::run(&["--config", &file.path]);
    proxy.reload(&file, &listeners(&[listener("renamed", "127.0.0.1:0", "app", &upstream)]));
    let mut client = proxy.client();
    client.get("/");
    proxy.stop();
    assert!(client.is_closed());
}
