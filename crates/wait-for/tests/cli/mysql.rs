//! `mysql://` against scripted servers, for what real ones hardly do.

use std::io::Write;

use crate::support::{
    mysql::{FULL_AUTHENTICATION, NONCE, OK, error, mysql, refusing},
    never, proof, reason, run,
    server::{Server, hold, pour, reset},
};

#[test]
fn a_refused_login_is_ready_and_the_handshake_is_whole() {
    let (server, heard) = mysql("mysql_native_password", |wire| wire.send(&error(1045, "Access denied")));
    assert_eq!(proof(&[&server.url("mysql")]), "asks for a login (error 1045)");
    let answer = &heard.lock().unwrap()[0];
    assert_eq!(answer[32..42], *b"wait-for\0\0", "user, and a proof of no bytes");
    assert!(answer.ends_with(b"mysql_native_password\0"));
}

#[test]
fn a_user_without_a_password_is_not_named_because_a_few_failed_logins_lock_an_account() {
    let (server, heard) = mysql("mysql_native_password", |wire| wire.send(&error(1045, "Access denied")));
    assert_eq!(proof(&[&server.url("mysql").replace("://", "://app@")]), "asks for a login (error 1045)");
    assert_eq!(heard.lock().unwrap()[0][32..42], *b"wait-for\0\0");
}

#[test]
fn a_login_without_a_password_is_ready_and_ends_politely() {
    let (server, heard) = mysql("mysql_native_password", |wire| wire.send(OK));
    assert_eq!(proof(&[&server.url("mysql")]), "lets in without a password");
    crate::support::until("QUIT has come", || (heard.lock().unwrap().len() == 2).then_some(()));
    assert_eq!(heard.lock().unwrap()[1], [1]);
}

#[test]
fn a_server_that_is_full_is_not_ready() {
    let full = refusing(1040, "Too many connections");
    assert_eq!(reason(&[&full.url("mysql")]), "error 1040: Too many connections");
    let not = reason(&[&format!("{}#not", full.url("mysql"))]);
    assert_eq!(not, "not proven gone: error 1040: Too many connections");
    let (full_later, _) = mysql("mysql_native_password", |wire| wire.send(&error(1040, "Too many connections")));
    assert_eq!(reason(&[&full_later.url("mysql")]), "error 1040: Too many connections");
}

#[test]
fn a_server_that_is_full_is_asked_slowly() {
    for code in [1040, 1203, 1226] {
        let full = refusing(code, "Too many connections");
        run(&["--timeout", "2500ms", &full.url("mysql")]).ended_with(124, "reason=timed-out");
        // At least a second apart
        assert!(full.accepted() <= 3, "{code}: {}", full.accepted());
    }
}

#[test]
fn a_server_that_has_blocked_this_host_ends_the_wait_at_once() {
    let said = never(69, &[&refusing(1129, "Host '10.0.0.7' is blocked").url("mysql")]);
    assert!(said.starts_with("error 1129: Host '10.0.0.7' is blocked (mariadb-admin flush-hosts"), "{said}");
}

#[test]
fn a_server_that_does_not_allow_this_host_ends_the_wait_at_once() {
    let said = never(77, &[&refusing(1130, "Host '10.0.0.7' is not allowed to connect").url("mysql")]);
    assert_eq!(said, "error 1130: Host '10.0.0.7' is not allowed to connect");
}

#[test]
fn without_a_password_any_plugin_is_answered_with_nothing() {
    let (server, _) = mysql("mysql_native_password", |wire| {
        wire.send(&[b"\xfeauth_gssapi_client\0", &NONCE[..], &[0]].concat());
        assert_eq!(wire.receive().unwrap(), b"");
        wire.send(&error(1045, "Access denied"));
    });
    assert_eq!(proof(&[&server.url("mysql")]), "asks for a login (error 1045)");
}

#[test]
fn without_a_password_full_authentication_is_answered_with_an_empty_one() {
    let (server, _) = mysql("caching_sha2_password", |wire| {
        wire.send(FULL_AUTHENTICATION);
        assert_eq!(wire.receive().unwrap(), [0]);
        wire.send(&error(1045, "Access denied"));
    });
    assert_eq!(proof(&[&server.url("mysql")]), "asks for a login (error 1045)");
}

#[test]
fn a_server_that_says_nothing_useful_is_not_ready() {
    let silent = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &silent.url("mysql")]), "no answer within 300ms");
    let closing = Server::start(|stream, _| drop(stream));
    assert_eq!(reason(&[&closing.url("mysql")]), "closed without an answer");
    let half = Server::start(|mut stream, _| drop(stream.write_all(b"\x05\0\0\0\x0a")));
    assert_eq!(reason(&[&half.url("mysql")]), "closed before its answer was whole");
    let resetting = Server::start(|stream, _| reset(stream));
    assert_eq!(reason(&[&resetting.url("mysql")]), "closed without an answer");
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x05\0\0\0\x09odd!", b"\0\0\0\0", &[0xff; 8]] {
        let talking = Server::start(move |mut stream, _| {
            let _ = stream.write_all(garbage);
            hold(stream);
        });
        assert_eq!(reason(&[&talking.url("mysql")]), "the answer is not MySQL", "{garbage:?}");
    }
    let endless = Server::start(|stream, _| pour(stream, b"\xff\xff\0\0"));
    assert_eq!(reason(&[&endless.url("mysql")]), "the answer is not MySQL");
}
