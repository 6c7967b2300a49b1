//! Questions to MariaDB and MySQL after the login: `query=`, `table=` and `migration=`. The tables of the tools are those that
//! they make, from their documents and sources.

use std::process::Command;

use e2e::{
    peers::{mariadb::MariaDb, mysql::Mysql},
    process::{Process, wait_for},
};

/// A server with the database `shop` and the account `app`, which may read it
enum Server {
    MariaDb(MariaDb),
    Mysql(Mysql),
}

impl Server {
    fn mariadb() -> Self {
        let mut server = MariaDb::new(&[]);
        server.start();
        Self::MariaDb(server).with_shop()
    }

    fn mysql() -> Self {
        let mut server = Mysql::new(&[]);
        server.start();
        Self::Mysql(server).with_shop()
    }

    fn with_shop(self) -> Self {
        self.sql("CREATE DATABASE shop; CREATE USER app IDENTIFIED BY ''; GRANT SELECT ON shop.* TO app");
        self
    }

    fn sql(&self, statements: &str) -> String {
        match self {
            Self::MariaDb(server) => server.sql(statements),
            Self::Mysql(server) => server.sql(statements),
        }
    }

    /// `wait-for` with a target of this database and these options
    fn wait_for(&self, database: &str, options: &str) -> Process {
        self.wait_with(&format!("{database}#{options}"), &[])
    }

    fn wait_with(&self, path: &str, arguments: &[&str]) -> Process {
        let url = match self {
            Self::MariaDb(server) => server.url().replace("://", "://app@"),
            Self::Mysql(server) => server.url("app"),
        };
        let mut helper: Command = wait_for();
        helper.arg(format!("{url}/{path}")).args(arguments);
        Process::start(match self {
            Self::MariaDb(_) => helper,
            Self::Mysql(server) => server.server.process().beside(&helper),
        })
    }

    fn ready(&self, options: &str, words: &str) {
        let end = self.wait_for("shop", options).ends_with(0);
        assert!(end.log.contains(words), "{}", end.log);
    }

    fn not_yet(&self, options: &str, words: &str) {
        let said = self.wait_for("shop", options).says("not ready");
        assert!(said.contains(words), "{options}: {said}");
    }

    fn never(&self, options: &str, code: i32, words: &str) {
        let end = self.wait_for("shop", options).ends_with(code);
        assert!(end.log.contains(words), "{options}: {}", end.log);
    }

    /// The target waits with these words until the statements have run.
    fn waits(&self, options: &str, words: &str, statements: &str) {
        let mut helper = self.wait_for("shop", options);
        let said = helper.says("not ready");
        assert!(said.contains(words), "{options}: {said}");
        self.sql(&format!("USE shop; {statements}"));
        helper.ends_with(0);
    }
}

#[test]
fn mariadb_answers_a_query() {
    a_query_is_answered(&Server::mariadb());
}

#[test]
fn mysql_answers_a_query() {
    a_query_is_answered(&Server::mysql());
}

fn a_query_is_answered(server: &Server) {
    let mut helper = server.wait_for("shop", "query=SELECT done, 'hunter2' FROM jobs ORDER BY id");
    helper.says("query: error 1146: Table 'shop.jobs' doesn't exist");
    server.sql("CREATE TABLE shop.jobs (id int)");
    helper.says("query: error 1054: a column does not exist");
    server.sql("ALTER TABLE shop.jobs ADD done bit(1)");
    helper.says("the query found no row");
    server.sql("INSERT INTO shop.jobs VALUES (1, NULL), (2, 1)");
    helper.says("the query found NULL");
    server.sql("UPDATE shop.jobs SET done = 0 WHERE id = 1");
    helper.says("the query found an empty value");
    server.sql("UPDATE shop.jobs SET done = 1 WHERE id = 1");
    let end = helper.ends_with(0);
    assert!(!end.log.contains("hunter2"), "{}", end.log);

    for value in ["0", "0.00", "''", "FALSE", "'false'"] {
        server.not_yet(&format!("query=SELECT {value}"), "the query found");
    }
    server.ready("query=SELECT count(*) FROM jobs;", "the query found a true value");
    server.never("query=SELECT hunter2 hunter3 hunter4", 69, "a syntax error");
    server.never(
        "query=SELECT repeat('x', 65600)",
        69,
        "a row has more than 64 KiB: let the query select one short value",
    );
    server.never("query=SELECT 1; SELECT 2", 69, "a syntax error, or more than one statement");
    server.not_yet("query=-- nothing", "the query found no row");
    server.never("query=SELECT 1 FROM mysql.user", 77, "command denied");
    let end = server.wait_for("", "query=SELECT 1 FROM jobs").ends_with(69);
    assert!(end.log.contains("name the database"), "{}", end.log);
}

