//! Postfix: ready, not yet, and the traces of our attempts.

use e2e::{peers::postfix::Postfix, process::Process};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

#[test]
fn a_postfix_that_starts_ten_seconds_late_is_waited_for_and_left_politely() {
    let mut mail = Postfix::new(&Authority::new().identity("localhost"));
    // By address, because a name can have two, of which one is refused.
    starts_ten_seconds_late(&mail.url().replace("localhost", "127.0.0.1"), || mail.start());
    let said = mail.server.says(0, "disconnect from");
    assert!(said.contains(" ehlo=1 quit=1 commands=2") && !said.contains("lost connection"), "{said}");
    let mark = mail.server.log().len();
    mail.server.connect_and_drop();
    let said = mail.server.says(mark, "disconnect from");
    assert!(said.contains("lost connection after CONNECT"), "{said}");
}

#[test]
fn a_connection_to_postfix_by_tls_is_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut mail = Postfix::new(&authority.identity("localhost"));
    mail.start();
    let trusting = |authority: &Authority| {
        let ca = mail.server.directory.write("ca.pem", &authority.certificate());
        Process::wait_for([format!("{}#tls=require&ca={}", mail.url(), ca.display())])
    };
    trusting(&authority).ends_with(0);
    let end = trusting(&stranger).ends_with(69);
    assert!(end.log.contains("unknown authority"), "{}", end.log);
    let said = mail.server.says(0, "starttls=");
    assert!(said.contains("ehlo=2 starttls=1 quit=1 commands=4"), "{said}");
}
