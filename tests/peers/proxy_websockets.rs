//! The `WebSocket` protocol by Python's websockets, client and server, through the proxy: plain and by TLS, and with nginx or `HAProxy` in
//! front, which also speaks it over HTTP/2 (RFC 8441).

use e2e::peers::{
    client::play,
    front::Front,
    way::{Programs, Way, play_on_both},
};

static WEBSOCKETS: Programs =
    Programs { app: "websocket_app.py", client: "websocket_client.py", schemes: ["ws://", "wss://"], options: "" };

#[test]
fn messages_pass_compressed_or_not() {
    play_on_both(&WEBSOCKETS, &["echoes", "without_compression"]);
}

#[test]
fn large_and_fragmented_messages_pass() {
    play_on_both(&WEBSOCKETS, &["large", "fragments", "pushes"]);
}

#[test]
fn pings_and_pongs_pass() {
    play_on_both(&WEBSOCKETS, &["pings"]);
}

#[test]
fn hundreds_of_conversations_go_on_at_once() {
    play_on_both(&WEBSOCKETS, &["many"]);
}

#[test]
fn codes_and_reasons_of_closes_pass() {
    for mut way in [Way::plain(&WEBSOCKETS, &[]), Way::tls(&WEBSOCKETS, &[])] {
        way.play("closes");
        way.app.server.says(0, "closed with 3456 that is all");
    }
}

#[test]
fn a_refusal_of_the_app_arrives_as_it_is() {
    play_on_both(&WEBSOCKETS, &["refusals"]);
}

#[test]
fn the_app_gets_the_handshake_and_headers_of_the_proxy() {
    let way = Way::tls(&WEBSOCKETS, &[]);
    let seen = way.play("subprotocol");
    let port = way.front.address.port();
    for line in [
        "authorization: Bearer t",
        "x-ask: 1",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: https",
        &format!("host: localhost:{port}"),
    ] {
        assert!(seen.lines().any(|seen| seen == line), "no {line} in {seen}");
    }
}

/// Every client gets Close 1001 between two of its messages, and the app gets one too.
#[test]
fn a_drain_says_1001() {
    let mut way = Way::plain(&WEBSOCKETS, &["--shutdown-timeout", "10s"]);
    let mut client = way.start("until_end");
    for _ in 0..10 {
        client.says("talks");
    }
    way.front.signal("TERM");
    let end = client.ends_with(0);
    assert_eq!(end.log.matches("ended with 1001").count(), 10, "{}", end.log);
    way.app.server.says(0, "closed with 1001");
    way.front.ends();
}

#[test]
fn conversations_pass_behind_nginx_and_haproxy() {
    let way = Way::tls(&WEBSOCKETS, &[]);
    let (port, authority) = (way.front.address.port(), way.certificates.path("ca.pem"));
    let nginx = Front::by_nginx(&format!(
        "map $http_upgrade $hop {{ default upgrade; '' close; }}
         server {{
           listen 127.0.0.1:PORT;
           location / {{
             proxy_pass https://127.0.0.1:{port}; proxy_http_version 1.1;
             proxy_ssl_name localhost; proxy_ssl_server_name on;
             proxy_ssl_verify on; proxy_ssl_trusted_certificate {authority};
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop; proxy_set_header Host $host;
           }}
         }}"
    ));
    let haproxy = |how: &str| {
        Front::by_haproxy(&format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n timeout tunnel 60s\n\
             frontend front\n bind 127.0.0.1:PORT\n default_backend app\n\
             backend app\n server app 127.0.0.1:{port} ssl verify required ca-file {authority} sni str(localhost) {how}\n"
        ))
    };
    // The last one opens them as streams of HTTP/2.
    for front in [nginx, haproxy("alpn http/1.1"), haproxy("alpn h2 ws h2")] {
        let url = format!("ws://localhost:{}", front.address.port());
        for name in ["echoes", "large", "fragments", "pings", "closes", "subprotocol", "refusals", "many"] {
            play(WEBSOCKETS.client, name, &url, None);
        }
    }
}
