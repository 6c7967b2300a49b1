//! `postgres://` against scripted servers, for what real ones hardly do.

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use crate::support::{
    Authority, Program, never, proof, reason, run,
    server::{ClosedPort, Server, hold, pour, reset_when_spoken_to},
    wait_for,
};

/// A message without its type, such as the first one
fn read_untyped(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0C{code}\0M{text}\0\0").as_bytes())
}

/// A server that answers the start-up message with these bytes, and what came after it.
fn postgres(answer: Vec<u8>) -> (Server, Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        let Some(start) = read_untyped(&mut stream) else { return };
        assert!(start.starts_with(&[0, 3, 0, 0]), "{start:?}");
        let _ = stream.write_all(&answer);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        into.lock().unwrap().extend(rest);
    });
    (server, heard)
}

#[test]
fn any_request_for_a_login_is_ready() {
    // Cleartext, MD5, GSS, SASL
    for request in [&[0, 0, 0, 3][..], b"\0\0\0\x05salt", &[0, 0, 0, 7], b"\0\0\0\x0aSCRAM-SHA-256\0\0"] {
        let (server, heard) = postgres(message(b'R', request));
        assert_eq!(proof(&[&server.url("postgres")]), "asks for a login");
        assert!(heard.lock().unwrap().is_empty());
    }
}

#[test]
fn a_login_without_a_password_is_ready_and_ends_politely() {
    let settings = message(b'S', b"server_version\x0016\0");
    let idle = message(b'Z', b"I");
    let (server, heard) = postgres([message(b'R', &[0; 4]), settings, idle].concat());
    assert_eq!(proof(&[&server.url("postgresql")]), "lets in without a password");
    crate::support::until("Terminate has come", || (*heard.lock().unwrap() == b"X\0\0\0\x04").then_some(()));
}

#[test]
fn a_server_that_starts_or_is_full_is_not_ready() {
    for (code, said) in [("57P03", "the database system is starting up"), ("53300", "sorry, too many clients already")]
    {
        let (server, _) = postgres(error(code, said));
        assert_eq!(reason(&[&server.url("postgres")]), said);
        let not = reason(&[&format!("{}#not", server.url("postgres"))]);
        assert_eq!(not, format!("not proven gone: {said}"));
    }
}

#[test]
fn any_other_error_is_ready_as_for_pg_isready() {
    for code in ["3D000", "28000", "0A000"] {
        let (server, _) = postgres(error(code, "no"));
        assert_eq!(proof(&[&server.url("postgres")]), format!("answers {code}"));
    }
}

