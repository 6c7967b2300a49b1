//! What lifecycle must know of a helper: a task or a sidecar, and its configuration file.

use std::time::Duration;

use anyhow::Context;

use crate::{
    args::SidecarFlags,
    companion::Companion,
    config::ConfigFile,
    job::Control,
    listener::{self, Door},
    metrics,
};

/// A task or a sidecar
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    pub(crate) kind: Kind,
    pub(crate) config: Option<ConfigFile>,
}

/// The two kinds of helper
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Runs to its end and exits: an init container
    Task,
    /// Runs beside the app until it is told to stop
    Sidecar {
        health_port: u16,
        /// The default of `--drain-delay`
        drain_delay: Duration,
        /// A pointer, so that a task's binary, which never makes one, holds no HTTP server.
        open_doors: fn(SidecarFlags, &Control, &clap::Command) -> anyhow::Result<()>,
    },
}

impl Helper {
    /// A helper that runs to its end; with its configuration file, where flags can't say all.
    pub const fn task(config: Option<ConfigFile>) -> Self {
        Self { kind: Kind::Task, config }
    }

    /// A helper that runs beside the app. `health_port` is the default of `--health-addr`; each helper has its own, since a
    /// pod's containers share one network namespace.
    pub const fn sidecar(health_port: u16, config: Option<ConfigFile>) -> Self {
        Self { kind: Kind::Sidecar { health_port, drain_delay: Duration::ZERO, open_doors }, config }
    }

    /// A sidecar that goes on serving for this long after a stop signal, unless `--drain-delay` says otherwise: its clients
    /// hear only later that it goes away.
    #[must_use]
    pub const fn with_drain_delay(mut self, delay: Duration) -> Self {
        if let Kind::Sidecar { drain_delay, .. } = &mut self.kind {
            *drain_delay = delay;
        }
        self
    }

    /// The JSON Schema (draft 2020-12) of the configuration file, if there is one
    pub fn schema(&self) -> Option<String> {
        self.config.map(|file| file.schema())
    }
}

/// Binds first, so that a taken port is told before any work starts.
fn open_doors(flags: SidecarFlags, control: &Control, command: &clap::Command) -> anyhow::Result<()> {
    let version = command.get_version().unwrap_or_default();
    metrics::introduce(command.get_name(), version, &control.registry).context("cannot set up metrics")?;
    let mut doors = vec![(listener::bind(flags.health_addr, "--health-addr")?, Door::Health(control.clone()))];
    if let Some(address) = flags.admin_addr {
        doors.push((listener::bind(address, "--admin-addr")?, Door::Admin(control.clone())));
    }
    for (listener, door) in &doors {
        let address = listener.local_addr().context("cannot tell the listener's address")?;
        tracing::info!(%address, "{} listener is up", door.name());
    }
    let companion = Companion {
        file: flags.exit_with_file,
        process: flags.exit_with_process,
        proc: "/proc".into(),
        events: control.events.clone(),
    };
    listener::serve(doors, companion).context("cannot start the health thread")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Args {}

    fn drain_delay(helper: Helper) -> String {
        let command = helper.command::<Args>();
        let flag = command.get_arguments().find(|flag| flag.get_long() == Some("drain-delay")).unwrap();
        flag.get_default_values()[0].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_sidecar_has_the_drain_delay_it_was_given() {
        let sidecar = Helper::sidecar(9470, None);
        assert_eq!(drain_delay(sidecar), "0s");
        assert_eq!(drain_delay(sidecar.with_drain_delay(Duration::from_secs(5))), "5s");
    }
}
