//! `--config FILE`: the same targets as YAML, and groups of them.

use std::{collections::BTreeMap, path::PathBuf};

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use crate::{args::Args, target::Target};

/// Targets of a file; each takes a socket and a line of the summary.
const TARGET_LIMIT: usize = 1000;
/// Characters of a group's name
const NAME_LIMIT: usize = 64;

const NO_TARGETS: &str = "no targets: name one, such as tcp://db:5432";

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with the keys targets and groups")]
pub(crate) struct Config {
    /// More targets, in addition to those of the command line
    #[serde(default, deserialize_with = "targets")]
    #[schemars(length(max = 1000))]
    targets: Vec<Target>,
    /// Groups of more targets by name; of each group one ready target is enough
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<Target>>")]
    groups: BTreeMap<GroupName, Members>,
}

/// The name of a group: letters, digits, dots, hyphens and underscores
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GroupName(String);

/// The targets of a group
#[derive(Debug)]
struct Members(Vec<Target>);

impl Config {
    /// All targets; those of a group follow each other.
    pub(crate) fn into_targets(self) -> Vec<Target> {
        let mut targets = self.targets;
        for (GroupName(name), Members(members)) in self.groups {
            targets.extend(members.into_iter().map(|target| Target { group: Some(name.clone()), ..target }));
        }
        targets
    }

    fn all(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().chain(self.groups.values().flat_map(|members| &members.0))
    }
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        let is_enough = !args.targets.is_empty() || args.config.is_some() || args.disabled;
        let has_target = args.command.first().and_then(|word| word.to_str()).is_some_and(|word| word.contains("://"));
        let remedy = if has_target {
            "before the --, behind which the command stands"
        } else {
            "as an argument, in SIDEKIT_WAIT_FOR_TARGETS, or in a file that --config names"
        };
        if is_enough { Ok(()) } else { Err(format!("{NO_TARGETS}, {remedy}")) }
    }

    /// Targets do not depend on each other or on flags.
    fn judge(&self, _: &Args) -> Vec<Misfit> {
        let message = match self.all().count() {
            0 => NO_TARGETS.to_owned(),
            1..=TARGET_LIMIT => return Vec::new(),
            _ => too_many(),
        };
        vec![Misfit { at: String::new(), message }]
    }

    fn files(&self) -> Vec<PathBuf> {
        self.all().flat_map(|target| target.files.clone()).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    let targets = Option::<Vec<Target>>::deserialize(deserializer)?.unwrap_or_default();
    if targets.len() > TARGET_LIMIT { Err(D::Error::custom(too_many())) } else { Ok(targets) }
}

fn too_many() -> String {
    format!("at most {TARGET_LIMIT} targets")
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=NAME_LIMIT).contains(&name.len()) || !name.bytes().all(is_usual) {
            return Err(D::Error::custom(format_args!(
                "the name of a group has 1 to {NAME_LIMIT} letters, digits, dots, hyphens and underscores"
            )));
        }
        Ok(Self(name))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match targets(deserializer)? {
            none if none.is_empty() => Err(D::Error::custom(NO_TARGETS)),
            members => Ok(Self(members)),
        }
    }
}
