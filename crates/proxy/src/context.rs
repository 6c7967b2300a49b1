//! What the requests of one listener share within a worker.

use std::{cell::Cell, rc::Rc, sync::Arc};

use lifecycle::Pending;

use crate::{
    access_log::AccessLog, limits::Limits, plan::ListenerPlan, telemetry::Telemetry, upstream::Upstream,
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
    /// The requests that a stop waits for
    pub(crate) pending: Pending,
    pub(crate) in_flight: Cell<u32>,
    pub(crate) connections: Cell<u32>,
    /// Whether answers shall end their connections, because the listener is about to close
    pub(crate) is_draining: Cell<bool>,
}
