//! The question that a database is asked after the login: a query, a table or a migration.
//!
//! Any value of a query may be a secret. Therefore no message holds one that is true, and none
//! holds any of the SQL.

pub(crate) mod migration;
mod tools;

use endpoint::{Options, Password};
use lifecycle::{Exit, Secret};

use self::migration::Migration;
use crate::not_ready::{Cause, NotReady, Verdict};

/// Bytes of the name of a table
const NAME_LIMIT: usize = 256;

/// For a query that the server has ended in time
pub(super) const TAKES_TOO_LONG: &str = "the query takes longer than an attempt has: give attempt-timeout=DURATION";

/// What a database is asked after the login
#[derive(Debug)]
pub(super) enum Question {
    /// SQL of the user, whose first value is to be true
    Query(Sql),
    /// The name of a table that is to be there
    Table(String),
    Migration(Migration),
}

/// SQL, or the place that holds it
#[derive(Debug)]
pub(super) enum Sql {
    Written(Secret),
    Named(Password),
}

impl Question {
    /// Takes the options of a question, of which at most one may be there.
    pub(super) fn from_options(options: &mut Options) -> Result<Option<Self>, String> {
        let written = options.parsed("query", |text| usable(text).map(Secret::from))?.map(Sql::Written);
        let named = Password::named(options, "query-file", "query-env")?.map(Sql::Named);
        let table = options.parsed("table", name)?;
        let migration = options.parsed("migration", Migration::parse)?;
        let mut given =
            [written.map(Self::Query), named.map(Self::Query), table.map(Self::Table), migration.map(Self::Migration)]
                .into_iter()
                .flatten();
        match (given.next(), given.next()) {
            (_, Some(_)) => Err("options query, query-file, query-env, table and migration exclude each other".into()),
            (question, None) => Ok(question),
        }
    }
}

impl Sql {
    /// The SQL as it is now.
    pub(super) async fn current(&self) -> Result<Secret, NotReady> {
        match self {
            Self::Written(sql) => Ok(sql.clone()),
            Self::Named(place) => {
                let sql = place.current().await?;
                let unusable = |error| NotReady::new(Cause::Never(Exit::Usage), format!("the query: {error}"));
                // Editors may begin a file with a byte-order mark, which is no SQL.
                let text = sql.expose().trim_start_matches('\u{feff}');
                usable(text).map(Secret::from).map_err(unusable)
            }
        }
    }
}

/// The verdict on a query, from its first row. The text of the first value decides, whatever its
/// type is.
pub(super) fn judge_row(row: Option<&[Option<String>]>) -> Verdict {
    let found = match row.map(|row| row.first().and_then(Option::as_deref)) {
        None => "no row",
        Some(None) => "NULL",
        Some(Some(text)) => match untrue(text) {
            Some(found) => found,
            None => return Ok("logged in, the query found a true value".into()),
        },
    };
    Err(NotReady::new(Cause::Contrary, format!("the query found {found}")))
}

/// The words for a value that is not true. A bit of MySQL is a byte, which is a NUL for 0.
fn untrue(text: &str) -> Option<&'static str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_ascii_lowercase();
    match text.as_str() {
        "" => Some("an empty value"),
        "f" | "false" => Some("false"),
        text => match text.parse::<f64>() {
            Ok(number) if number.is_nan() => Some("NaN"),
            // A number that is not 0 can be too small for a float.
            Ok(number) if number == 0.0 && !text.split('e').next()?.contains(|c| ('1'..='9').contains(&c)) => Some("0"),
            _ => None,
        },
    }
}

/// For a row of a query that is longer than an answer may be
pub(super) fn long_row() -> NotReady {
    NotReady::never("a row has more than 64 KiB: let the query select one short value")
}

/// For a question without a password, where the server asks for one
pub(super) fn needs_password() -> NotReady {
    NotReady::denied(
        "the server asks for a password, and a query needs a login: add password-file=PATH or password-env=NAME",
    )
}

fn usable(text: &str) -> Result<&str, String> {
    match text {
        text if text.trim().is_empty() => Err("it is empty".into()),
        text if text.contains('\0') => Err("it has a NUL".into()),
        text => Ok(text),
    }
}

/// The name of a table or of a schema.
pub(super) fn name(text: &str) -> Result<String, String> {
    match usable(text)? {
        text if text.len() > NAME_LIMIT => Err(format!("a name has at most {NAME_LIMIT} bytes")),
        text if text.contains(char::is_control) => Err("it has a control character".into()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(value: Option<&str>) -> Verdict {
        judge_row(Some(&[value.map(str::to_owned)]))
    }

    #[test]
    fn a_value_is_true_or_not() {
        let tiny = format!("0.{}1", "0".repeat(400));
        for value in ["t", "true", "1", "-1", "0.5", "1e-9", "Infinity", "ready", "no", "00:00:00", "\u{1}", &tiny] {
            assert!(judge(Some(value)).is_ok(), "{value}");
        }
        for (value, words) in [
            (None, "NULL"),
            (Some(""), "an empty value"),
            (Some(" \n"), "an empty value"),
            (Some("\0"), "an empty value"),
            (Some("f"), "false"),
            (Some("FALSE"), "false"),
            (Some("0"), "0"),
            (Some("-0.00"), "0"),
            (Some("0e10"), "0"),
            (Some("NaN"), "NaN"),
        ] {
            assert_eq!(judge(value).unwrap_err().reason, format!("the query found {words}"), "{value:?}");
        }
        assert_eq!(judge_row(None).unwrap_err().reason, "the query found no row");
        assert_eq!(judge_row(Some(&[])).unwrap_err().reason, "the query found NULL");
    }

    #[test]
    fn a_value_is_never_shown() {
        assert!(!judge(Some("hunter2")).unwrap().contains("hunter2"));
    }

    #[test]
    fn a_question_is_one_question() {
        let question = |text: &str| Question::from_options(&mut Options::from_fragment(text).unwrap());
        assert!(question("stable=3").unwrap().is_none());
        assert!(question("query=SELECT 1").unwrap().is_some());
        for (text, error) in [
            ("query=x&table=y", "options query, query-file, query-env, table and migration exclude each other"),
            ("query= ", "option query: it is empty"),
            ("query=a%00b", "option query: it has a NUL"),
            ("table=", "option table: it is empty"),
            ("table=a%0ab", "option table: it has a control character"),
        ] {
            assert_eq!(question(text).map(|_| ()).unwrap_err(), error, "{text}");
        }
        let long = format!("table={}", "x".repeat(257));
        assert_eq!(question(&long).map(|_| ()).unwrap_err(), "option table: a name has at most 256 bytes");
    }
}
