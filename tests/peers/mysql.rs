//! MySQL's own accounts and certificates, which MariaDB does not have.

use std::os::unix::fs::chown;

use e2e::{
    directory::NOBODY,
    peers::mysql::Mysql,
    process::{Process, command, output, wait_for},
};
use harness::{Authority, until};

/// `wait-for` from the address of the server's network
fn wait_beside(mysql: &Mysql, url: &str, options: &str) -> Process {
    let mut helper = wait_for();
    helper.arg(format!("{url}#{options}")).args(["--timeout", "20s"]);
    Process::start(mysql.server.process().beside(&helper))
}

/// The options of a login
fn password(mysql: &Mysql, word: &str) -> String {
    let file = mysql.server.directory.write(word, word);
    chown(&file, Some(0), Some(NOBODY)).unwrap();
    format!("password-file={}", file.display())
}

/// Connections of ours that the server counts as broken
fn broken(mysql: &Mysql) -> String {
    mysql.sql("SELECT COALESCE(SUM(SUM_CONNECT_ERRORS), 0) FROM performance_schema.host_cache").trim().into()
}

#[test]
fn a_default_account_logs_in_without_tls_whether_the_server_has_its_proof_in_the_cache_or_not() {
    let mut mysql = Mysql::new(&[]);
    mysql.start();
    mysql.sql(
        "CREATE USER app IDENTIFIED BY 'secret'; CREATE USER old IDENTIFIED WITH sha256_password BY 'secret'; \
         CREATE USER open IDENTIFIED BY ''",
    );
    let (secret, wrong) = (password(&mysql, "secret"), password(&mysql, "guessed"));
    let key = format!("{secret}&server-key={}", mysql.server.directory.join("data/public_key.pem").display());
    let app = mysql.url("app");
    for options in [&secret, &key] {
        mysql.sql("FLUSH PRIVILEGES");
        for cache in ["cold", "warm"] {
            let end = wait_beside(&mysql, &app, options).ends_with(0);
            assert!(end.log.contains("SELECT 1 answered"), "{cache}: {}", end.log);
        }
        wait_beside(&mysql, &mysql.url("old"), options).ends_with(0);
    }
    wait_beside(&mysql, &mysql.url("open"), "").ends_with(0);
    let end = wait_beside(&mysql, &app, &wrong).ends_with(77);
    assert!(end.log.contains("1045") && !end.log.contains("guessed "), "{}", end.log);
    assert_eq!(broken(&mysql), "0");
}

#[test]
fn the_certificate_that_mysql_makes_itself_is_checked_but_for_its_name() {
    let mut mysql = Mysql::new(&[]);
    mysql.start();
    mysql.sql("CREATE USER app IDENTIFIED BY 'secret' REQUIRE SSL");
    let (secret, app) = (password(&mysql, "secret"), mysql.url("app"));
    let own = mysql.server.directory.join("data/ca.pem").display().to_string();
    let stranger = mysql.server.directory.write("stranger.pem", &Authority::new().certificate());
    wait_beside(&mysql, &app, &format!("{secret}&tls=verify-ca&ca={own}")).ends_with(0);
    let end = wait_beside(&mysql, &app, &format!("{secret}&tls=require&ca={own}")).ends_with(69);
    assert!(end.log.contains("is for no name") && end.log.contains("tls=verify-ca"), "{}", end.log);
    wait_beside(&mysql, &app, &format!("{secret}&tls=verify-ca&ca={}", stranger.display())).ends_with(69);
    let end = wait_beside(&mysql, &app, &secret).ends_with(77);
    assert!(end.log.contains("tls=require"), "{}", end.log);
}

#[test]
fn no_refusal_of_ours_counts_as_a_broken_connection() {
    let mut mysql = Mysql::new(&["--max-connect-errors=3"]);
    mysql.start();
    mysql.sql(
        "CREATE USER app IDENTIFIED BY 'secret'; CREATE USER locked IDENTIFIED BY 'secret' ACCOUNT LOCK; \
         CREATE USER late IDENTIFIED BY 'secret' PASSWORD EXPIRE; CREATE USER asks IDENTIFIED WITH sha256_password BY 'x'",
    );
    let (secret, wrong) = (password(&mysql, "secret"), password(&mysql, "guessed"));
    let stranger = mysql.server.directory.write("stranger.pem", &Authority::new().certificate());
    let foreign_key = mysql.server.directory.join("data/public_key.pem").display().to_string();
    let strange = format!("{secret}&tls=require&ca={}", stranger.display());
    for (user, options, code, said) in [
        ("app", wrong.as_str(), 77, "1045"),
        ("app", &strange, 69, "certificate"),
        ("locked", &secret, 77, "3118"),
        ("late", &secret, 77, "ALTER USER"),
        ("asks", &wrong, 77, "1045"),
        ("nobody", &secret, 77, "1045"),
        ("nobody", "", 0, "asks for a login"),
        ("app", &format!("{secret}&server-key={foreign_key}"), 0, "SELECT 1"),
    ] {
        for _ in 0..4 {
            let end = wait_beside(&mysql, &mysql.url(user), options).ends_with(code);
            assert!(end.log.contains(said), "{user} {options}: {}", end.log);
        }
    }
    assert_eq!(broken(&mysql), "0");
    let mut dropped = command("bash");
    let (address, port) = (mysql.address(), mysql.server.port());
    dropped.args(["-c", &format!("exec 3<>/dev/tcp/{address}/{port}; exec 3>&-")]);
    output(mysql.server.process().beside(&dropped));
    until("the server counts a connection that says nothing", || (broken(&mysql) == "1").then_some(()));
    let log = mysql.server.log();
    assert!(!log.contains("wait-for") && !log.contains("Aborted"), "{log}");
}

#[test]
fn a_socket_of_the_file_system_needs_neither_tls_nor_a_key() {
    let mut mysql = Mysql::new(&[]);
    mysql.start();
    mysql.sql("CREATE USER app IDENTIFIED BY 'secret'; CREATE DATABASE shop; GRANT ALL ON shop.* TO app");
    let secret = password(&mysql, "secret");
    let url = format!("mysql+unix://{}", mysql.socket());
    wait_beside(&mysql, &format!("{url}:/shop"), &format!("user=app&{secret}")).ends_with(0);
    wait_beside(&mysql, &format!("{url}:/absent"), &format!("user=app&{secret}")).ends_with(77);
    wait_beside(&mysql, &url, "").ends_with(0);
}
