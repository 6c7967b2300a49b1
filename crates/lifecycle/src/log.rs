//! The log on stderr, as text or JSON lines, and the termination message.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    color::{self, Color},
    exit::End,
    log_line::{LogLine, escaped_lines},
    stderr,
    variables::variable,
};

/// The file of a container's termination message (the default of `terminationMessagePath`)
const TERMINATION_LOG: &str = "/dev/termination-log";
/// Bytes; the kubelet keeps 4096 per container and 12 KiB per pod, so that a pod of twelve
/// containers still fits.
const TERMINATION_MESSAGE_LIMIT: usize = 1000;

/// The format of log lines
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, otherwise JSON lines
    #[default]
    Auto,
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

impl LogFormat {
    /// Whether lines are JSON, as it is decided for this process's stderr.
    pub(crate) fn is_json(self) -> bool {
        match self {
            Self::Auto => !io::stderr().is_terminal(),
            Self::Text => false,
            Self::Json => true,
        }
    }
}

/// Sends events of `own_crates` from `level` up to stderr. Events of other crates are written from
/// warnings up, because libraries print the data that they send at finer levels, secrets included.
/// Returns whether a person reads the log on a terminal that can be drawn on: text, at level info or finer.
pub(crate) fn start(format: LogFormat, color: Color, level: LevelFilter, own_crates: &[&str]) -> bool {
    color::decide(color, is_dumb());
    let others = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        // h2 warns of each connection that a peer floods. Helpers count those, and such a line could fill the log.
        .with_target("h2", level.min(LevelFilter::ERROR));
    let filter = own_crates.iter().fold(others, |targets, name| targets.with_target(name.replace('-', "_"), level));
    let json = format.is_json();
    let line = if json { LogLine::Json } else { LogLine::Text };
    let layer = fmt::layer().with_writer(|| Queued).with_ansi(false).event_format(line);
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    io::stderr().is_terminal() && !is_dumb() && !json && level >= LevelFilter::INFO
}

/// Whether the terminal only prints and cannot move its cursor, as in an editor's shell. Lines are all that it can show.
fn is_dumb() -> bool {
    variable("TERM").is_ok_and(|kind| kind == "dumb")
}

/// Says why the helper ends: in the termination message where this process speaks for its
/// container, and as the last line of the log.
pub(crate) fn write_last_line(end: &End, elapsed: Duration, speaks_for_container: bool) {
    let line = end.line(elapsed);
    if speaks_for_container {
        write_termination_message(Path::new(TERMINATION_LOG), &line);
    }
    if tracing::dispatcher::has_been_set() {
        tracing::error!("{line}");
    } else {
        // The settings were wrong, so there is no log yet.
        say(&line);
    }
}

/// Writes a line that is not an event.
pub(crate) fn write(line: String) {
    stderr::write(line);
}

/// Writes a text to stderr without time and level; line ends stay, all other control characters are
/// escaped.
pub(crate) fn say(text: &str) {
    stderr::write(escaped_lines(text) + "\n");
}

/// The writer of log lines: each write is one whole line.
struct Queued;

impl Write for Queued {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        stderr::write(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes only into a file that exists: outside Kubernetes there is none, and `/dev` is not ours to
/// fill.
fn write_termination_message(path: &Path, line: &str) {
    // A FIFO without a reader would keep the opening waiting.
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).custom_flags(O_NONBLOCK | O_NOCTTY);
    if let Ok(mut file) = options.open(path) {
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
