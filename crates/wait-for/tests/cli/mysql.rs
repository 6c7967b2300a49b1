//! `mysql://` against scripted servers, for what real ones hardly do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::{Arc, Mutex},
};

use sha2::{Digest, Sha256};

use crate::support::{
    Ended, Program, never, proof, reason, run,
    server::{Server, hold, pour, reset},
    wait_for,
};

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
/// Protocol 4.1, secure connections, plugins: all that is needed, and no TLS
const CAPABILITIES: u32 = 0x8_8200;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const FULL_AUTHENTICATION: &[u8] = &[1, 4];

/// One side's packets of an exchange
struct Wire {
    stream: TcpStream,
    sequence: u8,
}

impl Wire {
    fn send(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let _ = self.stream.write_all(&[&length[..3], &[self.sequence], body].concat());
        self.sequence += 1;
    }

    /// The next packet; `None` once the client is gone.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.stream.read_exact(&mut body).ok()?;
        if header[3] != 0 {
            assert_eq!(header[3], self.sequence, "packets out of order");
        }
        self.sequence = header[3] + 1;
        Some(body)
    }
}

/// A server whose script speaks after its greeting, and what its clients sent.
fn mysql(plugin: &'static str, script: impl Fn(&mut Wire) + Send + Sync + 'static) -> (Server, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |stream, _| {
        let mut wire = Wire { stream, sequence: 0 };
        wire.send(&greeting(plugin));
        let Some(answer) = wire.receive() else { return };
        into.lock().unwrap().push(answer);
        script(&mut wire);
        while let Some(packet) = wire.receive() {
            into.lock().unwrap().push(packet);
        }
    });
    (server, heard)
}

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

fn greeting(plugin: &str) -> Vec<u8> {
    let [low, high, upper_low, upper_high] = CAPABILITIES.to_le_bytes();
    let mut packet = b"\x0a8.0.36\0\x07\0\0\0".to_vec();
    packet.extend(&NONCE[..8]);
    packet.extend([0, low, high, 45, 2, 0, upper_low, upper_high, 21]);
    packet.extend([0; 10]);
    packet.extend(&NONCE[8..]);
    packet.push(0);
    packet.extend(plugin.as_bytes());
    packet.push(0);
    packet
}

fn error(code: u16, message: &str) -> Vec<u8> {
    [&[0xff], &code.to_le_bytes()[..], b"#HY000", message.as_bytes()].concat()
}

/// A server that has only this to say, as its first word.
fn refusing(code: u16, message: &'static str) -> Server {
    Server::start(move |stream, _| {
        let mut wire = Wire { stream, sequence: 0 };
        // Before the client has spoken there is no SQL state.
        wire.send(&[&[0xff], &code.to_le_bytes()[..], message.as_bytes()].concat());
        wire.receive();
    })
}

/// wait-for with the password `hunter2`.
fn with_password(server: &Server) -> Command {
    let mut command = wait_for(&[&format!("mysql://app@{}/shop#password-env=SECRET", server.address)]);
    command.env("SECRET", "hunter2");
    command
}

#[track_caller]
fn end_with_password(server: &Server) -> Ended {
    let ended = Program::start(&mut with_password(server)).end();
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    ended
}

