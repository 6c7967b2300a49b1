//! A worker: a thread with all listeners, connections and upstreams of its own.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Instant};

use lifecycle::{Heartbeat, Lifecycle, Pending};
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
    listener::{self, listening::Unserved},
    listener_address::ListenerAddress,
    plan::{ListenerPlan, Plan},
    route::upstream_url::UpstreamUrl,
    telemetry::{Metrics, Telemetry},
    tls::handshakes::Handshakes,
    upstream::{Upstream, app::Apps},
};

/// A plan that comes into force, at the start or by a reload
pub(crate) struct Change {
    pub(crate) plan: Arc<Plan>,
    /// The sockets of the addresses that are new
    pub(crate) sockets: Vec<(ListenerAddress, Unserved)>,
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
    /// The bounds of the handshakes of all listeners
    handshakes: Rc<Handshakes>,
    serving: JoinSet<()>,
}

/// A listener that accepts connections
struct Running {
    address: ListenerAddress,
    current: Rc<Current>,
    /// Tells it that it is gone from the configuration
    gone: watch::Sender<bool>,
}

impl Worker {
    pub(crate) fn new(settings: Settings) -> Self {
        let handshakes = Handshakes::new(&settings.limits, settings.memory.room.clone()).into();
        Self { settings, listeners: Vec::new(), upstreams: Vec::new(), handshakes, serving: JoinSet::new() }
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
                Some(change) = changes.recv() => if is_stopping { self.close(change) } else { self.apply(change)? },
                _ = life.stop_requested(), if !is_stopping => is_stopping = true,
                Some(ended) = self.serving.join_next() => ended?,
                _ = beat.tick() => {
                    heartbeat.beat();
                    let now = Instant::now();
                    for (_, upstream) in &self.upstreams {
                        upstream.sweep(now);
                    }
                    self.listeners.iter().for_each(|running| running.current.look_at_authorities());
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
            let stays = plan.listeners.iter().any(|listener| listener.address.is_same(&running.address));
            if !stays {
                running.gone.send_replace(true);
            }
            stays
        });
        for listener in &plan.listeners {
            if let Some(running) = self.listeners.iter().find(|running| running.address.is_same(&listener.address)) {
                running.current.replace(self.context(listener));
            }
        }
        for (address, socket) in sockets {
            let is_it = |listener: &&ListenerPlan| listener.address.is_same(&address);
            let Some(listener) = plan.listeners.iter().find(is_it) else { continue };
            let current = Rc::new(Current::new(self.context(listener)));
            let (gone, is_gone) = watch::channel(false);
            let (place, listening) = (socket.place()?, socket.serve()?);
            let life = self.settings.life.clone();
            self.serving.spawn_local(listener::serve(current.clone(), listening, place, is_gone, life));
            self.listeners.push(Running { address, current, gone });
        }
        self.settings.apps.changed();
        Ok(())
    }

    /// Closes the new sockets of a change that comes after a stop.
    fn close(&mut self, Change { sockets, .. }: Change) {
        for (_, socket) in sockets {
            self.serving.spawn_local(socket.close());
        }
    }

    fn upstream(&self, url: &UpstreamUrl, is_app: bool) -> Rc<Upstream> {
        let known = self.upstreams.iter().find(|(known, upstream)| known == url && upstream.app.is_some() == is_app);
        if let Some((_, upstream)) = known {
            return upstream.clone();
        }
        let app = is_app.then(|| self.settings.apps.at(&url.address));
        let (host, port) = url.address.server();
        let counts = self.settings.metrics.of_upstream(&host, &port, &url.address.authority());
        let (room, max_age) = (self.settings.memory.room.clone(), self.settings.limits.max_upstream_age);
        Rc::new(Upstream::new(url.clone(), app, counts, room, max_age, Instant::now()))
    }

    fn context(&self, plan: &ListenerPlan) -> Context {
        let Settings { limits, apps, memory, descriptors, metrics, access_log, begin_trace, life, pending, .. } =
            &self.settings;
        let routes: Vec<_> = plan.routes.all().iter().map(|route| &*route.name).collect();
        Context {
            telemetry: Telemetry::new(metrics, &plan.name, plan.tls.is_some(), &routes),
            plan: plan.clone(),
            limits: limits.clone(),
            apps: apps.clone(),
            memory: memory.clone(),
            descriptors: descriptors.clone(),
            upstreams: self.upstreams.clone(),
            handshakes: self.handshakes.clone(),
            access_log: access_log.clone(),
            traces: Traces::new(*begin_trace),
            life: life.clone(),
            pending: pending.clone(),
            in_flight: Rc::new(Cell::new(0)),
            connections: Rc::new(Cell::new(0)),
            buffered: Rc::new(Cell::new(0)),
            is_draining: Rc::new(Cell::new(false)),
        }
    }
}
