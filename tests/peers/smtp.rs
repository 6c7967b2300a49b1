//! A mail server: ready, not yet, and the traces of our attempts.

use e2e::{
    peers::smtp::{LOGIN, Smtp},
    process::Process,
};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

#[test]
fn a_mail_server_that_starts_ten_seconds_late_is_waited_for() {
    let mut mail = Smtp::new(&Authority::new().identity("localhost"));
    // By address, because a name can have two, of which one is refused.
    starts_ten_seconds_late(&mail.url().replace("localhost", "127.0.0.1"), || mail.start());
    let said = mail.server.log();
    assert!(said.contains("QUIT") && !said.contains("ERROR"), "{said}");
}

#[test]
fn a_login_to_a_mail_server_needs_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.identity("localhost");
    for (mut mail, options) in [(Smtp::new(&identity), "tls=require&"), (Smtp::with_tls(&identity), "")] {
        mail.start();
        let with = |authority: &Authority, password: &str| {
            let ca = mail.server.directory.write("ca.pem", &authority.certificate());
            let file = mail.server.directory.write(password, password);
            let (ca, file, url) =
                (ca.display(), file.display(), mail.url().replace("://", &format!("://{}@", LOGIN.0)));
            Process::wait_for([format!("{url}#{options}ca={ca}&password-file={file}")])
        };
        with(&authority, LOGIN.1).ends_with(0);
        with(&authority, "guessed").ends_with(77);
        with(&stranger, LOGIN.1).ends_with(69);
    }
}
