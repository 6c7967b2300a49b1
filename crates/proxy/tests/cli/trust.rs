//! `--trusted-proxies`: whose word about a client is believed.

use std::net::Ipv4Addr;

use crate::{
    client::Client,
    support::{OK, Proxy, proxy},
    upstream::Upstream,
};

const CLAIM: &str = "GET / HTTP/1.1\r\nHost: app\r\nX-Forwarded-For: evil\", 1.1.1.1\r\nX-Forwarded-Proto: https\r\n\
                     X-Forwarded-Port: 443\r\nForwarded: for=127.0.0.9\r\n\r\n";

#[test]
fn a_trusted_proxy_is_believed_also_on_a_socket_for_both_families() {
    let upstream = Upstream::answering(OK);
    let trust = ["--listen", ":0", "--upstream", &upstream.url(), "--trusted-proxies", "127.0.0.0/8"];
    let proxy = Proxy::run(&trust);
    let mut client = Client::new((Ipv4Addr::LOCALHOST, proxy.address.port()).into());
    client.send(CLAIM);
    assert_eq!(client.answer().status, 200);
    let request = upstream.only();
    for line in [
        "x-forwarded-for: 1.1.1.1, 127.0.0.1\r\n",
        "x-forwarded-proto: https\r\n",
        "x-forwarded-port: 443\r\n",
        "x-forwarded-host: app\r\n",
        "forwarded: for=1.1.1.1;proto=https, for=127.0.0.1;host=app;proto=http\r\n",
    ] {
        assert!(request.contains(line), "{line} {request}");
    }
}

#[test]
fn no_other_client_is_believed() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--trusted-proxies", "10.0.0.0/8", "--trusted-proxies", "::1"]);
    let mut client = proxy.client();
    client.send(CLAIM);
    assert_eq!(client.answer().status, 200);
    let request = upstream.only();
    assert!(request.contains("x-forwarded-for: 127.0.0.1\r\n") && !request.contains("x-forwarded-port"), "{request}");
    assert!(request.contains("forwarded: for=127.0.0.1;host=app;proto=http\r\n"), "{request}");
}

#[test]
fn each_listener_of_a_file_has_its_own() {
    let upstream = Upstream::answering(OK);
    let text = |direction: &str| {
        format!(
            "listeners:\n- address: 127.0.0.1:0\n  direction: {direction}\n  trusted-proxies: [127.0.0.1, '10.0.0.0/8']\n  \
             routes:\n  - upstream: '{}'\n",
            upstream.url()
        )
    };
    let (_directory, file) = harness::config_file(&text("inbound"));
    let running = Proxy::run(&["--config", &file]);
    let mut client = running.client();
    client.send(CLAIM);
    assert_eq!(client.answer().status, 200);
    assert!(upstream.only().contains("x-forwarded-for: 1.1.1.1, 127.0.0.1\r\n"), "{}", upstream.only());
    let (_directory, file) = harness::config_file(&text("outbound"));
    let ended = harness::Program::start(&mut proxy(&["--config", &file])).end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    let flags = ["--listen", ":0", "--upstream", "http://127.0.0.1:1", "--trusted-proxies"];
    for wrong in ["10.0.0.1/8", "hunter2"] {
        let ended = harness::Program::start(&mut proxy(&[&flags[..], &[wrong]].concat())).end();
        assert_eq!((ended.code, format!("{ended:?}").contains("hunter2")), (Some(64), false), "{ended:#?}");
    }
}
