//! What lifecycle must know of a helper: a task or a sidecar, its configuration file, and its whole
//! command line.

use std::{env, ffi::OsString, time::Duration};

use clap::{ArgMatches, Args as _, Command, CommandFactory, FromArgMatches, Subcommand as _};

use crate::{
    args::{Common, ConfigCommand, is_written},
    completions::{Completions, CompletionsCommand},
    config::ConfigFile,
    exit::Exit,
    hardening::harden,
    own_command::OwnCommands,
    sidecar::Sidecar,
    sidecar_flags::{SidecarCommand, SidecarFlags},
    start_line::{Labels, StartLine},
    usage,
    variables::{self, is_on},
};

/// A task or a sidecar
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    pub(crate) kind: Kind,
    pub(crate) config: Option<ConfigFile>,
    labels: Labels,
    completions: Option<Completions>,
    own_commands: Option<OwnCommands>,
    /// The help on one screen, for `-h`
    pub(crate) summary: Option<fn() -> String>,
    /// The long name of the switch that makes a task of a sidecar
    once: Option<&'static str>,
    /// Runs before the settings are read
    pub(crate) harden: Option<fn() -> anyhow::Result<()>>,
}

/// The two kinds of helper
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Runs to its end and exits: an init container
    Task,
    /// Runs beside the app until a stop signal
    Sidecar(Sidecar),
}

/// The request of a command line
pub(crate) enum Request<A> {
    /// Do the job
    ///
    /// With the flags of a sidecar, unless the helper is a task
    Job { args: A, common: Common, start_line: StartLine, sidecar: Option<(Sidecar, SidecarFlags)> },
    /// Ask the running helper
    Sidecar(Sidecar, SidecarCommand, SidecarFlags),
    /// Check or describe the configuration file, together with the other settings
    Config(ConfigCommand, Box<ArgMatches>),
    /// Answer a question of the helper's own
    Own(OwnCommands, Box<ArgMatches>),
    /// Print this script for a shell
    Completions(&'static str),
}

impl Helper {
    /// A helper that runs to its end; with its configuration file, where it has one.
    pub const fn task(config: Option<ConfigFile>) -> Self {
        Self::new(Kind::Task, config)
    }

    /// A helper that runs beside the app. `health_port` is the default of `--health-addr`; each
    /// helper has its own, because a pod's containers share one network namespace.
    pub const fn sidecar(health_port: u16, config: Option<ConfigFile>) -> Self {
        Self::new(Kind::Sidecar(Sidecar::new(health_port)), config)
    }

    /// A sidecar that is a task when this switch of its arguments is given, such as `once`: it opens no listeners, and a stop
    /// before its work is done is 143. It accepts the flags of sidecars then too, because an init container and a sidecar of one
    /// pod often share their variables.
    #[must_use]
    pub const fn with_once(mut self, switch: &'static str) -> Self {
        self.once = Some(switch);
        self
    }

    /// A helper that handles secrets: it leaves no core dump, other processes of its user can't look into its memory, and only
    /// its user can read the files that it creates. All of this holds before its settings are read.
    ///
    /// A command that the helper becomes inherits the umask and the limit of core dumps.
    #[must_use]
    pub const fn with_hardening(mut self) -> Self {
        self.harden = Some(harden);
        self
    }

    /// A sidecar that goes on serving for this long after a stop signal, unless `--drain-delay`
    /// says otherwise, because its clients learn of the stop late.
    #[must_use]
    pub const fn with_drain_delay(mut self, delay: Duration) -> Self {
        if let Kind::Sidecar(sidecar) = &mut self.kind {
            sidecar.drain_delay = delay;
        }
        self
    }

    /// A sidecar that has nothing to deliver: at the deadline of a stop it gives up what is under way, and ends with 0 instead
    /// of 75.
    #[must_use]
    pub const fn with_nothing_to_deliver(mut self) -> Self {
        if let Kind::Sidecar(sidecar) = &mut self.kind {
            sidecar.delivers = false;
        }
        self
    }

    /// Prints a value of these arguments, by their identifiers, as a label in the start line, because it may hold a secret.
    #[must_use]
    pub const fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// A helper that prints the scripts by which shells complete its command line.
    #[must_use]
    pub const fn with_completions(mut self, completions: Completions) -> Self {
        self.completions = Some(completions);
        self
    }

    /// A helper whose `-h` prints this text, of at most 24 lines of 80 columns. `--help` prints everything.
    #[must_use]
    pub const fn with_summary(mut self, summary: fn() -> String) -> Self {
        self.summary = Some(summary);
        self
    }

    /// A helper that has commands of its own.
    #[must_use]
    pub const fn with_commands(mut self, commands: OwnCommands) -> Self {
        self.own_commands = Some(commands);
        self
    }

    /// The whole command line: the helper's own flags and what lifecycle adds. Documentation is
    /// generated from it.
    pub fn command<A: CommandFactory>(&self) -> Command {
        let mut command = Common::augment_args(A::command());
        if let Kind::Sidecar(sidecar) = self.kind {
            command = (sidecar.add_to)(command, &sidecar);
        }
        if self.config.is_some() {
            command = ConfigCommand::augment_subcommands(command);
        }
        if let Some(own) = self.own_commands {
            command = (own.add_to)(command);
        }
        if self.completions.is_some() {
            command = CompletionsCommand::augment_subcommands(command);
        }
        keep_lines(variables::give_each_flag_a_variable(command))
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
            .infer_long_args(false)
    }

