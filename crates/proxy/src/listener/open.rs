//! The books of one client's connection.

use std::{cell::Cell, rc::Rc};

use prometheus::IntGauge;

use crate::{
    context::Context,
    limits::{
        descriptors,
        room::{self, CONNECTION},
    },
    telemetry::Limit,
};

/// A connection that counts, for as long as this is held; also when its task panics
pub(super) struct Open {
    count: Rc<Cell<u32>>,
    /// Of the name that the listener had then
    gauge: IntGauge,
    _descriptor: descriptors::Taken,
    _memory: room::Taken,
}

impl Open {
    pub(super) fn new(context: &Context) -> Self {
        let open = Self {
            count: context.connections.clone(),
            gauge: context.telemetry.connections.clone(),
            _descriptor: context.descriptors.take(),
            _memory: context.memory.room.take_anyway(CONNECTION),
        };
        open.count.update(|count| count + 1);
        open.gauge.inc();
        context.telemetry.accepted.inc();
        if open.count.get() == context.limits.max_connections || context.descriptors.is_full() {
            context.telemetry.met(Limit::Connections);
        }
        open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.update(|count| count - 1);
        self.gauge.dec();
    }
}
