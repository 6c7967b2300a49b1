//! From the bytes of a file to whole records, in batches.

pub(crate) mod batch;
pub(crate) mod complete;
pub(crate) mod framing;
pub(crate) mod growing;
pub(crate) mod pool;
#[cfg(any(test, fuzzing))]
pub(crate) mod soundness;
pub(crate) mod span;
pub(crate) mod timestamp;
pub(crate) mod treatment;
