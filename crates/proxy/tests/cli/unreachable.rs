//! Upstreams without a connection: the log says why, once for each reason, and when they answer again.

use std::{
    fs,
    net::TcpListener,
    sync::{Mutex, mpsc},
};

use crate::{
    support::{OK, Proxy},
    upstream::{Connection, Upstream, closed_port},
};

const MESSAGE: &str = "no connection to an upstream";
const RETURN: &str = "connections to an upstream succeed again";

#[test]
fn an_upstream_that_refuses_is_named_once_and_so_is_its_return() {
    let (address, port) = closed_port();
    let front = ["--listen", "127.0.0.1:0", "--direction", "outbound", "--upstream", &format!("http://{address}")];
    let mut proxy = Proxy::run(&front);
    for _ in 0..4 {
        assert_eq!(proxy.client().get("/").status, 502);
    }
    let line = proxy.program.wait_for_message(MESSAGE);
    assert_eq!((&line["upstream"], &line["reason"]), (&address.to_string().into(), &"connection refused".into()));
    port.listen(9).unwrap();
    let upstream = Upstream::on(TcpListener::from(port), |connection| {
        while connection.request().is_some() {
            connection.write(OK);
        }
    });
    assert_eq!(proxy.client().get("/").status, 200);
    proxy.program.wait_for_message(RETURN);
    assert_eq!(proxy.stop().messages(MESSAGE).len(), 1);
    drop(upstream);
}

/// Within 30 s, in which the same reason stands once while nothing changes
#[test]
fn a_second_outage_is_named_too_and_so_is_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let url = format!("http+unix://{}", path.display());
    let front = ["--listen", "127.0.0.1:0", "--direction", "outbound", "--workers", "1", "--upstream", &url];
    let mut proxy = Proxy::run(&front);
    for _ in 0..2 {
        assert_eq!(proxy.client().get("/").status, 502);
        assert_eq!(proxy.client().get("/").status, 502);
        proxy.program.wait_for_message(MESSAGE);
        let answering = |connection: &mut Connection| {
            while connection.request().is_some() {
                connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        };
        let _upstream = Upstream::on_unix(&path, answering);
        assert_eq!(proxy.client().get("/").status, 200);
        proxy.program.wait_for_message(RETURN);
        // No new connection succeeds from now on.
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(proxy.stop().messages(MESSAGE).len(), 2);
}

#[test]
fn answers_over_a_kept_connection_are_no_return() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let (go_on, held) = mpsc::channel();
    let held = Mutex::new(held);
    let upstream = Upstream::on_unix(&path, move |connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("GET /held ") {
                held.lock().unwrap().recv().unwrap();
            }
            connection.write(OK);
        }
    });
    let url = format!("http+unix://{}", path.display());
    let front = ["--listen", "127.0.0.1:0", "--direction", "outbound", "--workers", "1", "--upstream", &url];
    let proxy = Proxy::run(&front);
    let mut kept = proxy.client();
    assert_eq!(kept.get("/").status, 200);
    // No new connection succeeds from now on.
    fs::remove_file(&path).unwrap();
    for number in 2..5 {
        kept.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        upstream.wait_for_requests(number);
        assert_eq!(proxy.client().get("/").status, 502);
        go_on.send(()).unwrap();
        assert_eq!(kept.answer().status, 200);
    }
    drop(kept);
    let ended = proxy.stop();
    assert_eq!((ended.messages(MESSAGE).len(), ended.messages(RETURN).len()), (1, 0), "{ended:#?}");
}

#[test]
fn a_name_without_an_address_is_named() {
    let mut proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", "http://no-such-name.invalid"]);
    assert_eq!(proxy.client().get("/").status, 502);
    let line = proxy.program.wait_for_message(MESSAGE);
    assert!(line["reason"].as_str().unwrap().contains("no-such-name.invalid"), "{line:?}");
}

mod as_root {
    use std::os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt};

    use crate::support::{Proxy, proxy};

    #[test]
    fn a_socket_that_is_not_there_or_not_open_to_the_proxy_is_named() {
        let directory = tempfile::tempdir().unwrap();
        // Root may write every socket, so the proxy is another user.
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = directory.path().join("app.sock");
        let url = format!("http+unix://{}", path.display());
        let mut command = proxy(&["--listen", "127.0.0.1:0", "--upstream", &url]);
        command.uid(65_534).gid(65_534);
        let mut proxy = Proxy::of(&mut command);
        let message = "the app refuses connections";
        assert_eq!(proxy.client().get("/").body, "503 Service Unavailable: app-down\n");
        let line = proxy.program.wait_for_message(message);
        assert_eq!(line["last"], format!("{} is not there: does the app listen at this path?", path.display()));
        let _app = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let line = proxy.program.wait_for_message(message);
        assert!(
            line["last"].as_str().unwrap().starts_with(&format!("permission denied on {}: ", path.display())),
            "{line:?}"
        );
        assert_eq!(proxy.client().get("/").status, 503);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        proxy.program.wait_for_message("the app accepts connections");
    }
}
