//! `--app-down`: what clients meet while the app's port refuses connections.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::{
    app::App,
    client::{Client, header},
    support::{OK, Program, Proxy, Signal, proxy},
    upstream::Upstream,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn before(app: &App, arguments: &[&str]) -> Proxy {
    let front = ["--listen", "127.0.0.1:0", "--upstream", &app.url(), "--direction", "inbound"];
    Proxy::run(&[&front, arguments].concat())
}

fn answering() -> App {
    App::new(Upstream::answering(OK))
}

#[test]
fn by_default_it_is_503_with_a_time_to_come_again() {
    let mut app = answering();
    let mut proxy = before(&app, &[]);
    let mut client = proxy.client();
    let answer = client.get("/");
    assert_eq!((answer.status, answer.body.as_str()), (503, "503 Service Unavailable: app-down\n"));
    assert_eq!((header(&answer.head, "retry-after"), header(&answer.head, "connection")), (Some("1"), None));
    assert!(header(&answer.head, "proxy-status").unwrap().contains("error=connection_refused; details=\"app-down\""));
    assert_eq!(proxy.refusals("app-down"), 1);
    // Readiness does not depend on the app, because the app has a probe of its own.
    assert_eq!(harness::http::get(proxy.health, "/readyz").status, 200);
    app.start();
    assert_eq!(client.get("/").status, 200);
    proxy.program.wait_for_message("the app refuses connections");
    proxy.program.wait_for_message("the app accepts connections");
    app.kill();
    assert_eq!(client.get("/").status, 503);
    proxy.program.wait_for_message("the app refuses connections");
    proxy.stop();
}

#[test]
fn outbound_a_closed_port_is_502() {
    let app = answering();
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &app.url(), "--direction", "outbound"]);
    let answer = proxy.client().get("/");
    assert_eq!((answer.status, answer.body.as_str()), (502, "502 Bad Gateway: upstream-refuses\n"));
    proxy.stop();
}

#[test]
fn requests_wait_in_the_queue_for_the_app() {
    for workers in ["1", "2"] {
        let mut app = App::new(Upstream::answering(OK));
        let proxy = before(&app, &["--app-down", "queue", "--app-down-wait", "30s", "--workers", workers]);
        let mut clients: Vec<_> = (0..8).map(|_| proxy.client()).collect();
        for client in &mut clients {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        }
        harness::until("all wait", || (proxy.metric(ACTIVE) == 8).then_some(()));
        app.start();
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
        let requests = app.requests();
        assert_eq!(requests.len(), 8);
        assert!(requests.iter().all(|request| request.starts_with("POST / ") && request.ends_with("hello")));
        proxy.stop();
    }
}

/// Requests in flight; the listener has the name that its flag has
const ACTIVE: &str = "http_server_active_requests{listener=\"127.0.0.1:0\"}";

#[test]
fn the_queue_has_an_end_in_count_and_time() {
    let app = answering();
    let proxy = before(&app, &["--app-down", "queue", "--app-down-queue", "1", "--app-down-wait", "10s"]);
    let (mut first, mut second) = (proxy.client(), proxy.client());
    let start = Instant::now();
    first.send(GET);
    harness::until("it waits", || (proxy.metric(ACTIVE) == 1).then_some(()));
    assert_eq!(second.get("/").status, 503);
    harness::assert_at_once(start);
    let answer = first.answer();
    assert_eq!((answer.status, answer.body.as_str()), (503, "503 Service Unavailable: app-down\n"));
    assert!(start.elapsed() >= Duration::from_secs(10));
    // Both places are free again.
    first.send(GET);
    harness::until("it waits", || (proxy.metric(ACTIVE) == 1).then_some(()));
    // At a stop the app does not come back.
    proxy.program.signal(Signal::TERM);
    let stopped = Instant::now();
    let answer = first.answer();
    assert_eq!((answer.status, header(&answer.head, "connection")), (503, Some("close")));
    harness::assert_at_once(stopped);
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn what_was_sent_once_does_not_wait() {
    let mut app = App::running(Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("GET /die") {
                thread::sleep(Duration::from_secs(60));
            }
            connection.write(OK);
        }
    }));
    let proxy = before(&app, &["--app-down", "queue", "--app-down-wait", "30s"]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").status, 200);
    client.send("GET /die HTTP/1.1\r\nHost: a\r\n\r\n");
    app.wait_for_requests(2);
    app.kill();
    let start = Instant::now();
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (502, "502 Bad Gateway: upstream-closed\n"));
    harness::assert_at_once(start);
    proxy.stop();
}

fn is_refused(proxy: &Proxy) -> Option<()> {
    let attempt = TcpStream::connect(proxy.address);
    attempt.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused).then_some(())
}

