//! `--format`, `--multiline` and `--encoding`, and the same settings of an entry of the
//! configuration.

use super::{Charset, Format, Multiline, Parsers, TimeFlags};

// How lines are read. Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How lines are read")]
pub(crate) struct FormatFlags {
    /// The form of a line: raw (text), json, logfmt, cri, docker, nginx or `regex:PATTERN`, whose
    /// groups with names are fields; inside cri and docker can stand another one, as in `cri,json`;
    /// a line that holds something else is sent as text, and counted
    #[arg(long, value_name = "FORMAT", default_value_t)]
    format: Parsers,
    /// Join the lines of a stack trace: of java, python, go or rust, or each line with those before
    /// it up to one that this pattern is found in, such as `^\d{4}-`
    #[arg(long, value_name = "START", allow_hyphen_values = true)]
    multiline: Option<Multiline>,
    /// The characters of the files, by a name that web browsers know
    #[arg(long, value_name = "NAME", default_value_t)]
    encoding: Charset,
    #[command(flatten)]
    time: TimeFlags,
}

impl FormatFlags {
    /// The format of an entry, for which these flags give missing settings. An entry with a format
    /// or multiline of its own takes only the encoding and the zone from them. An error names the
    /// settings that exclude each other.
    pub(crate) fn format(
        &self,
        parser: Option<&Parsers>,
        multiline: Option<&Multiline>,
        encoding: Option<Charset>,
        time: &TimeFlags,
    ) -> Result<Format, String> {
        let encoding = encoding.unwrap_or(self.encoding);
        let mut time = time.clone();
        time.zone = time.zone.or_else(|| self.time.zone.clone());
        if parser.is_some() || multiline.is_some() {
            return Format::new(parser.cloned().unwrap_or_default(), multiline.cloned(), encoding, time);
        }
        time.key = time.key.or_else(|| self.time.key.clone());
        time.form = time.form.or_else(|| self.time.form.clone());
        Format::new(self.format.clone(), self.multiline.clone(), encoding, time)
    }
}
