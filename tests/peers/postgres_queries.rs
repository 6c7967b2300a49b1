//! Questions to PostgreSQL after the login: `query=` and `table=`.

use e2e::{peers::postgres::Postgres, process::Process};

/// A server with the role `app`, which may do little
fn start(settings: &[&str]) -> Postgres {
    let mut postgres = Postgres::new("trust", settings);
    postgres.start();
    postgres.sql("CREATE ROLE app LOGIN");
    postgres
}

fn target(postgres: &Postgres, options: &str) -> String {
    format!("{}/postgres#{options}", postgres.url().replace("://", "://app@"))
}

fn ready(postgres: &Postgres, options: &str) {
    Process::wait_for([target(postgres, options)]).ends_with(0);
}

#[track_caller]
fn never(postgres: &Postgres, options: &str, code: i32, words: &str) {
    let end = Process::wait_for([target(postgres, options)]).ends_with(code);
    assert!(end.log.contains(words), "{}", end.log);
}

#[test]
fn a_query_is_waited_for_until_its_value_is_true() {
    let postgres = start(&[]);
    let query = "query=SELECT done, 'hunter2' FROM jobs ORDER BY id";
    let mut helper = Process::wait_for([target(&postgres, query)]);
    helper.says("does not exist");
    postgres.sql("BEGIN; CREATE TABLE jobs (id int, note text); GRANT SELECT ON jobs TO app; COMMIT");
    helper.says("a column does not exist");
    postgres.sql("ALTER TABLE jobs ADD done boolean");
    helper.says("the query found no row");
    postgres.sql("INSERT INTO jobs VALUES (1)");
    helper.says("the query found NULL");
    postgres.sql("UPDATE jobs SET done = false");
    helper.says("the query found false");
    postgres.sql("UPDATE jobs SET done = true");
    let end = helper.ends_with(0);
    assert!(!end.log.contains("hunter2"), "{}", end.log);
}

#[test]
fn values_of_many_types_are_true_or_not() {
    let postgres = start(&[]);
    for value in ["1", "0.5::numeric", "'x'", "1e-9::float8", "now()", "ARRAY[0]", "'{}'::jsonb", "B'1'"] {
        ready(&postgres, &format!("query=SELECT {value};"));
    }
    for (value, words) in [
        ("0", "0"),
        ("0.00::numeric", "0"),
        ("'NaN'::float8", "NaN"),
        ("''", "an empty value"),
        ("'false'", "false"),
        ("NULL", "NULL"),
        ("WHERE false", "no row"),
        ("B'0'", "0"),
        ("1/0", "SQLSTATE 22012"),
    ] {
        let mut helper = Process::wait_for([target(&postgres, &format!("query=SELECT {value}"))]);
        let said = helper.says("not ready");
        assert!(said.contains(words), "{value}: {said}");
    }
}

#[test]
fn a_query_cannot_write() {
    let postgres = start(&[]);
    postgres.sql("CREATE SEQUENCE s; CREATE TABLE t (n int); GRANT ALL ON t, s TO app");
    for query in [
        "INSERT INTO t VALUES (1) RETURNING n",
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING n) SELECT n FROM x",
        "SELECT nextval('s')",
        "SELECT n FROM t FOR UPDATE",
        "SET TRANSACTION READ WRITE",
        "CREATE TABLE u (n int)",
    ] {
        never(&postgres, &format!("query={query}"), 69, "it writes, and wait-for only reads");
    }
    for query in ["SELECT 1; INSERT INTO t VALUES (1)", "COMMIT; INSERT INTO t VALUES (1)"] {
        never(&postgres, &format!("query={query}"), 69, "a syntax error, or more than one statement");
    }
    // A statement that ends the transaction has no row, and nothing comes after it.
    let mut helper = Process::wait_for([target(&postgres, "query=COMMIT")]);
    helper.says("the query found no row");
    assert_eq!(postgres.sql("SELECT count(*) FROM t").trim(), "0");
}

#[test]
fn what_the_server_refuses_ends_the_wait_at_once() {
    let postgres = start(&[]);
    postgres.sql("CREATE TABLE t (n int); CREATE SCHEMA closed; CREATE TABLE closed.t (n int)");
    never(&postgres, "query=SELECT n FROM t", 77, "permission denied for table t");
    never(&postgres, "query=SELECT n FROM closed.t", 77, "permission denied for schema closed");
    never(&postgres, "table=closed.t", 77, "permission denied for schema closed");
    never(&postgres, "table=t&schema=closed", 77, "the user may not use the schema closed: grant USAGE on it");
    never(&postgres, "query=SELECT hunter2 hunter3 hunter4", 69, "a syntax error at character 24");
    never(&postgres, "query=SELECT 1 WHERE 7 %26 1", 69, "query refused with SQLSTATE 42804");
}

#[test]
fn a_table_is_waited_for() {
    let postgres = start(&[]);
    let mut helper = Process::wait_for([target(&postgres, "table=shop.Orders")]);
    helper.says("table shop.Orders is not there");
    postgres.sql("CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO app; CREATE SEQUENCE shop.orders");
    postgres.sql("DROP SEQUENCE shop.orders; CREATE TABLE shop.orders (id int)");
    helper.ends_with(0);
    ready(&postgres, "table=orders&schema=shop");
    postgres.sql("CREATE SCHEMA \"My \"\"App\"; GRANT USAGE ON SCHEMA \"My \"\"App\" TO app; CREATE VIEW \"My \"\"App\".v AS SELECT 1");
    ready(&postgres, "table=v&schema=My \"App");
    ready(&postgres, "table=\"My \"\"App\".v");
    let mut helper = Process::wait_for([target(&postgres, "table=orders")]);
    helper.says("table orders is not there in the search path (schema=NAME names a schema)");
}

#[test]
fn a_question_leaves_nothing_in_the_log_but_the_errors_of_a_query() {
    let postgres = start(&[]);
    postgres.sql("CREATE TABLE orders (id int)");
    let mark = postgres.server.log().len();
    ready(&postgres, "table=orders");
    ready(&postgres, "query=SELECT true");
    for options in ["table=missing", "migration=flyway:1", "query=SELECT 0"] {
        // The stop comes in the pause after an attempt.
        let mut helper = Process::wait_for([target(&postgres, options), "--interval=1h".into()]);
        helper.says("not ready");
        helper.signal("TERM");
        helper.ends_with(143);
    }
    assert_eq!(postgres.server.log().split_off(mark), "");
    let mark = postgres.server.log().len();
    never(&postgres, "query=SELECT 1 +", 69, "a syntax error");
    let log = postgres.server.log().split_off(mark);
    println!("PostgreSQL's log of a query with a syntax error:\n{log}");
    assert_eq!(log.lines().filter(|line| !line.starts_with(char::is_whitespace)).count(), 2, "{log}");
}

#[test]
fn a_query_that_hangs_is_ended_by_the_server_before_the_attempt_ends() {
    let postgres = start(&[]);
    let mark = postgres.server.log().len();
    let mut helper = Process::wait_for([target(&postgres, "query=SELECT pg_sleep(60)"), "--attempt-timeout=2s".into()]);
    helper.says("the query takes longer than an attempt has: give attempt-timeout=DURATION");
    let log = postgres.server.log().split_off(mark);
    assert!(log.contains("canceling statement due to statement timeout"), "{log}");
    assert!(!log.contains("lost") && !log.contains("EOF") && !log.contains("reset"), "{log}");
}
