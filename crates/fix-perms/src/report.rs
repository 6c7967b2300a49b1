//! The output on stdout: a line for each difference where nothing is changed, or objects.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use lifecycle::Exit;
use serde::Serialize;

use crate::{
    difference::Difference,
    ledger::{Counts, Problem},
};

/// The output on stdout
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// A line for each difference, where nothing is changed
    Text,
    /// Objects
    Json,
}

/// Writes to stdout from many threads, a line at a time
pub(crate) struct Report {
    output: Output,
    lines: Mutex<io::BufWriter<io::Stdout>>,
}

/// One entry that differs
#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    #[serde(flatten)]
    difference: &'a Difference,
}

/// The object that closes `--output json`
#[derive(Serialize)]
pub(crate) struct Summary {
    pub(crate) state: &'static str,
    pub(crate) code: u8,
    pub(crate) seconds: f64,
    pub(crate) volumes: Vec<VolumeSummary>,
}

/// One tree in it
#[derive(Serialize)]
pub(crate) struct VolumeSummary {
    pub(crate) path: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    pub(crate) trusted: bool,
    pub(crate) labels_ignored: bool,
    pub(crate) problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, lines: Mutex::new(io::BufWriter::new(io::stdout())) }
    }

    pub(crate) fn difference(&self, path: &str, difference: &Difference) {
        let line = match self.output {
            Output::Text => format!("{path}: {difference}"),
            Output::Json => serde_json::to_string(&Entry { path, difference }).unwrap_or_default(),
        };
        // The flush at the end reports an error.
        let _ = writeln!(self.lines.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
    }

    /// Writes the end of the report.
    pub(crate) fn finish(&self, summary: &Summary) -> anyhow::Result<()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match self.output {
            Output::Text => Ok(()),
            Output::Json => writeln!(lines, "{}", serde_json::to_string(summary)?),
        };
        match written.and_then(|()| lines.flush()) {
            // A reader that is gone is no reason to keep the app from starting.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Exit::Io.because(format!("cannot write to stdout: {error}"))),
        }
    }
}
