//! A relabelling rule with the semantics of Prometheus' `metric_relabel_configs`.
//!
//! Sources: <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config> and Prometheus'
//! `model/relabel`, with the label names of version 2 (no dots, no UTF-8), because text format 0.0.4 and OpenMetrics 1.0 have
//! no others.

mod dialect;
mod entry;
mod label_set;
mod letters;
mod template;

use bumpalo::{Bump, collections::String};
use md5::{Digest, Md5};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use entry::{Action, RuleEntry};
use template::Template;

use crate::exposition::names::is_label_name;

pub(crate) use label_set::LabelSet;

/// One rule of `metric_relabel_configs`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "RuleEntry")]
#[schemars(with = "RuleEntry")]
pub(crate) struct Rule {
    action: Action,
    source_labels: Vec<std::string::String>,
    separator: std::string::String,
    regex: Regex,
    target_label: Template,
    replacement: Template,
    modulus: u64,
}

/// The last text that a rule was matched against, and whether it matched. Neighbours on a page often have the same name.
pub(super) type LastMatch<'a> = Option<(&'a str, bool)>;

impl Rule {
    /// Changes the labels of a sample, which include `__name__`. False drops the sample.
    pub(super) fn apply<'a>(&self, arena: &'a Bump, labels: &mut LabelSet<'a>, last: &mut LastMatch<'a>) -> bool {
        match self.action {
            Action::LabelMap => self.map_labels(arena, labels),
            Action::LabelDrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.is_match(name)),
            _ => return self.apply_to_value(arena, labels, last),
        }
        true
    }

    /// Applies an action on the values of the source labels.
    fn apply_to_value<'a>(&self, arena: &'a Bump, labels: &mut LabelSet<'a>, last: &mut LastMatch<'a>) -> bool {
        let value = self.value(arena, labels);
        match self.action {
            Action::Keep => return self.matches(value, last),
            Action::Drop => return !self.matches(value, last),
            Action::KeepEqual => return labels.get(self.target_label.text()) == value,
            Action::DropEqual => return labels.get(self.target_label.text()) != value,
            Action::Replace if self.matches(value, last) => self.replace(arena, value, labels),
            Action::Lowercase => self.set(arena, labels, &letters::to_lowercase(value)),
            Action::Uppercase => self.set(arena, labels, &letters::to_uppercase(value)),
            Action::HashMod => self.set(arena, labels, &(hash(value) % self.modulus).to_string()),
            Action::Replace | Action::LabelMap | Action::LabelDrop | Action::LabelKeep => {}
        }
        true
    }

    /// The values of the source labels, joined by the separator.
    fn value<'a>(&self, arena: &'a Bump, labels: &LabelSet<'a>) -> &'a str {
        match &self.source_labels[..] {
            [] => "",
            [name] => labels.get(name),
            [first, rest @ ..] => {
                let mut value = String::from_str_in(labels.get(first), arena);
                for name in rest {
                    value.push_str(&self.separator);
                    value.push_str(labels.get(name));
                }
                value.into_bump_str()
            }
        }
    }

    fn matches<'a>(&self, value: &'a str, last: &mut LastMatch<'a>) -> bool {
        if let Some((text, matched)) = *last
            && text == value
        {
            return matched;
        }
        let matched = self.regex.is_match(value);
        *last = Some((value, matched));
        matched
    }

    fn replace<'a>(&self, arena: &'a Bump, value: &'a str, labels: &mut LabelSet<'a>) {
        let Some(groups) = self.regex.captures(value) else { return };
        let target = self.target_label.expand(arena, &groups);
        if is_label_name(target) {
            labels.set(target, self.replacement.expand(arena, &groups));
        }
    }

    fn map_labels<'a>(&self, arena: &'a Bump, labels: &mut LabelSet<'a>) {
        for label in labels.snapshot() {
            if let Some(groups) = self.regex.captures(label.name) {
                let name = self.replacement.expand(arena, &groups);
                if is_label_name(name) {
                    labels.set(name, label.value);
                }
            }
        }
    }

    fn set<'a>(&self, arena: &'a Bump, labels: &mut LabelSet<'a>, value: &str) {
        labels.set(arena.alloc_str(self.target_label.text()), arena.alloc_str(value));
    }
}

/// The last eight bytes of the MD5 hash, as in Prometheus.
fn hash(value: &str) -> u64 {
    let digest = Md5::digest(value);
    digest.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
