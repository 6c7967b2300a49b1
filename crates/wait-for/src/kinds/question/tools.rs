//! The migration tools: the table of each, and a statement that reads it.
//!
//! The statements are constants, so a version never becomes part of one. They read rows of a
//! version, a state and a second name, in SQL that PostgreSQL, MySQL and MariaDB understand. The
//! tables are documented as follows.
//! - Flyway: documentation, "Flyway schema history table"; a repair adds rows of type DELETE, an
//!   undo rows of type `UNDO_…`.
//! - Liquibase: documentation, "Tracking tables: DATABASECHANGELOG" and "DATABASECHANGELOGLOCK".
//! - goose: `internal/dialect` of pressly/goose; older versions note a step down in a row with
//!   `is_applied` off.
//! - golang-migrate: `database/postgres/postgres.go`; `dirty` is on from the start of a migration
//!   to its success.
//! - Alembic: documentation, "Working with Branches": the table holds the heads only.
//! - sqlx: `sqlx-postgres/src/migrate.rs`, `sqlx-mysql/src/migrate.rs`. Diesel:
//!   `setup_migration_table.sql`.
//! - Rails: Active Record's `SchemaMigration`.

/// States that the statements give
pub(super) const APPLIED: &str = "applied";
pub(super) const DIRTY: &str = "dirty";
pub(super) const LOCKED: &str = "locked";

/// A migration tool
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    pub(super) statement: &'static str,
    pub(super) versions: Versions,
    /// An example of a version
    pub(super) example: &'static str,
}

/// The versions of a tool, and when a table has one
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    /// Numbers in one line, because the tool refuses to apply an older one later: the highest is at
    /// least the wanted one
    Line,
    /// Numbers that the tool applies in any order: the wanted one is there, or is older than all,
    /// as after a squash
    Each,
    /// Names without an order: the wanted one is there
    Names,
}

pub(super) const TOOLS: [Tool; 8] = [
    Tool {
        name: "flyway",
        table: "flyway_schema_history",
        statement: "SELECT version, CASE WHEN success THEN 'applied' ELSE 'dirty' END FROM flyway_schema_history AS this \
                    WHERE NOT success OR (version IS NOT NULL AND type <> 'DELETE' AND type NOT LIKE 'UNDO%' \
                    AND NOT EXISTS (SELECT 1 FROM flyway_schema_history AS later \
                    WHERE later.version = this.version AND later.installed_rank > this.installed_rank))",
        versions: Versions::Line,
        example: "12 or 1.2.3",
    },
    Tool {
        name: "liquibase",
        table: "DATABASECHANGELOG",
        statement: "SELECT ID, 'applied', concat(FILENAME, '::', ID, '::', AUTHOR) FROM DATABASECHANGELOG \
                    WHERE EXECTYPE IN ('EXECUTED', 'RERAN', 'MARK_RAN') \
                    UNION ALL SELECT LOCKEDBY, 'locked', NULL FROM DATABASECHANGELOGLOCK WHERE LOCKED",
        versions: Versions::Names,
        example: "ID or FILE::ID::AUTHOR",
    },
    Tool {
        name: "goose",
        table: "goose_db_version",
        statement: "SELECT version_id, 'applied' FROM goose_db_version AS this WHERE is_applied \
                    AND NOT EXISTS (SELECT 1 FROM goose_db_version AS later \
                    WHERE later.version_id = this.version_id AND later.id > this.id)",
        versions: Versions::Line,
        example: "12",
    },
    Tool {
        name: "golang-migrate",
        table: "schema_migrations",
        statement: "SELECT version, CASE WHEN dirty THEN 'dirty' ELSE 'applied' END FROM schema_migrations",
        versions: Versions::Line,
        example: "12",
    },
    Tool {
        name: "alembic",
        table: "alembic_version",
        statement: "SELECT version_num, 'applied' FROM alembic_version",
        versions: Versions::Names,
        example: "ae1027a6acf",
    },
    Tool {
        name: "sqlx",
        table: "_sqlx_migrations",
        statement: "SELECT version, CASE WHEN success THEN 'applied' ELSE 'dirty' END FROM _sqlx_migrations",
        versions: Versions::Each,
        example: "20260102030405",
    },
    Tool {
        name: "diesel",
        table: "__diesel_schema_migrations",
        statement: "SELECT version, 'applied' FROM __diesel_schema_migrations",
        versions: Versions::Each,
        example: "2026-01-02-030405",
    },
    Tool {
        name: "rails",
        table: "schema_migrations",
        statement: "SELECT version, 'applied' FROM schema_migrations",
        versions: Versions::Each,
        example: "20260102030405",
    },
];
