//! The command line, nothing else.

use std::{path::PathBuf, time::Duration};

use lifecycle::Helper;

use crate::{destination::Destination, input::Input, outputs};

/// What lifecycle must know of log-forwarder
pub const HELPER: Helper = Helper::sidecar(9472, None);

/// Forward lines of log files to collectors, losing nothing
///
/// Files are read from their beginning, through every rotation, and each output gets them at its own pace. What has been
/// delivered is remembered in --state-dir, so that a restart goes on where the last run ended.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "log-forwarder", version, after_help = after_help())]
pub struct Args {
    /// Follow the files with names like this, such as `/var/log/nginx/*.log`; repeat for more; in the variable, one a line
    #[arg(long = "input", value_name = "GLOB", required = true, value_delimiter = '\n')]
    pub(crate) inputs: Vec<Input>,
    /// Send lines there; repeat for more; in the variable, one a line
    #[arg(long = "output", value_name = "URL", required = true, value_delimiter = '\n')]
    pub(crate) outputs: Vec<Destination>,
    /// Remember here what has been delivered; without it, a restart begins anew
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Write each line that an output refuses for good to this file, as JSON with the reason
    #[arg(long, value_name = "FILE")]
    pub(crate) dead_letter: Option<PathBuf>,
    /// Hold at most so many bytes that are read and not yet delivered, over all outputs
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = lifecycle::size)]
    pub(crate) max_in_flight: u64,
    /// Cut and mark lines that are longer than this
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = lifecycle::size)]
    pub(crate) max_line: u64,
    /// Keep at most so many bytes of deleted files from being freed
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = lifecycle::size)]
    pub(crate) max_pinned: u64,
    /// After a stop signal, end once every file has been quiet for this long; a last line without newline waits likewise
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = lifecycle::duration)]
    pub(crate) quiet_period: Duration,
}

impl Args {
    /// What no single flag can tell is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let labels = self.outputs.iter().map(Destination::label);
        if let Some(twice) =
            labels.clone().enumerate().find(|(nth, label)| labels.clone().take(*nth).any(|l| l == *label))
        {
            return Err(format!(
                "--output {} is there twice, and its place in a file would be ambiguous: drop one",
                twice.1
            ));
        }
        if self.max_line == 0 {
            return Err("--max-line 0 would cut every line to nothing: give at least 1".into());
        }
        let needed = self.max_line.saturating_add(1).saturating_mul(self.outputs.len() as u64);
        if needed > self.max_in_flight {
            return Err(format!(
                "--max-in-flight does not hold a line of --max-line for each output: make it {needed} at least"
            ));
        }
        Ok(())
    }
}

fn after_help() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Outputs, and when a line is delivered:\n");
    for scheme in &outputs::SCHEMES {
        let _ = writeln!(text, "  {:<35} {}", scheme.example, scheme.delivered);
    }
    text + EXAMPLES
}

const EXAMPLES: &str = "      #as=raw #as=ndjson

Examples:
  log-forwarder --input '/var/log/nginx/*.log' --state-dir /state --output http://collector:8080/lines
  log-forwarder --input /logs/app.log --output stdout:// --output tcp://collector:5140#as=ndjson

Exit codes: 0 all delivered, 64 usage, 69 address in use, 75 stopped with lines undelivered";
