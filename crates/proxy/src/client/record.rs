//! The books of one request, closed when the last byte of its answer has gone or its client has.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, StatusCode};

use crate::{
    access_log::line::{Entry, Outcome},
    client::client_io::ClientState,
    context::Context,
    grpc::status::Status,
    limits::room::Taken,
    refusal::fault::Fault,
    telemetry::Limit,
};

/// A request in flight
pub(crate) struct Record {
    context: Rc<Context>,
    client: Rc<ClientState>,
    /// The connection is in use as long as this is held
    _turn: Rc<()>,
    begun: Instant,
    method: Method,
    route: Option<usize>,
    status: StatusCode,
    fault: Option<Fault>,
    /// The status of a call of gRPC
    call: Option<Status>,
    bytes: u64,
    retries: u32,
    /// Whether the metric has it
    is_observed: bool,
    entry: Option<Box<Entry>>,
    /// The memory that it may take
    memory: Option<Taken>,
}

impl Record {
    /// A request whose head is there
    pub(crate) fn begin(
        context: Rc<Context>,
        client: Rc<ClientState>,
        turn: Rc<()>,
        begun: Instant,
        method: Method,
        entry: Option<Box<Entry>>,
    ) -> Self {
        context.in_flight.update(|count| count + 1);
        context.telemetry.active.inc();
        context.pending.add(1);
        client.is_answering.set(true);
        client.owes.set(true);
        Self {
            context,
            client,
            _turn: turn,
            begun,
            method,
            route: None,
            // Of a client that goes before the answer (nginx's own code)
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            fault: Some(Fault::ClientGone),
            call: None,
            bytes: 0,
            retries: 0,
            is_observed: false,
            entry,
            memory: None,
        }
    }

    /// It goes on, and takes this memory until its end.
    pub(crate) fn admitted(&mut self, memory: Taken) {
        self.memory = Some(memory);
    }

    /// The route that it takes
    pub(crate) fn routed(&mut self, route: usize) {
        self.route = Some(route);
    }

    /// The head that goes to the upstream
    pub(crate) fn forwarded(&mut self, headers: &HeaderMap) {
        if let Some(entry) = &mut self.entry {
            entry.forwarded(headers, self.context.plan.direction);
        }
    }

    /// How often it was sent again
    pub(crate) fn retried(&mut self, retries: u32) {
        self.retries = retries;
    }

    /// The answer's head
    pub(crate) fn answered(&mut self, status: StatusCode, fault: Option<Fault>) {
        (self.status, self.fault) = (status, fault);
    }

    /// It is a call of gRPC, or the status of one has come.
    pub(crate) fn called(&mut self, status: Status) {
        self.call = Some(status);
    }

    /// Whether it is a call of gRPC
    pub(crate) fn is_call(&self) -> bool {
        self.call.is_some()
    }

    /// The answer's head, which changes the protocol: the metric has the time to this, and the access log the time to the tunnel's end.
    pub(crate) fn changed(&mut self, status: StatusCode) {
        self.answered(status, None);
        self.observe(self.begun.elapsed());
        self.is_observed = true;
        // Until the tunnel has run
        self.fault = Some(Fault::ClientGone);
    }

    /// The tunnel was closed by both sides.
    pub(crate) fn closed(&mut self) {
        self.fault = None;
    }

    /// Whether the time for the answer has passed
    pub(crate) fn is_late(&self) -> bool {
        self.client.is_late.get()
    }

    /// Whether bytes wait for the client to read
    pub(crate) fn is_blocked(&self) -> bool {
        self.client.is_blocked.get()
    }

    /// Bytes of the answer's body that go to the client
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The answer's body ended too early.
    pub(crate) fn cut(&mut self, fault: Fault) {
        if fault == Fault::AnswerTooSlow {
            self.context.telemetry.met(Limit::RequestTimeout);
        }
        self.fault = Some(fault);
    }

    fn observe(&self, elapsed: Duration) {
        self.context.telemetry.ended(self.route, &self.method, self.status, self.fault, elapsed.as_secs_f64());
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.client.is_answering.set(false);
        self.context.in_flight.update(|count| count - 1);
        let telemetry = &self.context.telemetry;
        telemetry.active.dec();
        let elapsed = self.begun.elapsed();
        if !self.is_observed {
            self.observe(elapsed);
        }
        // A client that goes has cancelled its call.
        let is_cancelled = self.call == Some(Status::None) && self.fault == Some(Fault::ClientGone);
        let call = if is_cancelled { Some(Status::Cancelled) } else { self.call };
        if let Some(status) = call {
            telemetry.call_ended(self.route, status);
        }
        if let (Some(log), Some(entry)) = (&self.context.access_log, &self.entry) {
            let Self { status, fault, bytes, retries, .. } = *self;
            let plan = &self.context.plan;
            let route = self.route.map(|route| &plan.routes.all()[route]);
            let upstream = route.map(|route| self.context.upstreams[route.upstream].0.address.authority());
            let (listener, upstream) = (&*plan.name, upstream.as_deref());
            let route = route.map(|route| &*route.name);
            log.write(entry, &Outcome { listener, route, upstream, retries, status, fault, call, bytes, elapsed });
        }
        self.context.pending.done(1);
    }
}
