//! The first line of the log: the version, and the settings that differ from their defaults.

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use serde_json::Value;

use crate::{args::Common, log, log_line::LogLine};

/// Gives the part of a value that may be printed, by the identifier of the argument
pub type Labels = &'static [(&'static str, fn(&str) -> String)];

/// Printed instead of a value that has no label and may hold a secret
const HIDDEN: &str = "…";

/// A line that is ready before the log is
#[derive(Debug)]
pub(crate) struct StartLine {
    message: String,
    /// In the order of the help
    fields: Vec<(String, Value)>,
}

impl StartLine {
    /// Under the names of the flags, each value as it was written.
    pub(crate) fn new(command: &Command, matches: &ArgMatches, labels: Labels) -> Self {
        let mut fields = Vec::new();
        if let Some(version) = command.get_version() {
            fields.push(("version".to_owned(), version.into()));
        }
        for argument in command.get_arguments() {
            if let Some(value) = value(argument, matches, labels) {
                fields.push((argument.get_long().unwrap_or(argument.get_id().as_str()).to_owned(), value));
            }
        }
        Self { message: format!("{} starts", command.get_name()), fields }
    }

    /// Writes it, unless --log-level asks for less.
    pub(crate) fn write(&self, common: &Common) {
        if common.log_level >= tracing::level_filters::LevelFilter::INFO {
            let line = if common.log_format.is_json() { LogLine::Json } else { LogLine::Text };
            log::write(line.info(&self.message, &self.fields));
        }
    }
}

/// The value of an argument or a variable that is not the default
fn value(argument: &Arg, matches: &ArgMatches, labels: Labels) -> Option<Value> {
    let id = argument.get_id().as_str();
    match matches.value_source(id)? {
        ValueSource::CommandLine | ValueSource::EnvVariable => {}
        _ => return None,
    }
    if let ArgAction::SetTrue = argument.get_action() {
        return matches.get_flag(id).then_some(Value::Bool(true));
    }
    let texts: Vec<_> = matches.get_raw(id)?.map(|text| text.to_string_lossy().into_owned()).collect();
    if argument.is_last_set() {
        // Only the program, because the arguments of COMMAND may hold secrets.
        return texts.into_iter().next().map(Value::String);
    }
    let defaults = argument.get_default_values();
    if !defaults.is_empty() && texts.iter().map(String::as_str).eq(defaults.iter().filter_map(|text| text.to_str())) {
        return None;
    }
    let takes_several = matches!(argument.get_action(), ArgAction::Append) || argument.is_positional();
    let is_list = takes_several && matches.value_source(id) == Some(ValueSource::EnvVariable);
    let mut values: Vec<Value> = match labels.iter().find(|(name, _)| *name == id) {
        Some((_, label)) => lines(&texts).map(|line| label(line.trim()).into()).collect(),
        // A blank may be a part of a pattern.
        None if is_list => lines(&texts).map(|line| unlabelled(line).into()).collect(),
        None => texts.iter().map(|text| unlabelled(text).into()).collect(),
    };
    if values.len() == 1 && !takes_several { values.pop() } else { Some(values.into()) }
}

/// Those with more than blanks
fn lines(texts: &[String]) -> impl Iterator<Item = &str> {
    let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
    lines.map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// A value without a label is no place for a secret; what looks like a URL is one that was put there by mistake.
fn unlabelled(text: &str) -> String {
    if text.contains("://") { HIDDEN.into() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_there_and_no_secret() {
        let command = Command::new("x")
            .version("1.2.3")
            .arg(Arg::new("timeout").long("timeout").default_value("5m"))
            .arg(Arg::new("interval").long("interval").default_value("1s"))
            .arg(Arg::new("any").long("any").action(ArgAction::SetTrue))
            .arg(Arg::new("not").long("not").action(ArgAction::SetTrue))
            .arg(Arg::new("proxy").long("proxy"))
            .arg(Arg::new("outputs").long("output").action(ArgAction::Append))
            .arg(Arg::new("command").last(true).num_args(0..));
        let arguments =
            "x --timeout 2m --interval 1s --any --proxy http://u:hunter2@p --output a=hunter2 -- app hunter2";
        let matches = command.clone().try_get_matches_from(arguments.split(' ')).unwrap();
        let line = StartLine::new(&command, &matches, &[("outputs", |text| text[..1].to_owned())]);
        let expected = json!({
            "version": "1.2.3", "timeout": "2m", "any": true, "proxy": "…", "output": ["a"], "command": "app",
        });
        assert_eq!((line.message.as_str(), Value::from_iter(line.fields)), ("x starts", expected));
    }

    #[test]
    fn blanks_are_shown_as_they_are_written() {
        // A variable of each process, which is not empty, as a list
        let (variable, path) = ("PATH", crate::variable("PATH").unwrap());
        let command = Command::new("x")
            .arg(Arg::new("drop").long("drop").action(ArgAction::Append))
            .arg(Arg::new("with").long("with"))
            .arg(Arg::new("paths").long("path").action(ArgAction::Append).env(variable))
            .arg(Arg::new("key").long("key").action(ArgAction::Append));
        let arguments = ["x", "--drop", " 9", "--drop", "a\n b", "--with", "  ", "--key", " hunter2\n\n k "];
        let matches = command.clone().try_get_matches_from(arguments).unwrap();
        let line = StartLine::new(&command, &matches, &[("key", |text| text[..1].to_owned())]);
        let expected = json!({ "drop": [" 9", "a\n b"], "with": "  ", "path": [path], "key": ["h", "k"] });
        assert_eq!(Value::from_iter(line.fields), expected);
    }
}
