//! memcached: ready, not yet, and the traces of our attempts.

use e2e::{peers::memcached::Memcached, process::Process};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

#[test]
fn a_memcached_that_starts_ten_seconds_late_is_waited_for() {
    let mut memcached = Memcached::new(&[]);
    starts_ten_seconds_late(&memcached.url(), || memcached.start());
    let said = memcached.server.says(0, "connection closed");
    assert!(said.contains(" version\n") && said.contains(" quit\n"), "{said}");
}

#[test]
fn a_memcached_with_logins_is_ready_with_the_right_one_and_never_with_a_wrong_one() {
    let mut memcached = Memcached::with_login("app:secret");
    memcached.start();
    let end = Process::wait_for([memcached.url()]).ends_with(0);
    assert!(end.log.contains("without a password"), "{}", end.log);
    let with = |password: &str| {
        let file = memcached.server.directory.write(password, password);
        let url = memcached.url().replace("://", "://app@");
        Process::wait_for([format!("{url}#password-file={}", file.display())])
    };
    with("secret").ends_with(0);
    with("guessed").ends_with(77);
}

#[test]
fn a_memcached_without_logins_is_not_sent_one_because_it_would_keep_it() {
    let mut memcached = Memcached::new(&[]);
    memcached.start();
    let file = memcached.server.directory.write("password", "secret");
    let url = memcached.url().replace("://", "://app@");
    Process::wait_for([format!("{url}#password-file={}", file.display())]).ends_with(0);
    let said = memcached.server.says(0, "connection closed");
    assert!(!said.contains(" set "), "{said}");
}

#[test]
fn a_connection_to_memcached_by_tls_is_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut memcached = Memcached::with_tls(&authority.identity("localhost"));
    memcached.start();
    let trusting = |authority: &Authority| {
        let file = memcached.server.directory.write("ca.pem", &authority.certificate());
        let url = memcached.url().replace("127.0.0.1", "localhost");
        Process::wait_for([format!("{url}#tls=require&ca={}", file.display())])
    };
    trusting(&authority).ends_with(0);
    trusting(&stranger).ends_with(69);
}
