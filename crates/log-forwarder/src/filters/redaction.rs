//! Secrets that are hidden in records before anything leaves the pod.
//!
//! A pattern is looked for in the text of the app as it is written, and in each value as it is
//! read, because an escape can hide a secret from the text. A line that shows a secret only in such
//! a way is hidden as a whole.

use std::borrow::Cow;

use super::{json, rules::Redact};
use crate::format::record::{Field, Parsed, Value};

/// Patterns, and the text in place of what they find
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction {
    pub(super) patterns: Vec<Redact>,
    pub(super) with: String,
}

impl Redaction {
    /// Whether nothing is hidden
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The text in place of a secret
    pub(crate) fn with(&self) -> &str {
        &self.with
    }

    /// Hides secrets in a text. True if there was one. JSON stays JSON, unless a match takes more
    /// than a value.
    pub(crate) fn hide(&self, text: &mut Cow<'_, str>, is_json: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let in_strings = is_json && replace(text, |text| json::replaced(text, |string| self.replaced(string, false)));
        replace(text, |text| self.replaced(text, is_json)) || in_strings
    }

    /// Hides secrets in values, and in the message that was found. True if there was one.
    pub(crate) fn hide_in_values(&self, parsed: &mut Option<Parsed<'_>>, around: &mut [Field<'_>]) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut is_redacted = self.hide_in_fields(around);
        if let Some(Parsed { message, fields, .. }) = parsed {
            is_redacted |= self.hide_in_fields(fields);
            is_redacted |= message.as_mut().is_some_and(|message| self.hide(message, false));
        }
        is_redacted
    }

    fn hide_in_fields(&self, fields: &mut [Field<'_>]) -> bool {
        let mut is_redacted = false;
        for (_, value) in fields {
            is_redacted |= match value {
                Value::Text(text) => self.hide(text, false),
                Value::Json(json) => self.hide(json, true),
            };
        }
        is_redacted
    }

    fn replaced(&self, text: &str, is_json: bool) -> Option<String> {
        let mut found: Option<String> = None;
        for Redact(pattern) in &self.patterns {
            let text = found.as_deref().unwrap_or(text);
            let values = if is_json && pattern.is_in(text) { json::values(text) } else { Vec::new() };
            let new = pattern.replaced(text, &values, &self.with);
            found = new.or(found);
        }
        found
    }
}

fn replace(text: &mut Cow<'_, str>, new: impl FnOnce(&str) -> Option<String>) -> bool {
    let new = new(text);
    let is_new = new.is_some();
    if let Some(new) = new {
        *text = new.into();
    }
    is_new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(pattern: &str, json: &str) -> String {
        let redaction = Redaction { patterns: vec![pattern.parse().unwrap()], with: "*".into() };
        let mut text = json.into();
        redaction.hide(&mut text, true);
        text.into_owned()
    }

    #[test]
    fn a_match_that_begins_in_a_name_hides_the_value() {
        let json = r#"{"password":"hunter2", "note":"password: hunter2","id":5}"#;
        let both = r#"{"password":"*", "note":"password: *","id":5}"#;
        assert_eq!(hidden(r"password\W*(?<secret>\w*)", json), both);
        // Such a text is no JSON any more, but it holds no secret.
        assert_eq!(hidden("password.*", json), r#"{"*"#);
        assert_eq!(hidden(r"password\S*", json), r#"{"* "note":"* hunter2","id":5}"#);
        assert_eq!(hidden("password", json), r#"{"*":"hunter2", "note":"*: hunter2","id":5}"#);
        assert_eq!(hidden("note.*", r#"{"id":"note 5","a":1}"#), r#"{"id":"*","a":1}"#);
    }

    #[test]
    fn an_escaped_quote_is_not_the_end_of_a_secret() {
        let json = r#"{"password":"a\"b\\","id":"\"x"}"#;
        assert_eq!(hidden(r#""password":"(?<secret>[^"]*)""#, json), r#"{"password":"*","id":"\"x"}"#);
        assert_eq!(hidden(r#""password":"(?<secret>[^"]*)"#, json), r#"{"password":"*","id":"\"x"}"#);
        assert_eq!(hidden(r#""password":"[^"]*","#, r#"{"password":"a\",b","id":5}"#), r#"{*","id":5}"#);
        assert_eq!(hidden(r#""password":"[^"]*""#, json), r#"{*,"id":"\"x"}"#);
        // A pattern may also mean a part of a value.
        assert_eq!(hidden(r#""password":"(?<secret>.)"#, json), r#"{"password":"*\"b\\","id":"\"x"}"#);
        assert_eq!(hidden("b", json), r#"{"password":"a\"*\\","id":"\"x"}"#);
    }
}
