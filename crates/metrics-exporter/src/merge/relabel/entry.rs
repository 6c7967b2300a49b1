//! An entry of `metric_relabel_configs` in the configuration file, and the check of its keys.

use std::fmt::{self, Display};

use lifecycle::config::AtKey;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Rule, dialect, template::Template};
use crate::exposition::names::is_label_name;

/// The most bytes of an expression. One with all names of a large page has about ten thousand.
const MAX_REGEX: usize = 64 * 1024;

/// A relabelling rule, with Prometheus' keys
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    /// Labels whose values are joined; `__name__` is the name of the sample
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    source_labels: Option<Vec<String>>,
    /// Text between the joined values
    #[serde(default = "default_separator", deserialize_with = "or_empty")]
    #[schemars(with = "String")]
    separator: String,
    /// The expression that the whole joined text, or the whole name of a label, must match
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    regex: Option<String>,
    /// For `hashmod`: the number of values
    #[serde(default, deserialize_with = "or_empty")]
    #[schemars(with = "u64")]
    modulus: u64,
    /// The label that the rule sets or compares
    #[serde(default, deserialize_with = "or_empty")]
    #[schemars(with = "String")]
    target_label: String,
    /// The new value, with `$1` or `${name}` for a group of the expression
    #[serde(default = "default_replacement", deserialize_with = "or_empty")]
    #[schemars(with = "String")]
    replacement: String,
    /// The action of the rule
    #[serde(default, deserialize_with = "action")]
    #[schemars(with = "Action")]
    action: Action,
}

/// The actions of Prometheus
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Action {
    #[default]
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

/// The fault of one key. The message repeats no value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleFault {
    key: &'static str,
    message: String,
}

const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl TryFrom<RuleEntry> for Rule {
    type Error = RuleFault;

    fn try_from(entry: RuleEntry) -> Result<Self, RuleFault> {
        entry.judge()?;
        let regex = compile(entry.regex.as_deref().unwrap_or("(.*)"))?;
        Ok(Self {
            action: entry.action,
            source_labels: entry.source_labels.unwrap_or_default(),
            separator: entry.separator,
            target_label: Template::new(entry.target_label, &regex),
            replacement: Template::new(entry.replacement, &regex),
            regex,
            modulus: entry.modulus,
        })
    }
}

impl RuleEntry {
    /// Refuses what Prometheus refuses.
    fn judge(&self) -> Result<(), RuleFault> {
        if self.source_labels.iter().flatten().any(|name| !is_label_name(name)) {
            return Err(fault("source_labels", "this holds a name that no label can have"));
        }
        match self.action {
            Action::Keep | Action::Drop => Ok(()),
            Action::LabelDrop | Action::LabelKeep => self.judge_regex_only(),
            Action::LabelMap if is_name_template(&self.replacement) => Ok(()),
            Action::LabelMap => Err(fault("replacement", "this becomes the name of a label, and no label can have it")),
            Action::Replace => {
                self.judge_target(self.target_label.contains('$') && is_name_template(&self.target_label))
            }
            Action::HashMod if self.modulus == 0 => Err(fault("modulus", "hashmod needs a modulus above 0")),
            Action::HashMod => self.judge_target(false),
            Action::Lowercase | Action::Uppercase | Action::KeepEqual | Action::DropEqual => {
                self.judge_target(false)?;
                self.judge_no_regex()
            }
        }
    }

    fn judge_target(&self, is_template: bool) -> Result<(), RuleFault> {
        if self.target_label.is_empty() {
            return Err(fault("action", "this action needs target_label"));
        }
        if is_template || is_label_name(&self.target_label) {
            return Ok(());
        }
        Err(fault(
            "target_label",
            "no label can have this name; it has letters, digits and _ (groups only with replace)",
        ))
    }

    fn judge_no_regex(&self) -> Result<(), RuleFault> {
        let is_comparison = matches!(self.action, Action::KeepEqual | Action::DropEqual);
        let unused = [
            ("replacement", self.replacement != default_replacement()),
            ("regex", is_comparison && self.regex.is_some()),
            ("modulus", is_comparison && self.modulus != 0),
            ("separator", is_comparison && self.separator != default_separator()),
        ];
        refuse_first(&unused)
    }

    fn judge_regex_only(&self) -> Result<(), RuleFault> {
        refuse_first(&[
            ("source_labels", self.source_labels.is_some()),
            ("target_label", !self.target_label.is_empty()),
            ("modulus", self.modulus != 0),
            ("separator", self.separator != default_separator()),
            ("replacement", self.replacement != default_replacement()),
        ])
    }
}

impl Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        AtKey { key: self.key, message: &self.message }.fmt(f)
    }
}

fn refuse_first(given: &[(&'static str, bool)]) -> Result<(), RuleFault> {
    let unused = given.iter().find(|(_, is_given)| *is_given);
    unused.map_or(Ok(()), |(key, _)| Err(fault(key, "this action does not use it")))
}

fn fault(key: &'static str, message: impl Into<String>) -> RuleFault {
    RuleFault { key, message: message.into() }
}

fn compile(regex: &str) -> Result<Regex, RuleFault> {
    if regex.len() > MAX_REGEX {
        return Err(fault("regex", format!("this expression has more than {MAX_REGEX} bytes")));
    }
    dialect::compile(regex).map_err(|message| fault("regex", message))
}

/// True for a name that may hold groups, as in Prometheus: `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`.
fn is_name_template(text: &str) -> bool {
    let mut rest = text;
    let mut is_first = true;
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        rest = &rest[c.len_utf8()..];
        if c == '$' {
            let inner = rest.strip_prefix('{');
            let start = inner.unwrap_or(rest);
            let after = start.trim_start_matches(is_word);
            let Some(after) = (if inner.is_some() { after.strip_prefix('}') } else { Some(after) }) else {
                return false;
            };
            if start.len() - after.len() <= usize::from(inner.is_some()) {
                return false;
            }
            rest = after;
        } else if !is_word(c) || is_first && c.is_ascii_digit() {
            return false;
        }
        is_first = false;
    }
    !is_first
}

fn default_separator() -> String {
    ";".into()
}

fn default_replacement() -> String {
    "$1".into()
}

/// Reads a key without a value as empty, as Prometheus does, and not as absent.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn given<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    or_empty(deserializer).map(Some)
}

/// Reads an action in upper or lower case, as Prometheus does.
fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Action, D::Error> {
    let name = String::deserialize(deserializer)?.to_lowercase();
    let found = ACTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, action)| *action).ok_or_else(|| {
        let names: Vec<_> = ACTIONS.iter().map(|(name, _)| *name).collect();
        serde::de::Error::custom(format_args!("this is no action; there are {}", names.join(", ")))
    })
}
