//! One sample line.

use crate::exposition::{model::Exemplar, parse::labels::LabelSet};

/// The role of a sample in its metric
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The value of a gauge, an unknown, an info or a state, or the total of a counter
    Value,
    Quantile,
    Bucket,
    Sum,
    Count,
    Created,
}

/// One sample line
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    pub(super) role: Role,
    /// The label set aside is `le`, `quantile` or the name of a state set.
    pub(super) labels: LabelSet<'a>,
    pub(super) value: f64,
    pub(super) timestamp: Option<i64>,
    pub(super) exemplar: Option<&'a Exemplar<'a>>,
}
