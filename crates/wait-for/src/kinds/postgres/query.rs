//! Questions to PostgreSQL: one statement in a read-only transaction, which is rolled back.
//!
//! PostgreSQL documentation, "Extended Query": Parse takes one statement only, so no second one can
//! leave the transaction.

use std::time::Duration;

use endpoint::Stream;

use super::wire::{BIND, Channel, DESCRIBE, EXECUTE, Message, PARSE, QUERY, SYNC, Said};
use crate::{
    kinds::question::{
        self, Question, Sql,
        migration::{Found, Migration},
    },
    not_ready::{Cause, NotReady, Verdict},
};

const ROLLBACK: &[u8] = b"ROLLBACK\0";
/// Views and foreign tables count as tables, indexes and sequences do not.
const HAS_TABLE: &str = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class \
                         WHERE oid = pg_catalog.to_regclass($1::text) AND relkind IN ('r', 'p', 'v', 'm', 'f'))";
/// The name becomes an identifier, and holds for this transaction only. Without such a schema there
/// is no row. Without the right to use it, PostgreSQL would find nothing there.
const SET_SCHEMA: &str = "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE'), \
                          pg_catalog.set_config('search_path', pg_catalog.quote_ident($1::text), true) \
                          FROM pg_catalog.pg_namespace WHERE nspname = $1::text";

/// A question, and the schema that it is about
#[derive(Debug)]
pub(super) struct Enquiry {
    pub(super) question: Question,
    pub(super) schema: Option<String>,
}

/// Why a question has no answer yet
enum Failure {
    /// The answer is no, or the server refuses the statement; it waits for the next one
    Refused(NotReady),
    /// The connection, or the protocol
    Broken(NotReady),
}

impl From<NotReady> for Failure {
    fn from(failure: NotReady) -> Self {
        Self::Broken(failure)
    }
}

impl Enquiry {
    /// Asks on a connection that is logged in. The server gives up on the question before `time` is
    /// over.
    pub(super) async fn ask<S: Stream>(&self, channel: &mut Channel<S>, time: Duration) -> Verdict {
        match self.answer(channel, time).await {
            Err(Failure::Broken(failure)) => Err(failure),
            answer => {
                // PgBouncer closes its connection to the server where a client leaves a transaction
                // open. The answer stands, however that ends.
                if channel.write(QUERY, ROLLBACK).await.is_ok() {
                    let _ = until_ready(channel, |_| {}).await;
                }
                answer.map_err(|failure| match failure {
                    Failure::Refused(refusal) | Failure::Broken(refusal) => refusal,
                })
            }
        }
    }

    async fn answer<S: Stream>(&self, channel: &mut Channel<S>, time: Duration) -> Result<String, Failure> {
        begin(channel, time).await?;
        if let Some(schema) = &self.schema {
            let row = ask_one(channel, SET_SCHEMA, Some(schema)).await?;
            let may_use = row.map(|row| row.first() == Some(&Some("t".to_owned())));
            let refusal = match may_use {
                None => NotReady::new(Cause::Contrary, format!("schema {schema} does not exist")),
                Some(false) => NotReady::denied(format!("the user may not use the schema {schema}: grant USAGE on it")),
                Some(true) => return self.answer_there(channel).await,
            };
            return Err(Failure::Refused(refusal));
        }
        self.answer_there(channel).await
    }

    async fn answer_there<S: Stream>(&self, channel: &mut Channel<S>) -> Result<String, Failure> {
        match &self.question {
            Question::Query(sql) => query(channel, sql).await,
            Question::Table(name) => table(channel, name, &self.place()).await,
            Question::Migration(migration) => migrated(channel, migration, &self.place()).await,
        }
    }

    /// Where a table without a schema in its name is looked for
    fn place(&self) -> String {
        match &self.schema {
            Some(schema) => format!("the schema {schema}"),
            None => "the search path (schema=NAME names a schema)".to_owned(),
        }
    }
}

/// Begins a transaction. A query takes its snapshot: after it, PostgreSQL refuses `SET TRANSACTION
/// READ WRITE`.
async fn begin<S: Stream>(channel: &mut Channel<S>, time: Duration) -> Result<(), Failure> {
    // A quarter is left for the goodbye. Zero would be no limit, and a setting has 31 bits.
    let milliseconds = (time / 4 * 3).as_millis().clamp(1, 0x7fff_ffff);
    let statements = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}; SELECT 1\0");
    channel.write(QUERY, statements.as_bytes()).await?;
    until_ready(channel, |_| {}).await
}

async fn query<S: Stream>(channel: &mut Channel<S>, sql: &Sql) -> Result<String, Failure> {
    let sql = sql.current().await.map_err(Failure::Refused)?;
    let row = ask_one(channel, sql.expose(), None).await?;
    question::judge_row(row.as_deref()).map_err(Failure::Refused)
}

async fn table<S: Stream>(channel: &mut Channel<S>, name: &str, place: &str) -> Result<String, Failure> {
    if has_table(channel, name).await? {
        return Ok(format!("logged in, table {name} is there"));
    }
    let place = if name.contains('.') { String::new() } else { format!(" in {place}") };
    let is_folded = name.contains(|c: char| c.is_uppercase()) && !name.contains('"');
    let hint = if is_folded { "; a name with capital letters stands in double quotes" } else { "" };
    Err(Failure::Refused(NotReady::new(Cause::Contrary, format!("table {name} is not there{place}{hint}"))))
}

