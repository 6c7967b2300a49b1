//! The `WebSocket` protocol by Python's websockets, client and server, through the proxy: plain and by TLS, and with nginx or `HAProxy` in
//! front, which also speaks it over HTTP/2 (RFC 8441).

use e2e::{
    peers::{
        certificates::Certificates,
        client::{play, scenario},
        front::Front,
        python::PythonApp,
    },
    process::Process,
};

const CLIENT: &str = "websocket_client.py";

/// From a client to an app
struct Way {
    app: PythonApp,
    front: Front,
    certificates: Certificates,
    is_tls: bool,
}

impl Way {
    fn plain(arguments: &[&str]) -> Self {
        let app = PythonApp::start("websocket_app.py");
        let front = Front::ours(app.address(), arguments);
        Self { app, front, certificates: Certificates::new(), is_tls: false }
    }

    /// TLS on both sides
    fn tls() -> Self {
        let certificates = Certificates::new();
        let app = PythonApp::start_with_tls("websocket_app.py", &certificates);
        let upstream = format!("https://localhost:{}#ca={}", app.server.port(), certificates.path("ca.pem"));
        let front = Front::ours_with_tls(&upstream, &certificates, &[]);
        Self { app, front, certificates, is_tls: true }
    }

    fn url(&self) -> String {
        format!("{}://localhost:{}", if self.is_tls { "wss" } else { "ws" }, self.front.address.port())
    }

    fn play(&self, name: &str) -> String {
        let authority = self.is_tls.then(|| self.certificates.path("ca.pem"));
        play(CLIENT, name, &self.url(), authority.as_deref())
    }
}

fn play_on_both(names: &[&str]) {
    for way in [Way::plain(&[]), Way::tls()] {
        for name in names {
            way.play(name);
        }
    }
}

#[test]
fn messages_pass_compressed_or_not() {
    play_on_both(&["echoes", "without_compression"]);
}

#[test]
fn large_and_fragmented_messages_pass() {
    play_on_both(&["large", "fragments", "pushes"]);
}

#[test]
fn pings_and_pongs_pass() {
    play_on_both(&["pings"]);
}

#[test]
fn hundreds_of_conversations_go_on_at_once() {
    play_on_both(&["many"]);
}

#[test]
fn codes_and_reasons_of_closes_pass() {
    for mut way in [Way::plain(&[]), Way::tls()] {
        way.play("closes");
        way.app.server.says(0, "closed with 3456 that is all");
    }
}

#[test]
fn a_refusal_of_the_app_arrives_as_it_is() {
    play_on_both(&["refusals"]);
}

#[test]
fn the_app_gets_the_handshake_and_headers_of_the_proxy() {
    let way = Way::tls();
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

/// Every client gets Close 1001 between two of its messages, and the app is told too.
#[test]
fn a_drain_says_1001() {
    let mut way = Way::plain(&["--shutdown-timeout", "10s"]);
    let mut client = Process::start(scenario(CLIENT, "until_end", &way.url(), None));
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
    let way = Way::tls();
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
            play(CLIENT, name, &url, None);
        }
    }
}
