//! gRPC by grpcio, client and server, through the proxy: without TLS and with it, and with nginx or `HAProxy` in front.

use e2e::peers::{
    client::play,
    front::Front,
    way::{Programs, Way, play_on_both},
};

static GRPC: Programs =
    Programs { app: "grpc_app.py", client: "grpc_client.py", schemes: ["", ""], options: "#http=2" };

#[test]
fn calls_of_all_kinds_pass() {
    play_on_both(&GRPC, &["kinds"]);
}

#[test]
fn each_message_of_a_conversation_goes_on_at_once() {
    play_on_both(&GRPC, &["chats"]);
}

#[test]
fn hundreds_of_calls_share_connections() {
    play_on_both(&GRPC, &["many"]);
}

#[test]
fn metadata_passes_in_all_places() {
    play_on_both(&GRPC, &["metadata", "large_metadata"]);
}

#[test]
fn every_status_passes_with_text_and_details() {
    play_on_both(&GRPC, &["errors"]);
}

#[test]
fn deadlines_reach_the_app_and_end_calls() {
    play_on_both(&GRPC, &["deadlines"]);
}

#[test]
fn large_messages_pass() {
    play_on_both(&GRPC, &["large"]);
}

#[test]
fn an_app_learns_that_a_client_gave_up() {
    for mut way in [Way::plain(&GRPC, &[]), Way::tls(&GRPC, &[])] {
        let mut client = way.start("cancels");
        client.says("called");
        way.app.server.says(0, "unary begins");
        client.signal("HUP");
        client.ends_with(0);
        way.app.server.says(0, "unary is cancelled");
    }
}

/// Servers by grpcio answer such pings with `ENHANCE_YOUR_CALM` and "`too_many_pings`" after a few of them.
#[test]
fn a_client_that_pings_each_second_is_not_sent_away() {
    play_on_both(&GRPC, &["keepalive"]);
}

#[test]
fn an_app_that_is_gone_is_unavailable() {
    let mut way = Way::plain(&GRPC, &[]);
    way.app.server.stop();
    let said = way.play("unavailable");
    assert!(said.starts_with("UNAVAILABLE: "), "{said}");
    assert_eq!(way.front.counted("sidekit_proxy_refusals_total{reason=\"app-down\""), 1, "{said}");
}

/// The app ends with a grace, as in a rollout, and starts again; until then calls wait for its port.
#[test]
fn no_call_fails_while_the_app_restarts() {
    let mut way = Way::tls(&GRPC, &["--app-down", "queue"]);
    let mut client = way.start("until_told");
    for _ in 0..4 {
        client.says("works");
    }
    for _ in 0..3 {
        let mark = way.app.server.log().len();
        way.app.server.tell("stop 5");
        way.app.server.says(mark, "stopped");
        way.app.start_again();
    }
    client.signal("HUP");
    let end = client.ends_with(0);
    assert!(end.log.contains("calls "), "{}", end.log);
}

#[test]
fn an_endless_stream_ends_as_unavailable_at_a_drain() {
    let way = Way::plain(&GRPC, &[]);
    let mut client = way.start("stream_until_end");
    client.says("streams");
    way.front.signal("TERM");
    let end = client.ends_with(0);
    assert!(end.log.contains("UNAVAILABLE: "), "{}", end.log);
}

/// nginx and `HAProxy` as clients of the proxy
#[test]
fn calls_pass_behind_nginx_and_haproxy() {
    let way = Way::tls(&GRPC, &[]);
    let (port, authority) = (way.front.address.port(), way.certificates.path("ca.pem"));
    let nginx = Front::by_nginx(&format!(
        "server {{
           listen 127.0.0.1:PORT http2; client_max_body_size 0;
           location / {{
             grpc_pass grpcs://127.0.0.1:{port}; grpc_ssl_name localhost; grpc_ssl_server_name on;
             grpc_ssl_verify on; grpc_ssl_trusted_certificate {authority};
           }}
         }}"
    ));
    let haproxy = Front::by_haproxy(&format!(
        "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         frontend front\n bind 127.0.0.1:PORT proto h2\n default_backend app\n\
         backend app\n server app 127.0.0.1:{port} ssl verify required ca-file {authority} sni str(localhost) alpn h2\n"
    ));
    for front in [nginx, haproxy] {
        for name in ["kinds", "chats", "many", "metadata", "errors", "deadlines", "large"] {
            play(GRPC.client, name, &format!("localhost:{}", front.address.port()), None);
        }
    }
}
