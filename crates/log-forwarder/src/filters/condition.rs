//! Conditions by which a record is kept or dropped.

use std::{fmt, str::FromStr};

use crate::format::{
    Pattern,
    record::{Record, Value},
    severity::{Severity, level},
};

/// The name by which a field test means the message
const MESSAGE: &str = "message";

/// One condition of a record
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// The text of the app has a match.
    Text(Pattern),
    Field(FieldTest),
    /// Its level is below this one. A record without a level is not.
    Below(Severity),
}

/// `--keep-field` and `--drop-field`: `NAME=VALUE`, or `NAME~PATTERN`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldTest {
    name: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Is(String),
    Matches(Pattern),
}

impl Condition {
    pub(super) fn is_met(&self, record: &Record) -> bool {
        match self {
            Self::Text(pattern) => pattern.is_in(record.text),
            Self::Field(test) => test.is_met(record),
            Self::Below(least) => level(&record.fields).and_then(Severity::of).is_some_and(|found| found < *least),
        }
    }
}

impl FieldTest {
    fn is_met(&self, record: &Record) -> bool {
        let field = record.fields.iter().find(|(name, _)| *name == self.name);
        match field {
            Some((_, Value::Text(value) | Value::Json(value))) => self.test.is_met(value),
            None => self.name == MESSAGE && self.test.is_met(&record.message),
        }
    }
}

impl Test {
    fn is_met(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::Matches(pattern) => pattern.is_in(value),
        }
    }
}

impl FromStr for FieldTest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['=', '~']).filter(|at| *at > 0);
        let at = at.ok_or("this names no field: write NAME=VALUE, or NAME~PATTERN")?;
        let (name, rest) = text.split_at(at);
        let condition = match rest.strip_prefix('=') {
            Some(value) => Test::Is(value.to_owned()),
            None => Test::Matches(Pattern::new(&rest[1..])?),
        };
        Ok(Self { name: name.to_owned(), test: condition })
    }
}

impl fmt::Display for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.test {
            Test::Is(value) => write!(f, "{}={value}", self.name),
            Test::Matches(pattern) => write!(f, "{}~{pattern}", self.name),
        }
    }
}
