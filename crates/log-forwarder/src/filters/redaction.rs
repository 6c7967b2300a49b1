//! Secrets that are hidden in records before anything leaves the pod.
//!
//! A pattern is looked for in the text of the app as it is written, and in each value as it is
//! read, because an escape can hide a secret from the text. A line that shows a secret only without
//! its escapes is hidden as a whole.

use std::borrow::Cow;

use super::{json, rules::Redact};
use crate::format::{
    record::{Field, Parsed, Value},
    unescaped,
};

/// Layers of escapes behind which a secret is looked for. The text gets shorter with each.
const LAYERS: usize = 8;

/// Patterns, and the text in place of what they find
#[derive(Clone, Debug, Default, PartialEq)]
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
        let in_strings = is_json && replace(text, |text| json::replaced(text, |string| self.value(string)));
        let as_written = replace(text, |text| self.replaced(text, is_json));
        // A name and its value together, of which one has escapes that it needs not have
        let as_read = is_json && replace(text, |text| self.replaced(&json::plain(text)?, true));
        in_strings || as_written || as_read
    }

    /// Whether a text shows a secret only without its escapes. There may be several layers of them,
    /// as in JSON that is a string of JSON.
    pub(crate) fn is_behind_escapes(&self, text: &str) -> bool {
        let mut text = Cow::from(text);
        for _ in 0..LAYERS {
            let plain = match unescaped(&text) {
                Cow::Owned(plain) if !self.is_empty() && plain != *text => plain,
                _ => return false,
            };
            if self.replaced(&plain, false).is_some() {
                return true;
            }
            text = plain.into();
        }
        false
    }

    /// Hides secrets in values, in names with escapes, and in the message that was found. True if
    /// there was one.
    pub(crate) fn hide_in_values(&self, parsed: &mut Option<Parsed<'_>>) -> bool {
        let Some(Parsed { message, fields, .. }) = parsed.as_mut().filter(|_| !self.is_empty()) else { return false };
        let in_message = message.as_mut().is_some_and(|message| replace(message, |message| self.value(message)));
        fields.iter_mut().fold(in_message, |found, (name, value)| {
            // The text was searched for names as they are written.
            let in_name = name.contains('\\') && replace(name, |name| self.value(name));
            self.hide_in_value(value) || in_name || found
        })
    }

    /// Hides secrets in the fields of a container runtime, whose names stand in the line, too. True
    /// if there was one.
    pub(crate) fn hide_around(&self, fields: &mut [Field<'_>]) -> bool {
        fields.iter_mut().filter(|_| !self.is_empty()).fold(false, |found, (name, value)| {
            let in_name = replace(name, |name| self.value(name));
            self.hide_in_value(value) || in_name || found
        })
    }

    fn hide_in_value(&self, value: &mut Value<'_>) -> bool {
        match value {
            Value::Text(text) => replace(text, |text| self.value(text)),
            Value::Json(json) => self.hide(json, true),
        }
    }

    /// A value as it is read, without secrets; nothing if it has none.
    fn value(&self, text: &str) -> Option<String> {
        let new = self.replaced(text, false);
        if self.is_behind_escapes(new.as_deref().unwrap_or(text)) { Some(self.with.clone()) } else { new }
    }

    fn replaced(&self, text: &str, is_json: bool) -> Option<String> {
        let mut found: Option<String> = None;
        for Redact(pattern) in &self.patterns {
            let text = found.as_deref().unwrap_or(text);
            if pattern.is_in(text) {
                let is_json = is_json && json::is_whole(text);
                let new = pattern.replaced(text, &json::values(text), is_json, &self.with);
                found = new.or(found);
            }
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
