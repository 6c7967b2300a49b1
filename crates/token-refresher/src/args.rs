//! The command line, nothing else.

use std::path::PathBuf;

/// Keep tokens and secrets fresh in files, and tell the app
///
/// Each secret is fetched from its source, written whole or not at all, and refreshed before it expires.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "token-refresher", version, after_help = EXAMPLES)]
pub struct Args {
    /// Read secrets, their sources and their files from this YAML file
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,
}

const EXAMPLES: &str = "
Examples:
  token-refresher --config /etc/token-refresher/secrets.yaml
  token-refresher check /etc/token-refresher/secrets.yaml

Exit codes: 0 stopped, 64 usage, 65 a value that cannot be right, 69 unavailable, 74 disk or volume, 77 refused, 78 configuration";
