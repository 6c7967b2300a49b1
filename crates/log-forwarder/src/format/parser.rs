//! The table of formats, as `--format` names them.

use std::{fmt, str::FromStr};

use super::{cri, docker, json, logfmt, nginx, parts::ReadPart, pattern::Pattern, time::TimeRule};
use crate::format::record::Parsed;

/// `--format`: the form of a record's text
#[derive(Clone, Debug, Default)]
pub(crate) enum Parser {
    #[default]
    Raw,
    Json,
    Logfmt,
    Cri,
    Docker,
    Nginx,
    Regex(Pattern),
}

impl Parser {
    pub(super) fn read<'a>(&self, text: &'a str, rule: &TimeRule) -> Option<Parsed<'a>> {
        match self {
            Self::Raw => Some(Parsed::default()),
            Self::Json => json::read(text, rule),
            Self::Logfmt => logfmt::read(text, rule),
            Self::Cri => cri::read(text),
            Self::Docker => docker::read(text),
            Self::Nginx => nginx::read(text),
            Self::Regex(pattern) => pattern.read(text, rule),
        }
    }

    /// How a line is read that can be a part of a record
    pub(super) fn parts(&self) -> Option<ReadPart> {
        match self {
            Self::Cri => Some(cri::part),
            Self::Docker => Some(docker::part),
            Self::Raw | Self::Json | Self::Logfmt | Self::Nginx | Self::Regex(_) => None,
        }
    }

    /// Whether one of its fields can be the time. In the others, each line has its time at a place of its own, or none.
    pub(super) fn has_time_field(&self) -> bool {
        matches!(self, Self::Json | Self::Logfmt | Self::Regex(_))
    }

    /// Whether lines that follow can belong to a record's first.
    pub(super) fn takes_several_lines(&self) -> bool {
        matches!(self, Self::Raw | Self::Logfmt | Self::Regex(_))
    }
}

impl FromStr for Parser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "raw" => Self::Raw,
            "json" => Self::Json,
            "logfmt" => Self::Logfmt,
            "cri" => Self::Cri,
            "docker" => Self::Docker,
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

impl fmt::Display for Parser {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Cri => "cri",
            Self::Docker => "docker",
            Self::Nginx => "nginx",
            Self::Regex(_) => "regex",
        })
    }
}
