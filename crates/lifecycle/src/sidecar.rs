//! What only a sidecar has: flags, subcommands and listeners.
//!
//! All of it is reached through [`Sidecar`], which no task creates, so that a task's binary
//! contains none of it.

use std::time::Duration;

use anyhow::Context;
use clap::{ArgMatches, Args as _, Command, FromArgMatches, Subcommand as _};

use crate::{
    app_exit_watch::{AppEnd, AppExitWatch},
    bind::bind,
    exit::Exit,
    job::Control,
    listen_address::ListenAddress,
    listener::{self, Service},
    metrics, probe, process_metrics,
    sidecar_flags::{SidecarCommand, SidecarFlags},
    units,
};

/// The flags, and the subcommand where there is one
pub(crate) type Settings = (SidecarFlags, Option<SidecarCommand>);

/// Defaults of a sidecar, and the functions that only a sidecar needs
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sidecar {
    pub(crate) health_port: u16,
    /// The default of `--drain-delay`
    pub(crate) drain_delay: Duration,
    /// Whether a stop can leave work undelivered, which is 75
    pub(crate) delivers: bool,
    /// Adds flags and subcommands to a command line.
    pub(crate) add_to: fn(Command, &Self) -> Command,
    /// Reads the added flags and subcommands from the command line.
    pub(crate) read: fn(&ArgMatches) -> anyhow::Result<Settings>,
    /// Asks the running helper.
    pub(crate) ask: fn(SidecarCommand, &SidecarFlags) -> Exit,
    /// Binds the listeners and serves them.
    pub(crate) start_listeners: fn(SidecarFlags, &Control, &Command) -> anyhow::Result<()>,
}

/// From a helper's default health port to the port that its help suggests for `--admin-addr`; each helper has another one,
/// because a pod's containers share one network namespace.
const ADMIN_PORT_OFFSET: u16 = 10;
/// The help of `--shutdown-timeout` for a sidecar that has nothing to deliver
const GIVES_UP: &str = "After a stop signal, give up what is still under way after this long";

impl Sidecar {
    pub(crate) const fn new(health_port: u16) -> Self {
        let ask = probe::run;
        Self { health_port, drain_delay: Duration::ZERO, delivers: true, add_to, read, ask, start_listeners }
    }
}

fn add_to(command: Command, sidecar: &Sidecar) -> Command {
    let Sidecar { health_port, drain_delay, delivers, .. } = *sidecar;
    let admin_port = health_port + ADMIN_PORT_OFFSET;
    let command = SidecarFlags::augment_args(command)
        .mut_arg("health_addr", |arg| arg.required(false).default_value(format!(":{health_port}")).global(true))
        .mut_arg("admin_addr", |arg| {
            let help =
                format!("Serve POST /drain and POST /quit here, such as `127.0.0.1:{admin_port}`; off without it");
            arg.help(help).global(true)
        })
        .mut_arg("drain_delay", |arg| arg.required(false).default_value(units::format_duration(drain_delay)));
    let command = if delivers { command } else { command.mut_arg("shutdown_timeout", |arg| arg.help(GIVES_UP)) };
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
    if let Some(address) = flags.admin_addr
        && address.takes_from(flags.health_addr)
    {
        return Err(Exit::Usage.because(format!(
            "--admin-addr {address} is taken by --health-addr {}: give each a port of its own",
            flags.health_addr
        )));
    }
    if flags.shutdown_timeout.is_zero() {
        return Err(Exit::Usage.because(
            "--shutdown-timeout 0s leaves no time to deliver anything: make it 1s or longer, or leave the default of 25s",
        ));
    }
    if !flags.drain_delay.is_zero() && flags.drain_delay >= flags.shutdown_timeout {
        return Err(Exit::Usage.because(
            "--drain-delay leaves no time to finish: make it shorter than --shutdown-timeout, or that one longer",
        ));
    }
    Ok((flags, SidecarCommand::from_arg_matches(matches).ok()))
}

/// Binds first, so that a taken port is an error before any work starts.
fn start_listeners(flags: SidecarFlags, control: &Control, command: &clap::Command) -> anyhow::Result<()> {
    let version = command.get_version().unwrap_or_default();
    metrics::register_build_info(command.get_name(), version, &control.registry).context("cannot set up metrics")?;
    process_metrics::register(&control.registry).context("cannot set up metrics")?;
    let mut services = vec![(bind(flags.health_addr, "--health-addr")?, Service::Health(control.clone()))];
    if let Some(address) = flags.admin_addr {
        services.push((bind(address, "--admin-addr")?, Service::Admin(control.clone())));
    }
    for (listener, service) in &services {
        let address = listener.local_addr().context("cannot tell the listener's address")?;
        tracing::info!(%address, "{} listener is up", service.name());
    }
    if flags.exit_with_file.is_some() || flags.exit_with_process.is_some() {
        control.app_end.send_replace(AppEnd::Awaited);
    }
    let exit_watch = AppExitWatch {
        file: flags.exit_with_file,
        process: flags.exit_with_process,
        proc: "/proc".into(),
        events: control.events.clone(),
        app_end: control.app_end.clone(),
    };
    listener::serve(services, exit_watch).context("cannot start the health thread")
}
