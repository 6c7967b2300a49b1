//! OpenLDAP: ready, not yet, and the traces of our attempts.

use e2e::{
    peers::openldap::{ADMIN, OpenLdap},
    process::Process,
};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

#[test]
fn a_directory_that_starts_ten_seconds_late_is_waited_for() {
    let mut directory = OpenLdap::new(&Authority::new().identity("localhost"), "");
    starts_ten_seconds_late(&directory.url().replace("localhost", "127.0.0.1"), || directory.start());
    let said = directory.server.says(0, "closed");
    assert!(said.contains("BIND dn=\"\"") && said.contains("UNBIND") && !said.contains("connection lost"), "{said}");
}

#[test]
fn a_directory_that_takes_nobody_is_ready_as_far_as_can_be_known() {
    let mut directory = OpenLdap::new(&Authority::new().identity("localhost"), "disallow bind_anon");
    directory.start();
    let end = Process::wait_for([directory.url()]).ends_with(0);
    assert!(end.log.contains("without a password"), "{}", end.log);
}

#[test]
fn a_login_to_a_directory_needs_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.identity("localhost");
    for (mut directory, options) in
        [(OpenLdap::new(&identity, ""), "tls=require&"), (OpenLdap::with_tls(&identity), "")]
    {
        directory.start();
        let with = |authority: &Authority, password: &str, options: &str| {
            let ca = directory.server.directory.write("ca.pem", &authority.certificate());
            let file = directory.server.directory.write(password, password);
            let (ca, file, url) = (ca.display(), file.display(), directory.url_of(ADMIN.0));
            let trust = if directory.url().starts_with("ldaps") || !options.is_empty() {
                format!("&ca={ca}")
            } else {
                String::new()
            };
            Process::wait_for([format!("{url}#{options}password-file={file}{trust}")])
        };
        with(&authority, ADMIN.1, options).ends_with(0);
        with(&authority, "guessed", options).ends_with(77);
        with(&stranger, ADMIN.1, options).ends_with(69);
        if !options.is_empty() {
            let end = with(&authority, ADMIN.1, "").ends_with(69);
            assert!(end.log.contains("give tls=require"), "{}", end.log);
        }
    }
}
