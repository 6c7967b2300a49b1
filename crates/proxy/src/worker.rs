//! A worker: a thread with all listeners, connections and upstreams of its own.

use std::{cell::Cell, net::TcpListener, rc::Rc, sync::Arc, time::Instant};

use lifecycle::{Heartbeat, Lifecycle, Pending};
use tokio::{task::JoinSet, time};

use crate::{
    access_log::AccessLog,
    context::Context,
    forwarded::trace_context::{BeginTrace, Traces},
    limits::Limits,
    listener,
    plan::Plan,
    telemetry::{Metrics, Telemetry},
    upstream::Upstream,
    upstream_url::UpstreamUrl,
};

/// The parts of a worker
pub(crate) struct Worker {
    pub(crate) plan: Arc<Plan>,
    /// One for each listener of the plan
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) begin_trace: BeginTrace,
    pub(crate) pending: Pending,
    pub(crate) life: Lifecycle,
}

impl Worker {
    /// Serves until all listeners have drained.
    pub(crate) async fn run(self, heartbeat: Heartbeat) -> anyhow::Result<()> {
        let upstream = |url: &UpstreamUrl| {
            let counts = self.metrics.of_upstream(&url.address.host, url.address.port, &url.address.authority());
            (url.clone(), Rc::new(Upstream::new(url.address.clone(), counts, Instant::now())))
        };
        let upstreams: Vec<_> = self.plan.upstreams.iter().map(upstream).collect();
        let mut serving = JoinSet::new();
        for (plan, listener) in self.plan.listeners.iter().zip(self.listeners) {
            let routes: Vec<_> = plan.routes.all().iter().map(|route| &*route.name).collect();
            let context = Rc::new(Context {
                telemetry: Telemetry::new(&self.metrics, &plan.name, &routes),
                plan: Arc::new(plan.clone()),
                limits: self.limits.clone(),
                upstreams: upstreams.clone(),
                access_log: self.access_log.clone(),
                traces: Traces::new(self.begin_trace),
                pending: self.pending.clone(),
                in_flight: Cell::new(0),
                connections: Cell::new(0),
                is_draining: Cell::new(false),
            });
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serving.spawn_local(listener::serve(context, listener, self.life.clone()));
        }
        let mut beat = time::interval(heartbeat.interval());
        loop {
            tokio::select! {
                ended = serving.join_next() => match ended {
                    Some(ended) => ended?,
                    None => return Ok(()),
                },
                _ = beat.tick() => {
                    heartbeat.beat();
                    let now = Instant::now();
                    for (_, upstream) in &upstreams {
                        upstream.pool.sweep(now);
                    }
                }
            }
        }
    }
}
