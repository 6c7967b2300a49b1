//! The texts about an argument in generated files.

use clap::Arg;

/// Its name in the help, such as `FILE`
pub(crate) fn value_name(arg: &Arg) -> String {
    arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default()
}

/// The first line of its help
pub(crate) fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// The words that it takes; empty where it takes any text
pub(crate) fn words(arg: &Arg) -> Vec<String> {
    arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
}
