//! Values of arguments that may hold a secret, and lists in variables.
//!
//! clap's own errors repeat the whole value. The errors of this parser hold only a label that may be printed, and the reason.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::TypedValueParser,
    error::{ErrorKind, Result},
    parser::ValueSource,
};

/// The entries of one argument or of one variable
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines<T>(pub Vec<T>);

/// Reads an argument or a variable with one entry a line, as a YAML block writes a list; lines of blanks are no entries
#[derive(Clone, Copy, Debug)]
pub struct LinesParser<T> {
    /// The name of one entry in messages, such as `target`
    pub name: &'static str,
    /// Reads one entry. Its error must not repeat what could be a secret.
    pub parse: fn(&str) -> std::result::Result<T, String>,
    /// The part of an entry that may be printed, also of an entry that cannot be read
    pub label: fn(&str) -> String,
    /// Refuses an entry that must not be an argument, because all who can list processes see it.
    pub judge_argument: fn(&T) -> std::result::Result<(), String>,
    /// Is added to the error of an argument; it must not repeat the argument.
    pub argument_hint: fn(&str) -> &'static str,
    /// Blanks at the ends of an entry belong to it, and an argument is one entry with all its lines, because it can be repeated.
    pub is_verbatim: bool,
}

impl<T> LinesParser<T> {
    /// A parser whose entries may also be arguments.
    pub const fn new(
        name: &'static str,
        parse: fn(&str) -> std::result::Result<T, String>,
        label: fn(&str) -> String,
    ) -> Self {
        Self { name, parse, label, judge_argument: |_| Ok(()), argument_hint: |_| "", is_verbatim: false }
    }

    /// A parser of patterns and texts, of which no blank may be lost: `GET / ` finds less than `GET /`.
    pub const fn verbatim(
        name: &'static str,
        parse: fn(&str) -> std::result::Result<T, String>,
        label: fn(&str) -> String,
    ) -> Self {
        Self { is_verbatim: true, ..Self::new(name, parse, label) }
    }

    /// The texts of all entries
    fn split<'a>(&self, text: &'a str, source: ValueSource) -> Vec<&'a str> {
        if self.is_verbatim && source == ValueSource::CommandLine {
            return vec![text];
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        if self.is_verbatim {
            // A file of variables with CRLF leaves a CR at the end of each value.
            return lines.map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        }
        let lines: Vec<_> = lines.map(str::trim).collect();
        // An empty argument is a mistake, and the parser says which; an empty variable counts as not set.
        if lines.is_empty() && source == ValueSource::CommandLine { vec![""] } else { lines }
    }

    fn entry(&self, line: &str, source: ValueSource) -> std::result::Result<T, String> {
        if source != ValueSource::CommandLine {
            return (self.parse)(line);
        }
        let entry = (self.parse)(line).map_err(|reason| reason + (self.argument_hint)(line))?;
        (self.judge_argument)(&entry)?;
        Ok(entry)
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for LinesParser<T> {
    type Value = Lines<T>;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Lines<T>> {
        self.parse_ref_(command, argument, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Lines<T>> {
        let variable = argument.and_then(Arg::get_env).filter(|_| source == ValueSource::EnvVariable);
        let variable = variable.map(|name| format!(" (from {})", name.display())).unwrap_or_default();
        let Some(text) = value.to_str() else {
            let message = format!("invalid {}{variable}: it is not UTF-8\n", self.name);
            return Err(clap::Error::raw(ErrorKind::InvalidUtf8, message).with_cmd(command));
        };
        let entries = self.split(text, source).into_iter().map(|line| {
            self.entry(line, source).map_err(|reason| {
                let message = format!("invalid {} {:?}{variable}: {reason}\n", self.name, (self.label)(line));
                clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
            })
        });
        entries.collect::<Result<_>>().map(Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verbatim_entry_keeps_its_blanks_and_an_argument_its_lines() {
        let parser = LinesParser::<String>::verbatim("pattern", |text| Ok(text.to_owned()), str::to_owned);
        for (text, source, expected) in [
            ("GET / ", ValueSource::CommandLine, &["GET / "][..]),
            (" a\n b ", ValueSource::CommandLine, &[" a\n b "]),
            ("  ", ValueSource::CommandLine, &["  "]),
            (" a \n\n  \nb\t\r\nc\r", ValueSource::EnvVariable, &[" a ", "b\t", "c"]),
            ("", ValueSource::EnvVariable, &[]),
        ] {
            let lines = parser.parse_ref_(&Command::new("x"), None, OsStr::new(text), source).unwrap();
            assert_eq!(lines.0, expected, "{text:?}");
        }
    }

    fn read(arguments: &[&str]) -> std::result::Result<Vec<u8>, String> {
        let parse = |text: &str| text.parse().map_err(|_| "it is no number".to_owned());
        let parser = LinesParser::<u8>::new("count", parse, |text| text.chars().take(1).collect());
        let command = Command::new("x").arg(Arg::new("count").long("count").value_parser(parser));
        let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
        Ok(matches.get_one::<Lines<u8>>("count").unwrap().0.clone())
    }

    #[test]
    fn each_line_is_an_entry_and_no_error_repeats_one() {
        assert_eq!(read(&["x", "--count", "\n 1\n\n2\n"]), Ok(vec![1, 2]));
        let error = read(&["x", "--count", "1\nhunter2"]).unwrap_err();
        assert!(error.starts_with("error: invalid count \"h\": it is no number\n"), "{error}");
        assert!(read(&["x", "--count", ""]).unwrap_err().contains("invalid count \"\""));
    }
}
