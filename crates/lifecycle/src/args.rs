//! The flags that every helper carries, and the command line made whole with them.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{ArgMatches, Args as _, Command, CommandFactory, FromArgMatches, Subcommand as _};
use tracing::level_filters::LevelFilter;

use crate::{
    config,
    exit::Exit,
    helper::{Helper, Kind},
    log::LogFormat,
    units, variables,
};

/// The help's section for what this file adds
const HEADING: &str = "Flags every helper carries";

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
        env = "SIDEKIT_LOG_FORMAT",
        hide_possible_values = true
    )]
    #[arg(help = "How log lines are written to stderr: auto (text on a terminal, else JSON lines), text or json")]
    pub(crate) log_format: LogFormat,
    /// The least important lines that are still written: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "SIDEKIT_LOG_LEVEL", value_parser = log_level)]
    pub(crate) log_level: LevelFilter,
}

// Flags of sidecars
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct SidecarFlags {
    /// Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) health_addr: ListenAddress,
    /// Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it
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
    /// Stop once the process of this name, seen before, is gone (needs `shareProcessNamespace`)
    #[arg(long, value_name = "NAME")]
    pub(crate) exit_with_process: Option<String>,
}

// What a sidecar's binary can do besides its job
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

/// What `probe` asks
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Check {
    /// /livez
    Live,
    /// /readyz
    Ready,
    /// /startupz
    Startup,
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

/// An address to listen on: an IP address and a port, or a port on all addresses
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` means all addresses of both families
    pub ip: Option<IpAddr>,
    /// TCP port; 0 lets the system choose
    pub port: u16,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not an address to listen on: write it as :9471, 127.0.0.1:9471 or [::1]:9471");
        if let Some(port) = text.strip_prefix(':') {
            return Ok(Self { ip: None, port: port.parse().map_err(|_| wrong())? });
        }
        let address: std::net::SocketAddr = text.parse().map_err(|_| wrong())?;
        Ok(Self { ip: Some(address.ip()), port: address.port() })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.ip {
            Some(ip) => std::net::SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// What the command line asks for
pub(crate) enum Request<A> {
    /// Do the job
    Job { args: A, common: Common, sidecar: Option<SidecarFlags> },
    /// Do something small instead
    Sidecar(SidecarCommand, SidecarFlags),
    /// Likewise
    Config(ConfigCommand),
}

impl Helper {
    /// The whole command line: the helper's own flags and what lifecycle adds. Documentation is generated from it.
    pub fn command<A: CommandFactory>(&self) -> Command {
        let mut command = Common::augment_args(A::command());
        if let Kind::Sidecar { health_port, drain_delay, .. } = self.kind {
            command = SidecarFlags::augment_args(command)
                .mut_arg("health_addr", |arg| arg.required(false).default_value(format!(":{health_port}")).global(true))
                .mut_arg("admin_addr", |arg| arg.global(true))
                .mut_arg("drain_delay", |arg| arg.required(false).default_value(units::format_duration(drain_delay)));
            command = SidecarCommand::augment_subcommands(command);
        }
        if self.config.is_some() {
            command = ConfigCommand::augment_subcommands(command);
        }
        variables::give_each_flag_a_variable(command)
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
            .disable_help_subcommand(true)
            .infer_long_args(false)
    }

    /// Reads flags and variables. `--help` and `--version` come back as errors whose exit code is 0, as clap has it.
    pub(crate) fn parse<A: CommandFactory + FromArgMatches>(&self) -> anyhow::Result<Request<A>> {
        let matches = self.matches::<A>()?;
        if self.config.is_some()
            && let Ok(asked) = ConfigCommand::from_arg_matches(&matches)
        {
            return Ok(Request::Config(asked));
        }
        let sidecar = self.sidecar_flags(&matches)?;
        if let Some(flags) = &sidecar
            && let Ok(asked) = SidecarCommand::from_arg_matches(&matches)
        {
            return Ok(Request::Sidecar(asked, flags.clone()));
        }
        Ok(Request::Job { args: A::from_arg_matches(&matches)?, common: Common::from_arg_matches(&matches)?, sidecar })
    }

    fn matches<A: CommandFactory>(&self) -> anyhow::Result<ArgMatches> {
        let whole = self.command::<A>();
        let command = variables::without_empty(whole.clone());
        let matches = command.clone().try_get_matches();
        // Help comes first: who has misspelt a variable needs it, and it names all variables.
        if matches.as_ref().is_err_and(|error| error.exit_code() == 0) {
            return Ok(whole.try_get_matches()?);
        }
        variables::check_spelling(&whole, variables::all())?;
        Ok(matches.map_err(|error| variables::name_source(&command, error))?)
    }

    fn sidecar_flags(&self, matches: &ArgMatches) -> anyhow::Result<Option<SidecarFlags>> {
        let Kind::Sidecar { .. } = self.kind else { return Ok(None) };
        let flags = SidecarFlags::from_arg_matches(matches)?;
        if let Some(ListenAddress { ip, .. }) = flags.admin_addr
            && !flags.admin_allow_remote
            && !ip.is_some_and(|ip| ip.is_loopback())
        {
            return Err(Exit::Usage.because(
                "--admin-addr is reachable from other pods: make it 127.0.0.1:PORT, or give --admin-allow-remote",
            ));
        }
        if !flags.drain_delay.is_zero() && flags.drain_delay >= flags.shutdown_timeout {
            return Err(Exit::Usage.because(
                "--drain-delay leaves no time to finish: make it shorter than --shutdown-timeout, or that one longer",
            ));
        }
        Ok(Some(flags))
    }
}

impl ConfigCommand {
    /// Checks or prints; what is wrong comes back as an error.
    pub(crate) fn run(&self, file: &config::ConfigFile) -> anyhow::Result<String> {
        match self {
            Self::Check { config } => file.check(config).map(|()| format!("{}: ok", config.display())),
            Self::Schema => Ok(file.schema()),
        }
    }
}

fn log_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" | "warn" | "info" | "debug" | "trace" => text.parse().map_err(|error| format!("{error}")),
        _ => Err("write error, warn, info, debug or trace".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let all = ListenAddress { ip: None, port: 9471 };
        assert_eq!(":9471".parse(), Ok(all));
        assert_eq!("[::1]:80".parse(), Ok(ListenAddress { ip: Some("::1".parse().unwrap()), port: 80 }));
        for text in ["9471", "localhost:9471", ":65536", "127.0.0.1", ""] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
