//! `FerretDB` in the place of `MongoDB`: ready, not yet, never, and the traces of our attempts.

use e2e::{
    peers::ferretdb::{FerretDb, LOGIN},
    process::Process,
};
use harness::{Authority, until};

use crate::late::starts_ten_seconds_late;

fn start() -> (FerretDb, Authority) {
    let authority = Authority::new();
    let mut server = FerretDb::new(&authority.identity("localhost"));
    server.start();
    (server, authority)
}

#[test]
fn a_server_that_starts_ten_seconds_late_is_waited_for() {
    let mut server = FerretDb::new(&Authority::new().identity("localhost"));
    starts_ten_seconds_late(&format!("{}#replicaset=rs0", server.url()), || server.start());
}

#[test]
fn a_primary_is_ready_and_another_replica_set_never() {
    let (server, _) = start();
    let end = Process::wait_for([server.url()]).ends_with(0);
    assert!(end.log.contains("the primary of rs0"), "{}", end.log);
    Process::wait_for([format!("{}#replicaset=rs1", server.url())]).ends_with(69);
    let mut helper = Process::wait_for([format!("{}#role=secondary", server.url())]);
    helper.says("the primary of rs0");
    // One of several members is enough.
    let members = server.url().replace("://", "://127.0.0.1:1,");
    Process::wait_for([members]).ends_with(0);
}

#[test]
fn a_password_decides() {
    let (server, _) = start();
    let with = |user: &str, password: &str, options: &str| {
        let file = server.server.directory.write(password, password);
        let url = server.url().replace("://", &format!("://{user}@"));
        Process::wait_for([format!("{url}#password-file={}{options}", file.display())])
    };
    let (user, password) = LOGIN;
    let end = with(user, password, "").ends_with(0);
    assert!(end.log.contains("logged in"), "{}", end.log);
    for (user, password, options) in
        [(user, "guessed", ""), ("nosuch", password, ""), (user, password, "&authsource=other")]
    {
        let end = with(user, password, options).ends_with(77);
        assert!(end.log.contains("login refused"), "{}", end.log);
    }
}

#[test]
fn a_connection_by_tls_is_checked() {
    let (server, authority) = start();
    let trusting = |authority: &Authority| {
        let file = server.server.directory.write("ca.pem", &authority.certificate());
        Process::wait_for([format!("{}#tls=require&ca={}", server.url_with_tls(), file.display())])
    };
    trusting(&authority).ends_with(0);
    trusting(&Authority::new()).ends_with(69);
    // MongoDB too ends such a connection without a word.
    Process::wait_for([server.url_with_tls()]).says("does the server want TLS? then add tls=require");
}

#[test]
fn an_attempt_is_no_error_in_the_log() {
    let (server, _) = start();
    let ours = logged(&server, 3, || drop(Process::wait_for([server.url(), "--stable=3".into()]).ends_with(0)));
    assert!(!ours.contains("ERROR") && !ours.contains("WARN"), "{ours}");
    let theirs = logged(&server, 3, || (0..3).for_each(|_| server.server.connect_and_drop()));
    println!("FerretDB's log of three attempts:\n{ours}and of three dropped connections:\n{theirs}");
}

/// The log of `deed`, once these many connections are closed
fn logged(server: &FerretDb, connections: usize, deed: impl FnOnce()) -> String {
    let mark = server.server.log().len();
    deed();
    until("all connections are closed", || {
        let log = server.server.log().split_off(mark);
        (log.matches("Connection stopped").count() == connections).then_some(log)
    })
}
