//! Questions to MySQL and MariaDB: one statement in a read-only transaction.
//!
//! MySQL documentation, "Text Resultset". A client without the capability for several statements
//! sends one at a time, and the session is read-only too, so a plain statement that ends the
//! transaction gains nothing; a procedure or a compound statement could begin another one.

use std::time::Duration;

use crate::{
    kinds::{
        mysql_verdicts,
        mysql_wire::{Channel, Failure, QUERY, Refusal, not_mysql},
        question::{
            self, Question,
            migration::{Found, Migration},
        },
    },
    not_ready::{Cause, NotReady, Verdict},
};

/// Columns of a row that are read; no question needs more.
const COLUMNS: usize = 3;

// First bytes of answers
const OK: u8 = 0x00;
const LOCAL_FILE: u8 = 0xfb;
const END: u8 = 0xfe;
/// An end has fewer bytes; a value with this first byte is longer than a packet may be.
const END_LIMIT: usize = 9;
/// The length of NULL
const NULL: u8 = 0xfb;

/// The first values of a row; `None` is NULL
type Row = Vec<Option<String>>;

/// Refuses a question about no database.
pub(super) fn check_database(question: &Question, database: Option<&str>) -> Result<(), String> {
    match question {
        Question::Migration(_) if database.is_none() => {
            Err("option migration: name the database in the URL's path".into())
        }
        Question::Table(name) if name.matches('`').count() % 2 == 1 || parts(name).iter().any(String::is_empty) => {
            Err("option table: a part of the name is empty, or its backtick is not closed".into())
        }
        Question::Table(name) if parts(name).len() > 2 => {
            Err("option table: a name has one dot at most; one with more stands between backticks".into())
        }
        Question::Table(name) if database.is_none() && parts(name).len() < 2 => {
            Err("option table: name the database in the URL's path, or as DATABASE.TABLE".into())
        }
        _ => Ok(()),
    }
}

/// Asks on a connection that is logged in. The server gives up on the question before `time` is
/// over.
pub(super) async fn ask(channel: &mut Channel, question: &Question, time: Duration) -> Verdict {
    match answer(channel, question, time).await {
        Ok(verdict) => verdict,
        Err(Failure::Refused(refusal)) => Err(match question {
            // ER_NO_SUCH_TABLE
            Question::Migration(migration) if refusal.code == 1146 => migration.without_table("the database"),
            _ => meaning(&refusal),
        }),
        Err(Failure::Broken(failure)) => Err(failure),
    }
}

async fn answer(channel: &mut Channel, question: &Question, time: Duration) -> Result<Verdict, Failure> {
    for statement in [&limits(question, time), "SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"] {
        rows(channel, statement, |_| {}).await?;
    }
    match question {
        Question::Query(sql) => {
            let sql = sql.current().await?;
            let row = first_row(channel, sql.expose()).await?;
            Ok(question::judge_row(row.as_deref()))
        }
        Question::Table(name) => {
            let is_there = first_row(channel, &table_statement(name)).await?.is_some();
            Ok(if is_there { Ok(format!("logged in, table {name} is there")) } else { Err(no_table(name)) })
        }
        Question::Migration(migration) => migrated(channel, migration).await,
    }
}

async fn migrated(channel: &mut Channel, migration: &Migration) -> Result<Verdict, Failure> {
    let mut found = Found::default();
    rows(channel, migration.statement(), |row| migration.take(&mut found, &row)).await?;
    Ok(migration.judge(&found))
}

/// The statement that limits the time and the rows. MySQL and MariaDB have different names for the
/// time, and each leaves out the other's comment; a server that knows neither has no limit.
fn limits(question: &Question, time: Duration) -> String {
    // A quarter is left for the goodbye. Zero would be no limit, and MySQL's setting has 32 bits.
    let milliseconds = (time / 4 * 3).as_millis().clamp(1, 0x7fff_ffff);
    let seconds = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let rows = if matches!(question, Question::Query(_)) { "1" } else { "DEFAULT" };
    format!(
        "SET SESSION sql_select_limit = {rows} /*!50708 , SESSION max_execution_time = {milliseconds} */ \
         /*M!100101 , SESSION max_statement_time = {seconds} */"
    )
}

/// Asks for a table or a view. The name goes as a number of bytes, because the text protocol has no
/// parameters.
fn table_statement(name: &str) -> String {
    let parts = parts(name);
    let (database, table) = match &parts[..] {
        [database, table] => (literal(database), literal(table)),
        _ => ("DATABASE()".to_owned(), literal(&parts.concat())),
    };
    format!("SELECT 1 FROM information_schema.tables WHERE table_schema = {database} AND table_name = {table}")
}

/// The parts of a name, as SQL has them: a dot between backticks is part of a name, and two
/// backticks stand for one.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut was_quoted) = (false, false);
    for c in name.chars() {
        let last = parts.len() - 1;
        match c {
            '`' if !is_quoted && was_quoted => {
                parts[last].push('`');
                is_quoted = true;
            }
            '`' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            c => parts[last].push(c),
        }
        was_quoted = c == '`' && !is_quoted;
    }
    parts
}

fn literal(name: &str) -> String {
    format!("CONVERT(0x{} USING utf8mb4)", crate::wire::hex(name.as_bytes()))
}

fn no_table(name: &str) -> NotReady {
    let reason = format!("table {name} is not there, or the user has no privilege on it");
    NotReady::new(Cause::Contrary, reason)
}

