//! `migration=TOOL:VERSION` with PostgreSQL. The tables are those that the tools make, from their documents and sources.

use e2e::{peers::postgres::Postgres, process::Process};

fn start() -> Postgres {
    let mut postgres = Postgres::new("trust", &[]);
    postgres.start();
    postgres
}

fn target(postgres: &Postgres, migration: &str) -> String {
    format!("{}/postgres#migration={migration}", postgres.url())
}

/// The target waits with these words until the statements have run.
#[track_caller]
fn waits(postgres: &Postgres, migration: &str, words: &str, statements: &str) {
    let mut helper = Process::wait_for([target(postgres, migration)]);
    let said = helper.says("not ready");
    assert!(said.contains(words), "{said}");
    postgres.sql(statements);
    helper.ends_with(0);
}

#[track_caller]
fn ready(postgres: &Postgres, migration: &str, words: &str) {
    let end = Process::wait_for([target(postgres, migration)]).ends_with(0);
    assert!(end.log.contains(words), "{}", end.log);
}

#[track_caller]
fn not_yet(postgres: &Postgres, migration: &str, words: &str) {
    let said = Process::wait_for([target(postgres, migration)]).says("not ready");
    assert!(said.contains(words), "{said}");
}

/// Flyway: `installed_rank` counts all that happened; a version is a text
#[test]
fn flyway() {
    let postgres = start();
    let words =
        "flyway has no table flyway_schema_history in the search path (schema=NAME names a schema), waits for 1.10";
    let table = "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), \
                 description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, \
                 installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), \
                 execution_time int NOT NULL, success boolean NOT NULL);";
    let row = |rank: u32, version: &str, kind: &str, success: bool| {
        let version = if version.is_empty() { "NULL".to_owned() } else { format!("'{version}'") };
        format!(
            "INSERT INTO flyway_schema_history VALUES ({rank}, {version}, 'd', '{kind}', 's', 1, 'app', now(), 3, {success});"
        )
    };
    let rows = [row(1, "", "SCHEMA", true), row(2, "1.9", "SQL", true), row(3, "1.10", "SQL", true)].concat();
    waits(&postgres, "flyway:1.10", words, &format!("{table}{rows}"));
    ready(&postgres, "flyway:1.2", "flyway is at 1.10");
    waits(&postgres, "flyway:2", "flyway is at 1.10, waits for 2", &row(4, "2.0", "SQL", true));
    // An undone version is gone, and comes back when it is applied again; a repair marks a removed one as deleted.
    postgres.sql(&row(5, "2.0", "UNDO_SQL", true));
    waits(&postgres, "flyway:2", "flyway is at 1.10, waits for 2", &row(6, "2.0", "SQL", true));
    postgres.sql(&row(7, "2.0", "DELETE", true));
    not_yet(&postgres, "flyway:2", "flyway is at 1.10, waits for 2");
    postgres.sql(&row(8, "3", "SQL", false));
    waits(
        &postgres,
        "flyway:1.9",
        "flyway is dirty at 3, waits for 1.9",
        "DELETE FROM flyway_schema_history WHERE NOT success",
    );
    postgres.sql(&row(9, "", "SQL", false));
    not_yet(&postgres, "flyway:1.9", "flyway is dirty at a repeatable migration");
}

/// Liquibase: a changeset is known by its ID, author and file
#[test]
fn liquibase() {
    let postgres = start();
    let tables = "CREATE TABLE databasechangelog (id varchar(255) NOT NULL, author varchar(255) NOT NULL, \
                  filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL, orderexecuted int NOT NULL, \
                  exectype varchar(10) NOT NULL, md5sum varchar(35), description varchar(255), comments varchar(255), \
                  tag varchar(255), liquibase varchar(20), contexts varchar(255), labels varchar(255), \
                  deployment_id varchar(10)); \
                  CREATE TABLE databasechangeloglock (id int PRIMARY KEY, locked boolean NOT NULL, lockgranted timestamp, \
                  lockedby varchar(255)); INSERT INTO databasechangeloglock VALUES (1, false, NULL, NULL)";
    postgres.sql(tables);
    let changeset = |id: &str, kind: &str| {
        format!(
            "INSERT INTO databasechangelog (id, author, filename, dateexecuted, orderexecuted, exectype) \
                 VALUES ('{id}', 'app', 'db/changelog.xml', now(), 1, '{kind}');"
        )
    };
    not_yet(&postgres, "liquibase:users", "liquibase has applied nothing, waits for users");
    postgres.sql(&changeset("users", "FAILED"));
    waits(&postgres, "liquibase:users", "liquibase has applied nothing", &changeset("users", "EXECUTED"));
    ready(&postgres, "liquibase:db/changelog.xml::users::app", "liquibase has db/changelog.xml::users::app");
    waits(&postgres, "liquibase:views", "liquibase is at users, waits for views", &changeset("views", "MARK_RAN"));
    postgres.sql("UPDATE databasechangeloglock SET locked = true, lockedby = 'migrate-x2v (10.0.0.7)'");
    let words = "liquibase is locked by migrate-x2v (10.0.0.7), which runs or was killed, waits for users";
    waits(&postgres, "liquibase:users", words, "UPDATE databasechangeloglock SET locked = false, lockedby = NULL");
}

