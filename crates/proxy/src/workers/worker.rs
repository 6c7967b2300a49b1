//! A worker: a thread with all listeners, connections and upstreams of its own.

use std::{cell::Cell, net::TcpListener, rc::Rc, sync::Arc, time::Instant};

use lifecycle::{Heartbeat, Lifecycle, ListenAddress, Pending};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};

use super::memory::{self, TRIM_INTERVAL};
use crate::{
    access_log::AccessLog,
    context::{Context, Current},
    head::forwarded::trace_context::{BeginTrace, Traces},
    limits::{Limits, descriptors::Descriptors, memory::Memory},
    listener,
    plan::{ListenerPlan, Plan},
    route::upstream_url::UpstreamUrl,
    telemetry::{Metrics, Telemetry},
    upstream::{Upstream, app::Apps},
};

/// A plan that comes into force, at the start or by a reload
pub(crate) struct Change {
    pub(crate) plan: Arc<Plan>,
    /// The sockets of the addresses that are new
    pub(crate) sockets: Vec<(ListenAddress, TcpListener)>,
    /// Dropped by each worker that serves the plan
    pub(crate) _applied: mpsc::Sender<()>,
}

/// The settings of a worker that no reload changes
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) apps: Arc<Apps>,
    pub(crate) memory: Memory,
    pub(crate) descriptors: Descriptors,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) begin_trace: BeginTrace,
    pub(crate) pending: Pending,
    pub(crate) life: Lifecycle,
}

/// A worker that serves nothing before its first change
pub(crate) struct Worker {
    settings: Settings,
    listeners: Vec<Running>,
    upstreams: Vec<(UpstreamUrl, Rc<Upstream>)>,
    serving: JoinSet<()>,
}

/// A listener that accepts connections
struct Running {
    address: ListenAddress,
    current: Rc<Current>,
    /// Tells it that it is gone from the configuration
    gone: watch::Sender<bool>,
}

impl Worker {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, listeners: Vec::new(), upstreams: Vec::new(), serving: JoinSet::new() }
    }

    /// Serves as the changes say, until a stop and until all listeners have drained.
    pub(crate) async fn run(
        mut self,
        mut changes: mpsc::UnboundedReceiver<Change>,
        heartbeat: Heartbeat,
    ) -> anyhow::Result<()> {
        let mut beat = time::interval(heartbeat.interval());
        let mut trim = time::interval(TRIM_INTERVAL);
        let life = self.settings.life.clone();
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                // After a stop the new sockets close at once.
                Some(change) = changes.recv() => if !is_stopping { self.apply(change)? },
                _ = life.stop_requested(), if !is_stopping => is_stopping = true,
                Some(ended) = self.serving.join_next() => ended?,
                _ = beat.tick() => {
                    heartbeat.beat();
                    let now = Instant::now();
                    for (_, upstream) in &self.upstreams {
                        upstream.pool.sweep(now);
                    }
                }
                _ = trim.tick() => memory::trim(),
            }
            if is_stopping && self.serving.is_empty() {
                return Ok(());
            }
        }
    }

    /// Listeners that stay keep their sockets and their connections, and upstreams that stay keep theirs.
    fn apply(&mut self, Change { plan, sockets, _applied }: Change) -> anyhow::Result<()> {
        self.upstreams = plan.upstreams.iter().map(|url| (url.clone(), self.upstream(url, plan.is_app(url)))).collect();
        self.listeners.retain(|running| {
            let stays = plan.listeners.iter().any(|listener| listener.address == running.address);
            if !stays {
                running.gone.send_replace(true);
            }
            stays
        });
        for listener in &plan.listeners {
            if let Some(running) = self.listeners.iter().find(|running| running.address == listener.address) {
                running.current.replace(self.context(listener));
            }
        }
        for (address, socket) in sockets {
            let Some(listener) = plan.listeners.iter().find(|listener| listener.address == address) else { continue };
            let current = Rc::new(Current::new(self.context(listener)));
            let (gone, is_gone) = watch::channel(false);
            let socket = tokio::net::TcpListener::from_std(socket)?;
            self.serving.spawn_local(listener::serve(current.clone(), socket, is_gone, self.settings.life.clone()));
            self.listeners.push(Running { address, current, gone });
        }
        self.settings.apps.changed();
        Ok(())
    }

    fn upstream(&self, url: &UpstreamUrl, is_app: bool) -> Rc<Upstream> {
        let known = self.upstreams.iter().find(|(known, upstream)| known == url && upstream.app.is_some() == is_app);
        if let Some((_, upstream)) = known {
            return upstream.clone();
        }
        let app = is_app.then(|| self.settings.apps.at(&url.address));
        let counts = self.settings.metrics.of_upstream(&url.address.host, url.address.port, &url.address.authority());
        Rc::new(Upstream::new(url.address.clone(), app, counts, self.settings.memory.room.clone(), Instant::now()))
    }

    fn context(&self, plan: &ListenerPlan) -> Context {
        let Settings { limits, apps, memory, descriptors, metrics, access_log, begin_trace, pending, .. } =
            &self.settings;
        let routes: Vec<_> = plan.routes.all().iter().map(|route| &*route.name).collect();
        Context {
            telemetry: Telemetry::new(metrics, &plan.name, &routes),
            plan: plan.clone(),
            limits: limits.clone(),
            apps: apps.clone(),
            memory: memory.clone(),
            descriptors: descriptors.clone(),
            upstreams: self.upstreams.clone(),
            access_log: access_log.clone(),
            traces: Traces::new(*begin_trace),
            pending: pending.clone(),
            in_flight: Rc::new(Cell::new(0)),
            connections: Rc::new(Cell::new(0)),
            buffered: Rc::new(Cell::new(0)),
            is_draining: Rc::new(Cell::new(false)),
        }
    }
}