#[test]
fn a_refused_login_ends_the_wait_at_once() {
    let server = Server::start(|mut stream, _| {
        let start = read_untyped(&mut stream).unwrap();
        assert_eq!(&start[4..], b"user\0app\0application_name\0wait-for\0database\0shop\0\0");
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x05salt"));
        let mut proof = [0; 41];
        stream.read_exact(&mut proof).unwrap();
        assert!(proof.starts_with(b"p\0\0\0\x28md5"), "{proof:?}");
        let _ = stream.write_all(&error("28P01", "password authentication failed for user \"app\""));
        hold(stream);
    });
    let mut command = wait_for(&[&format!("postgres://app@{}/shop#password-env=SECRET", server.address)]);
    let ended = Program::start(command.env("SECRET", "hunter2")).end();
    ended.ended_with(
        77,
        &format!(r#"reason=denied what="postgres://{}/shop" last="login refused: pass"#, server.address),
    );
    assert!(!ended.everything().contains("hunter2"));
}

#[test]
fn what_pgbouncer_refuses_ends_the_wait_at_once() {
    for (code, text, exit, said) in [
        ("08P01", "password authentication failed", 77, "login refused: password authentication failed"),
        ("08P01", "no such user: app", 77, "login refused: no such user: app"),
        ("08P01", "no such database: shop", 69, "no such database: shop: PgBouncer has no such entry"),
        (
            "28000",
            "no pg_hba.conf entry for host \"10.0.0.1\", user \"app\", database \"shop\", no encryption",
            77,
            "login refused: no pg_hba.conf entry",
        ),
    ] {
        let (server, _) = postgres(error(code, text));
        let mut command = wait_for(&[&format!("postgres://app@{}/shop#password-env=SECRET", server.address)]);
        let ended = Program::start(command.env("SECRET", "hunter2")).end();
        assert_eq!(ended.code, Some(exit), "{ended:#?}");
        assert!(ended.everything().contains(said), "{ended:#?}");
        assert_eq!(code == "28000", ended.everything().contains("give tls=require"), "{ended:#?}");
    }
}

#[test]
fn a_password_is_never_sent_in_the_clear() {
    let (server, heard) = postgres(message(b'R', &[0, 0, 0, 3]));
    let mut command = wait_for(&[&format!("postgres://app@{}#password-env=SECRET", server.address)]);
    let ended = Program::start(command.env("SECRET", "hunter2")).end();
    let told = "the server asks for the password itself, which needs TLS: give tls=require";
    ended.ended_with(69, &format!(r#"reason=unavailable what="{}" last="{told}""#, server.url("postgres")));
    drop(server);
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn a_password_is_sent_inside_tls() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"]);
    let server = Server::start(move |mut stream, _| {
        read_untyped(&mut stream).unwrap();
        stream.write_all(b"S").unwrap();
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        read_untyped(&mut stream).unwrap();
        stream.write_all(&message(b'R', &[0, 0, 0, 3])).unwrap();
        let mut password = [0; 13];
        stream.read_exact(&mut password).unwrap();
        assert_eq!(&password, b"p\0\0\0\x0chunter2\0");
        let idle = message(b'Z', b"I");
        stream.write_all(&[message(b'R', &[0; 4]), idle.clone(), idle].concat()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let options = format!("password-env=SECRET&tls=require&ca={}", authority.ca());
    let mut command = wait_for(&[&format!("postgres://app@localhost:{}#{options}", server.port())]);
    let ended = Program::start(command.env("SECRET", "hunter2")).end();
    assert_eq!(ended.message("ready")["proof"], "logged in, SELECT 1 answered", "{ended:#?}");
}

#[test]
fn tls_that_the_server_does_not_offer_is_told() {
    let server = Server::start(|mut stream, _| {
        let request = read_untyped(&mut stream).unwrap();
        assert_eq!(request, 80_877_103u32.to_be_bytes());
        let _ = stream.write_all(b"N");
        hold(stream);
    });
    let said = never(69, &[&format!("{}#tls=require&insecure", server.url("postgres"))]);
    assert!(said.starts_with("the server offers no TLS"), "{said}");
}

#[test]
fn a_server_that_says_nothing_useful_is_not_ready() {
    let silent = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &silent.url("postgres")]), "no answer within 300ms");
    let resetting = Server::start(|stream, _| reset_when_spoken_to(stream));
    let said = "closed without an answer; does the server want TLS? then add tls=require";
    assert_eq!(reason(&[&resetting.url("postgres")]), said);
    let leaving = Server::start(|mut stream, _| drop(read_untyped(&mut stream)));
    assert_eq!(reason(&[&leaving.url("postgres")]), said);
    let (closing, _) = postgres(b"R\0\0".to_vec());
    assert_eq!(reason(&["--attempt-timeout", "300ms", &closing.url("postgres")]), "no answer within 300ms");
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"R\xff\xff\xff\xff",
        b"R\0\0\0\0",
        b"?\0\0\0\x04",
        b"E\0\0\0\x05\0",
        &[0; 64],
    ] {
        let (talking, _) = postgres(garbage.to_vec());
        assert_eq!(reason(&[&talking.url("postgres")]), "the answer is not PostgreSQL", "{garbage:?}");
    }
    let endless = Server::start(|stream, _| pour(stream, b"R\0\x7f\xff\xff"));
    assert_eq!(reason(&[&endless.url("postgres")]), "the answer is not PostgreSQL");
}

#[test]
fn a_server_that_cannot_start_a_process_is_overloaded() {
    let said = "could not fork new process for connection: Resource temporarily unavailable";
    let full = Server::start(move |mut stream, _| {
        read_untyped(&mut stream);
        let _ = stream.write_all(format!("E{said}\n\0").as_bytes());
        hold(stream);
    });
    for options in ["", "#tls=require&insecure"] {
        let ended = run(&["--timeout", "2s", &format!("{}{options}", full.url("postgres"))]);
        let missing = ended.message("missing");
        assert_eq!(missing["reason"], said, "{options}");
        assert!(missing["attempts"].as_u64() < Some(4), "{missing}");
    }
    // memcached
    let (other, _) = postgres(b"ERROR\r\n".to_vec());
    assert_eq!(reason(&[&other.url("postgres")]), "the answer is not PostgreSQL");
}

#[test]
fn notices_without_end_cost_an_attempt_its_deadline() {
    let notices = Server::start(|stream, _| pour(stream, &message(b'N', b"Mhello\0\0")));
    assert_eq!(reason(&["--attempt-timeout", "500ms", &notices.url("postgres")]), "no answer within 500ms");
}

#[test]
fn one_host_of_several_is_enough_and_the_proof_names_it() {
    let closed = ClosedPort::new();
    let (starting, _) = postgres(error("57P03", "the database system is starting up"));
    let (ready, _) = postgres(message(b'R', &[0, 0, 0, 3]));
    let hosts = format!("127.0.0.1:{},{}", closed.port(), starting.address);
    assert_eq!(
        reason(&[&format!("postgres://{hosts}/app")]),
        format!("{}: the database system is starting up", starting.address)
    );
    let said = proof(&[&format!("postgresql://{hosts},{}/app", ready.address)]);
    assert_eq!(said, format!("{}: asks for a login", ready.address));
}

#[test]
fn a_login_that_one_host_refuses_is_not_tried_at_the_next() {
    let (refusing, _) = postgres(error("28P01", "password authentication failed"));
    let (other, heard) = postgres(message(b'R', &[0, 0, 0, 3]));
    let mut command = wait_for(&[&format!("postgres://app@{},{}#password-env=PW", refusing.address, other.address)]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    let what = format!("postgres://{},{}", refusing.address, other.address);
    let said = format!("{}: login refused: password authentication failed", refusing.address);
    ended.ended_with(77, &format!(r#"reason=denied what="{what}" last="{said}""#));
    assert!(heard.lock().unwrap().is_empty());
}
