//! Certificates of clients: shown, missing and refused.

use std::{io::Read, net::TcpStream, sync::Arc};

use rustls::{ServerConfig, ServerConnection};

use crate::support::{
    Authority, Program,
    http::{Http, status},
    never, proof, reason,
    server::Server,
    wait_for,
};

/// As gRPC's servers for C++ and Python do: TLS up to their own last word, and then the end.
fn close_after_its_own_words(mut stream: TcpStream, config: Arc<ServerConfig>) {
    let mut tls = ServerConnection::new(config).unwrap();
    while !tls.wants_write() {
        tls.read_tls(&mut stream).unwrap();
        tls.process_new_packets().unwrap();
    }
    while tls.wants_write() {
        tls.write_tls(&mut stream).unwrap();
    }
    let _ = stream.read(&mut [0; 4096]);
}

#[test]
fn a_client_shows_its_certificate_where_one_is_wanted() {
    let authority = Authority::new();
    let server = Http::start_tls(authority.server_for_known_clients(&["localhost"]), |_| status("200 OK"));
    let ca = authority.ca();
    let said = never(77, &[&server.url_tls(&format!("/#ca={ca}"))]);
    assert_eq!(said, "the server wants a client certificate: give cert=PATH and key=PATH");
    let (cert, key) = authority.identity_files(&["client"]);
    assert_eq!(proof(&[&server.url_tls(&format!("/#ca={ca}&cert={cert}&key={key}"))]), "HTTP 200");
}

#[test]
fn a_client_certificate_of_a_stranger_is_denied() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Http::start_tls(authority.server_for_known_clients(&["localhost"]), |_| status("200 OK"));
    let (cert, key) = stranger.identity_files(&["client"]);
    let said = never(77, &[&server.url_tls(&format!("/#ca={}&cert={cert}&key={key}", authority.ca()))]);
    assert!(
        said.starts_with("the server refuses our client certificate: name one that it trusts with cert="),
        "{said}"
    );
}

#[test]
fn a_server_that_closes_instead_of_naming_the_missing_certificate_is_told() {
    let config = Authority::new().server_for_known_clients(&["localhost"]);
    let server = Server::start(move |stream, _| close_after_its_own_words(stream, config.clone()));
    for scheme in ["https", "grpcs", "rediss", "ldaps"] {
        let said = reason(&[&format!("{}#insecure", server.url(scheme))]);
        assert!(
            said.ends_with("after the server asked for a client certificate: give cert=PATH and key=PATH"),
            "{said}"
        );
    }
}

#[test]
fn a_request_for_a_certificate_counts_for_its_own_connection_alone() {
    let config = Authority::new().server_for_known_clients(&["localhost"]);
    let server = Server::start(move |mut stream, nth| match nth {
        0 => close_after_its_own_words(stream, config.clone()),
        _ => drop(stream.read(&mut [0; 4096])),
    });
    let mut program = Program::start(&mut wait_for(&[&format!("{}#insecure", server.url("https"))]));
    let first = program.wait_for_message("not ready");
    assert!(first["reason"].as_str().unwrap().contains("asked for a client certificate"), "{first}");
    program.wait_for_reason("closed amid the TLS handshake; is the port a plain one? then write http://");
}