    /// Reads flags and variables. `--help` and `--version` come back as clap's errors, and no other
    /// one does.
    pub(crate) fn parse<A: CommandFactory + FromArgMatches>(&self) -> anyhow::Result<Request<A>> {
        let matches = self.matches::<A>()?;
        if self.config.is_some()
            && let Ok(asked) = ConfigCommand::from_arg_matches(&matches)
        {
            return Ok(Request::Config(asked, matches.into()));
        }
        if let Some(own) = self.own_commands
            && matches.subcommand_name().is_some_and(own.has)
        {
            return Ok(Request::Own(own, matches.into()));
        }
        if let Some(completions) = self.completions
            && let Ok(asked) = CompletionsCommand::from_arg_matches(&matches)
        {
            return Ok(Request::Completions(completions.script(asked)));
        }
        let sidecar = match self.kind {
            Kind::Task => None,
            Kind::Sidecar(sidecar) => match (sidecar.read)(&matches)? {
                (flags, Some(asked)) => return Ok(Request::Sidecar(sidecar, asked, flags)),
                _ if self.once.is_some_and(|switch| matches.get_flag(switch)) => None,
                (flags, None) => Some((sidecar, flags)),
            },
        };
        if let Some(config) = self.config {
            config.judge_start(&matches)?;
        }
        let start_line = StartLine::new(&self.command::<A>(), &matches, self.labels);
        let (args, common) = (A::from_arg_matches(&matches)?, Common::from_arg_matches(&matches)?);
        Ok(Request::Job { args, common, start_line, sidecar })
    }

    /// Whether the end of this process is the end of its container, so that the termination message
    /// is its to write. `check`, `probe` and their like run inside a container that lives on, also
    /// when they are misspelt or misused.
    pub(crate) fn speaks_for_container<A: CommandFactory>(&self) -> bool {
        let command = self.command::<A>();
        let is_subcommand = |word: &OsString| command.get_subcommands().any(|sub| word == sub.get_name());
        !env::args_os().skip(1).take_while(|word| word != "--").any(|word| is_subcommand(&word))
    }

    /// The kind of helper, as far as it can be told before the command line is parsed.
    pub(crate) fn kind_as_written<A: CommandFactory>(&self) -> Kind {
        match self.once {
            Some(switch) if is_written(switch, env::args_os()) || is_on(A::command().get_name(), switch) => Kind::Task,
            _ => self.kind,
        }
    }

    const fn new(kind: Kind, config: Option<ConfigFile>) -> Self {
        Self {
            kind,
            config,
            labels: &[],
            completions: None,
            own_commands: None,
            summary: None,
            once: None,
            harden: None,
        }
    }

    fn matches<A: CommandFactory>(&self) -> anyhow::Result<ArgMatches> {
        let whole = self.command::<A>();
        let command = variables::without_empty(whole.clone());
        let words: Vec<_> = std::env::args_os().collect();
        let matches = command.clone().try_get_matches_from(&words);
        // Help comes first, because it names all variables to a user who has misspelt one.
        if matches.as_ref().is_err_and(|error| error.exit_code() == 0) {
            return Ok(whole.try_get_matches()?);
        }
        variables::check_spelling(&whole, variables::all())?;
        let matches = matches
            .map_err(|error| Exit::Usage.because(usage::fault(&whole, &variables::name_source(&command, error))))?;
        usage::missing_value(&whole, &matches, &words).map_or(Ok(matches), |fault| Err(Exit::Usage.because(fault)))
    }
}

/// Shows the text behind the flags as it is. clap breaks `after_help` at the width of the terminal, and an example that is broken
/// into two lines can't be pasted; it leaves alone what stands in a template.
fn keep_lines(command: Command) -> Command {
    let Some(text) = command.get_after_help() else { return command };
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{{all-args}}\n\n{text}");
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Args {}

    fn flag(helper: Helper, name: &str) -> clap::Arg {
        helper.command::<Args>().get_arguments().find(|flag| flag.get_long() == Some(name)).unwrap().clone()
    }

    fn drain_delay(helper: Helper) -> String {
        flag(helper, "drain-delay").get_default_values()[0].to_str().unwrap().to_owned()
    }

    fn help(helper: Helper, name: &str) -> String {
        flag(helper, name).get_help().unwrap().to_string()
    }

    #[test]
    fn a_sidecar_has_the_drain_delay_it_was_given() {
        let sidecar = Helper::sidecar(9470, None);
        assert_eq!(drain_delay(sidecar), "0s");
        assert_eq!(drain_delay(sidecar.with_drain_delay(Duration::from_secs(5))), "5s");
    }

    #[test]
    fn only_a_sidecar_that_delivers_promises_75() {
        let sidecar = Helper::sidecar(9470, None);
        assert!(help(sidecar, "shutdown-timeout").contains("exit with 75"));
        assert!(!help(sidecar.with_nothing_to_deliver(), "shutdown-timeout").contains("75"));
    }

    #[test]
    fn the_admin_port_of_the_help_is_ten_above_the_health_port() {
        assert!(help(Helper::sidecar(9470, None), "admin-addr").contains("`127.0.0.1:9480`"));
    }
}
