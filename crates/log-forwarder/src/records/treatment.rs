//! How the files of an input are read.

use std::borrow::Cow;

use crate::{
    filters::{Filter, Redaction},
    format::{
        Format,
        record::{Field, Parsed, Wrapped},
    },
};

/// How the lines of an input are read, which of them are sent, and the fields that each record
/// carries
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Treatment {
    pub(crate) format: Format,
    pub(crate) filter: Filter,
    pub(crate) redaction: Redaction,
    /// Whether files that are compressed are read
    pub(crate) reads_compressed: bool,
    /// Names and values: those of the pod, and `--field`
    pub(crate) attributes: Vec<(String, String)>,
}

/// The content of a line, without secrets
pub(super) struct Reading<'a> {
    pub(super) line: &'a str,
    /// The app's part of the line
    pub(super) text: &'a str,
    pub(super) time: Option<i64>,
    pub(super) message: Cow<'a, str>,
    pub(super) fields: Vec<Field<'a>>,
    /// The line has the form and the time that the settings say.
    pub(super) is_parsed: bool,
    /// A secret was hidden.
    pub(super) is_redacted: bool,
}

impl<'a> Reading<'a> {
    /// A line that is its own message
    fn raw(line: &'a str) -> Self {
        Self {
            line,
            text: line,
            time: None,
            message: line.into(),
            fields: Vec::new(),
            is_parsed: true,
            is_redacted: false,
        }
    }
}

impl Treatment {
    /// Reads the line of a record without its last newline, hides secrets in it, and hands it on.
    pub(super) fn read(&self, line: &str, redaction: &Redaction, visit: impl FnOnce(Reading<'_>)) {
        let format = &self.format;
        if format.is_raw() && redaction.is_empty() {
            return visit(Reading::raw(line));
        }
        let wrapped = format.unwrap(line);
        let has_form = wrapped.is_some();
        let Wrapped { time: outer_time, mut text, fields: mut around } = wrapped.unwrap_or_else(|| Wrapped::bare(line));
        let has_secret_around = has_form && self.has_secret_around(line, &text, redaction);
        redaction.hide_around(&mut around);
        let has_secret_text = redaction.hide(&mut text, format.has_json_text());
        let mut parsed = if has_form { format.read(&text) } else { None };
        let has_secret_value = redaction.hide_in_values(&mut parsed);
        // All names and values of JSON were looked at as they are read.
        let is_looked_through = has_secret_value || parsed.is_some() && format.has_json_text();
        let has_escaped_secret = !is_looked_through && redaction.is_behind_escapes(&text);
        if has_escaped_secret && let Some(parsed) = &mut parsed {
            *parsed = Parsed { time: parsed.time, lacks_time: parsed.lacks_time, ..Parsed::default() };
        }
        let rewrapped = if has_secret_text && has_form { format.rewrap(line, &text) } else { None };
        // A secret that was seen only as it is read is still in the text, in another form.
        let (text, line): (&str, &str) = match (has_secret_text, &rewrapped) {
            _ if has_secret_value || has_escaped_secret => (redaction.with(), redaction.with()),
            _ if has_secret_around => (&text, redaction.with()),
            (false, _) => (&text, line),
            (true, Some(rewrapped)) => (&text, rewrapped),
            (true, None) if format.is_wrapped() && has_form => (&text, redaction.with()),
            (true, None) => (&text, &text),
        };
        let is_parsed = parsed.as_ref().is_some_and(|parsed| !parsed.lacks_time);
        let Parsed { time, message, fields, .. } = parsed.unwrap_or_default();
        visit(Reading {
            line,
            text,
            time: time.or(outer_time),
            message: message.unwrap_or(text.into()),
            fields: joined(around, fields),
            is_parsed,
            is_redacted: has_secret_text || has_secret_value || has_escaped_secret || has_secret_around,
        });
    }

    /// Whether there is a secret in a line beside the text of the app
    fn has_secret_around(&self, line: &str, text: &str, redaction: &Redaction) -> bool {
        let is_looked_for = self.format.is_wrapped() && !redaction.is_empty();
        is_looked_for && self.has_secret(&self.format.around(line, text), redaction)
    }

    /// Whether there is a secret in the lines of a record beside the parts of the text of the app
    pub(super) fn has_secret_around_parts(&self, lines: &[u8]) -> bool {
        self.format.around_parts(lines).lines().any(|line| self.has_secret(line, &self.redaction))
    }

    fn has_secret(&self, around: &str, redaction: &Redaction) -> bool {
        redaction.hide(&mut around.into(), self.format.is_wrapped_in_json()) || redaction.is_behind_escapes(around)
    }
}

/// The fields of a container runtime, and behind them those of the app. Of two with one name the
/// app's counts.
fn joined<'a>(mut around: Vec<Field<'a>>, fields: Vec<Field<'a>>) -> Vec<Field<'a>> {
    if around.is_empty() {
        return fields;
    }
    around.retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
    around.extend(fields);
    around
}
