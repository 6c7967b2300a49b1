//! The severity of a record, from the words of many programs.

use crate::format::record::{Field, Value};

/// Names under which records have their level, most usual first
const NAMES: [&str; 5] = ["level", "severity", "lvl", "log.level", "loglevel"];

/// How severe a record is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Trace,
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    /// The program ends. That is critical, and no emergency of the machine.
    Fatal,
    Alert,
    Emergency,
}

/// The level as a record has it: a word, or a number as JSON writes it
pub(crate) fn level<'a>(fields: &'a [Field]) -> Option<&'a str> {
    let field = NAMES.iter().find_map(|name| fields.iter().find(|(key, _)| key == name))?;
    match &field.1 {
        Value::Text(text) => Some(text),
        Value::Json(json) => {
            Some(json).filter(|json| json.bytes().all(|byte| byte.is_ascii_digit())).map(|json| &**json)
        }
    }
}

impl Severity {
    /// The meaning of a level. Numbers below 8 are syslog's; the tens are those of bunyan and pino.
    pub(crate) fn of(level: &str) -> Option<Self> {
        let is = |words: &[&str]| words.iter().any(|word| level.eq_ignore_ascii_case(word));
        Some(match level {
            _ if is(&["info", "information", "informational", "6", "30"]) => Self::Info,
            _ if is(&["warn", "warning", "4", "40"]) => Self::Warning,
            _ if is(&["error", "err", "3", "50"]) => Self::Error,
            _ if is(&["debug", "dbg", "7", "20"]) => Self::Debug,
            _ if is(&["trace", "10"]) => Self::Trace,
            _ if is(&["notice", "5"]) => Self::Notice,
            _ if is(&["critical", "crit", "2"]) => Self::Critical,
            _ if is(&["fatal", "60"]) => Self::Fatal,
            _ if is(&["alert", "1"]) => Self::Alert,
            _ if is(&["emergency", "emerg", "panic", "0"]) => Self::Emergency,
            _ => return None,
        })
    }

    /// The number of RFC 5424, table 2
    pub(crate) fn syslog(self) -> u8 {
        match self {
            Self::Trace | Self::Debug => 7,
            Self::Info => 6,
            Self::Notice => 5,
            Self::Warning => 4,
            Self::Error => 3,
            Self::Critical | Self::Fatal => 2,
            Self::Alert => 1,
            Self::Emergency => 0,
        }
    }

    /// The `SeverityNumber` of OpenTelemetry's log data model; syslog's own words as its appendix B has them
    pub(crate) fn otlp(self) -> u8 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Notice => 10,
            Self::Warning => 13,
            Self::Error => 17,
            Self::Critical => 18,
            Self::Alert => 19,
            Self::Fatal | Self::Emergency => 21,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(name: &'static str, value: Value<'static>) -> Option<Severity> {
        level(&[("status".into(), Value::Json("3".into())), (name.into(), value)]).and_then(Severity::of)
    }

    #[test]
    fn levels_are_words_or_numbers() {
        assert_eq!(severity("level", Value::Text("WARNING".into())), Some(Severity::Warning));
        assert_eq!(severity("severity", Value::Text("Err".into())), Some(Severity::Error));
        assert_eq!(severity("lvl", Value::Json("30".into())), Some(Severity::Info));
        assert_eq!(severity("level", Value::Json("2".into())), Some(Severity::Critical));
        for value in ["loud", "", "35"] {
            assert_eq!(severity("level", Value::Text(value.into())), None);
        }
        assert_eq!(severity("level", Value::Json("{}".into())), None);
        assert_eq!(severity("message", Value::Text("error".into())), None);
    }
}
