//! The HTTP/2 connections of one worker to one upstream, and the places for requests on them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use h2::client::SendRequest;
use hyper::body::Bytes;
use tokio::{sync::Notify, time};

use crate::{
    refusal::Refusal,
    upstream::{http2::Http2, upstream_io::Traffic},
};

/// Connections at once, each for as many requests as the upstream allows; more requests wait
const MOST_CONNECTIONS: usize = 64;
/// Connections with which requests go over silent ones too, because the upstream may only be slow
const ENOUGH_BESIDE_SILENT: usize = 4;
/// How long a request waits for a place
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. An upstream that ends one sooner says so, and loses no request by it.
const KEPT: Duration = Duration::from_secs(55);

/// Connections to an upstream that speaks HTTP/2
#[derive(Default)]
pub(crate) struct Shared {
    connections: RefCell<Vec<Rc<Http2>>>,
    /// Whether a request makes a connection, for which others wait too
    is_dialing: Cell<bool>,
    /// How many have done that, and why the last one has failed
    dialed: Cell<(u64, Option<Refusal>)>,
    /// Tells requests that wait of a place, of a connection, or of the end of one
    pub(crate) changed: Rc<Notify>,
}

/// A place for one request on a connection
pub(crate) struct Place {
    connection: Rc<Http2>,
    shared: Rc<Shared>,
    /// Whether the connection has carried a request before
    pub(crate) is_reused: bool,
}

/// A request that makes a connection; its end wakes those that wait for the same
pub(crate) struct Dialing {
    shared: Rc<Shared>,
    refusal: Option<Refusal>,
}

impl Shared {
    /// A place on a connection that stands
    pub(crate) fn take(self: &Rc<Self>, now: Instant) -> Option<Place> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.is_over(now));
        let takes_silent = connections.len() >= ENOUGH_BESIDE_SILENT;
        let mut free = connections.iter().filter(|connection| connection.has_room());
        let first = free.clone().find(|connection| !connection.is_silent(now));
        let connection = first.or_else(|| free.next().filter(|_| takes_silent))?;
        connection.enter(now);
        Some(Place { connection: connection.clone(), shared: self.clone(), is_reused: true })
    }

    /// Keeps a connection that was made now, and gives the first place on it, if it has one.
    pub(crate) fn add(self: &Rc<Self>, connection: Rc<Http2>, now: Instant) -> Option<Place> {
        self.connections.borrow_mut().push(connection.clone());
        if !connection.has_room() {
            connection.stand_idle(now);
            return None;
        }
        connection.enter(now);
        Some(Place { connection, shared: self.clone(), is_reused: false })
    }

    /// Leave to make a connection; nothing while another request makes one, if there are enough, or
    /// where the upstream has just made one over which it allows no request yet.
    pub(crate) fn begin_dial(self: &Rc<Self>, now: Instant) -> Option<Dialing> {
        let connections = self.connections.borrow();
        let is_useless = |connection: &Rc<Http2>| !connection.has_room() && connection.is_unused_within(PATIENCE, now);
        if self.is_dialing.get() || connections.len() >= MOST_CONNECTIONS || connections.iter().any(is_useless) {
            return None;
        }
        self.is_dialing.set(true);
        Some(Dialing { shared: self.clone(), refusal: None })
    }

    /// Waits for a change. Fails like the connection that was being made, or when a request that began at this time has waited for
    /// long enough.
    pub(crate) async fn wait(&self, begun: Instant) -> Result<(), Refusal> {
        let (before, _) = self.dialed.get();
        let changed = self.changed.notified();
        if self.is_dialing.get() {
            changed.await;
        } else {
            let until = time::Instant::from(begun + PATIENCE);
            time::timeout_at(until, changed).await.map_err(|_| Refusal::UpstreamFull)?;
        }
        match self.dialed.get() {
            (now, Some(refusal)) if now != before => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Lets go of connections that take no more requests, or that have been idle for long.
    pub(crate) fn sweep(&self, now: Instant) {
        self.connections
            .borrow_mut()
            .retain(|connection| !connection.is_over(now) && !connection.is_idle_for(KEPT, now));
    }
}

impl Place {
    /// The sender of the request
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.connection.sender()
    }

    pub(crate) fn traffic(&self) -> &Rc<Traffic> {
        &self.connection.traffic
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.leave(Instant::now());
        self.shared.changed.notify_one();
    }
}

impl Dialing {
    /// Requests that wait for the connection hear why it does not stand.
    pub(crate) fn ended(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        let (number, _) = self.shared.dialed.get();
        self.shared.dialed.set((number + 1, self.refusal));
        self.shared.is_dialing.set(false);
        self.shared.changed.notify_waiters();
    }
}
