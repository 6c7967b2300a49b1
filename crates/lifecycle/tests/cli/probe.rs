//! `HELPER probe`: the binary as an exec probe and as Docker's HEALTHCHECK.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Ended, Program, end, http, sidecar, sidecar_command};

fn probe(check: &[&str], address: SocketAddr) -> Ended {
    let mut command = sidecar_command(&["probe"]);
    command.args(check).args(["--health-addr", &address.to_string()]);
    end(command)
}

#[test]
fn the_answer_is_0_or_1_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready");
    let mut program = Program::start(&mut sidecar(&["--ready-file", file.to_str().unwrap()]));
    let address = program.address("health");
    http::until_status(address, "/startupz", 200);
    for check in [&[][..], &["live"], &["startup"]] {
        assert_eq!(probe(check, address).code, Some(0), "{check:?}");
    }
    let ended = probe(&["ready"], address);
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.iter().any(|line| line == "[-]ready-file failed: not yet"), "{ended:#?}");
    fs::write(&file, "").unwrap();
    http::until_status(address, "/readyz", 200);
    assert_eq!(probe(&["ready"], address).code, Some(0));
}

#[test]
fn the_address_may_stand_before_the_word_or_in_a_variable() {
    let mut program = Program::start(&mut sidecar(&[]));
    let address = program.address("health").to_string();
    assert_eq!(end(sidecar_command(&["--health-addr", &address, "probe", "live"])).code, Some(0));
    let mut command = sidecar_command(&["probe"]);
    command.env("SIDEKIT_TEST_SIDECAR_HEALTH_ADDR", &address);
    assert_eq!(end(command).code, Some(0));
}

#[test]
fn a_listener_on_all_addresses_is_found() {
    let mut program = Program::start(&mut sidecar(&["--health-addr", ":0"]));
    let port = program.address("health").port();
    for address in [format!(":{port}"), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let ended = end(sidecar_command(&["probe", "--health-addr", &address]));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

#[test]
fn nobody_there_is_1() {
    let ended = probe(&["live"], "127.0.0.1:1".parse().unwrap());
    assert_eq!(ended.code, Some(1));
    assert!(ended.last_line().contains("127.0.0.1:1/livez: Connection refused"), "{ended:#?}");
    assert!(ended.last_line().contains("is the helper running?"), "{ended:#?}");
}

#[test]
fn an_unknown_check_is_64() {
    end(sidecar_command(&["probe", "alive"])).ended_with(64, "reason=usage");
}

/// A server that sends these bytes to every client, one each 100 ms.
fn slow_server(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut drip = |byte: &u8| {
            thread::sleep(Duration::from_millis(100));
            stream.write_all(&[*byte])
        };
        bytes.iter().cycle().try_for_each(&mut drip)
    });
    address
}

#[test]
fn a_server_that_never_ends_its_answer_is_1_within_a_second() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [silent.local_addr().unwrap(), slow_server(b"x")] {
        let start = Instant::now();
        let ended = probe(&["live"], address);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.last_line().contains("no answer within 800ms"), "{ended:#?}");
        // The rule is one second; the rest is for machines that are busy with tests.
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[test]
fn what_speaks_no_http_is_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Closing with unread bytes would be a reset, and another reason.
        stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(b"SSH-2.0-OpenSSH\r\n"))
    });
    let ended = probe(&["live"], address);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.last_line().contains("is another program on this port?"), "{ended:#?}");
}
