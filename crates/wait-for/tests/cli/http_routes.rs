//! `http://`, `http+unix://`: by which way a request travels, and by which it does not.

use std::{io::Read, os::unix::net::UnixListener, thread};

use tempfile::TempDir;

use crate::support::{
    Ended, Program,
    h2::{Http2, Reply},
    http::{Http, always, read_head, response, status},
    proof, reason,
    server::Server,
    wait_for,
};

fn ready() -> Http {
    Http::start(|_| status("200 OK"))
}

#[test]
fn a_name_is_resolved_as_told() {
    let server = ready();
    let port = server.address.port();
    assert_eq!(proof(&[&format!("http://api.example:{port}/v1#resolve=127.0.0.1")]), "HTTP 200");
    assert_eq!(server.requests.only().header("host"), Some(&*format!("api.example:{port}")));
}

#[test]
fn http2_is_spoken_by_prior_knowledge() {
    let server = Http2::start(None, |_| Reply { body: b"up".to_vec(), ..Reply::default() });
    let url = format!("http://{}/healthz?q=1#http2&body=up", server.address);
    assert_eq!(proof(&[&url]), "HTTP 200");
    let request = server.only();
    assert_eq!(
        (request.method.as_str(), request.uri.as_str()),
        ("GET", &*format!("http://{}/healthz?q=1", server.address))
    );
}

#[test]
fn a_server_without_http2_is_told() {
    let server = ready();
    let said = reason(&[&server.url("/#http2")]);
    assert!(said.ends_with("does the server speak HTTP/2?"), "{said}");
}

#[test]
fn a_unix_socket_is_asked() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("app.sock");
    let requests = Http::start_unix(&socket, |_| response("200 OK", &[], "up"));
    let url = format!("http+unix://{}:/v1/info?a=b#body=up", socket.display());
    assert_eq!(proof(&[&url]), "HTTP 200");
    let request = requests.only();
    assert_eq!((request.line.as_str(), request.header("host")), ("GET /v1/info?a=b", Some("localhost")));
}

#[test]
fn a_unix_socket_that_is_not_there_is_not_ready() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("app.sock");
    let url = format!("http+unix://{}:/", socket.display());
    let mut program = Program::start(&mut wait_for(&[&url]));
    program.wait_for_reason("no such file");
    Http::start_unix(&socket, |_| status("200 OK"));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_unix_socket_that_closes_is_not_asked_for_tls() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("app.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| drop(stream.unwrap().read(&mut [0; 4096]))));
    let said = reason(&[&format!("grpc+unix://{}:/", socket.display())]);
    assert_eq!(said, "closed without an answer; does the server speak HTTP/2?");
}

const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

#[test]
fn no_proxy_is_taken_from_the_environment_unless_asked() {
    let (server, proxy) = (ready(), ready());
    let mut command = wait_for(&[&server.url("/")]);
    command.envs(PROXY_VARIABLES.map(|name| (name, proxy.url(""))));
    assert_eq!(Program::start(&mut command).end().code, Some(0));
    assert_eq!(server.requests.all().len(), 1);
    assert_eq!(proxy.requests.all().len(), 0);
}

#[test]
fn the_proxy_of_the_environment_is_asked_when_wanted() {
    let proxy = ready();
    for name in PROXY_VARIABLES.into_iter().skip(1) {
        let mut command = wait_for(&["--proxy", "env", "http://nowhere.example/healthz"]);
        command.env(name, proxy.url("").replace("http://", "http://user:hunter2@"));
        let ended = Program::start(&mut command).end();
        assert_eq!(ended.code, Some(0), "{name}: {ended:#?}");
        assert!(!ended.everything().contains("hunter2"));
    }
    let request = &proxy.requests.all()[0];
    assert_eq!(request.line, "GET http://nowhere.example/healthz");
    assert_eq!(request.header("host"), Some("nowhere.example"));
    assert_eq!(request.header("proxy-authorization"), Some("Basic dXNlcjpodW50ZXIy"));
}

#[test]
fn no_proxy_names_what_is_asked_directly() {
    let (server, proxy) = (ready(), ready());
    let mut command = wait_for(&["--proxy", "env", &server.url("/")]);
    command.env("http_proxy", proxy.url("")).env("NO_PROXY", "localhost,127.0.0.1");
    assert_eq!(Program::start(&mut command).end().code, Some(0));
    assert_eq!((server.requests.all().len(), proxy.requests.all().len()), (1, 0));
}

#[test]
fn tls_goes_through_a_proxy_by_a_tunnel() {
    let proxy = Http::start(|_| status("502 Bad Gateway"));
    let mut command = wait_for(&["--proxy", "env", "https://api.example/#insecure"]);
    command.env("https_proxy", proxy.url(""));
    let mut program = Program::start(&mut command);
    let line = program.wait_for_message("not ready");
    assert_eq!(line["reason"], "proxy: HTTP 502 Bad Gateway");
    let request = &proxy.requests.all()[0];
    assert_eq!((request.line.as_str(), request.header("host")), ("CONNECT api.example:443", Some("api.example:443")));
}