/// The first row of a statement, if it has any
async fn first_row(channel: &mut Channel, statement: &str) -> Result<Option<Row>, Failure> {
    let mut first = None;
    rows(channel, statement, |row| first = first.take().or(Some(row))).await?;
    Ok(first)
}

/// Sends a statement, and reads its answer to the end.
async fn rows(channel: &mut Channel, statement: &str, mut take: impl FnMut(Row)) -> Result<(), Failure> {
    channel.command(QUERY, statement.as_bytes()).await?;
    match channel.read().await?.first() {
        Some(&OK) => return Ok(()),
        None | Some(&(LOCAL_FILE | END)) => return Err(not_mysql().into()),
        Some(_) => {}
    }
    // Columns, which are not looked at, up to an end, then rows up to another one
    while !is_end(&channel.read().await?) {}
    loop {
        let packet = channel.read_row().await?;
        if is_end(&packet) {
            return Ok(());
        }
        take(parse_row(&packet).ok_or_else(not_mysql)?);
    }
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < END_LIMIT
}

/// The first values of a row: each has a length of one byte, or of two or three behind 0xfc or
/// 0xfd.
pub(crate) fn parse_row(packet: &[u8]) -> Option<Row> {
    let mut rest = packet;
    let mut row = Vec::new();
    while row.len() < COLUMNS && !rest.is_empty() {
        let (&first, after) = rest.split_first()?;
        if first == NULL {
            row.push(None);
            rest = after;
            continue;
        }
        let (length, after) = match first {
            0xfc => {
                after.split_first_chunk().map(|(length, after)| (usize::from(u16::from_le_bytes(*length)), after))?
            }
            0xfd => {
                let (&[low, middle, high], after) = after.split_first_chunk()?;
                (u32::from_le_bytes([low, middle, high, 0]) as usize, after)
            }
            length if length < NULL => (usize::from(length), after),
            _ => return None,
        };
        let (value, after) = after.split_at_checked(length)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Some(row)
}

/// The meaning of an error of a statement, by its number: MySQL's and MariaDB's "Server Error
/// Message Reference". The server's own words are told where they name a table, a function or a
/// database. Others can repeat a part of the SQL.
fn meaning(refusal: &Refusal) -> NotReady {
    let Refusal { code, message } = refusal;
    let told = format!("error {code}: {message}");
    match code {
        // No such table, function or database: a migration may still make them.
        1049 | 1146 | 1305 | 1630 => NotReady::new(Cause::Contrary, format!("query: {told}")),
        1054 => NotReady::new(Cause::Contrary, format!("query: error {code}: a column does not exist")),
        // No privilege on the database, the table, a column, the routine, or of the server
        1044 | 1142 | 1143 | 1227 | 1370 => NotReady::denied(format!("query refused: {told}")),
        1046 => NotReady::never("query refused: name the database in the URL's path, or before each table"),
        1064 => NotReady::never(format!("query refused: error {code}: a syntax error, or more than one statement")),
        1065 => NotReady::never("query refused: it is empty"),
        // In a read-only transaction; SET TRANSACTION within one
        1568 | 1792 => NotReady::never("query refused: it writes, and wait-for only reads"),
        // Out of time (in MySQL, in MariaDB), also behind the lock of a table
        1205 | 1969 | 3024 => NotReady::new(Cause::Silent, question::TAKES_TOO_LONG),
        // The password has expired, which the login says only now.
        1820 => mysql_verdicts::judge_login(refusal, ""),
        // Full, or a shutdown
        1040 | 1053 | 1203 | 1226 => mysql_verdicts::judge(refusal),
        _ => NotReady::new(Cause::Odd, format!("query: error {code}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_is_read() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(parse_row(b"\x02ab\xfb\0"), Some(vec![text("ab"), None, text("")]));
        assert_eq!(parse_row(b"\xfc\x02\0ab"), Some(vec![text("ab")]));
        assert_eq!(parse_row(b"\xfd\x01\0\0a\x01b\x01c\x01d"), Some(vec![text("a"), text("b"), text("c")]));
        for packet in [&b"\x02a"[..], b"\xfc\x02", b"\xfe", b"\xff", b"\xfd\xff\xff\xffx"] {
            assert_eq!(parse_row(packet), None, "{packet:?}");
        }
    }

    #[test]
    fn a_name_never_becomes_part_of_a_statement() {
        let name = |text: &str| parts(text).join("|");
        for (text, read) in
            [("a", "a"), ("a.b", "a|b"), ("`a.b`", "a.b"), ("`a``b`.c", "a`b|c"), ("`a`.`b.c`", "a|b.c"), ("````", "`")]
        {
            assert_eq!(name(text), read, "{text}");
        }
        let statement = table_statement("x' OR 1 -- .`my table`");
        assert!(!statement.contains("OR") && !statement.contains("my"), "{statement}");
        assert!(statement.ends_with("table_name = CONVERT(0x6d79207461626c65 USING utf8mb4)"), "{statement}");
    }

    #[test]
    fn words_of_the_server_that_can_hold_sql_are_not_told() {
        for code in [1054, 1064, 1366, 1105] {
            let refusal = meaning(&Refusal { code, message: "near 'hunter2'".into() });
            assert!(!refusal.reason.contains("hunter2") && refusal.reason.contains(&code.to_string()), "{refusal:?}");
        }
    }

    proptest! {
        #[test]
        fn no_row_makes_the_parser_panic(packet: Vec<u8>) {
            let _ = parse_row(&packet);
        }
    }
}