#[test]
fn a_refused_login_is_ready_and_the_handshake_is_whole() {
    let (server, heard) = mysql("mysql_native_password", |wire| wire.send(&error(1045, "Access denied")));
    assert_eq!(proof(&[&server.url("mysql")]), "asks for a login (error 1045)");
    let answer = &heard.lock().unwrap()[0];
    assert_eq!(answer[32..42], *b"wait-for\0\0", "user, and a proof of no bytes");
    assert!(answer.ends_with(b"mysql_native_password\0"));
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
fn a_login_is_proof_with_select_one() {
    let (server, heard) = mysql("caching_sha2_password", |wire| {
        wire.send(&[1, 3]);
        wire.send(OK);
        assert_eq!(wire.receive().unwrap(), b"\x03SELECT 1");
        for packet in [&[1][..], b"\x03def", &[0xfe, 0, 0, 2, 0], b"\x011", &[0xfe, 0, 0, 2, 0]] {
            wire.send(packet);
        }
    });
    let ended = end_with_password(&server);
    assert_eq!((ended.code, &ended.message("ready")["proof"]), (Some(0), &"logged in, SELECT 1 answered".into()));
    let answer = heard.lock().unwrap()[0].clone();
    let expected = [&b"app\0\x20"[..], &sha2_proof(), b"shop\0caching_sha2_password\0"].concat();
    assert_eq!(answer[32..], expected);
}

/// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce)
fn sha2_proof() -> Vec<u8> {
    let once = Sha256::digest("hunter2");
    let salted = Sha256::digest([Sha256::digest(once).as_slice(), NONCE].concat());
    once.iter().zip(salted).map(|(a, b)| a ^ b).collect()
}

#[test]
fn a_wrong_password_ends_the_wait_at_once() {
    let (server, _) = mysql("caching_sha2_password", |wire| wire.send(&error(1045, "Access denied for user 'app'")));
    let ended = end_with_password(&server);
    ended.ended_with(77, &format!(r#"reason=denied what="mysql://{}/shop" last="error 1045: "#, server.address));
}

#[test]
fn a_database_that_is_not_there_yet_is_not_ready() {
    let (server, _) = mysql("caching_sha2_password", |wire| wire.send(&error(1049, "Unknown database 'shop'")));
    let mut program = Program::start(&mut with_password(&server));
    program.wait_for_reason("error 1049: Unknown database 'shop'");
}

#[test]
fn a_server_may_switch_to_another_plugin() {
    let switch = [b"\xfecaching_sha2_password\0", &NONCE[..], &[0]].concat();
    let (server, heard) = mysql("mysql_native_password", move |wire| {
        wire.send(&switch);
        assert_eq!(wire.receive().unwrap(), sha2_proof());
        wire.send(&error(1045, "Access denied"));
    });
    assert_eq!(end_with_password(&server).code, Some(77));
    assert_eq!(heard.lock().unwrap()[0][36], 20, "the first proof is one of mysql_native_password");
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
fn a_plugin_that_is_not_known_here_is_told() {
    let (server, _) = mysql("mysql_native_password", |wire| {
        wire.send(&[b"\xfeauth_gssapi_client\0", &NONCE[..], &[0]].concat());
        wire.receive();
    });
    let ended = end_with_password(&server);
    assert_eq!(ended.code, Some(69), "{ended:#?}");
    assert!(ended.last_line().contains("plugin auth_gssapi_client is not supported"), "{ended:#?}");
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let (server, heard) = mysql("caching_sha2_password", |wire| wire.send(FULL_AUTHENTICATION));
    let ended = end_with_password(&server);
    ended.ended_with(69, "reason=unavailable what=");
    let words = "the server asks for the password itself, which needs TLS: give tls=require";
    assert!(ended.last_line().contains(words), "{ended:#?}");
    assert_eq!(heard.lock().unwrap().len(), 1);
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
fn tls_that_the_server_does_not_offer_is_told() {
    let (server, _) = mysql("caching_sha2_password", |_| {});
    let said = never(69, &[&format!("{}#tls=require&insecure", server.url("mysql"))]);
    assert!(said.starts_with("the server offers no TLS"), "{said}");
}

#[test]
fn a_server_that_says_nothing_useful_is_not_ready() {
    let silent = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &silent.url("mysql")]), "no answer within 300ms");
    let closing = Server::start(|stream, _| drop(stream));
    assert_eq!(reason(&[&closing.url("mysql")]), "closed before its answer was whole");
    let resetting = Server::start(|stream, _| reset(stream));
    assert_eq!(reason(&[&resetting.url("mysql")]), "connection reset");
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
