//! The command line, nothing else.

use std::{path::PathBuf, sync::Arc, time::Duration};

use endpoint::url_label;
use lifecycle::{Lines, LinesParser};

use crate::{
    filters::FilterFlags,
    format::{FormatFlags, TimeFlags},
    outputs,
    records::treatment::Treatment,
    settings::{attributes::PodFlags, destination::Destination, input::Input, selection::SelectionFlags},
};

/// Forward lines of log files to collectors, losing nothing
///
/// Files are read from their beginning, through every rotation, and each output reads them at its
/// own pace. --state-dir keeps the offsets up to which lines are delivered, so that a restart
/// continues where the last run ended.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "log-forwarder", version, after_help = after_help())]
pub struct Args {
    /// Follow the files with names like this, such as `/var/log/nginx/*.log`; repeat for more; in
    /// the variable, one a line
    #[arg(long = "input", value_name = "GLOB", required_unless_present = "config", value_parser = INPUTS)]
    inputs: Vec<Lines<Input>>,
    /// Send lines there; repeat for more; in the variable, one a line
    #[arg(long = "output", value_name = "URL", required_unless_present = "config", value_parser = OUTPUTS)]
    outputs: Vec<Lines<Destination>>,
    /// Read more inputs and outputs from this YAML file, and again whenever it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep the offsets of delivered lines here; without it, a restart delivers every file again
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Write each line that an output refuses for good to this file, as JSON with the reason
    #[arg(long, value_name = "FILE")]
    pub(crate) dead_letter: Option<PathBuf>,
    /// Hold at most this many bytes that are read and not yet delivered, over all outputs
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = lifecycle::size)]
    pub(crate) max_in_flight: u64,
    /// Gather lines for this long before a request, for outputs that answer requests; 0 sends each
    /// line at once
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = lifecycle::duration)]
    pub(crate) linger: Duration,
    /// Send without waiting once this many bytes of lines are there
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = batch_size)]
    pub(crate) max_batch: u64,
    /// Cut and mark lines that are longer than this
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = line_size)]
    pub(crate) max_line: u64,
    /// Hold at most this many bytes of deleted files open until they are delivered
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = lifecycle::size)]
    pub(crate) max_pinned: u64,
    /// After a stop signal, end once every file has been quiet for this long; a last line without a
    /// newline is held back as long
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = lifecycle::duration)]
    pub(crate) quiet_period: Duration,
    /// Which files are read
    #[command(flatten)]
    pub(crate) selection: SelectionFlags,
    /// How lines are read
    #[command(flatten)]
    pub(crate) reading: FormatFlags,
    /// Which records are sent
    #[command(flatten)]
    pub(crate) filters: FilterFlags,
    /// Fields that each record carries
    #[command(flatten)]
    pub(crate) pod: PodFlags,
}

impl Args {
    /// The inputs of the command line, as the other flags say they are to be read
    pub(crate) fn inputs(&self) -> Result<Vec<Input>, String> {
        let format = self.reading.format(None, None, None, &TimeFlags::default())?;
        let reads_compressed = self.selection.read_compressed;
        let (filter, redaction) = self.filters.rules().of(&format)?;
        let attributes = self.pod.attributes();
        let treatment = Arc::new(Treatment { format, filter, redaction, reads_compressed, attributes });
        let selection = Arc::new(self.selection.selection(&[], None, None));
        let inputs = self.inputs.iter().flat_map(|lines| &lines.0);
        Ok(inputs.map(|input| input.treated(&treatment).selected(&selection)).collect())
    }

    /// The outputs of the command line
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Destination> {
        self.outputs.iter().flat_map(|lines| &lines.0)
    }
}

/// Patterns, one a line in the variable
const INPUTS: LinesParser<Input> = LinesParser::new("input", str::parse, str::to_owned);
/// URLs, one a line in the variable; their options may hold secrets
const OUTPUTS: LinesParser<Destination> =
    LinesParser { judge_argument: Destination::judge_argument, ..LinesParser::new("output", str::parse, url_label) };

fn line_size(text: &str) -> Result<u64, String> {
    match lifecycle::size(text)? {
        0 => Err("it would cut every line to nothing: give at least 1".into()),
        size => Ok(size),
    }
}

fn batch_size(text: &str) -> Result<u64, String> {
    match lifecycle::size(text)? {
        0 => Err("a batch holds at least a byte: for requests of single lines, give --linger 0".into()),
        size => Ok(size),
    }
}

fn after_help() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Outputs, and when a line is delivered:\n");
    for scheme in &outputs::SCHEMES {
        let _ = writeln!(text, "  {:<35} {}", scheme.example, scheme.delivered);
        let own = scheme.options.iter().map(|option| format!("#{option}"));
        let own = Some(own.collect::<Vec<_>>().join(" ")).filter(|own| !own.is_empty());
        let shared = scheme.shared.iter().map(|shared| format!("options of {}", shared.name));
        let _ = writeln!(text, "      {}", own.into_iter().chain(shared).collect::<Vec<_>>().join(", "));
    }
    text.push('\n');
    let mut listed = Vec::new();
    for shared in outputs::SCHEMES.iter().flat_map(|scheme| scheme.shared) {
        if !listed.contains(&shared) {
            let _ = writeln!(text, "Options of {}: #{}", shared.name, shared.options.join(" #"));
            listed.push(shared);
        }
    }
    let _ = writeln!(text, "Options of every output: #{}", outputs::OPTIONS_OF_ALL.join(" #"));
    text + EXAMPLES
}

const EXAMPLES: &str = "
Examples:
  log-forwarder --input '/var/log/nginx/*.log' --state-dir /state --output http://collector:8080/lines
  log-forwarder --input '/logs/**/*.log' --exclude '/logs/**/debug*.log' --start-at end --output stdout://
  log-forwarder --input /logs/app.log --output stdout:// --output tcp://collector:5140#as=ndjson
  log-forwarder --input /logs/app.log --format json --output otlp+http://collector:4318#gzip
  log-forwarder --input /logs/app.log --output forward://fluentd:24224#shared-key-file=/run/key
  log-forwarder --input /logs/app.log --output 'elasticsearch+https://search/logs-web-shop#header-file=Authorization:/run/key'
  log-forwarder --input /logs/app.log --output 'loki+http://loki#labels=namespace,pod&header=X-Scope-OrgID:shop'
  log-forwarder --input /logs/app.log --output syslog+tls://rsyslog:6514#app=shop
  log-forwarder try --format json --drop-below info /logs/app.log

Exit codes: 0 all delivered, 64 usage, 69 address or state directory in use, 74 configuration cannot be read, 75 stopped with lines undelivered, \
78 wrong configuration";
