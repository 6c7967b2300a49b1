//! The state that the requests of one listener share within a worker, under one configuration.

use std::{
    cell::{Cell, RefCell},
    future,
    rc::Rc,
    sync::Arc,
};

use endpoint::ClientTrust;
use lifecycle::{Lifecycle, Pending};
use tokio::sync::watch;

use crate::{
    access_log::{
        AccessLog,
        line::{Entry, Outcome},
    },
    direction::Direction,
    head::forwarded::trace_context::Traces,
    limits::{
        Limits,
        descriptors::Descriptors,
        memory::Memory,
        room::{REQUEST, Taken},
    },
    peer::Peer,
    plan::ListenerPlan,
    refusal::{Refusal, fault::Fault},
    route::upstream_url::UpstreamUrl,
    telemetry::Telemetry,
    tls::handshakes::Handshakes,
    upstream::{
        Upstream,
        app::{Apps, State},
    },
};

/// The context in force, which a reload replaces. A request keeps the one that it began with.
pub(crate) struct Current {
    context: RefCell<Rc<Context>>,
    /// The proof that a new client has to give, for connections that last
    to_prove: watch::Sender<Option<ClientTrust>>,
}

/// A listener in a worker, under one configuration
pub(crate) struct Context {
    pub(crate) plan: ListenerPlan,
    pub(crate) limits: Limits,
    /// By the index that routes have
    pub(crate) upstreams: Vec<(UpstreamUrl, Rc<Upstream>)>,
    pub(crate) handshakes: Rc<Handshakes>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) memory: Memory,
    pub(crate) descriptors: Descriptors,
    pub(crate) telemetry: Telemetry,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) traces: Traces,
    pub(crate) life: Lifecycle,
    /// The requests that a stop waits for
    pub(crate) pending: Pending,
    /// The counts are the listener's: a reload keeps them.
    pub(crate) in_flight: Rc<Cell<u32>>,
    pub(crate) connections: Rc<Cell<u32>>,
    /// Those of them that have buffers
    pub(crate) buffered: Rc<Cell<u32>>,
    /// Whether answers shall end their connections, because the listener is about to close
    pub(crate) is_draining: Rc<Cell<bool>>,
}

impl Current {
    pub(crate) fn new(context: Context) -> Self {
        let (to_prove, _) = watch::channel(context.to_prove());
        Self { context: RefCell::new(context.into()), to_prove }
    }

    pub(crate) fn get(&self) -> Rc<Context> {
        self.context.borrow().clone()
    }

    /// Follows the proof that a new client has to give.
    pub(crate) fn to_prove(&self) -> watch::Receiver<Option<ClientTrust>> {
        self.to_prove.subscribe()
    }

    /// Tells connections that last the proof that a new client has to give by now: files of
    /// authorities change between two configurations.
    pub(crate) fn look_at_authorities(&self) {
        let to_prove = self.get().to_prove();
        self.to_prove.send_if_modified(|known| {
            let has_changed = *known != to_prove;
            *known = to_prove;
            has_changed
        });
    }

    /// Resolves when the state of this listener's apps is a wanted one.
    pub(crate) async fn until_apps(&self, is_wanted: impl Fn(State) -> bool) {
        let mut changes = self.get().apps.changes();
        while !is_wanted(self.get().state_of_apps()) {
            if changes.changed().await.is_err() {
                future::pending::<()>().await;
            }
        }
    }

    /// Requests whose heads come from now on meet this context; it takes over the counts.
    pub(crate) fn replace(&self, context: Context) {
        let Context { in_flight, connections, buffered, is_draining, .. } = &*self.get();
        let (in_flight, connections) = (in_flight.clone(), connections.clone());
        let (buffered, is_draining) = (buffered.clone(), is_draining.clone());
        self.context.replace(Context { in_flight, connections, buffered, is_draining, ..context }.into());
        self.look_at_authorities();
    }
}

impl Context {
    /// The proof that a client has to give which connects now; nothing without TLS.
    pub(crate) fn to_prove(&self) -> Option<ClientTrust> {
        self.plan.tls.as_ref().map(|tls| tls.client_trust())
    }

    /// The memory for a request that has come now, with the bytes that its stream takes beside it, or why it cannot be taken. Where
    /// memory is short, one at a time still goes on, because it may be what shows that memory no longer is.
    pub(crate) fn admit(&self, of_stream: u64) -> Result<Taken, Refusal> {
        let in_flight = self.in_flight.get();
        let room = &self.memory.room;
        if in_flight > self.limits.max_requests {
            Err(Refusal::TooManyRequests)
        } else if in_flight <= 1 {
            Ok(room.take_anyway(REQUEST + of_stream))
        } else if self.memory.is_near() {
            Err(Refusal::Memory)
        } else {
            room.take(REQUEST + of_stream).ok_or(Refusal::Memory)
        }
    }

    /// The state of the apps behind this listener, where they decide whether it is open: the worst of them counts.
    fn state_of_apps(&self) -> State {
        if !self.apps.close_listeners() || self.plan.direction == Direction::Outbound {
            return State::Up;
        }
        let apps = self.plan.routes.all().iter().filter_map(|route| self.upstreams[route.upstream].1.app.as_ref());
        apps.map(|app| app.state()).max().unwrap_or(State::Up)
    }

    /// A request was refused whose head could not be read.
    pub(crate) fn refused_unread(&self, peer: Peer, refusal: Refusal) {
        self.telemetry.refused(refusal);
        if let Some(log) = &self.access_log {
            let fault = Some(Fault::Refused(refusal));
            let outcome = Outcome { listener: &self.plan.name, fault, ..Outcome::new(refusal.status()) };
            log.write(&Entry::unreadable(peer), &outcome);
        }
    }
}
