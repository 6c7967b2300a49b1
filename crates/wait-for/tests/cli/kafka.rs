//! `kafka://` against scripted brokers, for what real ones hardly do, and several hosts in one URL.
//! Long because the scripted broker serves all of these stories, those of several hosts too.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use crate::support::{
    Program, never, proof, reason,
    server::{ClosedPort, Server, Silent, hold, pour},
    until, wait_for,
};

const METADATA: u16 = 3;
const HANDSHAKE: u16 = 17;
const AUTHENTICATE: u16 = 36;
const VERSIONS: u16 = 18;

/// Metadata requests of the versions 0 to 13, and a handshake of logins of the versions 0 and 1
const GOOD_VERSIONS: &[u8] = b"\0\0\0\0\0\x02\0\x03\0\0\0\x0d\0\x11\0\0\0\x01";
/// The same of a broker without logins
const WITHOUT_LOGINS: &[u8] = b"\0\0\0\0\0\x01\0\x03\0\0\0\x0d";
/// "There is no login to make here"
const NO_LOGIN: &[u8] = b"\0\x22\0\0\0\0";

/// A request: its key, and what stands behind the client's name
fn read_request(stream: &mut TcpStream) -> Option<(u16, [u8; 4], Vec<u8>)> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut request = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut request).ok()?;
    assert_eq!(&request[8..18], b"\0\x08wait-for");
    Some((u16::from_be_bytes([request[0], request[1]]), request[4..8].try_into().unwrap(), request[18..].to_vec()))
}

/// A broker that gives these answers, each to requests of its key, and ends a connection at a key
/// without one
fn broker(answers: &[(u16, Vec<u8>)]) -> Server {
    let answers = answers.to_vec();
    Server::start(move |mut stream, _| {
        while let Some((key, number, _)) = read_request(&mut stream) {
            let Some((_, answer)) = answers.iter().find(|(of, _)| *of == key) else { return };
            let length = u32::try_from(answer.len() + 4).unwrap().to_be_bytes();
            let _ = stream.write_all(&[&length, &number, &answer[..]].concat());
        }
    })
}

/// The error code and the leader of each partition
type Partitions<'a> = &'a [(u8, i32)];

/// The answer of a cluster with these topics: name, error code, partitions
fn metadata(brokers: usize, topics: &[(&str, u8, Partitions)]) -> Vec<u8> {
    let count = |count: usize| u32::try_from(count).unwrap().to_be_bytes();
    let mut answer = [&[0; 4], &count(brokers)[..]].concat();
    for _ in 0..brokers {
        answer.extend(b"\0\0\0\x01\0\x01h\0\0\x23\x84\xff\xff");
    }
    answer.extend(b"\xff\xff\0\0\0\x01");
    answer.extend(count(topics.len()));
    for (name, code, partitions) in topics {
        answer.extend([0, *code, 0, u8::try_from(name.len()).unwrap()]);
        answer.extend(name.bytes());
        answer.push(0);
        answer.extend(count(partitions.len()));
        for (code, leader) in *partitions {
            answer.extend([0, *code, 0, 0, 0, 0]);
            answer.extend(leader.to_be_bytes());
            answer.extend([0; 8]);
        }
    }
    answer
}

/// A broker without logins that knows this of its cluster
fn cluster(metadata: Vec<u8>) -> Server {
    broker(&[(VERSIONS, GOOD_VERSIONS.to_vec()), (HANDSHAKE, NO_LOGIN.to_vec()), (METADATA, metadata)])
}

/// A broker that takes this mechanism and answers a step of the login so
fn login(handshake: &[u8], step: &[u8]) -> Server {
    let answers = [(VERSIONS, GOOD_VERSIONS), (HANDSHAKE, handshake), (AUTHENTICATE, step)];
    let answers = answers.map(|(key, answer)| (key, answer.to_vec()));
    broker(&[&answers[..], &[(METADATA, metadata(1, &[]))]].concat())
}

#[test]
fn metadata_is_proof() {
    let ready = cluster(metadata(3, &[("orders", 0, &[(0, 1), (9, 2)])]));
    let url = ready.url("kafka");
    assert_eq!(proof(&[&url]), "metadata answered, brokers: 3");
    let said = proof(&[&format!("{url}#topic=orders&brokers=3")]);
    assert_eq!(said, "metadata answered, brokers: 3, topic orders with partitions: 2");
}

