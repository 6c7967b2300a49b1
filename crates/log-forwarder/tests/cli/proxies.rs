//! Outputs behind an HTTP proxy: in absolute form, through a tunnel, with a login that changes, and never because the environment says so.

use std::{
    fs, io,
    io::{BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use harness::Authority;

use crate::{
    collector::{Collector, head},
    receiver::Receiver,
    support::{Pod, Writer, assert_all_there, line, start, stop, until},
};

/// `me` and `hunter2`
const LOGIN: &str = "Basic bWU6aHVudGVyMg==";

/// A proxy that opens a tunnel to this server, whatever a client asks for; the requests go to `heads`.
fn tunnels(server: SocketAddr, answer: &'static str) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (heads, received)) = (listener.local_addr().unwrap(), std::sync::mpsc::channel());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut first = String::new();
            io::BufRead::read_line(&mut reader, &mut first).unwrap();
            let Some(headers) = head(&mut reader) else { continue };
            let login = headers.get("proxy-authorization").cloned().unwrap_or_default();
            let _ = heads.send(format!("{} {login}", first.trim_end()));
            let _ = (&client).write_all(answer.as_bytes());
            let Ok(upstream) = TcpStream::connect(server) else { continue };
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut to));
            thread::spawn(move || io::copy(&mut &upstream, &mut &client));
        }
    });
    (address, received)
}

#[test]
fn plain_requests_go_to_a_proxy_in_absolute_form_with_the_login_as_it_is_now() {
    let pod = Pod::new();
    let proxy = Receiver::start(|request| {
        let may_pass = request.headers.get("proxy-authorization").is_some_and(|login| login == LOGIN);
        Some((if may_pass { 200 } else { 407 }, String::new(), String::new()))
    });
    Writer::new(&pod.log("app.log")).write(10);
    let password = pod.beside("password");
    fs::write(&password, "hunter1").unwrap();
    // No DNS knows the collector: only the proxy looks for it.
    let (address, path) = (proxy.address(), password.display());
    let output =
        format!("http://collector.invalid/lines#proxy=http://{address}&proxy-user=me&proxy-password-file={path}");
    let mut program = pod.start(&["--output", &output]);
    program.wait_for_reason("407 Proxy Authentication Required");
    fs::write(&password, "hunter2").unwrap();
    program.wait_for_message("delivers again");
    let ended = stop(program);
    let request = proxy.requests().pop().unwrap();
    assert_eq!((&*request.target, &*request.headers["host"]), ("http://collector.invalid/lines", "collector.invalid"));
    assert!(!ended.everything().contains("hunter"), "{ended:#?}");
}

#[test]
fn the_login_that_a_proxy_repeats_is_in_no_log_and_no_dead_letter() {
    let pod = Pod::new();
    let proxy = Receiver::start(|request| {
        let login = request.headers["proxy-authorization"].clone();
        // The first lines wait for the proxy, and the others are refused.
        let status = if request.target.ends_with("/wait") { 407 } else { 400 };
        Some((status, String::new(), format!("cannot log in with {login}, which is me:hunter2")))
    });
    Writer::new(&pod.log("app.log")).write(1);
    let (password, letters) = (pod.beside("password"), pod.beside("letters"));
    fs::write(&password, "hunter2").unwrap();
    let options = format!("#proxy=http://{}&proxy-user=me&proxy-password-file={}", proxy.address(), password.display());
    let mut command = pod.command(&["--shutdown-timeout", "2s"]);
    for path in ["wait", "refuse"] {
        command.arg("--output").arg(format!("http://collector.invalid/{path}{options}"));
    }
    let mut program = start(command.arg("--dead-letter").arg(&letters));
    let refused = || fs::read_to_string(&letters).unwrap_or_default();
    until("the line is a dead letter", || refused().contains("cannot log in with").then_some(()));
    program.wait_for_reason("407 Proxy Authentication Required: cannot log in with …, which is me:…");
    program.signal(harness::Signal::TERM);
    let all = program.end().everything() + &refused();
    for secret in ["hunter2", LOGIN.trim_start_matches("Basic ")] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[test]
fn tls_goes_through_a_tunnel_that_alone_has_the_login() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let collector = Collector::start_tls(authority.server(&["localhost"]));
    let url = collector.url_tls(&format!("ca={}", authority.ca()));
    let port = url.split([':', '/']).nth(4).unwrap().to_owned();
    let (proxy, heads) = tunnels(format!("127.0.0.1:{port}").parse().unwrap(), "HTTP/1.1 200 OK\r\n\r\n");
    Writer::new(&pod.log("app.log")).write(10);
    let output = format!("{url}&proxy=http://{proxy}&proxy-user=me&proxy-password-env=PASSWORD");
    let program = start(pod.command(&["--output", &output]).env("PASSWORD", "hunter2"));
    collector.wait_for(&line(9));
    stop(program);
    assert_eq!(heads.recv().unwrap(), format!("CONNECT localhost:{port} HTTP/1.1 {LOGIN}"));
    assert!(collector.seen().iter().all(|request| !request.headers.contains_key("proxy-authorization")));
    assert_all_there(collector.messages().iter().map(String::as_str), 10);
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let (proxy, _heads) = tunnels("127.0.0.1:1".parse().unwrap(), "HTTP/1.1 403 No\r\n\r\n");
    Writer::new(&pod.log("app.log")).write(1);
    let output = format!("otlp+https://collector.invalid#ca={}&proxy=http://{proxy}", authority.ca());
    let mut program = pod.start(&["--output", &output, "--shutdown-timeout", "2s"]);
    program.wait_for_reason("proxy: HTTP 403 Forbidden");
}

#[test]
fn a_proxy_is_reached_with_tls_where_its_url_says_so() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let proxy = Collector::start_tls(authority.server(&["localhost"]));
    let port = proxy.url_tls("").split([':', '/']).nth(4).unwrap().to_owned();
    Writer::new(&pod.log("app.log")).write(10);
    let output = format!("http://collector.invalid/lines#proxy=https://localhost:{port}");
    let program = start(pod.command(&["--output", &output]).env("SSL_CERT_FILE", authority.ca()));
    proxy.wait_for(&line(9));
    stop(program);
}

#[test]
fn the_environment_names_no_proxy() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let away = format!("http://{}", crate::rotation::free_address());
    Writer::new(&pod.log("app.log")).write(10);
    let mut command = pod.command(&["--output", &collector.url()]);
    let program =
        start(command.envs(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"].map(|name| (name, &away))));
    until("all lines are there", || (collector.messages().len() == 10).then_some(()));
    stop(program);
}
