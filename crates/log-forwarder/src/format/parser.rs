//! The table of formats, as `--format` names them: one, or that of a container runtime with another
//! inside.

use std::{fmt, str::FromStr};

use super::{json, logfmt, nginx, pattern::Pattern, time::TimeRule, wrapper::Wrapper};
use crate::format::record::Parsed;

/// `--format`: the form of a record's text, and what a container runtime puts around it
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsers {
    pub(super) wrapper: Option<Wrapper>,
    pub(super) parser: Parser,
}

/// The form of an app's text
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Parser {
    #[default]
    Raw,
    Json,
    Logfmt,
    Nginx,
    Regex(Pattern),
}

impl Parser {
    pub(super) fn read<'a>(&self, text: &'a str, rule: &TimeRule) -> Option<Parsed<'a>> {
        match self {
            Self::Raw => Some(Parsed::default()),
            Self::Json => json::read(text, rule),
            Self::Logfmt => logfmt::read(text, rule),
            Self::Nginx => nginx::read(text),
            Self::Regex(pattern) => pattern.read(text, rule),
        }
    }

    /// Whether one of its fields can be the time. In the others, each line has its time at a place
    /// of its own, or none.
    pub(super) fn has_time_field(&self) -> bool {
        matches!(self, Self::Json | Self::Logfmt | Self::Regex(_))
    }

    /// Whether lines that follow can belong to a record's first.
    pub(super) fn takes_several_lines(&self) -> bool {
        matches!(self, Self::Raw | Self::Logfmt | Self::Regex(_))
    }
}

impl FromStr for Parsers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The comma of a regular expression stands behind its name.
        let (first, inside) =
            text.split_once(',').map_or((text, "raw"), |(first, inside)| (first, inside.trim_start()));
        let is_regex = first.starts_with("regex:");
        match Wrapper::named(first) {
            Some(_) if Wrapper::named(inside).is_some() => {
                Err(format!("{inside} stands around the lines of an app, and not inside another format"))
            }
            Some(wrapper) => Ok(Self { wrapper: Some(wrapper), parser: inside.parse()? }),
            None if first == text || is_regex => Ok(Self { wrapper: None, parser: text.parse()? }),
            None => Err("only cri and docker have another format inside: write cri,json".into()),
        }
    }
}

impl FromStr for Parser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "raw" => Self::Raw,
            "json" => Self::Json,
            "logfmt" => Self::Logfmt,
            "nginx" => Self::Nginx,
            "regex" => return Err("regex lacks its pattern: write regex:^(?<level>[A-Z]+) (?<message>.*)".into()),
            _ => match text.strip_prefix("regex:") {
                Some(pattern) => Self::Regex(Pattern::named(pattern)?),
                None => return Err(unknown(text)),
            },
        })
    }
}

fn unknown(text: &str) -> String {
    const NAMES: [&str; 7] = ["raw", "json", "logfmt", "cri", "docker", "nginx", "regex"];
    let near = lifecycle::nearest(text, NAMES.into_iter()).map(|near| format!("did you mean {near}?"));
    let hint = near.unwrap_or_else(|| "there are raw, json, logfmt, cri, docker, nginx and regex:PATTERN".into());
    format!("this is the name of no format; {hint}")
}

impl fmt::Display for Parsers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.wrapper, &self.parser) {
            (None, parser) => parser.fmt(f),
            (Some(wrapper), Parser::Raw) => f.write_str(wrapper.name()),
            (Some(wrapper), parser) => write!(f, "{},{parser}", wrapper.name()),
        }
    }
}

impl fmt::Display for Parser {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Nginx => "nginx",
            Self::Regex(_) => "regex",
        })
    }
}