#[test]
fn a_topic_is_asked_for_by_name_and_not_created() {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        while let Some((key, number, body)) = read_request(&mut stream) {
            let answer = match key {
                VERSIONS => GOOD_VERSIONS.to_vec(),
                HANDSHAKE => NO_LOGIN.to_vec(),
                _ => {
                    *into.lock().unwrap() = body;
                    metadata(1, &[("a", 0, &[(0, 1)]), ("b", 0, &[(0, 1)])])
                }
            };
            let length = u32::try_from(answer.len() + 4).unwrap().to_be_bytes();
            stream.write_all(&[&length, &number, &answer[..]].concat()).unwrap();
        }
    });
    proof(&[&format!("{}#topic=a&topic=b", server.url("kafka"))]);
    assert_eq!(*heard.lock().unwrap(), b"\0\0\0\x02\0\x01a\0\x01b\0");
}

#[test]
fn a_cluster_that_is_not_whole_is_not_ready() {
    for (metadata, said) in [
        (metadata(0, &[]), "the broker knows no broker yet, not even itself"),
        (metadata(1, &[]), "brokers: 1 of 2"),
        (metadata(2, &[("orders", 3, &[])]), "topic orders does not exist"),
        (metadata(2, &[("orders", 5, &[])]), "topic orders has no leader yet"),
        (metadata(2, &[("orders", 0, &[])]), "topic orders has no partition yet"),
        (metadata(2, &[("orders", 0, &[(0, 1), (5, -1)])]), "topic orders has no leader for 1 of its partitions: 2"),
        (metadata(2, &[("orders", 0, &[(72, 1)])]), "topic orders has no leader for 1 of its partitions: 1"),
        (metadata(2, &[("orders", 7, &[])]), "topic orders: error 7"),
        (metadata(2, &[]), "no word about topic orders"),
    ] {
        assert_eq!(reason(&[&format!("{}#topic=orders&brokers=2", cluster(metadata).url("kafka"))]), said);
    }
}

#[test]
fn what_waiting_does_not_mend_ends_the_wait_at_once() {
    let denied = cluster(metadata(1, &[("orders", 29, &[])])).url("kafka") + "#topic=orders";
    assert_eq!(never(77, &[&denied]), "topic orders: no permission to see it (DESCRIBE is enough)");
    let invalid = cluster(metadata(1, &[("orders", 17, &[])])).url("kafka") + "#topic=orders";
    assert!(never(69, &[&invalid]).starts_with("orders can't be the name of a topic"));
    let new = broker(&[(VERSIONS, b"\0\0\0\0\0\x01\0\x03\0\x09\0\x0d".to_vec())]);
    assert_eq!(
        never(69, &[&new.url("kafka")]),
        "the broker has no version 4 of metadata requests, which Kafka has since 0.11: check it by tcp:// instead"
    );
    let tls = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"\x15\x03\x03\0\x02\x02\x50");
        hold(stream);
    });
    let said = never(69, &[&tls.url("kafka")]);
    assert_eq!(said, "the server speaks TLS: write kafkas://, or add tls=require");
}

#[test]
fn a_listener_with_logins_is_ready_without_one_and_never_for_a_topic() {
    let server = login(b"\0\0\0\0\0\x01\0\x05PLAIN", b"");
    assert_eq!(proof(&[&server.url("kafka")]), "answers, but more can't be known without a password");
    let said = never(77, &[&format!("{}#topic=orders", server.url("kafka"))]);
    assert_eq!(said, "the listener asks for a login: give a user, and password-file=PATH");
}