#[test]
fn what_a_proxy_says_of_itself_proves_nothing_gone() {
    for words in ["407 Proxy Authentication Required", "502 Bad Gateway", "503 Service Unavailable"] {
        let proxy = Http::start(move |_| status(words));
        for target in ["http://nowhere.example/", "https://nowhere.example/#insecure"] {
            let mut command = wait_for(&["--proxy", "env", "--not", "--timeout", "300ms", target]);
            command.env("http_proxy", proxy.url("")).env("https_proxy", proxy.url(""));
            let words = format!(
                r#"reason=timed-out what="{}" last="not proven gone: proxy: "#,
                target.trim_end_matches("#insecure")
            );
            Program::start(&mut command).end().ended_with(124, &words);
        }
    }
}

#[test]
fn a_login_that_a_proxy_refuses_ends_the_wait() {
    let refusals = [
        ("https://api.example/#insecure", "401 No"),
        ("https://api.example/#insecure", "407 No"),
        ("http://x/", "407 No"),
        ("http://x/#status=200-499", "407 No"),
    ];
    for (target, words) in refusals {
        let proxy = Http::start(move |_| status(words));
        let mut command = wait_for(&["--proxy", "env", "--timeout", "30s", target]);
        command.env("http_proxy", proxy.url("")).env("https_proxy", proxy.url(""));
        let ended = Program::start(&mut command).end();
        assert_eq!(ended.code, Some(77), "{target} {words}: {ended:#?}");
        assert!(ended.everything().contains("proxy: login refused: HTTP 40"), "{ended:#?}");
    }
    // The target's own 401 is the target's, also where a proxy brings it.
    let proxy = Http::start(|_| status("401 No"));
    let mut command = wait_for(&["--proxy", "env", "--timeout", "300ms", "http://x/"]);
    command.env("http_proxy", proxy.url(""));
    assert_eq!(Program::start(&mut command).end().code, Some(124));
}

/// A wait through a proxy at this address, to its end.
fn by_proxy(proxy: &str, arguments: &[&str]) -> Ended {
    let mut command = wait_for(&[&["--proxy", "env"], arguments].concat());
    Program::start(command.env("http_proxy", proxy).env("https_proxy", proxy)).end()
}

#[test]
fn an_overloaded_proxy_or_server_behind_it_gets_its_rest() {
    let proxy = always(&response("503 Service Unavailable", &["Retry-After: 5"], ""));
    let ended = by_proxy(&proxy.url(""), &["--timeout", "3s", "http://x/"]);
    let words = r#"reason=timed-out what="http://x/" last="proxy: HTTP 503 Service Unavailable; asks for a rest (Retry-After)""#;
    ended.ended_with(124, words);
    assert_eq!(proxy.requests.all().len(), 1);
    let tunnel = always(&status("503 Service Unavailable"));
    by_proxy(&tunnel.url(""), &["--timeout", "2s", "https://x/#insecure"]).ended_with(124, "reason=timed-out");
    // At least a second apart
    assert!(tunnel.requests.all().len() <= 2, "{:?}", tunnel.requests.all());
}

#[test]
fn a_status_that_a_proxy_brings_may_be_the_wanted_one() {
    let proxy = always(&status("503 Service Unavailable"));
    assert_eq!(by_proxy(&proxy.url(""), &["http://x/#status=503"]).message("ready")["proof"], "HTTP 503");
}

#[test]
fn a_proxy_that_closes_a_tunnel_proves_nothing_gone() {
    let proxy = always("HTTP/1.1 200 OK\r\n\r\n");
    let words = "proxy: closed amid the TLS handshake";
    for (not, words) in [("", words.to_owned()), ("&not", format!("not proven gone: {words}"))] {
        let ended = by_proxy(&proxy.url(""), &["--timeout", "500ms", &format!("https://x/#insecure{not}")]);
        ended.ended_with(124, &format!(r#"reason=timed-out what="https://x/" last="{words}""#));
    }
}

#[test]
fn a_proxy_that_closes_says_nothing_of_the_targets_tls() {
    let proxy = Server::start(|mut stream, _| drop(read_head(&mut stream)));
    let ended = by_proxy(&proxy.url("http"), &["--timeout", "500ms", "http://x/"]);
    ended.ended_with(124, r#"reason=timed-out what="http://x/" last="proxy: closed without an answer""#);
}

#[test]
fn the_login_at_a_proxy_is_not_told_when_the_server_repeats_it() {
    let proxy = Http::start(|request| {
        let login = request.header("proxy-authorization").unwrap();
        response("200 OK", &[], &format!(r#"{{"a": "{login}", "b": "hunter2"}}"#))
    });
    let url = proxy.url("").replace("http://", "http://user:hunter2@");
    for pointer in ["/a", "/b"] {
        let ended = by_proxy(&url, &["--timeout", "1s", &format!("http://x/#json={pointer}=ok")]);
        assert!(ended.last_line().contains('…'), "{ended:#?}");
        assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
        assert!(!ended.everything().contains("dXNlcjpodW50ZXIy"), "{ended:#?}");
    }
}