/// goose: older versions of it note a step down in a row of its own
#[test]
fn goose() {
    let postgres = start();
    let table = "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, \
                 tstamp timestamp DEFAULT now()); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true)";
    postgres.sql(table);
    let row = |version: u32, up: bool| {
        format!("INSERT INTO goose_db_version (version_id, is_applied) VALUES ({version}, {up});")
    };
    waits(&postgres, "goose:2", "goose is at 0, waits for 2", &[row(1, true), row(2, true)].concat());
    postgres.sql(&row(2, false));
    waits(&postgres, "goose:2", "goose is at 1, waits for 2", &row(2, true));
}

/// golang-migrate: one row, which is dirty while a migration runs
#[test]
fn golang_migrate() {
    let postgres = start();
    postgres.sql("CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)");
    let set = |version: u32, dirty: bool| {
        format!("TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES ({version}, {dirty})")
    };
    waits(&postgres, "golang-migrate:4", "golang-migrate has applied nothing, waits for 4", &set(4, false));
    postgres.sql(&set(5, true));
    waits(&postgres, "golang-migrate:4", "golang-migrate is dirty at 5, waits for 4", &set(5, false));
}

/// Alembic: the heads, which have no order
#[test]
fn alembic() {
    let postgres = start();
    postgres.sql("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
    postgres.sql("INSERT INTO alembic_version VALUES ('1975ea83b712')");
    let words = "alembic is at 1975ea83b712, waits for ae1027a6acf";
    waits(&postgres, "alembic:ae1027a6acf", words, "UPDATE alembic_version SET version_num = 'ae1027a6acf'");
    postgres.sql("INSERT INTO alembic_version VALUES ('27c6a30d7c24')");
    ready(&postgres, "alembic:ae1027a6acf", "alembic has ae1027a6acf");
    ready(&postgres, "alembic:27c6a30d7c24", "alembic has 27c6a30d7c24");
}

#[test]
fn sqlx() {
    let postgres = start();
    let table = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, \
                 installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, \
                 execution_time bigint NOT NULL)";
    postgres.sql(table);
    let row = |version: &str, success: bool| {
        format!("INSERT INTO _sqlx_migrations VALUES ({version}, 'd', now(), {success}, '', 1);")
    };
    postgres.sql(&[row("20260101000000", true), row("20260103000000", true)].concat());
    // A branch that was merged late
    let words = "sqlx is at 20260103000000, waits for 20260102000000";
    waits(&postgres, "sqlx:20260102000000", words, &row("20260102000000", true));
    postgres.sql(&row("20260104000000", false));
    not_yet(&postgres, "sqlx:20260102000000", "sqlx is dirty at 20260104000000");
}

#[test]
fn diesel() {
    let postgres = start();
    let table = "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, \
                 run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    postgres.sql(table);
    let row = |version: &str| format!("INSERT INTO __diesel_schema_migrations VALUES ('{version}');");
    postgres.sql(&row("00000000000000"));
    let words = "diesel is at 00000000000000, waits for 20260102030405";
    waits(&postgres, "diesel:2026-01-02-030405", words, &row("20260102030405"));
}

/// Rails, in a schema of its own
#[test]
fn rails() {
    let postgres = start();
    postgres.sql("CREATE SCHEMA shop; CREATE TABLE shop.schema_migrations (version varchar NOT NULL PRIMARY KEY)");
    postgres.sql("INSERT INTO shop.schema_migrations VALUES ('20260101000000')");
    not_yet(&postgres, "rails:20260102000000", "rails has no table schema_migrations in the search path");
    let words = "rails is at 20260101000000, waits for 20260102000000";
    let row = "INSERT INTO shop.schema_migrations VALUES ('20260102000000')";
    waits(&postgres, "rails:20260102000000&schema=shop", words, row);
    not_yet(&postgres, "rails:1&schema=closed", "schema closed does not exist");
}

/// The tables of golang-migrate and of Rails have the same name.
#[test]
fn the_table_of_another_tool_is_not_ready() {
    let postgres = start();
    postgres.sql("CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)");
    postgres.sql("INSERT INTO schema_migrations VALUES ('20260101000000')");
    not_yet(&postgres, "golang-migrate:1", "a column does not exist");
}
