//! Unix sockets in front and behind: whose file it is, what the app learns of a client without an address, and how both end.

mod as_root;
mod workers;

use std::{
    fs,
    os::unix::{
        fs::MetadataExt,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    thread,
};

use harness::until;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    client::Client,
    support::{OK, Program, Proxy, Signal, proxy},
    upstream::Upstream,
};

/// A directory with a place for a socket
struct Place {
    _directory: TempDir,
    path: PathBuf,
    /// As `--listen` has it
    url: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.sock");
        Self { url: format!("unix://{}", path.display()), path, _directory: directory }
    }

    fn upstream(&self) -> String {
        format!("http+{}", self.url)
    }

    fn client(&self) -> Client {
        Client::of_unix(&self.path)
    }

    fn mode(&self) -> u32 {
        fs::symlink_metadata(&self.path).unwrap().mode() & 0o7777
    }
}

fn lines(proxy: Proxy) -> Vec<Value> {
    proxy.stop().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_client_of_a_socket_is_unknown_to_the_app_and_in_the_log() {
    let (place, upstream) = (Place::new(), Upstream::answering(OK));
    let front = ["--listen", &place.url, "--upstream", &upstream.url(), "--access-log", "json"];
    let proxy = Proxy::run(&front);
    assert_eq!(place.mode(), 0o660);
    let mut client = place.client();
    client.send("GET / HTTP/1.1\r\nHost: app\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let request = upstream.only().to_lowercase();
    assert!(request.contains("\r\nx-forwarded-for: unknown\r\n"), "{request}");
    assert!(request.contains("\r\nforwarded: for=unknown;host=app;proto=http\r\n"), "{request}");
    assert_eq!(proxy.metric(&format!("sidekit_proxy_connections{{listener=\"{}\"}}", place.url)), 1);
    let [line] = lines(proxy).try_into().unwrap();
    assert_eq!((&line["client.address"], &line["network.transport"]), (&"unknown".into(), &"unix".into()));
    assert_eq!((&line["listener"], line.get("network.peer.address")), (&place.url.as_str().into(), None));
    assert!(!place.path.exists(), "the socket is left");
}

#[test]
fn all_that_come_through_a_socket_may_be_trusted() {
    let (place, upstream) = (Place::new(), Upstream::answering(OK));
    let trusted = ["--trusted-proxies", "unix:", "--access-log", "json"];
    let proxy = Proxy::run(&[&["--listen", &place.url, "--upstream", &upstream.url()], &trusted[..]].concat());
    let mut client = place.client();
    client.send("GET / HTTP/1.1\r\nHost: app\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let request = upstream.only().to_lowercase();
    assert!(request.contains("\r\nx-forwarded-for: 1.1.1.1, unknown\r\n"), "{request}");
    assert!(request.contains("forwarded: for=1.1.1.1;proto=https, for=unknown;host=app;proto=http"), "{request}");
    assert_eq!(lines(proxy)[0]["client.address"], "1.1.1.1");
}

#[test]
fn an_upstream_may_be_a_socket() {
    let place = Place::new();
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &place.upstream(), "--access-log", "json"]);
    let mut client = proxy.client();
    // Inbound, because a socket is on this host, and the app is down as long as there is no file.
    assert_eq!(client.get("/").body, "503 Service Unavailable: app-down\n");
    let app = Upstream::on_unix(&place.path, |connection| {
        while connection.request().is_some() {
            connection.write(OK);
        }
    });
    for _ in 0..3 {
        assert_eq!(client.get("/x").status, 200);
    }
    // The proxy itself has connected too, to find that the app is up.
    assert!(app.requests().len() == 3 && app.connections() <= 2);
    let request = app.requests()[0].to_lowercase();
    assert!(request.starts_with("get /x http/1.1\r\nhost: app\r\n"), "{request}");
    let path = place.path.display();
    let idle = format!(
        "http_client_open_connections{{http_connection_state=\"idle\",server_address=\"{path}\",server_port=\"\"}}"
    );
    assert_eq!(proxy.metric(&idle), 1);
    assert_eq!(lines(proxy)[1]["upstream"], path.to_string());
}

#[test]
fn outbound_a_socket_is_the_upstream_and_its_host_is_localhost() {
    let (front, back) = (Place::new(), Place::new());
    let upstream = Upstream::on_unix(&back.path, |connection| {
        while connection.request().is_some() {
            connection.write(OK);
        }
    });
    let way = ["--listen", &front.url, "--upstream", &back.upstream(), "--direction", "outbound", "--hold-start"];
    let proxy = Proxy::run(&way);
    assert_eq!(front.client().get("/").status, 200);
    let request = upstream.only().to_lowercase();
    assert!(request.contains("\r\nhost: localhost\r\n") && !request.contains("forwarded"), "{request}");
    proxy.stop();
}

#[test]
fn a_stale_socket_is_replaced_and_one_that_is_served_is_not() {
    let (place, upstream) = (Place::new(), Upstream::answering(OK));
    drop(UnixListener::bind(&place.path).unwrap());
    let arguments = ["--listen", &place.url, "--upstream", &upstream.url()];
    let first = Proxy::run(&arguments);
    let taken = format!("cannot bind {}: address in use: a process serves it", place.url);
    Program::start(&mut proxy(&arguments)).end().ended_with(69, &format!("reason=unavailable last=\"{taken}\""));
    assert_eq!(place.client().get("/").status, 200);
    // A kill leaves the file.
    first.program.signal(Signal::KILL);
    assert_eq!(first.program.end().code, None);
    assert!(place.path.exists());
    let second = Proxy::run(&arguments);
    assert_eq!(place.client().get("/").status, 200);
    second.stop();
    fs::write(&place.path, "precious").unwrap();
    let ended = Program::start(&mut proxy(&arguments)).end();
    assert!(ended.code == Some(69) && ended.last_line().contains("no socket is there: remove it"), "{ended:#?}");
    assert_eq!(fs::read(&place.path).unwrap(), b"precious");
}

#[test]
fn a_reload_keeps_or_ends_a_socket_and_changes_its_mode() {
    let (place, upstream) = (Place::new(), Upstream::answering(OK));
    let listener = |address: &str| {
        let upstream = upstream.url();
        format!("- {{address: '{address}', direction: inbound, routes: [{{upstream: '{upstream}'}}]}}\n")
    };
    let other = Place::new();
    let both = format!("listeners:\n{}{}", listener(&other.url), listener(&format!("{}#mode=0600", place.url)));
    let (_directory, file) = harness::config_file(&both);
    let mut proxy = Proxy::run(&["--config", &file, "--workers", "2"]);
    assert_eq!((place.mode(), other.mode()), (0o600, 0o660));
    let mut kept = place.client();
    assert_eq!(kept.get("/").status, 200);
    let mode = format!("listeners:\n{}{}", listener(&other.url), listener(&format!("{}#mode=0666", place.url)));
    fs::write(&file, mode).unwrap();
    proxy.program.signal(Signal::HUP);
    until("the mode has changed", || (place.mode() == 0o666).then_some(()));
    assert_eq!(kept.get("/").status, 200);
    fs::write(&file, format!("listeners:\n{}", listener(&other.url))).unwrap();
    proxy.program.signal(Signal::HUP);
    proxy.program.wait_for_message("no longer listening");
    until("the socket has gone", || (!place.path.exists()).then_some(()));
    assert_eq!(other.client().get("/").status, 200);
    proxy.stop();
    assert!(!other.path.exists());
}

#[test]
fn while_the_app_is_down_the_socket_is_closed_and_comes_back() {
    let (front, back) = (Place::new(), Place::new());
    let arguments = ["--app-down", "refuse", "--workers", "2"];
    let proxy = Proxy::run(&[&["--listen", &front.url, "--upstream", &back.upstream()], &arguments[..]].concat());
    until("the socket is closed", || UnixStream::connect(&front.path).is_err().then_some(()));
    let _app = Upstream::on_unix(&back.path, |connection| {
        while connection.request().is_some() {
            connection.write(OK);
        }
    });
    until("the socket is open", || UnixStream::connect(&front.path).is_ok().then_some(()));
    assert_eq!(front.client().get("/").status, 200);
    proxy.stop();
    assert!(!front.path.exists());
}

#[test]
fn a_queue_of_connections_that_is_full_is_waited_for() {
    let place = Place::new();
    // The queue takes one connection more than its length, and this app accepts none before the
    // test says so.
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&place.path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let listener = UnixListener::from(socket);
    let _fills_it = UnixStream::connect(&place.path).unwrap();
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &place.upstream()]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the request is in flight", || (proxy.active() == 1).then_some(()));
    let app = thread::spawn(move || {
        let _first = listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap() > 0);
        std::io::Write::write_all(&mut stream, OK.as_bytes()).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    assert_eq!(client.answer().status, 200);
    drop(client);
    proxy.stop();
    app.join().unwrap();
}

#[test]
fn wrong_sockets_are_misuses() {
    for (listen, upstream, fault) in [
        ("unix:run/p.sock", "http://a", "the path of a socket is absolute"),
        ("unix:///run/p.sock#mode=rw", "http://a", "option mode: write three octal digits, such as 0660"),
        (":0", "unix:///run/app.sock", "write a socket as http+unix:///PATH"),
        (":0", "http+unix:///run/app.sock:/api", "an upstream has no path"),
        (":0", "http+unix:///run/app.sock#sni=a", "option sni is for TLS only"),
    ] {
        let ended = Program::start(&mut proxy(&["--listen", listen, "--upstream", upstream])).end();
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.last_line().contains(fault), "{listen} {upstream}: {}", ended.last_line());
    }
}
