//! A WebSocket from its handshake to its end in a drain.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use rustls::version;

use crate::{
    certificates::Secret,
    client::{Client, header},
    support::{Proxy, Signal, leave_over_3_s},
    tls_client::TlsSettings,
    upstream::Upstream,
    websocket::{CHANGED, GOING_AWAY, WISH, chat, chatting, masked, open, plain, read_masked},
};

/// Answers a Close, and waits for the end.
#[track_caller]
fn say_goodbye(client: &mut Client) {
    client.send(masked(8, &GOING_AWAY[2..]));
    assert!(client.is_closed());
}

#[test]
fn the_handshake_and_frames_pass() {
    let upstream = chatting();
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send([WISH.as_bytes(), &masked(1, b"early")].concat());
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!((header(&head, "sec-websocket-protocol"), header(&head, "upgrade")), (Some("chat"), Some("websocket")));
    let request = upstream.only().to_lowercase();
    for line in [
        "\r\nupgrade: websocket\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nsec-websocket-version: 13\r\n",
        "\r\nsec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
        "\r\nsec-websocket-protocol: chat, other\r\n",
        "\r\nsec-websocket-extensions: permessage-deflate\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
    assert_eq!(client.raw(7), plain(1, b"early"));
    client.send(masked(1, b"hi"));
    assert_eq!(client.raw(4), plain(1, b"hi"));
    client.send(masked(8, &GOING_AWAY[2..]));
    assert_eq!(client.raw(4), GOING_AWAY);
    assert!(client.is_closed());
    upstream.wait_for_closed(1);
}

#[test]
fn over_tls_frames_pass_and_a_drain_closes_both_protocols() {
    let (upstream, secret) = (chatting(), Secret::with(&["app.example"]));
    let arguments = secret.arguments();
    let proxy = Proxy::start(&upstream, &arguments.each_ref().map(String::as_str));
    harness::http::until_status(proxy.health, "/readyz", 200);
    let clients = [&version::TLS12, &version::TLS13].map(|version| {
        let settings = TlsSettings::of(&secret.root, &[version], None);
        let mut client = settings.connect(proxy.address, "app.example");
        client.stream.write_all(&[WISH.as_bytes(), &masked(1, b"early")].concat()).unwrap();
        let head = client.head().unwrap();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert_eq!(client.raw(7), plain(1, b"early"));
        client.stream.write_all(&masked(1, b"hi")).unwrap();
        assert_eq!(client.raw(4), plain(1, b"hi"));
        client
    });
    assert!(upstream.requests().concat().to_lowercase().contains("\r\nx-forwarded-proto: https\r\n"));
    proxy.program.signal(Signal::TERM);
    for mut client in clients {
        assert_eq!(client.raw(4), GOING_AWAY);
        client.stream.write_all(&masked(8, &GOING_AWAY[2..])).unwrap();
        // rustls calls an end without `close_notify` an error.
        assert_eq!(client.stream.read(&mut [0]).map_err(|error| error.kind()), Ok(0));
    }
    upstream.wait_for_closed(2);
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn an_answer_to_another_key_opens_nothing() {
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    for change in [
        CHANGED.replace(accept, ""),
        CHANGED.replace(accept, &accept.replace("s3p", "S3p")),
        CHANGED.replace(accept, &accept.repeat(2)),
    ] {
        let upstream = Upstream::start(move |connection| {
            connection.request();
            connection.write(&change);
            assert_eq!(connection.request(), None, "the proxy ends the connection");
        });
        let proxy = Proxy::start(&upstream, &[]);
        let mut client = proxy.client();
        client.send([WISH, "GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n"].concat());
        assert_eq!(client.answer().status, 502);
        assert_eq!((client.rest().as_str(), proxy.refusals("upstream-broken")), ("", 1));
        upstream.wait_for_closed(1);
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[test]
fn a_version_that_the_app_refuses_smuggles_nothing() {
    let upstream = Upstream::start(|connection| {
        while let Some(request) = connection.request() {
            assert!(!request.contains("smuggled"));
            connection.write("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send(WISH.replace("Version: 13", "Version: 1337"));
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert_eq!((header(&head, "sec-websocket-version"), header(&head, "connection")), (Some("13"), Some("close")));
    client.try_send("GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n");
    assert_eq!(client.rest(), "");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_drain_closes_them_one_by_one_and_the_app_hears_it_from_the_client() {
    const COUNT: usize = 12;
    let upstream = chatting();
    let proxy = Proxy::start(&upstream, &["--drain-delay", "3s"]);
    let clients: Vec<_> = (0..COUNT).map(|_| open(proxy.client())).collect();
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    leave_over_3_s(start, clients, |client| {
        assert_eq!(client.raw(4), GOING_AWAY);
        say_goodbye(client);
    });
    upstream.wait_for_closed(COUNT);
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_close_comes_behind_the_frame_under_way_and_nothing_behind_the_close() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(CHANGED);
        let text = plain(1, b"hello");
        connection.write(&text[..3]);
        // The stop signal comes here.
        assert_eq!(read_masked(&mut connection.stream).unwrap(), (1, b"go on".to_vec()));
        connection.write(&text[3..]);
        connection.write(plain(1, b"too late"));
        assert_eq!(chat(connection).as_deref(), Some(&[3, 0xe9][..]));
    });
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = open(proxy.client());
    assert_eq!(client.raw(3), &plain(1, b"hello")[..3]);
    proxy.program.signal(Signal::TERM);
    harness::http::until_status(proxy.health, "/readyz", 503);
    thread::sleep(Duration::from_millis(500));
    client.send(masked(1, b"go on"));
    assert_eq!(client.raw(4 + 4), [&plain(1, b"hello")[3..], &GOING_AWAY].concat());
    say_goodbye(&mut client);
    upstream.wait_for_closed(1);
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_client_that_does_not_answer_delays_the_end_by_seconds_and_the_app_is_told() {
    let upstream = chatting();
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = open(proxy.client());
    let start = Instant::now();
    proxy.program.signal(Signal::TERM);
    assert_eq!(client.raw(4), GOING_AWAY);
    assert!(client.is_closed());
    upstream.wait_for_closed(1);
    assert_eq!(proxy.program.end().code, Some(0));
    assert!((5..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[test]
fn a_message_without_an_end_is_cut_at_the_deadline_of_a_stop_with_a_last_word() {
    let upstream = Upstream::start(|connection| {
        connection.request();
        connection.write(CHANGED);
        // Half of a frame
        connection.write(&plain(1, b"hello")[..4]);
        let end = read_masked(&mut connection.stream);
        assert_eq!(end, Some((8, vec![3, 0xe9])));
    });
    let proxy = Proxy::start(&upstream, &["--shutdown-timeout", "2s"]);
    let mut client = open(proxy.client());
    assert_eq!(client.raw(4), &plain(1, b"hello")[..4]);
    proxy.program.signal(Signal::TERM);
    assert!(client.is_closed(), "a Close within a frame would be payload");
    upstream.wait_for_closed(1);
    assert_eq!(proxy.program.end().code, Some(0));
}

#[test]
fn a_listener_that_a_reload_removes_closes_its_own() {
    let upstream = chatting();
    let entry = |name: &str, address: &str| {
        let url = upstream.url();
        format!("- {{name: {name}, address: '{address}', direction: inbound, routes: [{{upstream: '{url}'}}]}}\n")
    };
    let (going, staying) = (entry("going", "127.0.0.1:0"), entry("staying", "127.0.0.2:0"));
    let (_directory, path) = harness::config_file(&format!("listeners:\n{going}{staying}"));
    let mut proxy = Proxy::run(&["--config", &path, "--drain-delay", "1s"]);
    let other = proxy.program.wait_for_message("listening")["address"].as_str().unwrap().parse().unwrap();
    let (mut gone, mut stays) = (open(proxy.client()), open(Client::new(other)));
    std::fs::write(&path, format!("listeners:\n{staying}")).unwrap();
    proxy.program.signal(Signal::HUP);
    assert_eq!(gone.raw(4), GOING_AWAY);
    say_goodbye(&mut gone);
    stays.send(masked(1, b"hi"));
    assert_eq!(stays.raw(4), plain(1, b"hi"));
    stays.send(masked(8, &GOING_AWAY[2..]));
    assert_eq!(stays.raw(4), GOING_AWAY);
    proxy.stop();
}
