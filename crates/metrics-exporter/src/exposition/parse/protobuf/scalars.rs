//! Times, counts and bounds.

use crate::exposition::{
    metrics_proto::timestamp,
    parse::protobuf::wire::{Fault, Message},
};

/// Reads a `Timestamp` as seconds since the epoch.
pub(super) fn seconds(mut message: Message) -> Result<f64, Fault> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some((number, content)) = message.field()? {
        match number {
            timestamp::SECONDS => seconds = content.signed()?,
            timestamp::NANOS => nanos = content.signed()?,
            _ => {}
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "the model has seconds as a float, as OpenMetrics has them")]
    Ok(seconds as f64 + nanos as f64 / 1e9)
}

/// The float count if it is above 0, otherwise the integer, as in Prometheus.
pub(super) fn or_float(integer: u64, float: Option<f64>) -> f64 {
    float.filter(|float| *float > 0.0).unwrap_or_else(|| count(integer))
}

/// Sorts the list by bound. True when each bound is a number and occurs once.
pub(super) fn sort_by_bound<T>(list: &mut [T], bound: impl Fn(&T) -> f64) -> bool {
    if !list.is_sorted_by(|one, next| bound(one) < bound(next)) {
        list.sort_by(|one, other| bound(one).total_cmp(&bound(other)));
        if !list.is_sorted_by(|one, next| bound(one) < bound(next)) {
            return false;
        }
    }
    // A list of one element is always sorted, so look for NaN too.
    !list.iter().any(|element| bound(element).is_nan())
}

/// The count as a float, exact up to 2⁵³, as in Prometheus.
#[expect(clippy::cast_precision_loss, reason = "the model has counts as floats")]
pub(super) fn count(count: u64) -> f64 {
    count as f64
}
