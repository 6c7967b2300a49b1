//! The part of a family that one source sends.

use crate::exposition::model::Family;

/// The part of a family that one source sends
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// The index of the source
    pub(super) source: usize,
    pub(super) is_own: bool,
    pub(super) family: Family<'a>,
}
