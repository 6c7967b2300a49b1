//! What only a sidecar has: flags, subcommands and listeners.
//!
//! All of it is reached through [`Sidecar`], which no task makes; so a task's binary holds none of it.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use clap::{ArgMatches, Args as _, Command, FromArgMatches, Subcommand as _};

use crate::{
    app_exit_watch::AppExitWatch,
    args::{Common, HEADING},
    exit::Exit,
    job::Control,
    listener::{self, Door},
    metrics, probe, units,
};

/// Flags, and what is to be done instead of the job
pub(crate) type Settings = (SidecarFlags, Option<SidecarCommand>);

/// Defaults of a sidecar, and the ways to what a task has no use for
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sidecar {
    pub(crate) health_port: u16,
    /// The default of `--drain-delay`
    pub(crate) drain_delay: Duration,
    /// Adds flags and subcommands to a command line.
    pub(crate) add_to: fn(Command, &Self) -> Command,
    /// Takes from a command line what was added to it.
    pub(crate) read: fn(&ArgMatches) -> anyhow::Result<Settings>,
    /// Asks the helper that runs.
    pub(crate) ask: fn(SidecarCommand, &SidecarFlags) -> Exit,
    /// Writes the first line of the log.
    pub(crate) announce: fn(&Command, &dyn fmt::Debug, &Common, &SidecarFlags),
    /// Binds and serves.
    pub(crate) open_doors: fn(SidecarFlags, &Control, &Command) -> anyhow::Result<()>,
}

impl Sidecar {
    pub(crate) const fn new(health_port: u16) -> Self {
        let ask = probe::run;
        Self { health_port, drain_delay: Duration::ZERO, add_to, read, ask, announce, open_doors }
    }
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

fn add_to(command: Command, sidecar: &Sidecar) -> Command {
    let Sidecar { health_port, drain_delay, .. } = *sidecar;
    let command = SidecarFlags::augment_args(command)
        .mut_arg("health_addr", |arg| arg.required(false).default_value(format!(":{health_port}")).global(true))
        .mut_arg("admin_addr", |arg| arg.global(true))
        .mut_arg("drain_delay", |arg| arg.required(false).default_value(units::format_duration(drain_delay)));
    SidecarCommand::augment_subcommands(command)
}

fn read(matches: &ArgMatches) -> anyhow::Result<Settings> {
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
    Ok((flags, SidecarCommand::from_arg_matches(matches).ok()))
}

/// The first line of the log: version and effective settings, a field for each that lifecycle itself has added.
fn announce(command: &Command, args: &dyn fmt::Debug, common: &Common, flags: &SidecarFlags) {
    let (name, version) = (command.get_name(), command.get_version());
    tracing::info!(
        version,
        settings = ?args,
        log_format = common.log_format.name(),
        log_level = %common.log_level,
        health_addr = flags.health_addr.to_string(),
        admin_addr = flags.admin_addr.map(|address| address.to_string()),
        admin_allow_remote = flags.admin_allow_remote,
        shutdown_timeout = units::format_duration(flags.shutdown_timeout),
        drain_delay = units::format_duration(flags.drain_delay),
        exit_with_file = flags.exit_with_file.as_ref().map(|path| path.display().to_string()),
        exit_with_process = flags.exit_with_process.as_deref(),
        "{name} starts"
    );
}

/// Binds first, so that a taken port is told before any work starts.
fn open_doors(flags: SidecarFlags, control: &Control, command: &clap::Command) -> anyhow::Result<()> {
    let version = command.get_version().unwrap_or_default();
    metrics::register_build_info(command.get_name(), version, &control.registry).context("cannot set up metrics")?;
    let mut doors = vec![(listener::bind(flags.health_addr, "--health-addr")?, Door::Health(control.clone()))];
    if let Some(address) = flags.admin_addr {
        doors.push((listener::bind(address, "--admin-addr")?, Door::Admin(control.clone())));
    }
    for (listener, door) in &doors {
        let address = listener.local_addr().context("cannot tell the listener's address")?;
        tracing::info!(%address, "{} listener is up", door.name());
    }
    let exit_watch = AppExitWatch {
        file: flags.exit_with_file,
        process: flags.exit_with_process,
        proc: "/proc".into(),
        events: control.events.clone(),
    };
    listener::serve(doors, exit_watch).context("cannot start the health thread")
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
