//! A number that tells whether two values are equal, where the values themselves must not be shown.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::LazyLock,
};

/// The keys are random and never leave the process, so that a mark says nothing about its value outside.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The same number for equal values, for as long as the process runs
pub fn mark(value: &impl Hash) -> u64 {
    KEYS.hash_one(value)
}
