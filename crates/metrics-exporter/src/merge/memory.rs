//! The duplicates of earlier pages. Later pages treat them alike, so that a series keeps its labels and its source while one of the
//! sources is down.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use crate::exposition::model::Label;

/// The most names that are remembered. For other names each page decides on its own which series get the label.
const MAX_NAMES: usize = 5000;
const MAX_NAME: usize = 256;
/// The most series that are remembered as refused
const MAX_REFUSED: usize = 20_000;

/// The duplicates of earlier pages. It belongs to one list of sources: a new list begins with a new one.
#[derive(Debug, Default)]
pub(crate) struct MergeMemory {
    /// Names whose series have the label `source`
    labelled: HashSet<Box<str>>,
    /// By name, the hashes of the refused series, each with its source
    refused: HashMap<Box<str>, HashSet<u64>>,
    refused_count: usize,
    /// Random for each process, because sources choose the hashed text and could make it collide
    hasher: RandomState,
    is_full: bool,
}

impl MergeMemory {
    pub(super) fn is_labelled(&self, name: &str) -> bool {
        self.labelled.contains(name)
    }

    pub(super) fn set_labelled(&mut self, name: &str) {
        if self.labelled.contains(name) {
            return;
        }
        if self.labelled.len() >= MAX_NAMES || name.len() > MAX_NAME {
            self.is_full = true;
        } else {
            self.labelled.insert(name.into());
        }
    }

    /// True when a series of this name was ever refused.
    pub(super) fn has_refused(&self, name: &str) -> bool {
        self.refused.contains_key(name)
    }

    pub(super) fn is_refused(&self, name: &str, source: &str, labels: &[Label]) -> bool {
        self.refused.get(name).is_some_and(|hashes| hashes.contains(&self.hasher.hash_one((source, labels))))
    }

    pub(super) fn set_refused(&mut self, name: &str, source: &str, labels: &[Label]) {
        if self.is_refused(name, source, labels) {
            return;
        }
        if self.refused_count >= MAX_REFUSED || name.len() > MAX_NAME {
            self.is_full = true;
            return;
        }
        let hash = self.hasher.hash_one((source, labels));
        self.refused.entry(name.into()).or_default().insert(hash);
        self.refused_count += 1;
    }

    /// True when there was no room to remember a duplicate.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }
}
