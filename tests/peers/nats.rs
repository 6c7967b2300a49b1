//! NATS: ready, not yet, and the traces of our attempts.

use e2e::{peers::nats::Nats, process::Process};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

#[test]
fn a_nats_server_that_starts_ten_seconds_late_is_waited_for() {
    let mut nats = Nats::new(&[]);
    starts_ten_seconds_late(&nats.url(), || nats.start());
}

#[test]
fn a_nats_server_with_logins_is_ready_with_the_right_one_and_never_with_a_wrong_one() {
    for (options, user) in [(&["--user", "app", "--pass", "secret"][..], "app@"), (&["--auth", "secret"][..], "")] {
        let mut nats = Nats::new(options);
        nats.start();
        let end = Process::wait_for([nats.url()]).ends_with(0);
        assert!(end.log.contains("without a password"), "{}", end.log);
        let with = |password: &str| {
            let file = nats.server.directory.write(password, password);
            let url = nats.url().replace("://", &format!("://{user}"));
            Process::wait_for([format!("{url}#password-file={}", file.display())])
        };
        with("secret").ends_with(0);
        with("guessed").ends_with(77);
    }
}

#[test]
fn a_connection_to_nats_by_tls_is_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut nats = Nats::with_tls(&authority.identity("localhost"));
    nats.start();
    let end = Process::wait_for([nats.url()]).ends_with(69);
    assert!(end.log.contains("add tls=require"), "{}", end.log);
    let trusting = |authority: &Authority| {
        let file = nats.server.directory.write("ca.pem", &authority.certificate());
        let url = nats.url().replace("127.0.0.1", "localhost");
        Process::wait_for([format!("{url}#tls=require&ca={}", file.display())])
    };
    trusting(&authority).ends_with(0);
    trusting(&stranger).ends_with(69);
}

#[test]
fn an_attempt_is_no_error_in_the_log_of_nats() {
    let mut nats = Nats::new(&[]);
    nats.start();
    let mark = nats.server.log().len();
    Process::wait_for([nats.url(), "--stable=3".into()]).ends_with(0);
    let said = nats.server.says(mark, "Client connection closed: Client Closed");
    assert!(!said.contains("[ERR]") && !said.contains("[WRN]"), "{said}");
}
