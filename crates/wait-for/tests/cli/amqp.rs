//! `amqp://` against scripted brokers, for what real ones hardly do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use crate::support::{
    Program, never, proof, reason,
    server::{Server, hold, pour},
    until, wait_for,
};

const START: &[u8] = b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x0ePLAIN AMQPLAIN\0\0\0\x05en_US";
const TUNE: &[u8] = b"\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c";
const OPEN_OK: &[u8] = b"\0\x0a\0\x29\0";
const CLOSE_OK: &[u8] = b"\0\x0a\0\x33";

fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0], &u32::try_from(content.len()).unwrap().to_be_bytes()[..], content, b"\xce"].concat()
}

fn close(code: u16, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [b"\0\x0a\0\x32", &code.to_be_bytes()[..], &[length], text.as_bytes(), &[0; 4]].concat()
}

/// The method and the arguments of a frame
fn read_method(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 7];
    stream.read_exact(&mut head).ok()?;
    let mut content = vec![0; u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize + 1];
    stream.read_exact(&mut content).ok()?;
    assert_eq!((head[0], content.pop()), (1, Some(0xce)));
    Some((content[3], content[4..].to_vec()))
}

/// Methods with their arguments, as the broker hears them
type Heard = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

/// A broker that says these words in turn, each after one of the client's, and the methods that the
/// client sent
fn broker(words: &[&[u8]]) -> (Server, Heard) {
    let words: Vec<_> = words.iter().map(|word| word.to_vec()).collect();
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        let mut header = [0; 8];
        if stream.read_exact(&mut header).is_err() {
            return;
        }
        assert_eq!(&header, b"AMQP\0\0\x09\x01");
        let mut words = words.iter();
        let mut say = |stream: &mut TcpStream| {
            if let Some(word) = words.next() {
                let _ = stream.write_all(&frame(1, word));
            }
        };
        say(&mut stream);
        while let Some((method, arguments)) = read_method(&mut stream) {
            into.lock().unwrap().push((method, arguments));
            // The limits need no answer.
            if method != 31 {
                say(&mut stream);
            }
        }
    });
    (server, heard)
}

#[test]
fn a_login_opens_the_virtual_host_and_ends_politely() {
    let (server, heard) = broker(&[START, TUNE, OPEN_OK, CLOSE_OK]);
    assert_eq!(proof(&[&server.url("amqp")]), "logged in as guest, virtual host / opened");
    let heard = until("all is heard", || Some(heard.lock().unwrap().clone()).filter(|heard| heard.len() == 4));
    let login = &heard[0].1;
    assert!(login.ends_with(b"\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"), "{login:?}");
    assert!(String::from_utf8_lossy(login).contains("authentication_failure_closet\u{1}"), "{login:?}");
    assert_eq!(heard[1], (31, b"\x07\xff\0\x02\0\0\0\0".to_vec()));
    assert_eq!(heard[2], (40, b"\x01/\0\0".to_vec()));
    assert_eq!(heard[3], (50, b"\0\xc8\0\0\0\0\0".to_vec()));
}

#[test]
fn the_path_is_the_virtual_host() {
    for (path, host) in [("", "/"), ("/", "/"), ("/%2F", "/"), ("/shop", "shop"), ("/a%2fb", "a/b")] {
        let (server, heard) = broker(&[START, TUNE, OPEN_OK, CLOSE_OK]);
        assert_eq!(proof(&[&(server.url("amqp") + path)]), format!("logged in as guest, virtual host {host} opened"));
        let opened = heard.lock().unwrap()[2].1.clone();
        assert_eq!(opened[1..=host.len()], *host.as_bytes(), "{path}");
    }
}

#[test]
fn a_server_without_a_goodbye_and_with_notices_is_ready_too() {
    let blocked = b"\0\x0a\0\x3c\x03low";
    let heartbeats = Server::start(move |mut stream, _| {
        let _ = stream.read_exact(&mut [0; 8]);
        let _ = stream.write_all(&[frame(8, b""), frame(1, START)].concat());
        read_method(&mut stream);
        let _ = stream.write_all(&frame(1, TUNE));
        read_method(&mut stream);
        read_method(&mut stream);
        let _ = stream.write_all(&[frame(1, blocked), frame(8, b""), frame(1, OPEN_OK)].concat());
        hold(stream);
    });
    // The goodbye takes no more than the attempt has left.
    let said = proof(&["--attempt-timeout", "900ms", &heartbeats.url("amqp")]);
    assert_eq!(said, "logged in as guest, virtual host / opened");
}

