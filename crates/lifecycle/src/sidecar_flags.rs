//! The flags and subcommands of sidecars.

use std::{path::PathBuf, time::Duration};

use crate::{args::HEADING, listen_address::ListenAddress, units};

// Flags of sidecars
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct SidecarFlags {
    /// Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) health_addr: ListenAddress,
    /// Serve POST /drain and POST /quit here; off without it. `Sidecar` adds a port of the helper's own as an example.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_addr: Option<ListenAddress>,
    /// Let --admin-addr be an address that other pods can reach
    #[arg(long)]
    pub(crate) admin_allow_remote: bool,
    /// After a stop signal, exit with 75 when work is still undelivered after this long
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = units::duration)]
    pub(crate) shutdown_timeout: Duration,
    /// After a stop signal, go on serving for this long before new work is refused
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) drain_delay: Duration,
    /// Stop once this file is there: the app's last act in a Job without native sidecars
    #[arg(long, value_name = "PATH")]
    pub(crate) exit_with_file: Option<PathBuf>,
    /// Stop once the process of this name, seen for 100 ms or longer, is gone (needs
    /// `shareProcessNamespace`)
    #[arg(long, value_name = "NAME")]
    pub(crate) exit_with_process: Option<String>,
}

// The subcommands of a sidecar's binary
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub(crate) enum SidecarCommand {
    /// Ask the running helper's health listener, and exit with 0 or 1 within a second
    Probe {
        /// What to ask
        #[arg(value_enum, default_value = "live")]
        check: Check,
    },
    /// Tell the running helper to become unready and finish what is in flight (needs --admin-addr)
    Drain,
    /// Tell the running helper to stop as it would at SIGTERM (needs --admin-addr)
    Quit,
}

/// The question of `probe`
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Check {
    /// /livez
    Live,
    /// /readyz
    Ready,
    /// /startupz
    Startup,
}

impl Check {
    /// The path that answers it
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Startup => "/startupz",
        }
    }
}
