//! `mongodb://` against scripted servers, for what real ones hardly do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use crate::support::{
    Ended, Program, never, proof, reason,
    server::{ClosedPort, Server, hold, pour, reset},
    wait_for,
};

/// An element of a document
fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), b"\0", value].concat()
}

fn text(name: &str, text: &str) -> Vec<u8> {
    element(2, name, &[&i32::try_from(text.len() + 1).unwrap().to_le_bytes(), text.as_bytes(), b"\0"].concat())
}

fn binary(name: &str, bytes: &[u8]) -> Vec<u8> {
    element(5, name, &[&i32::try_from(bytes.len()).unwrap().to_le_bytes(), &b"\0"[..], bytes].concat())
}

fn yes(name: &str) -> Vec<u8> {
    element(8, name, &[1])
}

fn number(name: &str, number: i32) -> Vec<u8> {
    element(16, name, &number.to_le_bytes())
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.concat();
    [&i32::try_from(elements.len() + 5).unwrap().to_le_bytes(), &elements[..], b"\0"].concat()
}

/// A document that says that a command was done
fn ok(elements: &[Vec<u8>]) -> Vec<u8> {
    document(&[elements, &[element(1, "ok", &1f64.to_le_bytes())]].concat())
}

fn error(code: i32, message: &str) -> Vec<u8> {
    document(&[element(1, "ok", &[0; 8]), text("errmsg", message), number("code", code)])
}

/// The answer of a primary to a hello, with the mechanisms of the user
fn primary(mechanisms: &[&str]) -> Vec<u8> {
    let mechanisms: Vec<_> = mechanisms.iter().enumerate().map(|(at, name)| text(&at.to_string(), name)).collect();
    ok(&[yes("isWritablePrimary"), text("setName", "rs0"), element(4, "saslSupportedMechs", &document(&mechanisms))])
}

/// The number of a command, and its document
fn read_command(stream: &mut TcpStream) -> Option<([u8; 4], Vec<u8>)> {
    let mut head = [0; 21];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(head[12..], [&2013i32.to_le_bytes()[..], &[0; 5]].concat());
    let length = i32::from_le_bytes(head[..4].try_into().unwrap());
    let mut document = vec![0; usize::try_from(length).unwrap() - head.len()];
    stream.read_exact(&mut document).ok()?;
    Some((head[4..8].try_into().unwrap(), document))
}

fn message(to: [u8; 4], document: &[u8]) -> Vec<u8> {
    let length = i32::try_from(document.len() + 21).unwrap().to_le_bytes();
    [&length, &[9, 0, 0, 0], &to, &2013i32.to_le_bytes(), &[0; 5][..], document].concat()
}

/// Documents of commands, as the server hears them
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server that gives these answers in turn, and the commands that it got
fn mongodb(answers: &[Vec<u8>]) -> (Server, Heard) {
    let answers = answers.to_vec();
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        for answer in &answers {
            let Some((number, command)) = read_command(&mut stream) else { return };
            into.lock().unwrap().push(command);
            let _ = stream.write_all(&message(number, answer));
        }
        hold(stream);
    });
    (server, heard)
}

