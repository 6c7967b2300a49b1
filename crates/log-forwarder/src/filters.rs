//! Filters and redaction: which records are sent, and which secrets are hidden in them. An input
//! without such settings pays nothing for this.

mod condition;
mod flags;
mod json;
mod redaction;
mod rules;

use self::condition::Condition;
pub(crate) use self::{
    condition::FieldTest,
    flags::{FilterFlags, redact_label},
    redaction::Redaction,
    rules::{Level, Redact, ReplacementText, Rules},
};
use crate::format::record::Record;

/// Which records are sent
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Where there are some, a record must meet one of them.
    keep: Vec<Condition>,
    /// A record that meets one of them is dropped.
    drop: Vec<Condition>,
}

impl Filter {
    /// Whether every record is sent
    pub(crate) fn is_empty(&self) -> bool {
        self.keep.is_empty() && self.drop.is_empty()
    }

    pub(crate) fn keeps(&self, record: &Record) -> bool {
        let is_met = |condition: &Condition| condition.is_met(record);
        (self.keep.is_empty() || self.keep.iter().any(is_met)) && !self.drop.iter().any(is_met)
    }
}
