//! The flags and subcommands that every helper carries.

use std::{ffi::OsString, path::PathBuf};

use clap::ValueEnum as _;
use tracing::level_filters::LevelFilter;

use crate::{config, log::LogFormat, variables};

const LOG_FORMAT: &str = "SIDEKIT_LOG_FORMAT";

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
    /// The least important lines that are still written: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "SIDEKIT_LOG_LEVEL", value_parser = log_level)]
    pub(crate) log_level: LevelFilter,
}

// What a helper with a configuration file can do besides its job
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with a configuration file, and exit with 0 or 78
    Check {
        /// The file to check
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
}

impl ConfigCommand {
    /// Checks or prints; what is wrong comes back as an error.
    pub(crate) fn run(&self, file: &config::ConfigFile) -> anyhow::Result<String> {
        match self {
            Self::Check { config } => file.check(config).map(|()| format!("{}: ok", config.display())),
            Self::Schema => Ok(file.schema.trim_end().to_owned()),
        }
    }
}

/// How to write the log before the command line could be read: as its flag, or else its variable, asks for
pub(crate) fn log_format(mut arguments: impl Iterator<Item = OsString>) -> LogFormat {
    let flag = loop {
        match arguments.next() {
            Some(word) if word == "--log-format" => break arguments.next(),
            Some(word) if word == "--" => break None,
            Some(word) => {
                if let Some(value) = word.to_str().and_then(|word| word.strip_prefix("--log-format=")) {
                    break Some(value.into());
                }
            }
            None => break None,
        }
    };
    let value = flag.and_then(|value| value.into_string().ok()).or_else(|| variables::variable(LOG_FORMAT).ok());
    value.and_then(|value| LogFormat::from_str(&value, false).ok()).unwrap_or_default()
}

fn log_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" | "warn" | "info" | "debug" | "trace" => text.parse().map_err(|error| format!("{error}")),
        _ => Err("write error, warn, info, debug or trace".into()),
    }
}
