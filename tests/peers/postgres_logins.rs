//! PostgreSQL with a user and a password, and with TLS.

use std::path::Path;

use e2e::{peers::postgres::Postgres, process::Process};
use harness::Authority;

/// A target that logs in as `app`
fn login(postgres: &Postgres, password: &str) -> String {
    let file = postgres.server.directory.write(password, password);
    let url = postgres.url().replace("://", "://app@").replace("127.0.0.1", "localhost");
    format!("{url}/postgres#password-file={}", file.display())
}

fn start(method: &str, settings: &[&str]) -> Postgres {
    let mut postgres = Postgres::new(method, settings);
    postgres.start();
    postgres.sql("CREATE ROLE app LOGIN PASSWORD 'secret'");
    postgres
}

/// Right passwords get an answer to `SELECT 1`, wrong ones are final.
fn a_password_decides(postgres: &Postgres) {
    let mark = postgres.server.log().len();
    Process::wait_for([login(postgres, "secret")]).ends_with(0);
    let log = postgres.server.log().split_off(mark);
    assert!(log.contains("statement: SELECT 1"), "{log}");
    assert!(!log.contains("FATAL") && !log.contains("unexpected"), "{log}");
    let end = Process::wait_for([login(postgres, "guessed")]).ends_with(77);
    assert!(end.log.contains("password authentication failed"), "{}", end.log);
}

#[test]
fn a_password_decides_by_scram() {
    a_password_decides(&start("scram-sha-256", &["log_statement=all"]));
}

#[test]
fn a_password_decides_by_md5() {
    a_password_decides(&start("md5", &["log_statement=all", "password_encryption=md5"]));
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let postgres = start("password", &[]);
    let end = Process::wait_for([login(&postgres, "secret")]).ends_with(69);
    assert!(end.log.contains("give tls=require"), "{}", end.log);
}

#[test]
fn trust_lets_in_with_and_without_a_password() {
    let postgres = start("trust", &[]);
    let mark = postgres.server.log().len();
    Process::wait_for([postgres.url()]).ends_with(0);
    Process::wait_for([login(&postgres, "anything")]).ends_with(0);
    assert_eq!(postgres.server.log().split_off(mark), "");
}

#[test]
fn any_word_about_the_role_means_ready_without_a_password() {
    // PQping's rule: what could not connect for a reason of its own has still found a server.
    let postgres = start("trust", &[]);
    Process::wait_for([postgres.url().replace("://", "://nosuch@")]).ends_with(0);
    let postgres = start("reject", &[]);
    Process::wait_for([postgres.url()]).ends_with(0);
}

#[test]
fn a_database_that_is_created_late_is_waited_for() {
    let postgres = start("scram-sha-256", &[]);
    let mut helper = Process::wait_for([login(&postgres, "secret").replace("/postgres#", "/shop#")]);
    helper.says("does not exist");
    postgres.sql("CREATE DATABASE shop");
    helper.ends_with(0);
}

#[test]
fn a_connection_by_tls_is_checked_and_logs_in() {
    let mut postgres =
        Postgres::new("scram-sha-256", &["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"]);
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.identity("localhost");
    let directory = &postgres.server.directory;
    directory.write("server.pem", &identity.certificate);
    directory.write("server.key", &identity.key);
    let trusted = directory.write("ca.pem", &authority.certificate());
    let other = directory.write("other.pem", &stranger.certificate());
    postgres.start();
    postgres.sql("CREATE ROLE app LOGIN PASSWORD 'secret'");

    let with = |authority: &Path| format!("{}&tls=require&ca={}", login(&postgres, "secret"), authority.display());
    Process::wait_for([with(&trusted)]).ends_with(0);
    Process::wait_for([with(&other)]).ends_with(69);
    let without_login = format!("{}#tls=require&sni=localhost&ca={}", postgres.url(), trusted.display());
    Process::wait_for([without_login]).ends_with(0);
}

#[test]
fn a_postgresql_without_tls_is_never_ready_where_tls_is_wanted() {
    let postgres = start("trust", &[]);
    Process::wait_for([format!("{}#tls=require", postgres.url())]).ends_with(69);
}