/// The end of a wait with the user `app` and the password `hunter2`
fn log_in(server: &Server, options: &str) -> Ended {
    let mut command = wait_for(&[&format!("mongodb://app@{}/shop#password-env=PW{options}", server.address)]);
    Program::start(command.env("PW", "hunter2")).end()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_writable_server_is_proof() {
    for (answer, said) in [
        (ok(&[yes("isWritablePrimary")]), "a single server"),
        (primary(&[]), "the primary of rs0"),
        (ok(&[yes("isWritablePrimary"), text("msg", "isdbgrid")]), "a router (mongos)"),
        // Some servers count where others say true.
        (document(&[yes("isWritablePrimary"), number("ok", 1)]), "a single server"),
    ] {
        let (server, heard) = mongodb(&[answer]);
        assert_eq!(proof(&[&server.url("mongodb")]), said);
        let hello = heard.lock().unwrap()[0].clone();
        assert!(hello[4..].starts_with(b"\x10hello\0\x01\0\0\0\x03client\0"), "{hello:?}");
        assert!(hello.ends_with(b"\x02$db\0\x06\0\0\0admin\0\0"), "{hello:?}");
        assert!(!holds(&hello, b"saslSupportedMechs"));
    }
}

#[test]
fn a_member_with_another_role_is_not_ready() {
    let secondary = ok(&[yes("secondary"), text("setName", "rs0"), text("primary", "m2:27017")]);
    let (server, _) = mongodb(&[secondary]);
    let url = server.url("mongodb");
    assert_eq!(reason(&[&url]), "a secondary of rs0, and the primary is m2:27017");
    assert_eq!(proof(&[&format!("{url}#role=any&replicaset=rs0")]), "a secondary of rs0");
    assert_eq!(proof(&[&format!("{url}#role=secondary")]), "a secondary of rs0");
    assert_eq!(never(69, &[&format!("{url}#replicaset=rs1")]), "the replica set is rs0, and not rs1");
    let (server, _) = mongodb(&[ok(&[yes("isreplicaset")])]);
    assert_eq!(reason(&[&server.url("mongodb")]), "the replica set is not initiated yet (rs.initiate)");
    assert_eq!(reason(&[&format!("{}#replicaset=rs0", server.url("mongodb"))]), "not yet in the replica set rs0");
}

#[test]
fn the_primary_of_several_members_is_enough() {
    let closed = ClosedPort::new();
    let (secondary, _) = mongodb(&[ok(&[yes("secondary"), text("setName", "rs0")])]);
    let members = format!("mongodb://127.0.0.1:{},{}", closed.port(), secondary.address);
    let said = format!("{}: a secondary of rs0, and there is no primary", secondary.address);
    assert_eq!(reason(&[&members]), said);
    let (primary, _) = mongodb(&[primary(&[])]);
    let said = format!("{}: the primary of rs0", primary.address);
    assert_eq!(proof(&[&format!("{members},{}/shop#replicaset=rs0", primary.address)]), said);
}

#[test]
fn the_strongest_mechanism_of_the_user_is_used_at_the_users_database() {
    let refused = || error(18, "Authentication failed.");
    for (offered, options, mechanism, database) in [
        (&["SCRAM-SHA-1", "SCRAM-SHA-256"][..], "", "SCRAM-SHA-256", "shop"),
        (&["SCRAM-SHA-1"], "&authsource=users", "SCRAM-SHA-1", "users"),
        // A user that the server does not know
        (&[], "", "SCRAM-SHA-256", "shop"),
    ] {
        let (server, heard) = mongodb(&[primary(offered), refused()]);
        assert_eq!(log_in(&server, options).code, Some(77));
        let heard = heard.lock().unwrap().clone();
        assert!(holds(&heard[0], &text("saslSupportedMechs", &format!("{database}.app"))), "{:?}", heard[0]);
        assert!(holds(&heard[1], &text("mechanism", mechanism)), "{:?}", heard[1]);
        assert!(holds(&heard[1], b"n,,n=app,r="), "{:?}", heard[1]);
        assert!(heard[1].ends_with(&[&text("$db", database)[..], b"\0"].concat()), "{:?}", heard[1]);
    }
}

#[test]
fn a_refused_login_ends_the_wait_at_once_and_is_not_printed() {
    for (answers, code, said) in [
        (vec![primary(&[]), error(18, "no: hunter2")], 77, "login refused: no: …"),
        (vec![primary(&[]), error(8000, "bad auth : failed")], 77, "login refused: bad auth : failed"),
        (vec![primary(&[]), error(334, "no SCRAM here")], 69, "error 334: no SCRAM here"),
        (vec![error(13, "not authorized")], 77, "login refused: not authorized"),
        (vec![primary(&["PLAIN"])], 69, "the user has only logins that are not supported here: PLAIN"),
    ] {
        let (server, _) = mongodb(&answers);
        let ended = log_in(&server, "");
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert_eq!(ended.message("will not become ready")["reason"], said);
        assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn a_server_that_does_not_prove_the_password_is_refused() {
    let nonce_of = |start: &[u8]| {
        let start = String::from_utf8_lossy(start).into_owned();
        start.split(",r=").nth(1).unwrap()[..24].to_owned()
    };
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        let mut answer = |with: &dyn Fn(&[u8]) -> Vec<u8>| {
            let Some((number, command)) = read_command(&mut stream) else { return };
            let _ = stream.write_all(&message(number, &with(&command)));
            into.lock().unwrap().push(command);
        };
        answer(&|_| primary(&[]));
        answer(&|start| {
            let challenge = format!("r={}x,s=QSXCR+Q6sek8bf92,i=4096", nonce_of(start));
            ok(&[number("conversationId", 7), binary("payload", challenge.as_bytes()), element(8, "done", &[0])])
        });
        answer(&|_| ok(&[number("conversationId", 7), binary("payload", b"v=AAAA"), yes("done")]));
    });
    let ended = log_in(&server, "");
    assert_eq!(ended.code, Some(69), "{ended:#?}");
    let said = "the server does not prove that it knows the password: is this the right host? tls=require proves that";
    assert_eq!(ended.message("will not become ready")["reason"], said);
    let last = heard.lock().unwrap()[2].clone();
    assert!(holds(&last, &number("conversationId", 7)) && holds(&last, b"c=biws,r="), "{last:?}");
    assert!(!holds(&last, b"hunter2"));
}

#[test]
fn a_server_that_changes_is_not_ready_and_an_old_one_never() {
    for (code, said) in [(11600, "interrupted at shutdown"), (13436, "node is recovering")] {
        let (server, _) = mongodb(&[error(code, said)]);
        assert_eq!(reason(&[&server.url("mongodb")]), format!("error {code}: {said}"));
    }
    let (without_code, _) = mongodb(&[document(&[number("ok", 0), text("errmsg", "later")])]);
    assert_eq!(reason(&[&without_code.url("mongodb")]), "error 0: later");
    let (old, _) = mongodb(&[error(59, "no such command: 'hello'")]);
    assert!(never(69, &[&old.url("mongodb")]).starts_with("the server does not know the command hello"));
    let tls = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"\x15\x03\x03\0\x02\x02\x50");
        hold(stream);
    });
    assert_eq!(never(69, &[&tls.url("mongodb")]), "the server speaks TLS: add tls=require");
}

