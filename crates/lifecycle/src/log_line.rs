//! One event as one line: JSON for programs, text for people.

use std::fmt::{self, Debug, Write as _};

use serde::ser::{Error, SerializeMap, Serializer};
use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::color::{Paint, painted};

/// How an event becomes a line. One type for both, because each kind of layer is a copy of all its code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogLine {
    Text,
    Json,
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self {
            Self::Text => text(writer, event),
            Self::Json => json(writer, event).map_err(|_| fmt::Error),
        }
    }
}

impl LogLine {
    /// A whole line of level info whose fields have names that are known only at run time.
    pub(crate) fn info(self, message: &str, fields: &[(String, Value)]) -> String {
        let mut time = String::new();
        // Writing to a text does not fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        match self {
            Self::Json => {
                let head = [("timestamp", time.as_str()), ("level", "INFO"), ("message", message)];
                let head = head.map(|(name, value)| format!("{}:{}", Value::from(name), Value::from(value)));
                let fields = fields.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
                format!("{{{}}}\n", head.into_iter().chain(fields).collect::<Vec<_>>().join(","))
            }
            Self::Text => {
                let level = painted(" INFO", Paint::of(Level::INFO));
                let mut line = format!("{time} {level} {}", escaped(message));
                for (name, value) in fields {
                    let text = match value {
                        Value::String(text) if is_plain(text) => text.clone(),
                        value => escaped(&value.to_string()),
                    };
                    let _ = write!(line, " {name}={text}");
                }
                line + "\n"
            }
        }
    }
}

/// The text with its control characters escaped, so that it can neither forge a line nor steer a terminal.
pub(crate) fn escaped(text: &str) -> String {
    escaped_except(text, None)
}

/// The same for a text of several lines.
pub(crate) fn escaped_lines(text: &str) -> String {
    escaped_except(text, Some('\n'))
}

fn escaped_except(text: &str, kept: Option<char>) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && Some(character) != kept {
            safe.extend(character.escape_debug());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The time now, as log lines have it (RFC 3339, microseconds, UTC).
pub fn timestamp() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// Time, level and fields of an event as one object. It has no spans, because no code here opens one.
fn json(mut writer: Writer, event: &Event) -> serde_json::Result<()> {
    let mut line = Vec::new();
    let timestamp = timestamp();
    let mut object = serde_json::Serializer::new(&mut line);
    let mut object = object.serialize_map(None)?;
    object.serialize_entry("timestamp", &timestamp)?;
    object.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = SerdeMapVisitor::new(object);
    event.record(&mut fields);
    fields.finish()?;
    writeln!(writer, "{}", String::from_utf8_lossy(&line)).map_err(serde_json::Error::custom)
}

/// `TIME LEVEL message key=value …`
fn text(mut writer: Writer, event: &Event) -> fmt::Result {
    SystemTime.format_time(&mut writer)?;
    let mut fields = TextFields::default();
    event.record(&mut fields);
    let level = *event.metadata().level();
    writeln!(writer, " {} {}{}", painted(&format!("{level:>5}"), Paint::of(level)), fields.message, fields.others)
}

/// The fields of an event as text
#[derive(Default)]
struct TextFields {
    message: String,
    others: String,
}

impl Visit for TextFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = escaped(value);
        } else {
            let _ = write!(self.others, " {}={value:?}", field.name());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = escaped(&text);
        } else if is_plain(&text) || is_quoted(&text) {
            let _ = write!(self.others, " {}={text}", field.name());
        } else {
            let _ = write!(self.others, " {}={text:?}", field.name());
        }
    }
}

/// Whether the text is one word that no reader can take for two fields.
fn is_plain(text: &str) -> bool {
    let is_special = |character: char| character.is_whitespace() || character.is_control() || "\"=".contains(character);
    !text.is_empty() && !text.contains(is_special)
}

/// Whether `Debug` has quoted the text already: quotation marks at both ends, and none within that ends it earlier.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut is_after_backslash = false;
    for character in inner.chars() {
        if character.is_control() || (character == '"' && !is_after_backslash) {
            return false;
        }
        is_after_backslash = character == '\\' && !is_after_backslash;
    }
    !is_after_backslash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escaped("a\nb\u{1b}[31m\u{9b}é"), "a\\nb\\u{1b}[31m\\u{9b}é");
        assert_eq!(escaped_lines("a\nb\r"), "a\nb\\r");
    }

    #[test]
    fn a_text_is_taken_as_quoted_only_when_nothing_ends_it_early() {
        for quoted in [r#""""#, r#""a b""#, r#""a\"b""#, r#""a\\""#] {
            assert!(is_quoted(quoted), "{quoted}");
        }
        for not in [r#"""#, r#""a" level="x""#, r#""a\""#, "\"a\nb\"", "a"] {
            assert!(!is_quoted(not), "{not}");
        }
    }
}
