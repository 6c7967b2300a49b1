//! Scripts that complete a helper's command line in a shell.
//!
//! `clap_complete` has generators too, but they do not fit a command line that takes both subcommands and other arguments. Its
//! script for bash never finds a subcommand's flags when the name of the helper has a hyphen. Its script for zsh expects the
//! subcommand behind all other arguments, and its script for fish offers no flag behind the first of them.

mod bash;
mod fish;
mod zsh;

use clap::{Arg, ArgAction, Command};

use crate::argument::{help, value_name, words};

/// The scripts of one helper, each with the name of its file
pub(crate) fn scripts(command: &Command) -> [(String, String); 3] {
    let mut built = command.clone();
    // Only then each subcommand has the flags that it shares with the helper, and --help.
    built.build();
    let name = built.get_name();
    let levels: Vec<_> = std::iter::once(Level::of(&built, "")).chain(subcommands(&built)).collect();
    [
        (format!("{name}.bash"), bash::script(name, &levels)),
        (format!("_{name}"), zsh::script(name, &levels)),
        (format!("{name}.fish"), fish::script(name, &levels)),
    ]
}

fn subcommands(command: &Command) -> impl Iterator<Item = Level> {
    command.get_subcommands().map(|subcommand| Level::of(subcommand, subcommand.get_name()))
}

/// The words that can follow the helper's name, or one of its subcommands
struct Level {
    /// The subcommand; empty for the helper itself
    name: String,
    about: String,
    flags: Vec<Flag>,
    /// The first argument that is no flag, and its name in the help
    positional: Option<(String, Value)>,
}

struct Flag {
    /// `--log-level`, or `-h` and `--help`
    names: Vec<String>,
    help: String,
    /// Its name in the help, and its kind; `None` for a switch
    value: Option<(String, Value)>,
    repeats: bool,
}

enum Value {
    Words(Vec<String>),
    File,
    Directory,
    /// Text that no shell can know
    Text,
}

impl Level {
    fn of(command: &Command, name: &str) -> Self {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let flags = command.get_arguments().filter(|arg| !arg.is_positional()).map(Flag::of).collect();
        let positional = command.get_positionals().next().map(|arg| (value_name(arg), Value::of(arg)));
        Self { name: name.into(), about, flags, positional }
    }
}

impl Flag {
    fn of(arg: &Arg) -> Self {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let names = short.into_iter().chain(arg.get_long().map(|long| format!("--{long}"))).collect();
        let value = arg.get_action().takes_values().then(|| (value_name(arg), Value::of(arg)));
        Self { names, help: help(arg), value, repeats: matches!(arg.get_action(), ArgAction::Append) }
    }
}

impl Value {
    /// Decides by the name in the help, because the type of a path does not say whether it is a directory.
    fn of(arg: &Arg) -> Self {
        let words = words(arg);
        if !words.is_empty() {
            return Self::Words(words);
        }
        match &*value_name(arg) {
            "FILE" | "PATH" | "GLOB" => Self::File,
            "DIRECTORY" => Self::Directory,
            _ => Self::Text,
        }
    }
}

/// `wait_for`, for names of functions
fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// The names of all subcommands
fn names<'a>(levels: &'a [Level], separator: &str) -> String {
    let names: Vec<&'a str> = levels.iter().map(|level| level.name.as_str()).filter(|name| !name.is_empty()).collect();
    names.join(separator)
}
