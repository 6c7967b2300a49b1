//! MariaDB with a user and a password, and with TLS.

use std::path::Path;

use e2e::{peers::mariadb::MariaDb, process::Process};
use harness::Authority;

/// The options of a target that logs in
fn password(mariadb: &MariaDb, word: &str) -> String {
    format!("#password-file={}", mariadb.server.directory.write(word, word).display())
}

/// `url` with a user
fn with_user(user: &str, url: &str) -> String {
    url.replace("://", &format!("://{user}@"))
}

#[test]
fn a_login_is_proven_by_an_answer_to_select_1_and_a_wrong_password_is_final() {
    let mut mariadb = MariaDb::new(&["--general-log", "--general-log-file=../queries"]);
    mariadb.start();
    mariadb.sql("CREATE USER app@'%' IDENTIFIED BY 'secret'");
    let target = with_user("app", &mariadb.url());
    let mark = mariadb.server.log().len();

    Process::wait_for([format!("{target}{}", password(&mariadb, "secret"))]).ends_with(0);
    let queries = e2e::server::read(&mariadb.server.directory.join("queries"));
    assert!(queries.contains("Query\tSELECT 1"), "{queries}");
    assert_eq!(mariadb.server.log().split_off(mark), "", "a login leaves nothing in the log");

    let end = Process::wait_for([format!("{target}{}", password(&mariadb, "guessed"))]).ends_with(77);
    assert!(end.log.contains("1045"), "{}", end.log);
    assert!(!end.log.contains("guessed ") && !end.log.contains("secret "), "{}", end.log);
}

#[test]
fn a_user_of_ed25519_logs_in() {
    let mut mariadb = MariaDb::new(&[]);
    mariadb.start();
    mariadb.sql("INSTALL SONAME 'auth_ed25519'; CREATE USER app@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
    let target = with_user("app", &mariadb.url());
    Process::wait_for([format!("{target}{}", password(&mariadb, "secret"))]).ends_with(0);
    Process::wait_for([format!("{target}{}", password(&mariadb, "guessed"))]).ends_with(77);
    Process::wait_for([target]).ends_with(0);
}

#[test]
fn a_database_that_is_created_late_is_waited_for() {
    let mut mariadb = MariaDb::new(&[]);
    mariadb.start();
    mariadb.sql("CREATE USER app@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO app@'%'");
    let target = format!("{}/shop{}", with_user("app", &mariadb.url()), password(&mariadb, "secret"));
    let mut helper = Process::wait_for([target]);
    helper.says("1049");
    mariadb.sql("CREATE DATABASE shop");
    helper.ends_with(0);
}

#[test]
fn a_connection_by_tls_is_checked_and_logs_in() {
    let mut mariadb = MariaDb::new(&["--ssl-cert=../server.pem", "--ssl-key=../server.key"]);
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.identity("localhost");
    let directory = &mariadb.server.directory;
    directory.write("server.pem", &identity.certificate);
    directory.write("server.key", &identity.key);
    let trusted = directory.write("ca.pem", &authority.certificate());
    let other = directory.write("other.pem", &stranger.certificate());
    mariadb.start();
    mariadb.sql("CREATE USER app@'%' IDENTIFIED BY 'secret' REQUIRE SSL");

    let secret = password(&mariadb, "secret");
    let target = with_user("app", &mariadb.url().replace("127.0.0.1", "localhost"));
    let by_tls = |authority: &Path| format!("&tls=require&ca={}", authority.display());
    Process::wait_for([format!("{target}{secret}{}", by_tls(&trusted))]).ends_with(0);
    Process::wait_for([format!("{target}#{}", by_tls(&trusted))]).ends_with(0);
    Process::wait_for([format!("{target}{secret}{}", by_tls(&other))]).ends_with(69);
    // The server demands TLS of this user.
    Process::wait_for([format!("{target}{secret}")]).ends_with(77);
}

#[test]
fn a_mariadb_without_tls_is_never_ready_where_tls_is_wanted() {
    let mut mariadb = MariaDb::new(&[]);
    mariadb.start();
    Process::wait_for([format!("{}#tls=require", mariadb.url())]).ends_with(69);
}
