//! The severity of a record, from the words of many programs.

use crate::format::record::{Field, Value};

/// Bytes of the longest word; a longer one is no level.
const LONGEST_WORD: usize = 16;

/// How severe a record is, in rising order, which is that of OTLP's numbers
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Trace,
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    /// The program ends. Syslog has no word for that: it is critical there, because it is neither
    /// an alert nor an emergency of the machine.
    Fatal,
    Emergency,
}

/// The level as a record has it: a word, or a number as JSON writes it
pub(crate) fn level<'a>(fields: &'a [Field]) -> Option<&'a str> {
    let ranked = fields.iter().filter_map(|(name, value)| Some((rank(name)?, value)));
    match ranked.min_by_key(|(rank, _)| *rank)?.1 {
        Value::Text(text) => Some(text),
        Value::Json(json) => {
            Some(json).filter(|json| json.bytes().all(|byte| byte.is_ascii_digit())).map(|json| &**json)
        }
    }
}

/// How usual it is that a field of this name is the level: 0 is most usual. The names are those of
/// slog, logrus, pino and many more, Google Cloud, .NET and Serilog (also its compact form),
/// Python, OpenTelemetry, PostgreSQL, and journald.
fn rank(name: &str) -> Option<u8> {
    Some(match name {
        "level" => 0,
        "severity" => 1,
        "lvl" | "Level" | "LEVEL" => 2,
        "log.level" | "loglevel" | "log_level" | "logLevel" | "LogLevel" => 3,
        "levelname" | "Severity" | "SeverityText" | "severity_text" | "error_severity" | "@l" | "PRIORITY" => 4,
        _ => return None,
    })
}

