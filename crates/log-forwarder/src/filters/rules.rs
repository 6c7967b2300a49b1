//! The settings of filters, as flags and entries of the configuration have them.

use std::{fmt, str::FromStr};

use super::{
    Filter, Redaction,
    condition::{Condition, FieldTest},
};
use crate::format::{Format, Pattern, severity::Severity};

/// The text in place of a secret, unless a setting says otherwise
const REDACTED: &str = "[REDACTED]";

/// Settings of records that are kept, dropped, and redacted
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) keep: Vec<Pattern>,
    pub(crate) drop: Vec<Pattern>,
    pub(crate) keep_field: Vec<FieldTest>,
    pub(crate) drop_field: Vec<FieldTest>,
    pub(crate) drop_below: Option<Level>,
    pub(crate) redact: Vec<Redact>,
    pub(crate) redact_with: Option<ReplacementText>,
}

/// A pattern of secrets, which is itself not printed, because it may hold one
#[derive(Clone, PartialEq)]
pub(crate) struct Redact(pub(super) Pattern);

/// A level of `--drop-below`
#[derive(Clone, Debug)]
pub(crate) struct Level {
    name: String,
    severity: Severity,
}

/// A text of `--redact-with`
#[derive(Clone, Debug)]
pub(crate) struct ReplacementText(String);

impl Rules {
    /// The rules of an input. An input without any filter takes all filters of the flags; an input
    /// with filters takes none of them. Its patterns of secrets are added to those of the flags.
    pub(crate) fn over(&self, flags: &Self) -> Self {
        let filters = if self.has_filters() { self } else { flags };
        Self {
            redact: flags.redact.iter().chain(&self.redact).cloned().collect(),
            redact_with: self.redact_with.as_ref().or(flags.redact_with.as_ref()).cloned(),
            ..filters.clone()
        }
    }

    /// The filter and the redaction. An error names settings that exclude each other.
    pub(crate) fn of(&self, format: &Format) -> Result<(Filter, Redaction), String> {
        let needs_fields = !self.keep_field.is_empty() || !self.drop_field.is_empty();
        if needs_fields && format.is_raw() {
            return Err(
                "keep-field and drop-field find no fields in format raw: use keep and drop, or choose a format".into(),
            );
        }
        if self.drop_below.is_some() && !format.has_fields() {
            return Err(
                "drop-below finds no level without a format that has fields: choose one, such as json or regex:PATTERN"
                    .into(),
            );
        }
        let with = self.redact_with.as_ref().map_or(REDACTED, |ReplacementText(text)| text);
        if self.redact.iter().any(|Redact(pattern)| pattern.is_in(with)) {
            // The text may hold a secret, as the pattern says.
            let place = if self.redact_with.is_some() { "the text of redact-with" } else { REDACTED };
            return Err(format!(
                "redact finds a secret in {place}, which it writes in place of secrets: choose another redact-with"
            ));
        }
        let text = |patterns: &[Pattern]| patterns.iter().cloned().map(Condition::Text).collect::<Vec<_>>();
        let field = |tests: &[FieldTest]| tests.iter().cloned().map(Condition::Field).collect::<Vec<_>>();
        let below = self.drop_below.iter().map(|level| Condition::Below(level.severity));
        let filter = Filter {
            keep: [text(&self.keep), field(&self.keep_field)].concat(),
            drop: [text(&self.drop), field(&self.drop_field), below.collect()].concat(),
        };
        Ok((filter, Redaction { patterns: self.redact.clone(), with: with.to_owned() }))
    }

    fn has_filters(&self) -> bool {
        let Self { keep, drop, keep_field, drop_field, drop_below, redact: _, redact_with: _ } = self;
        let has_patterns = !keep.is_empty() || !drop.is_empty();
        has_patterns || !keep_field.is_empty() || !drop_field.is_empty() || drop_below.is_some()
    }
}

impl FromStr for Redact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern hides nothing: write the pattern of a secret".into());
        }
        Pattern::new(text).map(Self)
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("…")
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let severity = Severity::of(text)
            .ok_or("this is no level: write trace, debug, info, notice, warning, error, critical or fatal")?;
        Ok(Self { name: text.to_owned(), severity })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for ReplacementText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("a control character, such as a newline, would tear lines: leave it out".into());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ReplacementText {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}
