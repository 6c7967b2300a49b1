//! Upstreams whose names change their addresses, with a hosts file of the test's own.

use std::{net::TcpListener, os::unix::fs::FileExt, process::Command};

use harness::{until, with_own_mounts};
use tempfile::NamedTempFile;

use crate::{support::Proxy, upstream::Upstream};

/// One port on two addresses of this host, as a name has it that moves
fn two_addresses() -> (TcpListener, TcpListener) {
    until("a port is free on both addresses", || {
        let one = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = one.local_addr().unwrap().port();
        TcpListener::bind(("127.0.0.3", port)).ok().map(|other| (one, other))
    })
}

/// Answers each request with its own name, over a connection of its own
fn telling(listener: TcpListener, name: &'static str) -> Upstream {
    Upstream::on(listener, move |connection| {
        if connection.request().is_some() {
            connection.write(format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{name}"));
        }
    })
}

/// Gives the name `app` an address of this length, for this test's mounts alone: in one write, because a lookup may be under way.
fn point_app_to(file: &NamedTempFile, address: &str) {
    file.as_file().write_all_at(format!("{address} app\n").as_bytes(), 0).unwrap();
}

fn own_hosts_file() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mounted = Command::new("mount").arg("--bind").arg(file.path()).arg("/etc/hosts").status().unwrap();
    assert!(mounted.success(), "cannot mount a hosts file");
    file
}

/// Outbound, because the watch of an app that is down looks its name up too, and a request that joins such a lookup gets an answer
/// from before the request.
fn before(upstream: &str) -> Proxy {
    Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", upstream, "--direction", "outbound", "--drain-delay", "0s"])
}

#[test]
fn a_name_is_looked_up_again_while_its_old_address_still_answers() {
    with_own_mounts(|| {
        let hosts = own_hosts_file();
        point_app_to(&hosts, "127.0.0.2");
        let (one, two) = two_addresses();
        let upstream = format!("http://app:{}", one.local_addr().unwrap().port());
        let (_one, _two) = (telling(one, "one"), telling(two, "two"));
        let proxy = before(&upstream);
        let mut client = proxy.client();
        assert_eq!(client.get("/").body, "one");
        point_app_to(&hosts, "127.0.0.3");
        until("requests go to the new address", || (client.get("/").body == "two").then_some(()));
        drop(client);
        proxy.stop();
    });
}

#[test]
fn a_name_is_looked_up_again_at_once_after_a_connection_failed() {
    with_own_mounts(|| {
        let hosts = own_hosts_file();
        point_app_to(&hosts, "127.0.0.2");
        let (one, two) = two_addresses();
        let upstream = format!("http://app:{}", one.local_addr().unwrap().port());
        // Its port is closed when this ends.
        drop(one);
        let _two = telling(two, "two");
        let proxy = before(&upstream);
        let mut client = proxy.client();
        assert_eq!(client.get("/").body, "502 Bad Gateway: upstream-refuses\n");
        point_app_to(&hosts, "127.0.0.3");
        // The answer of the first lookup would hold for 4 s at least, and nothing is asked twice here.
        let answer = client.get("/");
        assert_eq!((answer.status, answer.body.as_str()), (200, "two"));
        drop(client);
        proxy.stop();
    });
}