#[test]
fn mariadb_is_only_read() {
    nothing_is_written(&Server::mariadb());
}

#[test]
fn mysql_is_only_read() {
    nothing_is_written(&Server::mysql());
}

fn nothing_is_written(server: &Server) {
    server.sql("CREATE TABLE shop.t (n int); GRANT ALL ON shop.* TO app");
    for query in [
        "INSERT INTO t VALUES (1)",
        "DELETE FROM t",
        "CREATE TABLE u (n int)",
        "DROP TABLE t",
        "TRUNCATE t",
        "SET TRANSACTION READ WRITE",
    ] {
        server.never(&format!("query={query}"), 69, "it writes, and wait-for only reads");
    }
    server.not_yet("query=COMMIT", "the query found no row");
    assert_eq!(server.sql("SELECT count(*) FROM shop.t").trim(), "0");
}

#[test]
fn mariadb_ends_a_query_that_hangs() {
    a_query_that_hangs_is_ended(&Server::mariadb());
}

#[test]
fn mysql_ends_a_query_that_hangs() {
    a_query_that_hangs_is_ended(&Server::mysql());
}

/// Behind the lock of a table, as beside a migration, and in a query that takes long
fn a_query_that_hangs_is_ended(server: &Server) {
    server.sql("CREATE TABLE shop.t (n int)");
    let words = "the query takes longer than an attempt has: give attempt-timeout=DURATION";
    let endless =
        "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c";
    server.wait_with(&format!("shop#query={endless}"), &["--attempt-timeout=2s"]).says(words);
    let locker = match server {
        Server::MariaDb(server) => {
            let mut client = server.client();
            client.args(["--execute", "LOCK TABLES shop.t WRITE; SELECT 'locked'; SELECT SLEEP(100)", "--unbuffered"]);
            let mut locker = Process::start(client);
            locker.says("locked");
            locker
        }
        Server::Mysql(_) => return,
    };
    server.wait_with("shop#query=SELECT n FROM t", &["--attempt-timeout=2s"]).says(words);
    drop(locker);
}

#[test]
fn mariadb_has_a_table() {
    a_table_is_waited_for(&Server::mariadb());
}

#[test]
fn mysql_has_a_table() {
    a_table_is_waited_for(&Server::mysql());
}

fn a_table_is_waited_for(server: &Server) {
    let words = "table orders is not there, or the user has no privilege on it";
    server.waits("table=orders", words, "CREATE TABLE orders (id int)");
    server.ready("table=shop.orders", "table shop.orders is there");
    server.not_yet("table=mysql.user", "table mysql.user is not there");
    server.sql("CREATE VIEW shop.`my view` AS SELECT 1");
    server.ready("table=my view", "table my view is there");
    server.ready("table=`my view`", "is there");
    for (option, words) in [("table=orders", "or as DATABASE.TABLE"), ("migration=flyway:1", "in the URL's path")] {
        let end = server.wait_for("", option).ends_with(64);
        assert!(end.log.contains(words), "{}", end.log);
    }
}

#[test]
fn mariadb_has_a_migration() {
    every_tool_is_understood(&Server::mariadb());
}

