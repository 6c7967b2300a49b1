//! What the requests of one listener share within a worker.

use std::{cell::Cell, net::IpAddr, rc::Rc, sync::Arc};

use lifecycle::Pending;

use crate::{
    access_log::{
        AccessLog,
        line::{Entry, Outcome},
    },
    forwarded::trace_context::Traces,
    limits::Limits,
    plan::ListenerPlan,
    refusal::{Refusal, fault::Fault},
    telemetry::Telemetry,
    upstream::Upstream,
    upstream_url::UpstreamUrl,
};

/// A listener in a worker
pub(crate) struct Context {
    pub(crate) plan: Arc<ListenerPlan>,
    pub(crate) limits: Limits,
    /// By the index that routes have
    pub(crate) upstreams: Vec<(UpstreamUrl, Rc<Upstream>)>,
    pub(crate) telemetry: Telemetry,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) traces: Traces,
    /// The requests that a stop waits for
    pub(crate) pending: Pending,
    pub(crate) in_flight: Cell<u32>,
    pub(crate) connections: Cell<u32>,
    /// Whether answers shall end their connections, because the listener is about to close
    pub(crate) is_draining: Cell<bool>,
}

impl Context {
    /// A request was refused whose head could not be read.
    pub(crate) fn refused_unread(&self, peer: IpAddr, refusal: Refusal) {
        self.telemetry.refused(refusal);
        if let Some(log) = &self.access_log {
            let fault = Some(Fault::Refused(refusal));
            let outcome = Outcome { listener: &self.plan.name, fault, ..Outcome::new(refusal.status()) };
            log.write(&Entry::unreadable(peer), &outcome);
        }
    }
}
