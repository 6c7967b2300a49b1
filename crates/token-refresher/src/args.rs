//! The command line, nothing else.

use std::{path::PathBuf, time::Duration};

/// Keep tokens and secrets fresh in files, and tell the app
///
/// Each secret is fetched from its source, written whole or not at all, and refreshed before it expires.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "token-refresher", version, after_help = EXAMPLES)]
pub struct Args {
    /// Read secrets, their sources and their files from this YAML file
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,
    /// Write all secrets once and exit, as an init container does
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once, give up after this time; 0 waits for as long as it takes [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = lifecycle::duration, requires = "once")]
    pub(crate) timeout: Option<Duration>,
    /// Keep the times of the secrets in this directory, so that the next start uses values that are still valid
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Write the state of all secrets to this JSON file; it holds no secret
    #[arg(long, value_name = "FILE")]
    pub(crate) status_file: Option<PathBuf>,
}

impl Args {
    /// How long a task tries; `None` for as long as it takes
    pub(crate) fn limit(&self) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(5 * 60);
        Some(self.timeout.unwrap_or(DEFAULT)).filter(|limit| self.once && !limit.is_zero())
    }
}

const EXAMPLES: &str = "
Examples:
  token-refresher --config /etc/token-refresher/secrets.yaml
  token-refresher --config secrets.yaml --once --timeout 2m --state-dir /run/tokens/.state
  token-refresher check /etc/token-refresher/secrets.yaml

Exit codes: 0 done or stopped, 64 usage, 65 a value that cannot be right, 69 unavailable, 74 disk or volume, 77 refused, 78 configuration, 124 timed out";
