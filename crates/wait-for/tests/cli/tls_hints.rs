//! One side speaks TLS and the other does not: the message names the scheme or the option to write.

use std::io::Read;

use crate::support::{
    http::{Http, response},
    never, reason,
    server::Server,
};

#[test]
fn a_plain_server_is_named_to_a_target_with_tls() {
    let closing = Server::start(|mut stream, _| drop(stream.read(&mut [0; 4096])));
    for (url, remedy) in [
        (closing.url("ldaps"), "write ldap://"),
        (closing.url("grpcs"), "write grpc://"),
        (format!("{}#tls=require", closing.url("redis")), "leave the option tls out"),
    ] {
        let said = reason(&[&format!("{url}{}insecure", if url.contains('#') { "&" } else { "#" })]);
        assert_eq!(said, format!("closed amid the TLS handshake; is the port a plain one? then {remedy}"));
    }
}

#[test]
fn an_http_answer_that_asks_for_tls_ends_the_wait_at_once() {
    for words in
        ["Client sent an HTTP request to an HTTPS server.", "<p>The plain HTTP request was sent to HTTPS port</p>"]
    {
        let server = Http::start(move |_| response("400 Bad Request", &[], words));
        let said = never(69, &[&server.url("/")]);
        assert_eq!(said, "HTTP 400 Bad Request: the server wants TLS, so write https://");
    }
    let server = Http::start(|_| response("400 Bad Request", &[], "no"));
    assert_eq!(reason(&[&server.url("/")]), "HTTP 400 Bad Request");
}
