//! The books of one request, closed when the last byte of its answer has gone or its client has.

use std::{rc::Rc, time::Instant};

use http::{Method, StatusCode};

use crate::{
    access_log::{Entry, Outcome},
    context::Context,
    refusal::Refusal,
};

/// A request in flight
pub(crate) struct Record {
    context: Rc<Context>,
    /// The connection is in use as long as this is held
    _turn: Rc<()>,
    begun: Instant,
    method: Method,
    route: Option<usize>,
    status: StatusCode,
    refusal: Option<Refusal>,
    bytes: u64,
    broke_off: bool,
    entry: Option<Box<Entry>>,
}

impl Record {
    /// A request whose head is there
    pub(crate) fn begin(
        context: Rc<Context>,
        turn: Rc<()>,
        begun: Instant,
        method: Method,
        entry: Option<Box<Entry>>,
    ) -> Self {
        context.in_flight.update(|count| count + 1);
        context.telemetry.active.inc();
        context.pending.add(1);
        Self {
            context,
            _turn: turn,
            begun,
            method,
            route: None,
            // Of a client that goes before the answer (nginx's own code)
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            refusal: None,
            bytes: 0,
            broke_off: false,
            entry,
        }
    }

    /// The route that it takes
    pub(crate) fn routed(&mut self, route: usize) {
        self.route = Some(route);
    }

    /// The answer's head
    pub(crate) fn answered(&mut self, status: StatusCode, refusal: Option<Refusal>) {
        (self.status, self.refusal) = (status, refusal);
    }

    /// Bytes of the answer's body that go to the client
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The answer's body ended too early.
    pub(crate) fn broke_off(&mut self) {
        self.broke_off = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.context.in_flight.update(|count| count - 1);
        let telemetry = &self.context.telemetry;
        telemetry.active.dec();
        self.context.pending.done(1);
        let elapsed = self.begun.elapsed();
        telemetry.ended(self.route, &self.method, self.status, self.refusal, elapsed.as_secs_f64());
        if let (Some(log), Some(entry)) = (&self.context.access_log, &self.entry) {
            let Self { status, refusal, bytes, broke_off, .. } = *self;
            log.write(entry, Outcome { status, refusal, bytes, elapsed, broke_off });
        }
    }
}