impl Severity {
    /// The meaning of a level. Numbers below 8 are syslog's; the tens are those of bunyan and pino.
    /// Single letters are those of glog, klog and Android; three and four letters those of zerolog,
    /// Serilog and .NET.
    pub(crate) fn of(level: &str) -> Option<Self> {
        let mut room = [0; LONGEST_WORD];
        let word = room.get_mut(..level.len())?;
        word.copy_from_slice(level.as_bytes());
        word.make_ascii_lowercase();
        Some(match &*word {
            b"info" | b"information" | b"informational" | b"inf" | b"i" | b"6" | b"30" | b"log" | b"statement"
            | b"detail" | b"hint" | b"http" | b"system" => Self::Info,
            b"warn" | b"warning" | b"wrn" | b"w" | b"4" | b"40" => Self::Warning,
            b"error" | b"err" | b"eror" | b"e" | b"3" | b"50" | b"severe" | b"fail" => Self::Error,
            b"debug" | b"dbg" | b"dbug" | b"d" | b"7" | b"20" | b"fine" | b"config" | b"debug1" | b"debug2"
            | b"debug3" | b"debug4" | b"debug5" => Self::Debug,
            b"trace" | b"trce" | b"trc" | b"t" | b"10" | b"verbose" | b"vrb" | b"v" | b"silly" | b"finer"
            | b"finest" | b"trace1" | b"trace2" | b"trace3" | b"trace4" | b"trace5" | b"trace6" | b"trace7"
            | b"trace8" => Self::Trace,
            b"notice" | b"note" | b"5" | b"success" => Self::Notice,
            b"critical" | b"crit" | b"2" | b"dpanic" => Self::Critical,
            b"fatal" | b"ftl" | b"f" | b"60" | b"panic" | b"pnc" => Self::Fatal,
            b"alert" | b"1" => Self::Alert,
            b"emergency" | b"emerg" | b"0" => Self::Emergency,
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

    /// The `SeverityNumber` of OpenTelemetry's log data model; syslog's own words as its appendix B
    /// has them
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
        for value in ["loud", "", "35", "a level with more words"] {
            assert_eq!(severity("level", Value::Text(value.into())), None);
        }
        assert_eq!(severity("level", Value::Json("{}".into())), None);
        assert_eq!(severity("message", Value::Text("error".into())), None);
    }

    #[test]
    fn words_of_many_programs() {
        use Severity::{Critical, Debug, Error, Fatal, Info, Notice, Trace, Warning};
        for (words, expected) in [
            // glog and klog; java.util.logging; Serilog and .NET
            ("I W E F", vec![Info, Warning, Error, Fatal]),
            ("SEVERE WARNING INFO CONFIG FINE FINER FINEST", vec![Error, Warning, Info, Debug, Debug, Trace, Trace]),
            ("Verbose Debug Information Warning Error Fatal", vec![Trace, Debug, Info, Warning, Error, Fatal]),
            ("trce dbug info warn fail crit", vec![Trace, Debug, Info, Warning, Error, Critical]),
            // zap, zerolog, PostgreSQL, Python and loguru, winston, MySQL
            ("dpanic panic fatal", vec![Critical, Fatal, Fatal]),
            ("TRC DBG INF WRN ERR FTL PNC", vec![Trace, Debug, Info, Warning, Error, Fatal, Fatal]),
            ("DEBUG3 LOG STATEMENT NOTICE WARNING FATAL PANIC", vec![Debug, Info, Info, Notice, Warning, Fatal, Fatal]),
            ("CRITICAL SUCCESS", vec![Critical, Notice]),
            ("silly verbose http", vec![Trace, Trace, Info]),
            ("System Note", vec![Info, Notice]),
            // bunyan and pino
            ("10 20 30 40 50 60", vec![Trace, Debug, Info, Warning, Error, Fatal]),
        ] {
            let found: Vec<_> = words.split(' ').filter_map(Severity::of).collect();
            assert_eq!(found, expected, "{words}");
        }
        assert_eq!((Severity::of("PANIC").unwrap().otlp(), Severity::of("PANIC").unwrap().syslog()), (21, 2));
    }

    /// The rows of the table in the README, from the least severity to the greatest: all words and
    /// numbers of a level, OTLP's number, syslog's number
    fn documented() -> Vec<(Vec<&'static str>, u8, u8)> {
        let (_, levels) = include_str!("../../README.md").split_once("\n### Levels\n").unwrap();
        let rows = levels.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        let row = |line: &'static str| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, words, otlp, syslog] = cells[..] else { panic!("{line}") };
            let words = words.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            (words.chain([name]).collect(), otlp.parse().unwrap(), syslog.parse().unwrap())
        };
        rows.take_while(|line| line.starts_with('|')).map(row).collect()
    }

    #[test]
    fn levels_are_ordered_as_documented() {
        let rows = documented();
        assert_eq!(rows.len(), 10);
        assert!(rows.is_sorted_by_key(|(_, otlp, _)| *otlp));
        for (words, otlp, syslog) in &rows {
            let severity = Severity::of(words.last().unwrap()).unwrap();
            assert_eq!((severity.otlp(), severity.syslog()), (*otlp, *syslog), "{words:?}");
            assert!(words.iter().all(|word| Severity::of(word) == Some(severity)), "{words:?}");
        }
        let levels: Vec<_> = rows.iter().filter_map(|(words, ..)| Severity::of(words.last()?)).collect();
        assert!(levels.is_sorted_by(|less, more| less < more), "{levels:?}");
        assert!(Severity::of("alert") < Severity::of("fatal") && Severity::of("critical") < Severity::of("alert"));
    }

    #[test]
    fn the_most_usual_name_counts() {
        let fields = [("Level", "fine"), ("severity", "SEVERE"), ("log_level", "info")];
        let fields = fields.map(|(name, value)| (name.into(), Value::Text(value.into())));
        assert_eq!(level(&fields), Some("SEVERE"));
        for name in ["LogLevel", "levelname", "@l", "error_severity", "PRIORITY"] {
            assert_eq!(severity(name, Value::Text("err".into())), Some(Severity::Error), "{name}");
        }
    }
}
