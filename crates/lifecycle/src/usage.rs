//! Faults of the command line, in one sentence each.
//!
//! clap's own messages repeat what was typed, and a secret may have been typed at any place. These messages repeat a word only
//! if it is nearly a word that the helper knows.

use std::{
    error::Error as _,
    ffi::{OsStr, OsString},
    num::ParseIntError,
};

use clap::{
    Arg, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use crate::variables::nearest;

/// The longest name of a flag that is repeated in a message, in bytes
const NAME_LIMIT: usize = 32;

/// The fault of a command line and its remedy, on one line.
pub(crate) fn fault(command: &Command, error: &clap::Error) -> String {
    match error.kind() {
        ErrorKind::UnknownArgument => unexpected(command, text(error, ContextKind::InvalidArg)),
        // Where other words are arguments, only `help` asks for a command.
        ErrorKind::InvalidSubcommand if command.get_positionals().next().is_some() => {
            "help knows no such command; --help lists all commands".into()
        }
        ErrorKind::InvalidSubcommand => unexpected(command, text(error, ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if error.get(ContextKind::InvalidArg).is_some() => {
            invalid_value(error)
        }
        ErrorKind::TooManyValues => format!("'{}' takes no value", text(error, ContextKind::InvalidArg)),
        _ => first_paragraph(error),
    }
}

/// The fault of a flag that took the next flag for its value, which is missing. Only a flag whose
/// values may begin with a hyphen can do so. `words` are the command line, where a value behind `=`
/// is no flag.
pub(crate) fn missing_value(command: &Command, matches: &ArgMatches, words: &[OsString]) -> Option<String> {
    let is_flag = |value: &OsStr| {
        let name = value.to_str().and_then(|text| text.strip_prefix("--")).unwrap_or_default();
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        let is_known = command.get_arguments().any(|argument| argument.get_long() == Some(name));
        is_known && words.iter().any(|word| word == value)
    };
    let has_flag = |argument: &&Arg| {
        let id = argument.get_id().as_str();
        argument.is_allow_hyphen_values_set()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
            && matches.get_raw(id).is_some_and(|mut values| values.any(is_flag))
    };
    if let Some(flag) = command.get_opts().find(has_flag).and_then(Arg::get_long) {
        return Some(format!("'--{flag}' needs a value, and a flag follows it"));
    }
    let (name, matches) = matches.subcommand()?;
    missing_value(command.find_subcommand(name)?, matches, words)
}

/// An argument that nothing takes: a misspelt flag or command, or a value in the wrong place.
fn unexpected(command: &Command, typed: &str) -> String {
    if let Some(name) = typed.strip_prefix("--") {
        let flag = name.split_once(char::is_whitespace).map(|(flag, _)| flag);
        if let Some(flag) =
            flag.filter(|flag| command.get_arguments().any(|argument| argument.get_long() == Some(flag)))
        {
            return format!("'--{flag}' and its value are one argument here: write them as two items, or with =");
        }
        if let Some(place) = place_of(command, name) {
            return format!("unexpected argument '{typed}': {place}");
        }
        let flags = command.get_subcommands().flat_map(Command::get_arguments).chain(command.get_arguments());
        return match nearest(name, flags.filter_map(Arg::get_long)) {
            Some(near) => format!("unexpected argument '{typed}'; did you mean '--{near}'?"),
            None if is_name_of_a_flag(typed) => format!("unexpected argument '{typed}'; --help lists all flags"),
            None => "unexpected argument; --help lists all flags".into(),
        };
    }
    if let Some(near) = nearest(typed, command.get_subcommands().map(Command::get_name)) {
        return format!("unknown command '{typed}'; did you mean '{near}'?");
    }
    // A letter is no secret.
    let is_letter = typed.strip_prefix('-').is_some_and(|letter| letter.chars().count() == 1);
    let shown = if is_letter { format!(" '{typed}'") } else { String::new() };
    let hint = stray(command);
    format!("unexpected argument{shown}, which belongs to no flag{hint}; --help lists all flags and commands")
}

/// Where a flag belongs that is known, and was written in another place.
fn place_of(command: &Command, name: &str) -> Option<String> {
    let has = |command: &Command| command.get_arguments().any(|argument| argument.get_long() == Some(name));
    if has(command) {
        return Some("write it before the command".into());
    }
    let owner = command.get_subcommands().find(|command| has(command))?;
    Some(format!("it is a flag of the command '{}'", owner.get_name()))
}

/// The likely cause of an argument that belongs to no flag.
fn stray(command: &Command) -> String {
    let name_of = |argument: &Arg| argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let mut positionals = command.get_positionals();
    if let Some(last) = command.get_positionals().find(|argument| argument.is_last_set()).and_then(name_of) {
        let before = positionals.find(|argument| !argument.is_last_set()).and_then(name_of);
        let before = before.map(|name| format!(" {name}")).unwrap_or_default();
        return format!("; a command stands behind --, as in {}{before} -- {last}", command.get_name());
    }
    let has_pattern = command.get_arguments().filter_map(name_of).any(|name| name == "GLOB");
    if has_pattern && positionals.next().is_none() {
        return "; did the shell expand a pattern? quote the pattern".into();
    }
    String::new()
}

fn invalid_value(error: &clap::Error) -> String {
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    if error.kind() == ErrorKind::InvalidValue && value.is_empty() {
        return format!("'{argument}' needs a value");
    }
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) if reason.is::<ParseIntError>() => "write a whole number".into(),
        (Some(reason), _) => reason.to_string(),
        (None, Some(ContextValue::Strings(known))) => {
            let hint = nearest(value, known.iter().map(String::as_str)).map(|near| format!("; did you mean {near}?"));
            format!("write {}{}", alternatives(known), hint.unwrap_or_default())
        }
        _ => "--help says what it takes".into(),
    };
    format!("invalid value for '{argument}': {reason}")
}

/// `a, b or c`
fn alternatives(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// Kinds that hold no value. The first paragraph is the fault, the others are advice; it has a line for each missing argument.
pub(crate) fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

fn text(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}

/// Whether an unknown flag may be repeated: a flag's name has only small letters, and a secret hardly ever does.
fn is_name_of_a_flag(typed: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte == b'-' || byte == b'.';
    typed.len() <= NAME_LIMIT && typed.starts_with('-') && typed.bytes().all(is_usual)
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, value_parser};

    use super::*;

    fn fault_of(arguments: &[&str]) -> String {
        let command = Command::new("x")
            .arg(Arg::new("timeout").long("timeout").value_parser(crate::duration))
            .arg(Arg::new("count").long("count").value_parser(value_parser!(u32)))
            .arg(Arg::new("color").long("color").value_parser(["red", "green", "blue"]))
            .arg(Arg::new("any").long("any").action(ArgAction::SetTrue))
            .arg(Arg::new("command").last(true).num_args(0..))
            .subcommand(Command::new("check").arg(Arg::new("deep").long("deep").action(ArgAction::SetTrue)));
        fault(&command, &command.clone().try_get_matches_from([&["x"], arguments].concat()).unwrap_err())
    }

    #[test]
    fn a_fault_names_the_argument_and_the_remedy() {
        for (arguments, expected) in [
            (&["check", "--any"] as &[_], "unexpected argument '--any': write it before the command"),
            (&["--deep"], "unexpected argument '--deep': it is a flag of the command 'check'"),
            (&["--tiemout", "1s"], "unexpected argument '--tiemout'; did you mean '--timeout'?"),
            (&["--nope"], "unexpected argument '--nope'; --help lists all flags"),
            (&["--web.address"], "unexpected argument '--web.address'; --help lists all flags"),
            (&["chekc"], "unknown command 'chekc'; did you mean 'check'?"),
            (
                &["--color", "gren"],
                "invalid value for '--color <color>': write red, green or blue; did you mean green?",
            ),
            (&["--color"], "'--color <color>' needs a value"),
            (&["--any=yes"], "'--any' takes no value"),
            (&["--count", "auto"], "invalid value for '--count <count>': write a whole number"),
        ] {
            assert_eq!(fault_of(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn a_flag_is_no_value_of_another() {
        let pattern = Arg::new("keep").long("keep").value_name("PATTERN").allow_hyphen_values(true);
        let any = Arg::new("any").long("any").action(ArgAction::SetTrue);
        let test = Command::new("try").args([pattern.clone(), any.clone()]);
        let command = Command::new("x").args([pattern, any]).subcommand(test);
        let fault = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            missing_value(&command, &command.clone().try_get_matches_from(&words).unwrap(), &words)
        };
        for line in ["x --keep --any", "x --keep --keep=hunter2", "x try --keep --any"] {
            let expected = "'--keep' needs a value, and a flag follows it";
            assert_eq!(fault(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["x --keep -----BEGIN --any", "x --keep --", "x --keep=-1", "x --keep=--any", "x try --keep any"] {
            assert_eq!(fault(line), None, "{line}");
        }
    }

    #[test]
    fn a_stray_argument_is_explained() {
        let fault_of = |command: &Command| {
            let error = command.clone().try_get_matches_from(["x", "hunter2", "-c", "hunter2"]).unwrap_err();
            fault(command, &error)
        };
        let target = Arg::new("target").value_name("TARGET").num_args(0..);
        let word = Arg::new("command").value_name("COMMAND").last(true).num_args(0..);
        let task = Command::new("x").arg(target).arg(word);
        assert_eq!(
            fault_of(&task),
            "unexpected argument '-c', which belongs to no flag; a command stands behind --, as in x TARGET -- COMMAND; \
             --help lists all flags and commands"
        );
        let sidecar = Command::new("x").arg(Arg::new("input").long("input").value_name("GLOB"));
        assert_eq!(
            fault_of(&sidecar.subcommand(Command::new("check"))),
            "unexpected argument, which belongs to no flag; did the shell expand a pattern? quote the pattern; \
             --help lists all flags and commands"
        );
    }

    #[test]
    fn no_fault_repeats_a_secret() {
        for arguments in [
            &["https://user:hunter2@h"] as &[_],
            &["hunter2"],
            &["--hunter2"],
            &["-hunter2"],
            &["--password=hunter2"],
            &["--timeout", "hunter2"],
            &["--timeout", "1hunter2"],
            &["--count", "hunter2"],
            &["--color", "hunter2"],
            &["--any=hunter2"],
            &["check", "hunter2"],
            &["check", "--hunter2"],
        ] {
            let fault = fault_of(arguments);
            assert!(!fault.contains("hunter2"), "{arguments:?}: {fault}");
        }
    }
}
