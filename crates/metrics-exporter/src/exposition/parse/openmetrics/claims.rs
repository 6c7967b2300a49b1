//! The sample names of the families of a page, of which no two families may share one.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::exposition::{
    model::Kind,
    openmetrics_rules::{sample_name, suffixes},
};

/// The names that samples of the families may have
#[derive(Default)]
pub(super) struct Claims<'a> {
    /// The index of the family that each name belongs to
    samples: HashMap<(&'a str, &'static str), usize, RandomState>,
    families: HashSet<&'a str, RandomState>,
}

impl<'a> Claims<'a> {
    /// The family that samples of this name belong to.
    pub(super) fn owner(&self, sample: &'a str) -> Option<usize> {
        self.samples.get(&sample_name(sample, "")).copied()
    }

    /// Claims the names of a family. No sample may belong to two families, in any order of the page.
    pub(super) fn take(&mut self, name: &'a str, kind: Kind, family: usize) -> Claim {
        let names = || suffixes(kind).iter().map(|suffix| sample_name(name, suffix));
        if let Some(owner) = names().find_map(|name| self.samples.get(&name)) {
            return Claim::TakenBy(*owner);
        }
        self.samples.extend(names().map(|name| (name, family)));
        if self.families.insert(name) { Claim::New } else { Claim::NameTwice }
    }
}

/// The result of a claim
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    New,
    /// The names are claimed, but another family has the same name, with another type and other sample names.
    NameTwice,
    /// Another family, with this index, has claimed one of the names.
    TakenBy(usize),
}
