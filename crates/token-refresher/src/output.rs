//! Where a secret goes: the table of outputs.

pub(crate) mod entry;
