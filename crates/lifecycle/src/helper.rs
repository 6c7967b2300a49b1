//! What lifecycle must know of a helper: a task or a sidecar, and its configuration file.

use std::{ffi::OsString, time::Duration};

use clap::CommandFactory;

use crate::{config::ConfigFile, sidecar::Sidecar};

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
    Sidecar(Sidecar),
}

impl Helper {
    /// A helper that runs to its end; with its configuration file, where flags can't say all.
    pub const fn task(config: Option<ConfigFile>) -> Self {
        Self { kind: Kind::Task, config }
    }

    /// A helper that runs beside the app. `health_port` is the default of `--health-addr`; each helper has its own, since a
    /// pod's containers share one network namespace.
    pub const fn sidecar(health_port: u16, config: Option<ConfigFile>) -> Self {
        Self { kind: Kind::Sidecar(Sidecar::new(health_port)), config }
    }

    /// A sidecar that goes on serving for this long after a stop signal, unless `--drain-delay` says otherwise: its clients
    /// hear only later that it goes away.
    #[must_use]
    pub const fn with_drain_delay(mut self, delay: Duration) -> Self {
        if let Kind::Sidecar(sidecar) = &mut self.kind {
            sidecar.drain_delay = delay;
        }
        self
    }

    /// Whether the end of this process is the end of its container, so that the termination message is its to write.
    /// `check`, `probe` and their like run inside a container that lives on, also when they are misspelt or misused.
    pub(crate) fn speaks_for_container<A: CommandFactory>(&self) -> bool {
        let command = self.command::<A>();
        let is_subcommand = |word: &OsString| command.get_subcommands().any(|sub| word == sub.get_name());
        !std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| is_subcommand(&word))
    }
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
