//! One line of a program's log.

use std::{
    borrow::Borrow,
    fmt,
    ops::{Deref, Index},
};

use serde_json::Value;

/// A line that a program wrote to stderr: its text and, when it is JSON, its fields
#[derive(Clone)]
pub struct Line {
    text: String,
    fields: Value,
}

impl Line {
    /// Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let fields = serde_json::from_str(&text).unwrap_or_default();
        Self { text, fields }
    }

    /// The line as it was written, without its line break
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The field `message` of a JSON line, or the whole of any other line
    pub fn message(&self) -> &str {
        self.fields["message"].as_str().unwrap_or(&self.text)
    }
}

/// A field of a JSON line; `Null` when the line has no such field or is no JSON
impl Index<&str> for Line {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.fields[field]
    }
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// For `concat` and `join` of a whole log
impl Borrow<str> for Line {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for Line {
    fn eq(&self, text: &str) -> bool {
        self.text == text
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}