#[test]
fn a_close_of_the_server_is_confirmed_and_says_what_is_missing() {
    for (text, code) in [("NOT_ALLOWED - vhost shop not found", 530), ("NOT_ALLOWED - vhost 'shop' is down", 530)] {
        let (server, heard) = broker(&[START, TUNE, &close(code, text)]);
        assert_eq!(reason(&[&(server.url("amqp") + "/shop")]), text);
        assert_eq!(heard.lock().unwrap()[3], (51, Vec::new()));
    }
    let (server, _) = broker(&[&close(320, "CONNECTION_FORCED - shutdown")]);
    assert_eq!(reason(&[&server.url("amqp")]), "closed with 320: CONNECTION_FORCED - shutdown");
}

#[test]
fn a_refused_login_ends_the_wait_at_once_and_is_not_printed() {
    let refused = close(403, "ACCESS_REFUSED - not hunter2");
    let (server, heard) = broker(&[START, &refused]);
    let mut command = wait_for(&[&format!("amqp://app@{}/shop#password-env=PW", server.address)]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    let what = format!("amqp://{}/shop", server.address);
    let said = format!(r#"reason=denied what="{what}" last="login refused: ACCESS_REFUSED - not …""#);
    ended.ended_with(77, &said);
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    assert_eq!(heard.lock().unwrap()[1], (51, Vec::new()));
}

#[test]
fn a_server_that_refuses_guest_is_ready_unless_a_virtual_host_is_wanted() {
    let refused = close(403, "ACCESS_REFUSED - no");
    let (server, _) = broker(&[START, &refused]);
    assert_eq!(proof(&[&server.url("amqp")]), "answers, but more can't be known without a password");
    let said = never(77, &[&(server.url("amqp") + "/shop")]);
    assert_eq!(said, "login refused to guest: ACCESS_REFUSED - no: give a user, and password-file=PATH");
}

#[test]
fn what_waiting_does_not_mend_ends_the_wait_at_once() {
    let external = b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x08EXTERNAL\0\0\0\x05en_US";
    let (server, _) = broker(&[external]);
    assert_eq!(
        never(69, &[&server.url("amqp")]),
        "the server takes no PLAIN, but EXTERNAL: turn PLAIN on there (auth_mechanisms)"
    );
    let (server, _) = broker(&[START, b"\0\x0a\0\x14\0\0\0\0"]);
    let said = never(69, &[&server.url("amqp")]);
    assert!(said.ends_with("let it take PLAIN (auth_mechanisms), or check it by tcp://"), "{said}");
    for (word, said) in [
        (&b"AMQP\0\x01\0\0"[..], "the server speaks AMQP 1.0.0 and not 0-9-1: check it by tcp:// instead"),
        (b"\x15\x03\x03\0\x02\x02\x46", "the server speaks TLS: write amqps://, or add tls=require"),
    ] {
        let server = Server::start(move |mut stream, _| {
            let _ = stream.write_all(word);
            hold(stream);
        });
        assert_eq!(never(69, &[&server.url("amqp")]), said);
    }
}

#[test]
fn half_an_answer_and_what_is_none_are_not_ready() {
    for (answer, said) in [
        (b"".to_vec(), "closed without an answer; does the server want TLS? then write amqps://"),
        (b"AMQ".to_vec(), "closed before its answer was whole"),
        (frame(1, START)[..20].to_vec(), "closed before its answer was whole"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "the answer is not AMQP"),
        (b"AMXXXXXX".to_vec(), "the answer is not AMQP"),
        (b"\x01\0\0\xff\xff\xff\xff".to_vec(), "the answer is not AMQP"),
        (b"\x01\0\0\0\0\0\x04\0\x0a\0\x33\xcd".to_vec(), "the answer is not AMQP"),
        (frame(1, OPEN_OK), "the answer is not AMQP"),
        (frame(1, b"\0\x14\0\x0b"), "the answer is not AMQP"),
    ] {
        let sent = answer.clone();
        let server = Server::start(move |mut stream, _| {
            let _ = stream.read_exact(&mut [0; 8]);
            let _ = stream.write_all(&sent);
        });
        assert_eq!(reason(&[&server.url("amqp")]), said, "{answer:?}");
    }
    let endless = Server::start(|stream, _| pour(stream, &frame(8, b"")));
    assert_eq!(reason(&["--attempt-timeout", "500ms", &endless.url("amqp")]), "no answer within 500ms");
}
