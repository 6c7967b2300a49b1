//! `ldap://`: a bind is answered.

use std::io::{Read, Write};

use crate::support::{Program, never, proof, reason, server::Server, wait_for};

/// An answer to a bind or to StartTLS (`61` or `78`), with this result code and text
fn answer(tag: u8, code: u8, text: &str) -> Vec<u8> {
    let length = |more: usize| u8::try_from(text.len() + more).unwrap();
    let head = [0x30, length(12), 0x02, 0x01, 0x02, tag, length(7), 0x0a, 0x01, code, 0x04, 0x00, 0x04, length(0)];
    [&head[..], text.as_bytes()].concat()
}

/// A server that gives this answer to the first message
fn directory(answer: Vec<u8>) -> Server {
    Server::start(move |mut stream, _| {
        let mut heard = [0; 256];
        if stream.read(&mut heard).is_ok_and(|length| length > 0) {
            let _ = stream.write_all(&answer);
            let _ = stream.read(&mut heard);
        }
    })
}

#[test]
fn a_bind_is_proof() {
    assert_eq!(proof(&[&directory(answer(0x61, 0, "")).url("ldap")]), "bound as nobody");
    for code in [48, 50, 53] {
        let said = proof(&[&directory(answer(0x61, code, "no anonymous bind")).url("ldap")]);
        assert_eq!(said, "answers, but more can't be known without a password");
    }
}

#[test]
fn a_directory_that_is_busy_or_none_is_not_ready() {
    for (bytes, said) in [
        (answer(0x61, 51, "later"), "LDAP result 51, busy: later"),
        (answer(0x61, 52, ""), "LDAP result 52, unavailable"),
        // The notice of a server that closes the connection
        (answer(0x78, 52, "shutting down"), "LDAP result 52, unavailable: shutting down"),
        (answer(0x61, 80, "a\nb"), "LDAP result 80, of another kind: a b"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "the answer is not LDAP"),
        (answer(0x65, 0, ""), "the answer is not LDAP"),
    ] {
        assert_eq!(reason(&[&directory(bytes).url("ldap")]), said);
    }
}

#[test]
fn half_an_answer_is_none() {
    let half = Server::start(|mut stream, _| {
        let _ = stream.read(&mut [0; 256]);
        let _ = stream.write_all(&answer(0x61, 0, "")[..8]);
    });
    assert_eq!(reason(&[&half.url("ldap")]), "closed before its answer was whole");
}

#[test]
fn refusals_end_the_wait_at_once() {
    let strict = directory(answer(0x61, 13, "TLS required"));
    let said = "LDAP result 13, confidentiality required: TLS required: add tls=require, or write ldaps://";
    assert_eq!(never(69, &[&strict.url("ldap")]), said);
    let without = directory(answer(0x78, 2, "unsupported extended operation"));
    let said = never(69, &[&format!("{}#tls=require&insecure", without.url("ldap"))]);
    assert!(said.starts_with("the server offers no StartTLS"), "{said}");
}

#[test]
fn a_password_never_goes_to_a_directory_without_tls() {
    let server = directory(answer(0x61, 0, ""));
    let mut command = wait_for(&[&format!("ldap://cn=app,dc=test@{}#password-env=PW", server.address)]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    ended.ended_with(69, "reason=unavailable");
    assert!(ended.last_line().contains("give tls=require") && server.accepted() == 0, "{ended:#?}");
}
