//! The log on stderr, as text or JSON lines, and the termination message.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use serde::ser::{Error, SerializeMap, Serializer};
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{
        self, FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::exit::End;

/// Where Kubernetes reads a container's last words (`terminationMessagePath`'s default).
const TERMINATION_LOG: &str = "/dev/termination-log";
/// Bytes; the kubelet keeps 4096 a container and 12 KiB a pod, so a pod of twelve containers still fits.
const TERMINATION_MESSAGE_LIMIT: usize = 1000;

/// How log lines are written
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON lines
    #[default]
    Auto,
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

impl LogFormat {
    /// As the flag has it
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Sends events of `own_crates` from `level` up to stderr; other crates are heard from warnings up, because libraries
/// print what they send at finer levels, secrets included. Returns whether people read along: text on a terminal.
pub(crate) fn start(format: LogFormat, level: LevelFilter, own_crates: &[&str]) -> bool {
    let others = level.min(LevelFilter::WARN);
    let filter = own_crates
        .iter()
        .fold(Targets::new().with_default(others), |targets, name| targets.with_target(name.replace('-', "_"), level));
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let format = fmt::format().with_target(false).with_ansi(false);
    let lines = if json { Lines::Json } else { Lines::Text(format) };
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false).event_format(lines);
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    terminal && !json
}

/// One layer for both, since each kind of layer is a copy of all its code.
enum Lines {
    Text(Format<Full>),
    Json,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        match self {
            Self::Text(format) => format.format_event(context, writer, event),
            Self::Json => json(writer, event).map_err(|_| std::fmt::Error),
        }
    }
}

/// Time, level and fields of an event as one object. Spans are no part of it, as they would take a JSON parser.
fn json(mut writer: Writer, event: &Event) -> serde_json::Result<()> {
    let mut line = Vec::new();
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp)).map_err(serde_json::Error::custom)?;
    let mut object = serde_json::Serializer::new(&mut line);
    let mut object = object.serialize_map(None)?;
    object.serialize_entry("timestamp", &timestamp)?;
    object.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = SerdeMapVisitor::new(object);
    event.record(&mut fields);
    fields.finish()?;
    writeln!(writer, "{}", String::from_utf8_lossy(&line)).map_err(serde_json::Error::custom)
}

/// Says why the helper ends: as the last line of the log, and in the termination message where there is one.
pub(crate) fn last_words(end: &End, elapsed: Duration) {
    let line = end.line(elapsed);
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{line}");
    } else {
        // Settings were wrong, so there is no log yet.
        say(&line);
    }
    write_termination_message(Path::new(TERMINATION_LOG), &line);
}

/// Writes a line to stderr as it is; a closed stderr is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Only ever into a file that is there: outside Kubernetes there is none, and `/dev` is not ours to fill.
fn write_termination_message(path: &Path, line: &str) {
    if let Ok(mut file) = OpenOptions::new().write(true).truncate(true).open(path) {
        let mut end = line.len().min(TERMINATION_MESSAGE_LIMIT);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let _ = file.write_all(&line.as_bytes()[..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_termination_message_is_cut_between_characters() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_termination_message(file.path(), &"é".repeat(700));
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "é".repeat(500));
        write_termination_message(file.path(), &format!("a{}", "é".repeat(700)));
        assert_eq!(std::fs::read_to_string(file.path()).unwrap().len(), 999);
    }

    #[test]
    fn no_termination_log_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("termination-log");
        write_termination_message(&path, "code=1");
        assert!(!path.exists());
    }
}
