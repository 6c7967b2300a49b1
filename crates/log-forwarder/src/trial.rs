//! `log-forwarder try`: reads the lines of a file as an input would be read, and prints the
//! records, so that formats, filters and redaction can be tried before lines go anywhere.

mod lines;
mod report;

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use anyhow::Context;
use lifecycle::{End, Exit, OwnCommand, io_text};

use self::{lines::Lines, report::Report};
use crate::{
    content::foreign::Kind,
    filters::FilterFlags,
    format::{Charset, Multiline, Parsers, TimeFlags},
    records::treatment::Treatment,
    settings::args::Args,
};

/// The own commands of this helper
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Print the records of a file, one JSON object a line, and say which lines are of another
    /// form; exit with 0, or with 65 if any is
    Try(Trial),
}

/// The arguments of `try`; those of the forwarder may stand before it, and are its defaults
#[derive(Debug, clap::Args)]
pub(crate) struct Trial {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The form of a line, as for an input
    #[arg(long, value_name = "FORMAT")]
    format: Option<Parsers>,
    /// The lines that belong together, as for an input
    #[arg(long, value_name = "START", allow_hyphen_values = true)]
    multiline: Option<Multiline>,
    /// The characters of the file
    #[arg(long, value_name = "NAME")]
    encoding: Option<Charset>,
    #[command(flatten)]
    time: TimeFlags,
    #[command(flatten)]
    filters: FilterFlags,
}

impl OwnCommand for Question {
    type Args = Args;

    fn answer(self, args: Args) -> anyhow::Result<(String, End)> {
        let Self::Try(trial) = self;
        let treatment = trial.treatment(&args).map_err(|error| Exit::Usage.because(error))?;
        let is_stdin = trial.file.as_os_str() == "-";
        let name = if is_stdin { "standard input".to_owned() } else { trial.file.display().to_string() };
        let cannot_read = |error: io::Error| Exit::Io.because(format!("cannot read {name}: {}", io_text(&error)));
        let cannot_write = |error: io::Error| Exit::Io.because(format!("cannot write to stdout: {}", io_text(&error)));
        let mut input = trial.open().map_err(cannot_read)?;
        let longest = usize::try_from(args.max_line).context("--max-line is more than memory holds")?;
        let mut lines = Lines::new(&mut input, treatment, longest);
        let mut report = Report::new(io::stdout().lock());
        while let Some(span) = lines.next().map_err(cannot_read)? {
            if let Some(obstacle) = obstacle(lines.kind(), if is_stdin { "FILE" } else { &name }) {
                return Err(Exit::Data.because(format!("cannot read {name} as lines: {obstacle}")));
            }
            match report.add(&span, lines.first_line()) {
                // A reader that stops early, as `head` does, has read enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                written => written.map_err(cannot_write)?,
            }
        }
        Ok((String::new(), report.end(&name)))
    }
}

/// Why no lines can be read, and what helps
fn obstacle(kind: Kind, file: &str) -> Option<String> {
    match kind.compressor() {
        Some(tool) => Some(format!("it is compressed with {tool}: {tool} -dc {file} | log-forwarder try -")),
        None => kind.obstacle(false).map(str::to_owned),
    }
}

impl Trial {
    fn treatment(&self, args: &Args) -> Result<Treatment, String> {
        let (parsers, multiline) = (self.format.as_ref(), self.multiline.as_ref());
        let format = args.reading.format(parsers, multiline, self.encoding, &self.time)?;
        let (filter, redaction) = self.filters.rules().over(&args.filters.rules()).of(&format)?;
        Ok(Treatment { format, filter, redaction, ..Treatment::default() })
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(if self.file.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(&self.file)?) })
    }
}