#[test]
fn mysql_has_a_migration() {
    every_tool_is_understood(&Server::mysql());
}

fn every_tool_is_understood(server: &Server) {
    // Flyway
    let row = |rank: u32, version: &str, kind: &str, success: u8| {
        format!(
            "INSERT INTO flyway_schema_history VALUES ({rank}, '{version}', 'd', '{kind}', 's', 1, 'app', now(), 3, {success});"
        )
    };
    let table = "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), \
                 description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, \
                 installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, \
                 execution_time int NOT NULL, success bool NOT NULL);";
    let words = "flyway has no table flyway_schema_history in the database, waits for 1.10";
    let rows = [table.to_owned(), row(1, "1.9", "SQL", 1), row(2, "1.10", "SQL", 1)].concat();
    server.waits("migration=flyway:1.10", words, &rows);
    server.sql(&format!("USE shop; {}", row(3, "1.10", "UNDO_SQL", 1)));
    server.waits("migration=flyway:1.10", "flyway is at 1.9, waits for 1.10", &row(4, "1.10", "SQL", 1));
    server.sql(&format!("USE shop; {}", row(5, "2", "SQL", 0)));
    server.not_yet("migration=flyway:1.10", "flyway is dirty at 2, waits for 1.10");

    // Liquibase
    let tables = "CREATE TABLE DATABASECHANGELOG (ID varchar(255) NOT NULL, AUTHOR varchar(255) NOT NULL, \
                  FILENAME varchar(255) NOT NULL, DATEEXECUTED datetime NOT NULL, ORDEREXECUTED int NOT NULL, \
                  EXECTYPE varchar(10) NOT NULL); \
                  CREATE TABLE DATABASECHANGELOGLOCK (ID int PRIMARY KEY, `LOCKED` tinyint NOT NULL, LOCKGRANTED datetime, \
                  LOCKEDBY varchar(255)); INSERT INTO DATABASECHANGELOGLOCK VALUES (1, 1, now(), 'pod (10.0.0.7)'); \
                  INSERT INTO DATABASECHANGELOG VALUES ('users', 'app', 'db.xml', now(), 1, 'EXECUTED');";
    server.sql(&format!("USE shop; {tables}"));
    let words = "liquibase is locked by pod (10.0.0.7), which runs or was killed";
    let unlock = "UPDATE DATABASECHANGELOGLOCK SET `LOCKED` = 0, LOCKEDBY = NULL";
    server.waits("migration=liquibase:users", words, unlock);
    server.ready("migration=liquibase:db.xml::users::app", "liquibase has db.xml::users::app");

    // goose
    let table = "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, \
                 tstamp timestamp DEFAULT now()); \
                 INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false);";
    server.sql(&format!("USE shop; {table}"));
    let row = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, true)";
    server.waits("migration=goose:2", "goose is at 1, waits for 2", row);

    // golang-migrate
    server.sql(
        "USE shop; CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); \
                INSERT INTO schema_migrations VALUES (5, true)",
    );
    let clean = "UPDATE schema_migrations SET dirty = false";
    server.waits("migration=golang-migrate:4", "golang-migrate is dirty at 5, waits for 4", clean);
    server.ready("migration=rails:5", "rails is at 5");

    // Alembic, sqlx, Diesel
    server.sql("USE shop; CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); \
                INSERT INTO alembic_version VALUES ('ae1027a6acf'); \
                CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, \
                installed_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, success boolean NOT NULL, checksum blob NOT NULL, \
                execution_time bigint NOT NULL); \
                INSERT INTO _sqlx_migrations VALUES (20260102030405, 'd', now(), true, '', 1); \
                CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, \
                run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP); \
                INSERT INTO __diesel_schema_migrations (version) VALUES ('20260102030405')");
    server.ready("migration=alembic:ae1027a6acf", "alembic has ae1027a6acf");
    server.ready("migration=sqlx:20260102030405", "sqlx is at 20260102030405");
    server.ready("migration=diesel:2026-01-02-030405", "diesel is at 20260102030405");
}
