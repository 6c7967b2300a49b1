//! PostgreSQL: ready, not yet, and the traces of our attempts.

use e2e::{
    peers::postgres::Postgres,
    port::Port,
    process::{Process, kill, output},
};
use harness::until;

use crate::late::starts_ten_seconds_late;

/// A sleeping server process looks whether its client is still there.
const NOTICE_LOSS: &str = "client_connection_check_interval=100ms";

#[test]
fn a_postgresql_that_starts_ten_seconds_late_is_waited_for() {
    let mut postgres = Postgres::new("scram-sha-256", &[]);
    starts_ten_seconds_late(&postgres.url(), || postgres.start());
}

#[test]
fn a_postgresql_that_recovers_from_a_crash_is_not_ready_yet() {
    let mut postgres = Postgres::new("scram-sha-256", &["max_wal_size=8GB", "checkpoint_timeout=1d"]);
    postgres.start();
    postgres.sql("CREATE TABLE t (name text PRIMARY KEY)");
    postgres.sql("INSERT INTO t SELECT md5(number::text) FROM generate_series(1, 500000) number");
    // Every write since the start must be done again: seconds of work where memory is short.
    postgres.server.stop();
    let mark = postgres.server.log().len();
    let mut helper = Process::wait_for([postgres.url()]);
    helper.says("connection refused");

    postgres.launch(&["shared_buffers=128kB"]);
    postgres.server.says(mark, "redo starts");
    // Recovery stands still until the story has seen what it came for.
    let recovery = until("a process recovers", || postgres.child_with_title("postgres: startup"));
    output(kill(recovery, "STOP"));
    let told = helper.says("not ready");
    assert!(told.contains("the database system is"), "{told}");
    assert!(helper.runs());
    output(kill(recovery, "CONT"));
    postgres.server.says(mark, "ready to accept connections");
    let log = postgres.server.log().split_off(mark);
    assert!(log.contains("automatic recovery in progress") && log.contains("redo done"), "{log}");
    helper.ends_with(0);
}

#[test]
fn one_of_several_hosts_is_enough() {
    let (closed, mut postgres) = (Port::free(), Postgres::new("scram-sha-256", &[]));
    let url = postgres.url().replace("://", &format!("://127.0.0.1:{},nosuch.invalid,", closed.number()));
    let mut helper = Process::wait_for([&url]);
    helper.says("not ready");
    postgres.start();
    let end = helper.ends_with(0);
    assert!(end.log.contains(&format!("127.0.0.1:{}: asks for a login", postgres.server.port())), "{}", end.log);
}

#[test]
fn a_full_postgresql_is_not_ready_yet() {
    let settings = ["max_connections=1", "superuser_reserved_connections=0", "max_wal_senders=0", NOTICE_LOSS];
    let mut postgres = Postgres::new("trust", &settings);
    postgres.start();
    let mut only_client = postgres.client();
    only_client.args(["--command", r"\echo connected", "--command", "SELECT pg_sleep(600)"]);
    let mut only_client = Process::start(only_client);
    only_client.says("connected");
    let mut helper = Process::wait_for([postgres.url()]);
    helper.says("too many clients");
    drop(only_client);
    helper.ends_with(0);
}

#[test]
fn an_attempt_leaves_nothing_in_the_log_where_a_password_is_due() {
    for method in ["scram-sha-256", "md5", "password"] {
        let mut postgres = Postgres::new(method, &["password_encryption=md5"]);
        postgres.start();
        let ours = logged(&postgres, || drop(Process::wait_for([postgres.url(), "--stable=3".into()]).ends_with(0)));
        let theirs = logged(&postgres, || (0..3).for_each(|_| postgres.server.connect_and_drop()));
        assert_eq!(ours, "", "{method}");
        println!("PostgreSQL's log of three attempts ({method}):\n{ours}and of three dropped connections:\n{theirs}");
    }
}

#[test]
fn an_attempt_leaves_as_much_as_a_dropped_connection_where_connections_are_logged() {
    let mut postgres = Postgres::new("scram-sha-256", &["log_connections=on", "log_disconnections=on"]);
    postgres.start();
    let ours = logged(&postgres, || drop(Process::wait_for([postgres.url(), "--stable=3".into()]).ends_with(0)));
    let theirs = logged(&postgres, || (0..3).for_each(|_| postgres.server.connect_and_drop()));
    println!(
        "PostgreSQL's log of three attempts (log_connections):\n{ours}and of three dropped connections:\n{theirs}"
    );
    assert_eq!((ours.lines().count(), theirs.lines().count()), (3, 3));
}

/// The log of `deed`, once no process that serves a client is left
fn logged(postgres: &Postgres, deed: impl FnOnce()) -> String {
    let mark = postgres.server.log().len();
    let idle = postgres.children();
    deed();
    until("every client is gone", || postgres.children().iter().all(|child| idle.contains(child)).then_some(()));
    postgres.server.log().split_off(mark)
}
