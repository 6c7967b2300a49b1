//! The calls of gRPC of one route, counted by their status without a lookup of labels.

use std::cell::OnceCell;

use prometheus::{IntCounter, IntCounterVec};

use crate::grpc::status::Status;

/// The counters that share their first labels
pub(crate) struct Calls {
    family: IntCounterVec,
    listener: String,
    route: String,
    /// By the place in `Status::ALL`; a status that never comes has no series
    known: [OnceCell<IntCounter>; Status::ALL.len()],
}

impl Calls {
    pub(crate) fn new(family: &IntCounterVec, listener: &str, route: &str) -> Self {
        let known = [const { OnceCell::new() }; Status::ALL.len()];
        Self { family: family.clone(), listener: listener.to_owned(), route: route.to_owned(), known }
    }

    /// A call has ended.
    pub(crate) fn ended(&self, status: Status) {
        let counter = || self.family.with_label_values(&[&*self.listener, &self.route, status.name()]);
        self.known[status as usize].get_or_init(counter).inc();
    }
}
