//! Commands of a helper's own, such as `explain`, that answer a question beside the running helper: they open no listeners, start
//! no job, and never write the termination message.

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};

use crate::{
    exit::{End, Exit},
    usage,
};

/// The subcommands of a helper that answer a question
pub trait OwnCommand: Subcommand {
    /// The helper's command line. Its flags stand before the subcommand, and its variables count too.
    type Args: FromArgMatches;

    /// The text for stdout, and how to end: a bad end needs a last line.
    fn answer(self, args: Self::Args) -> anyhow::Result<(String, End)>;
}

/// How to add a helper's own commands to its command line and to run them; made by [`OwnCommands::of`]
#[derive(Clone, Copy, Debug)]
pub struct OwnCommands {
    pub(crate) add_to: fn(Command) -> Command,
    pub(crate) has: fn(&str) -> bool,
    pub(crate) answer: fn(&ArgMatches) -> anyhow::Result<(String, End)>,
}

impl OwnCommands {
    /// The commands of this type
    pub const fn of<C: OwnCommand>() -> Self {
        Self { add_to: add_to::<C>, has: C::has_subcommand, answer: answer::<C> }
    }
}

/// A comment on the commands' type must not become the description of the helper.
fn add_to<C: OwnCommand>(command: Command) -> Command {
    let (about, long) = (command.get_about().cloned(), command.get_long_about().cloned());
    let command = C::augment_subcommands(command);
    let command = match about {
        Some(about) => command.about(about),
        None => command.about(None),
    };
    match long {
        Some(long) => command.long_about(long),
        None => command.long_about(None),
    }
}

fn answer<C: OwnCommand>(matches: &ArgMatches) -> anyhow::Result<(String, End)> {
    let wrong = |error: clap::Error| Exit::Usage.because(usage::first_paragraph(&error));
    let args = C::Args::from_arg_matches(matches).map_err(wrong)?;
    C::from_arg_matches(matches).map_err(wrong)?.answer(args)
}