#[test]
fn the_listener_is_open_only_while_the_app_is_up() {
    for workers in ["1", "2"] {
        let mut app = answering();
        let proxy = before(&app, &["--app-down", "refuse", "--workers", workers]);
        // Before the app has started
        harness::until("the listener is closed", || is_refused(&proxy));
        let page = harness::http::get(proxy.health, "/readyz").body;
        assert!(page.contains(&format!("[-]app failed: {} refuses connections", app.address)), "{page}");
        assert_eq!(harness::http::get(proxy.health, "/startupz").status, 200);
        app.start();
        harness::until("the listener is open", || TcpStream::connect(proxy.address).ok());
        harness::http::until_status(proxy.health, "/readyz", 200);
        let mut kept: Vec<_> = (0..4).map(|_| proxy.client()).collect();
        for client in &mut kept {
            assert_eq!(client.get("/").status, 200);
        }
        app.kill();
        // A request over a connection that ends as it is sent may have arrived, and is 502.
        harness::until("the end of its connections is seen", || {
            (proxy.counted("http_client_open_connections") == 0).then_some(())
        });
        for client in &mut kept {
            let answer = client.get("/");
            assert_eq!(answer.status, 503);
        }
        harness::until("the listener is closed", || is_refused(&proxy));
        harness::http::until_status(proxy.health, "/readyz", 503);
        app.start();
        harness::until("the listener is open", || TcpStream::connect(proxy.address).ok());
        assert_eq!(proxy.client().get("/").status, 200);
        proxy.stop();
    }
}

#[test]
fn no_connection_is_reset_while_the_listener_closes() {
    let mut app = App::running(Upstream::answering(OK));
    let proxy = before(&app, &["--app-down", "refuse"]);
    let address = proxy.address;
    harness::until("the listener is open", || TcpStream::connect(address).ok());
    let answered = AtomicU32::new(0);
    thread::scope(|scope| {
        let ask = || {
            let mut statuses = Vec::new();
            while let Ok(stream) = TcpStream::connect(address) {
                let answer = Client::of(stream).try_get("/");
                statuses.push(answer.expect("no connection is reset").status);
                answered.fetch_add(1, Relaxed);
            }
            statuses
        };
        let clients = [(); 4].map(|()| scope.spawn(ask));
        harness::until("the clients get answers", || (answered.load(Relaxed) > 40).then_some(()));
        app.kill();
        for client in clients {
            let statuses = client.join().unwrap();
            assert!(statuses.iter().all(|status| [200, 502, 503].contains(status)), "{statuses:?}");
        }
    });
    proxy.stop();
}

#[test]
fn a_stop_while_the_listener_is_closed_ends_at_once() {
    let app = answering();
    let proxy = before(&app, &["--app-down", "refuse", "--drain-delay", "10s"]);
    harness::until("the listener is closed", || is_refused(&proxy));
    let start = Instant::now();
    proxy.stop();
    harness::assert_at_once(start);
}

#[test]
fn a_reload_that_leads_to_another_app_opens_the_listener() {
    let (down, up) = (answering(), App::running(Upstream::answering(OK)));
    let config = |app: &App| {
        let listener = "- {name: front, address: '127.0.0.1:0', direction: inbound, routes: [{upstream: 'URL'}]}";
        format!("listeners:\n{}\n", listener.replace("URL", &app.url()))
    };
    let (directory, file) = harness::config_file(&config(&down));
    let proxy = Proxy::run(&["--config", &file, "--app-down", "refuse"]);
    harness::until("the listener is closed", || is_refused(&proxy));
    let next = directory.path().join("next");
    std::fs::write(&next, config(&up)).unwrap();
    std::fs::rename(next, &file).unwrap();
    proxy.program.signal(Signal::HUP);
    harness::until("the listener is open", || TcpStream::connect(proxy.address).ok());
    assert_eq!(proxy.client().get("/").status, 200);
    harness::http::until_status(proxy.health, "/readyz", 200);
    proxy.stop();
}

#[test]
fn a_drain_that_begins_while_the_listener_is_closed_lasts() {
    let mut app = answering();
    let mut command = proxy(&["--listen", "127.0.0.1:0", "--upstream", &app.url(), "--direction", "inbound"]);
    let mut program = Program::start(command.args(["--app-down", "refuse", "--admin-addr", "127.0.0.1:0"]));
    let admin = program.address("admin");
    let address: SocketAddr = program.wait_for_message("listening")["address"].as_str().unwrap().parse().unwrap();
    harness::until("the listener is closed", || TcpStream::connect(address).is_err().then_some(()));
    assert_eq!(harness::http::ask(admin, "POST", "/drain").status, 200);
    app.start();
    program.wait_for_message("the app accepts connections");
    harness::until("the listener is open", || TcpStream::connect(address).ok());
    let answer = Client::new(address).get("/");
    assert_eq!((answer.status, header(&answer.head, "connection")), (200, Some("close")));
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_reload_without_the_app_that_is_down_makes_the_proxy_ready() {
    let (down, up) = (answering(), App::running(Upstream::answering(OK)));
    let entry = |ip: &str, app: &App| {
        format!("- {{address: '{ip}:0', direction: inbound, routes: [{{upstream: '{}'}}]}}\n", app.url())
    };
    let (first, second) = (entry("127.0.0.1", &up), entry("127.0.0.2", &down));
    let (directory, file) = harness::config_file(&format!("listeners:\n{first}{second}"));
    let proxy = Proxy::run(&["--config", &file, "--app-down", "refuse"]);
    harness::until("the second app is known to be down", || {
        harness::http::get(proxy.health, "/readyz").body.contains("refuses connections").then_some(())
    });
    let next = directory.path().join("next");
    std::fs::write(&next, format!("listeners:\n{first}")).unwrap();
    std::fs::rename(next, &file).unwrap();
    harness::http::until_status(proxy.health, "/readyz", 200);
    proxy.stop();
}
