//! The flags and subcommands that every helper carries.

use std::{env::ArgsOs, ffi::OsString, path::PathBuf};

use clap::{
    ArgMatches, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tracing::level_filters::LevelFilter;

use crate::{
    color::Color,
    config,
    exit::{End, Exit},
    log::LogFormat,
    variables,
};

const LOG_FORMAT: &str = "SIDEKIT_LOG_FORMAT";
const COLOR: &str = "SIDEKIT_COLOR";

/// The help's section for what lifecycle adds
pub(crate) const HEADING: &str = "Flags every helper carries";

// Flags of tasks and sidecars alike. Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct Common {
    /// How log lines are written to stderr
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        env = LOG_FORMAT,
        hide_possible_values = true
    )]
    #[arg(help = "How log lines are written to stderr: auto (text on a terminal, else JSON lines), text or json")]
    pub(crate) log_format: LogFormat,
    /// Whether text on stderr has colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, env = COLOR, hide_possible_values = true)]
    #[arg(help = "Colour text on stderr: auto (on a terminal, unless NO_COLOR is set), always or never")]
    pub(crate) color: Color,
    /// The least important lines that are still written: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "SIDEKIT_LOG_LEVEL", value_parser = log_level())]
    #[arg(hide_possible_values = true)]
    pub(crate) log_level: LevelFilter,
}

// The subcommands of a helper with a configuration file
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong with a configuration file, and exit with 0 or 78
    Check(Check),
    /// Print the JSON Schema of the configuration file
    Schema,
}

// What `check` looks at. The file may also be given as it is at a start: by --config or by its variable.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Check {
    /// The file to check
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same as FILE
    #[arg(long = "config", id = "checked", value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Do not look whether the files that it names can be read: for CI, where secrets are not mounted
    #[arg(long)]
    no_files: bool,
}

impl ConfigCommand {
    /// What to print, and how to end: a file with faults is a bad end.
    pub(crate) fn run(&self, config: &config::ConfigFile, matches: &ArgMatches) -> anyhow::Result<(String, End)> {
        let Self::Check(check) = self else { return Ok((config.schema.trim_end().to_owned(), Exit::Done.into())) };
        let path = check.path(matches)?;
        let faults = config.check(&path, matches, !check.no_files)?;
        let Some(first) = faults.first() else { return Ok((format!("{}: ok", path.display()), Exit::Done.into())) };
        let others = if faults.len() > 1 { format!("; and {} more", faults.len() - 1) } else { String::new() };
        Ok((faults.join("\n"), End { last: Some(format!("{first}{others}")), ..Exit::Config.into() }))
    }
}

impl Check {
    fn path(&self, matches: &ArgMatches) -> anyhow::Result<PathBuf> {
        let given = self.file.as_ref().or(self.config.as_ref());
        let at_a_start = matches.try_get_one::<PathBuf>("config").ok().flatten();
        given.or(at_a_start).cloned().ok_or_else(|| Exit::Usage.because("no file to check: write check FILE"))
    }
}

/// How to write the log before the command line could be read: as its flags, or else their variables, ask for
pub(crate) fn log_format(arguments: impl Fn() -> ArgsOs) -> (LogFormat, Color) {
    (early("--log-format", LOG_FORMAT, arguments()), early("--color", COLOR, arguments()))
}

fn early<T: ValueEnum + Default>(flag: &str, name: &str, mut arguments: impl Iterator<Item = OsString>) -> T {
    let given = loop {
        match arguments.next() {
            Some(word) if word == flag => break arguments.next(),
            Some(word) if word == "--" => break None,
            Some(word) => {
                let value = word.to_str().and_then(|word| word.strip_prefix(flag)?.strip_prefix('='));
                if let Some(value) = value {
                    break Some(value.into());
                }
            }
            None => break None,
        }
    };
    let value = given.and_then(|value| value.into_string().ok()).or_else(|| variables::variable(name).ok());
    value.and_then(|value| T::from_str(&value, false).ok()).unwrap_or_default()
}

/// Whether this switch stands on a command line that may not have been parsed yet
pub(crate) fn is_written(switch: &str, arguments: impl Iterator<Item = OsString>) -> bool {
    let mut flags = arguments.take_while(|word| word != "--");
    flags.any(|word| word.to_str().and_then(|word| word.strip_prefix("--")) == Some(switch))
}

fn log_level() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["error", "warn", "info", "debug", "trace"]).try_map(|level| level.parse::<LevelFilter>())
}
