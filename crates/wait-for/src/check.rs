//! One way of asking whether a target is ready.

use std::fmt;

use futures_util::future::LocalBoxFuture;

use crate::{
    network::Network,
    not_ready::{NotReady, Verdict},
};

/// One way of asking one target whether it is ready
pub(crate) trait Check: fmt::Debug + Send + Sync {
    /// Asks once. The caller sets the deadline by dropping the future.
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict>;

    /// The answer of an attempt that its deadline has ended. A kind that follows its target knows
    /// it between two changes.
    fn at_deadline(&self) -> Option<NotReady> {
        None
    }
}
