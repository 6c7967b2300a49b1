//! MariaDB: ready, not yet, never, and the traces of our attempts.

use std::{
    io::Read,
    net::{Ipv4Addr, TcpStream},
};

use e2e::{
    peers::mariadb::MariaDb,
    process::{Process, command, output, wait_for},
};
use harness::until;

use crate::late::starts_ten_seconds_late;

/// Each test that has it is alone in its network.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const FULL: &str = "1040";
const BLOCKED: &str = "1129";
const NOT_ALLOWED: &str = "1130";
/// The log line about a connection that was dropped before its greeting was answered
const ABORTED: &str = "Aborted connection";
const DENIED: &str = "Access denied";

#[test]
fn a_mariadb_that_starts_ten_seconds_late_is_waited_for() {
    let mut mariadb = MariaDb::new(&[]);
    starts_ten_seconds_late(&mariadb.url(), || mariadb.start());
}

#[test]
fn five_hundred_attempts_block_nobody_and_five_dropped_connections_do() {
    let mut mariadb = MariaDb::in_own_network(ADDRESS, &["--max-connect-errors=5"]);
    mariadb.start();
    mariadb.sql("CREATE USER app@'%' IDENTIFIED BY 'secret'");

    wait_beside(&mariadb, &["--stable", "500", "--interval", "5ms"]).ends_with(0);
    assert_eq!(count(&mariadb.server.log(), DENIED), 500);
    connect_and_drop(&mut mariadb, 4);
    wait_beside(&mariadb, &[]).ends_with(0);

    connect_and_drop(&mut mariadb, 1);
    let end = wait_beside(&mariadb, &[]).ends_with(69);
    assert!(end.log.contains(BLOCKED), "{}", end.log);
}

#[test]
fn a_host_without_any_user_is_told_so() {
    let mut mariadb = MariaDb::in_own_network(ADDRESS, &[]);
    mariadb.start();
    let end = wait_beside(&mariadb, &[]).ends_with(77);
    assert!(end.log.contains(NOT_ALLOWED), "{}", end.log);
}

#[test]
fn a_full_mariadb_is_not_ready_yet() {
    let mut mariadb = MariaDb::new(&["--max-connections=10", "--connect-timeout=600"]);
    mariadb.start();
    let connections = fill(&mariadb);
    let mut helper = Process::wait_for([mariadb.url()]);
    helper.says(FULL);
    drop(connections);
    helper.ends_with(0);
}

#[test]
fn an_attempt_leaves_one_line_in_the_log_as_a_dropped_connection_does() {
    let mut mariadb = MariaDb::new(&[]);
    mariadb.start();
    let mark = mariadb.server.log().len();
    Process::wait_for([mariadb.url(), "--stable=3".into()]).ends_with(0);
    let ours = mariadb.server.log().split_off(mark);
    assert_eq!((count(&ours, DENIED), ours.lines().count()), (3, 3), "{ours}");

    let mark = mariadb.server.log().len();
    for _ in 0..3 {
        mariadb.server.connect_and_drop();
    }
    let theirs = until("three connections are aborted", || {
        let log = mariadb.server.log().split_off(mark);
        (count(&log, ABORTED) == 3).then_some(log)
    });
    println!("MariaDB's log of three attempts:\n{ours}and of three dropped connections:\n{theirs}");
}

/// `wait-for` from the address of the server's network
fn wait_beside(mariadb: &MariaDb, arguments: &[&str]) -> Process {
    let mut helper = wait_for();
    helper.arg(mariadb.url()).args(arguments);
    Process::start(mariadb.server.process().beside(&helper))
}

/// Does the same as a loop around `nc -z`, from the address of the server's network; returns when the server has noticed.
fn connect_and_drop(mariadb: &mut MariaDb, times: usize) {
    let before = count(&mariadb.server.log(), ABORTED);
    let mut shell = command("bash");
    let once = format!("exec 3<>/dev/tcp/{}/{}; exec 3>&-", mariadb.address(), mariadb.server.port());
    shell.args(["-c", &vec![once; times].join("; ")]);
    output(mariadb.server.process().beside(&shell));
    until("the server has noticed", || (count(&mariadb.server.log(), ABORTED) == before + times).then_some(()));
}

/// Connects until the server says that it is full, and gives the connections that hold it so.
fn fill(mariadb: &MariaDb) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    loop {
        let mut connection = TcpStream::connect((mariadb.address(), mariadb.server.port())).unwrap();
        let mut packet = [0; 5];
        connection.read_exact(&mut packet).unwrap();
        if packet[4] == 0xff {
            return connections;
        }
        connections.push(connection);
    }
}

fn count(log: &str, part: &str) -> usize {
    log.lines().filter(|line| line.contains(part)).count()
}