#[test]
fn a_broker_that_knows_no_logins_is_not_asked_for_one() {
    let server = broker(&[(VERSIONS, WITHOUT_LOGINS.to_vec()), (METADATA, metadata(1, &[]))]);
    assert_eq!(proof(&[&server.url("kafka")]), "metadata answered, brokers: 1");
    let mut command = wait_for(&[&format!("kafka://app@{}#password-env=PW", server.address)]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    assert_eq!(ended.code, Some(69), "{ended:#?}");
    let said = "the listener takes no login: leave out user and password";
    assert_eq!(ended.message("will not become ready")["reason"], said);
}

#[test]
fn a_refused_login_ends_the_wait_at_once_and_is_not_printed() {
    let only = |name: &str| [b"\0\x21\0\0\0\x01\0", &[u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat();
    let plain = b"\0\0\0\0\0\x01\0\x05PLAIN";
    for (server, options, code, said) in [
        (login(plain, b"\0\x3a\0\x0eno: hunter2 no\0\0\0\0"), "&sasl=PLAIN", 77, "login refused: no: … no"),
        (login(&only("PLAIN"), b""), "", 69, "the listener takes only PLAIN, which shows the password"),
        (login(&only("GSSAPI"), b""), "", 69, "the listener takes only logins that are not supported here: GSSAPI"),
        (login(&only("PLAIN"), b""), "&sasl=SCRAM-SHA-256", 69, "the listener takes no SCRAM-SHA-256, but PLAIN"),
        (login(NO_LOGIN, b""), "", 69, "the listener takes no login: leave out user and password"),
    ] {
        let mut command = wait_for(&[&format!("kafka://app@{}#password-env=PW{options}", server.address)]);
        let ended = Program::start(command.env("PW", "hunter2")).end();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        let reason = ended.message("will not become ready")["reason"].clone();
        assert!(reason.as_str().unwrap().starts_with(said), "{reason}");
        assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn a_login_that_cannot_be_made_now_is_tried_again() {
    for (server, said) in [
        (login(b"\0\x07\0\0\0\0", b""), "error 7 at the login: the broker's log says more"),
        (
            login(b"\0\0\0\0\0\0", b"\0\x07\0\x05later\0\0\0\0"),
            "error 7 at the login: later: the broker's log says more",
        ),
        (login(b"\0\0\0\0\0\0", b"\0\0\xff\xff\0\0\0\x03r=x"), "the server's SCRAM message is wrong"),
    ] {
        let mut command = wait_for(&[&format!("kafka://app@{}#password-env=PW", server.address)]);
        let mut program = Program::start(command.env("PW", "hunter2"));
        assert_eq!(program.wait_for_message("not ready")["reason"], said);
    }
}

#[test]
fn half_an_answer_and_what_is_none_are_not_ready() {
    for (answer, said) in [
        (&b""[..], "closed without an answer; does the server want TLS? then write kafkas://"),
        (b"\0\0", "closed before its answer was whole"),
        (b"\0\0\0\x10\0\0\0\x01\0\0", "closed before its answer was whole"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is not Kafka"),
        (b"\0\0\0\x03\0\0\0", "the answer is not Kafka"),
        (b"\0\x10\0\x05\0\0\0\x01", "the answer is not Kafka"),
        (b"\0\0\0\x0a\0\0\0\x02\0\0\0\0\0\0", "the answer is not Kafka"),
        (b"\0\0\0\x0a\0\0\0\x01\0\0\x7f\xff\xff\xff", "the answer is not Kafka"),
    ] {
        let server = Server::start(move |mut stream, _| {
            read_request(&mut stream);
            let _ = stream.write_all(answer);
        });
        assert_eq!(reason(&[&server.url("kafka")]), said, "{answer:?}");
    }
    let endless = Server::start(|stream, _| pour(stream, b"\0"));
    assert_eq!(reason(&[&endless.url("kafka")]), "the answer is not Kafka");
}

#[test]
fn one_host_of_several_is_enough_even_behind_a_silent_one() {
    let ready = cluster(metadata(1, &[]));
    let (closed, silent) = (ClosedPort::new(), Silent::new());
    let url = format!("kafka://127.0.0.1:{},127.0.0.1:{},{}", closed.port(), silent.port(), ready.address);
    assert_eq!(proof(&[&url]), format!("{}: metadata answered, brokers: 1", ready.address));
}

/// A relay that begins after this many milliseconds
fn slow(behind: SocketAddr, milliseconds: u64) -> Server {
    Server::start(move |mut client, _| {
        thread::sleep(Duration::from_millis(milliseconds));
        let mut server = TcpStream::connect(behind).unwrap();
        let (mut back, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut back, &mut to_client));
        let _ = std::io::copy(&mut client, &mut server);
    })
}

#[test]
fn a_host_that_is_not_needed_may_end_its_handshake() {
    let (ready, first) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (is_ready, is_done) = (ready.clone(), first.clone());
    let answer = |stream: &mut TcpStream, key, number: [u8; 4]| {
        let answer = match key {
            VERSIONS => GOOD_VERSIONS.to_vec(),
            HANDSHAKE => NO_LOGIN.to_vec(),
            _ => metadata(1, &[]),
        };
        let length = u32::try_from(answer.len() + 4).unwrap().to_be_bytes();
        stream.write_all(&[&length, &number, &answer[..]].concat()).is_ok()
    };
    let slow = Server::start(move |mut stream, _| {
        while let Some((key, number, _)) = read_request(&mut stream) {
            until("the other host is asked for metadata", || ready.load(Relaxed).then_some(()));
            if answer(&mut stream, key, number) && key == METADATA {
                first.store(true, Relaxed);
            }
        }
    });
    let fast = Server::start(move |mut stream, _| {
        while let Some((key, number, _)) = read_request(&mut stream) {
            is_ready.store(key == METADATA, Relaxed);
            answer(&mut stream, key, number);
        }
    });
    proof(&["--attempt-timeout", "20s", &format!("kafka://{},{}", slow.address, fast.address)]);
    until("the slow host has answered all", || is_done.load(Relaxed).then_some(()));
}

#[test]
fn a_closed_port_takes_no_time_from_a_slow_host() {
    let (closed, ready) = (ClosedPort::new(), cluster(metadata(1, &[])));
    let slow = slow(ready.address, 2600);
    let url = format!("kafka://127.0.0.1:{},{}", closed.port(), slow.address);
    let said = proof(&["--attempt-timeout", "4s", &url]);
    assert_eq!(said, format!("{}: metadata answered, brokers: 1", slow.address));
}

#[test]
fn a_host_that_is_not_ready_leaves_a_slow_one_its_time() {
    let ready = cluster(metadata(1, &[("orders", 0, &[(0, 1)])]));
    let (behind, silent) = (ready.address, Silent::new());
    let slow = slow(behind, 1300);
    let other = cluster(metadata(1, &[("orders", 3, &[])]));
    let hosts = [other.address.to_string(), format!("127.0.0.1:{}", silent.port()), slow.address.to_string()];
    let said = proof(&["--attempt-timeout", "20s", &format!("kafka://{}#topic=orders", hosts.join(","))]);
    assert_eq!(said, format!("{}: metadata answered, brokers: 1, topic orders with partitions: 1", slow.address));
}

#[test]
fn a_silent_host_does_not_hide_what_another_says() {
    let silent = Silent::new();
    let odd = Server::start(|mut stream, _| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    let url = format!("kafka://{},127.0.0.1:{}", odd.address, silent.port());
    let said = reason(&["--attempt-timeout", "2s", &url]);
    assert_eq!(said, format!("{}: the answer is not Kafka", odd.address));
    let other = Silent::new();
    let both = format!("kafka://127.0.0.1:{},127.0.0.1:{}", silent.port(), other.port());
    assert_eq!(reason(&["--attempt-timeout", "1s", &both]), "all hosts: no answer");
}

#[test]
fn mechanisms_without_end_make_a_short_message() {
    let many = 3000_u32.to_be_bytes();
    let names = b"\0\x09MECHANISM".repeat(3000);
    let server = login(&[&b"\0\x21"[..], &many, &names].concat(), b"");
    let mut command =
        wait_for(&[&format!("{}#password-env=PW&sasl=PLAIN", server.url("kafka").replace("//", "//app@"))]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    assert!(ended.code == Some(69) && ended.last_line().len() < 1000, "{}", ended.last_line());
    assert!(ended.last_line().contains("…: name one of them by sasl=NAME"), "{}", ended.last_line());
}

#[test]
fn of_several_hosts_the_one_that_says_most_gives_the_reason() {
    let (closed, silent) = (ClosedPort::new(), Silent::new());
    let server = cluster(metadata(1, &[("orders", 3, &[])]));
    let url = format!("kafka://127.0.0.1:{},127.0.0.1:{},{}", closed.port(), silent.port(), server.address);
    let said = reason(&[&format!("{url}#topic=orders")]);
    assert_eq!(said, format!("{}: topic orders does not exist", server.address));
    // A host that is silent is not proven gone.
    let said = reason(&[&format!("{url}#topic=orders&not")]);
    assert_eq!(said, format!("not proven gone: {}: topic orders does not exist", server.address));
    let other = ClosedPort::new();
    let both = format!("kafka://127.0.0.1:{},127.0.0.1:{}", closed.port(), other.port());
    assert_eq!(reason(&[&both]), "all hosts: connection refused");
    assert_eq!(proof(&[&format!("{both}#not")]), "gone: all hosts: connection refused");
}

#[test]
fn a_login_that_one_host_refuses_is_refused_by_all() {
    let closed = ClosedPort::new();
    let server = login(b"\0\0\0\0\0\0", b"\0\x3a\0\x02no\0\0\0\0");
    let mut command =
        wait_for(&[&format!("kafka://app@127.0.0.1:{},{}#password-env=PW", closed.port(), server.address)]);
    let ended = Program::start(command.env("PW", "hunter2")).end();
    let what = format!("kafka://127.0.0.1:{},{}", closed.port(), server.address);
    assert_eq!(ended.message("wait-for starts")["targets"], serde_json::json!([what]));
    ended.ended_with(77, &format!(r#"reason=denied what="{what}" last="{}: login refused: no; is the password one of SCRAM-SHA-512? sasl=NAME names another""#, server.address));
}