async fn migrated<S: Stream>(channel: &mut Channel<S>, migration: &Migration, place: &str) -> Result<String, Failure> {
    // Asked for first, because a statement about a missing table leaves an error in the server's
    // log.
    if !has_table(channel, migration.table()).await? {
        return Err(Failure::Refused(migration.without_table(place)));
    }
    let mut found = Found::default();
    ask(channel, migration.statement(), None, 0, |row| migration.take(&mut found, &row)).await?;
    migration.judge(&found).map_err(Failure::Refused)
}

async fn has_table<S: Stream>(channel: &mut Channel<S>, name: &str) -> Result<bool, Failure> {
    let row = ask_one(channel, HAS_TABLE, Some(name)).await?;
    Ok(row.is_some_and(|row| row.first() == Some(&Some("t".to_owned()))))
}

/// The first row of a statement, if it has any
async fn ask_one<S: Stream>(
    channel: &mut Channel<S>,
    statement: &str,
    parameter: Option<&str>,
) -> Result<Option<Vec<Option<String>>>, Failure> {
    let mut first = None;
    ask(channel, statement, parameter, 1, |row| first = first.take().or(Some(row))).await?;
    Ok(first)
}

/// Asks a statement, with a parameter or without, for at most `rows` rows; 0 stands for all.
async fn ask<S: Stream>(
    channel: &mut Channel<S>,
    statement: &str,
    parameter: Option<&str>,
    rows: u32,
    take: impl FnMut(Vec<Option<String>>),
) -> Result<(), Failure> {
    channel.write(PARSE, &[&[0], statement.as_bytes(), &[0, 0, 0]].concat()).await?;
    channel.write(BIND, &bind(parameter)).await?;
    channel.write(DESCRIBE, b"P\0").await?;
    channel.write(EXECUTE, &[&[0][..], &rows.to_be_bytes()].concat()).await?;
    channel.write(SYNC, &[]).await?;
    until_ready(channel, take).await
}

/// The body of Bind: no names, no formats, the parameter's length and text, and again no formats
fn bind(parameter: Option<&str>) -> Vec<u8> {
    match parameter {
        None => vec![0; 8],
        Some(text) => {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
            [&[0, 0, 0, 0, 0, 1], &length[..], text.as_bytes(), &[0, 0]].concat()
        }
    }
}

/// Reads on to `ReadyForQuery`, which follows an error too.
async fn until_ready<S: Stream>(
    channel: &mut Channel<S>,
    mut take: impl FnMut(Vec<Option<String>>),
) -> Result<(), Failure> {
    let mut error = None;
    loop {
        match channel.read().await? {
            Message::ReadyForQuery => return error.map_or(Ok(()), |said| Err(Failure::Refused(refusal(said)))),
            // The server ends the connection after it.
            Message::Error(said) if said.is_busy() => return Err(refusal(said).into()),
            Message::Error(said) => error = Some(said),
            Message::Row(row) => take(row),
            _ => {}
        }
    }
}

/// The meaning of an error of a statement. The server's own words are told where they name a table
/// or a function. Others can repeat a part of the SQL or a value of the data, so a code and a place
/// stand for them.
fn refusal(said: Said) -> NotReady {
    let place = said.position.map_or_else(String::new, |position| format!(" at character {position}"));
    let code = &said.code;
    match code.as_str() {
        _ if said.is_busy() => NotReady::new(Cause::Busy, said.message),
        // undefined_table, undefined_function, undefined_object, invalid_schema_name: a migration
        // may still make them.
        "42P01" | "42883" | "42704" | "3F000" => NotReady::new(Cause::Contrary, format!("query: {}", said.message)),
        // undefined_column, which may be a text in the wrong quotes
        "42703" => NotReady::new(Cause::Contrary, format!("query: a column does not exist{place}")),
        "42501" => NotReady::denied(format!("query refused: {}", said.message)),
        "42602" => NotReady::never("query refused: a name in it is not written as in SQL"),
        "42601" => NotReady::never(format!("query refused: a syntax error{place}, or more than one statement")),
        // active_sql_transaction: SET TRANSACTION READ WRITE
        "25001" | "25006" => NotReady::never("query refused: it writes, and wait-for only reads"),
        code if code.starts_with("42") || code.starts_with("0A") || code == "08P01" => {
            NotReady::never(format!("query refused with SQLSTATE {code}{place}"))
        }
        "57014" => NotReady::new(Cause::Silent, question::TAKES_TOO_LONG),
        code => NotReady::new(Cause::Odd, format!("query: SQLSTATE {code}{place}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_server_that_can_hold_sql_are_not_told() {
        for code in ["42601", "42703", "42804", "22P02", "0A000", "XX000"] {
            let said = Said { code: code.into(), message: "near \"hunter2\"".into(), position: Some(7) };
            let refusal = refusal(said);
            assert!(!refusal.reason.contains("hunter2") && refusal.reason.contains("at character 7"), "{refusal:?}");
        }
    }

    #[test]
    fn a_parameter_is_bound() {
        assert_eq!(bind(Some("ab")), b"\0\0\0\0\0\x01\0\0\0\x02ab\0\0");
        assert_eq!(bind(None), [0; 8]);
    }
}