#[test]
fn a_server_that_wants_tls_just_ends_the_connection() {
    let closing = Server::start(|mut stream, _| drop(read_command(&mut stream)));
    let hint = "; does the server want TLS? then add tls=require";
    assert_eq!(reason(&[&closing.url("mongodb")]), format!("closed without an answer{hint}"));
    let resetting = Server::start(|mut stream, _| {
        read_command(&mut stream);
        reset(stream);
    });
    assert_eq!(reason(&[&resetting.url("mongodb")]), format!("closed without an answer{hint}"));
}

#[test]
fn half_an_answer_and_what_is_none_are_not_ready() {
    let whole = message([1, 0, 0, 0], &primary(&[]));
    let with = |at: usize, byte: u8| {
        let mut changed = whole.clone();
        changed[at] = byte;
        changed
    };
    for (answer, said) in [
        (whole[..2].to_vec(), "closed before its answer was whole"),
        (whole[..40].to_vec(), "closed before its answer was whole"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "the answer is not MongoDB"),
        // Length, number, type, kind of section, document
        (with(0, 20), "the answer is not MongoDB"),
        (with(2, 2), "the answer is not MongoDB"),
        (with(8, 2), "the answer is not MongoDB"),
        (with(12, 0), "the answer is not MongoDB"),
        (with(20, 1), "the answer is not MongoDB"),
        (with(21, 255), "the answer is not MongoDB"),
        (message([1, 0, 0, 0], &document(&[])), "the answer is not MongoDB"),
    ] {
        let sent = answer.clone();
        let server = Server::start(move |mut stream, _| {
            read_command(&mut stream);
            let _ = stream.write_all(&sent);
        });
        assert_eq!(reason(&[&server.url("mongodb")]), said, "{answer:?}");
    }
    let endless = Server::start(|stream, _| pour(stream, b"\0"));
    assert_eq!(reason(&[&endless.url("mongodb")]), "the answer is not MongoDB");
}
