//! An upstream as one worker sees it: its connections, over HTTP/1.1 or HTTP/2, and its retries.
//!
//! Long because the ways to it over both versions of HTTP share what is known of it.

pub(crate) mod app;
pub(crate) mod blocks;
pub(crate) mod dedicated;
mod dial;
pub(crate) mod handshake;
pub(crate) mod hold_start;
mod http2;
pub(crate) mod incoming;
pub(crate) mod pool;
pub(crate) mod pump;
pub(crate) mod reach;
pub(crate) mod retry;
pub(crate) mod sent_head;
pub(crate) mod shared;
pub(crate) mod upstream_io;

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{task, time};

use self::{
    app::App,
    dial::{CONNECT_TIMEOUT, Dial},
    handshake::Handshakes,
    http2::{Http2, NoHttp2},
};
use crate::{
    limits::room::Room,
    refusal::Refusal,
    request_body::RequestBody,
    route::upstream_url::{UpstreamUrl, Versions},
    telemetry::Counts,
    transport::Transport,
    upstream::{
        pool::{Connection, Pool},
        retry::Budget,
        shared::{Place, Shared},
        upstream_io::{Traffic, UpstreamIo},
    },
};

/// Bytes of an answer's head, and over HTTP/2 of its trailers; more is no answer that a client could use
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;
/// Connections that are tried in a row, where the upstream closes them during their handshakes
const ATTEMPTS: usize = 3;
/// The time between connections that are made to see whether an upstream speaks HTTP/2 by now
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The age of a connection without a maximum, which no connection reaches
const AGELESS: Duration = Duration::from_secs(365 * 24 * 3600);

/// An upstream
pub(crate) struct Upstream {
    pub(crate) url: UpstreamUrl,
    dial: Dial,
    handshakes: Handshakes,
    pub(crate) pool: Pool,
    shared: Rc<Shared>,
    /// Whether the last connection agreed on HTTP/2; nothing before the first one
    speaks_http2: Cell<Option<bool>>,
    /// When a call has last made a connection although the one before agreed on HTTP/1.1
    asked_again: Cell<Option<Instant>>,
    /// After which age a connection takes no more requests; zero is never
    max_age: Duration,
    pub(crate) budget: RefCell<Budget>,
    /// Requests that it has answered
    pub(crate) answers: Cell<u64>,
    /// The app behind an inbound listener
    pub(crate) app: Option<Arc<App>>,
    pub(crate) counts: Counts,
    room: Room,
}

/// The way of one request to an upstream
pub(crate) enum Way {
    /// A connection of its own
    Http1(Connection),
    /// A place on a connection that others share
    Http2(Place),
}

impl Way {
    /// Whether its connection has carried a request before
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_reused,
            Self::Http2(place) => place.is_reused,
        }
    }

    /// Whether its connection reads little at once, because memory is short
    pub(crate) fn is_narrow(&self) -> bool {
        self.traffic().reads.is_narrow()
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        match self {
            Self::Http1(connection) => &connection.traffic,
            Self::Http2(place) => place.traffic(),
        }
    }
}

impl Upstream {
    pub(crate) fn new(
        url: UpstreamUrl,
        app: Option<Arc<App>>,
        counts: Counts,
        room: Room,
        max_age: Duration,
        now: Instant,
    ) -> Self {
        let speaks_http2 = match (&url.tls, url.versions) {
            (_, Versions::Http2) => Some(true),
            (_, Versions::Http1) | (None, Versions::Any) => Some(false),
            (Some(_), Versions::Any) => None,
        };
        Self {
            url,
            dial: Dial::new(now),
            handshakes: Handshakes::default(),
            pool: Pool::new(room.clone()),
            shared: Rc::default(),
            speaks_http2: Cell::new(speaks_http2),
            asked_again: Cell::default(),
            max_age,
            budget: RefCell::new(Budget::new(now)),
            answers: Cell::default(),
            app,
            counts,
            room,
        }
    }

    /// A way over a connection that stands. A call of gRPC takes none of HTTP/1.1.
    pub(crate) fn take_kept(&self, now: Instant, is_repeatable: bool, is_call: bool) -> Option<Way> {
        if let Some(place) = self.shared.take(now) {
            self.counts.reused.inc();
            return Some(Way::Http2(place));
        }
        if is_call {
            return None;
        }
        let (connection, stale) = self.pool.take(now, is_repeatable);
        self.counts.stale.inc_by(stale);
        self.counts.reused.inc_by(u64::from(connection.is_some()));
        connection.map(Way::Http1)
    }

    /// Whether a call of gRPC may make a connection. Where the last one agreed on HTTP/1.1, one call
    /// may in each [`ASK_AGAIN`]: it may reach another server behind the same name.
    pub(crate) fn may_agree_on_http2(&self, now: Instant) -> bool {
        if self.speaks_http2.get() != Some(false) {
            return true;
        }
        let is_due = |at| now.saturating_duration_since(at) >= ASK_AGAIN;
        let has_choice = self.url.tls.is_some() && self.url.versions == Versions::Any;
        let may_ask = has_choice && self.asked_again.get().is_none_or(is_due);
        if may_ask {
            self.asked_again.set(Some(now));
        }
        may_ask
    }

    /// A way over a connection that no request has used, or that takes many. Where an app is down, the request waits for it if it
    /// may.
    pub(crate) async fn connect_or_wait(self: &Rc<Self>) -> Result<Way, Refusal> {
        self.or_wait(async || self.connect().await).await
    }

    /// The connection that this makes. Where an app is down, the request waits for it if it may.
    async fn or_wait<T>(&self, connect: impl AsyncFn() -> Result<T, Refusal>) -> Result<T, Refusal> {
        let connected = connect().await;
        let place = match (&connected, &self.app) {
            (Err(Refusal::AppDown), Some(app)) => app.enqueue(),
            _ => None,
        };
        let Some(place) = place else { return connected };
        while place.wait().await {
            match connect().await {
                Err(Refusal::AppDown) => (),
                connected => return connected,
            }
        }
        connected
    }

    /// A way over a connection that no request has used, or that takes many. Requests of an upstream that may speak HTTP/2 wait for
    /// one connection, instead of making one each.
    pub(crate) async fn connect(self: &Rc<Self>) -> Result<Way, Refusal> {
        let begun = Instant::now();
        loop {
            let mut dialing = None;
            if self.speaks_http2.get() != Some(false) {
                if let Some(place) = self.shared.take(Instant::now()) {
                    self.counts.reused.inc();
                    return Ok(Way::Http2(place));
                }
                dialing = self.shared.begin_dial(Instant::now());
                if dialing.is_none() {
                    self.shared.wait(begun).await?;
                    continue;
                }
            }
            let way = self.while_it_reloads(async || self.connect_once().await).await;
            if let Some(mut dialing) = dialing {
                dialing.ended(way.as_ref().err().copied());
            }
            // Without a way, the upstream allows no request for now.
            if let Some(way) = way? {
                return Ok(way);
            }
        }
    }

    /// A request was answered; whether it is the first answer over its connection.
    pub(crate) fn has_answered(&self, is_first: bool) {
        self.answers.update(|answers| answers + 1);
        if is_first {
            self.handshakes.settle(&self.url);
        }
    }

    /// Why a connection ended that brought no answer, if TLS says more about it.
    pub(crate) fn refusal_of(&self, traffic: &Traffic, refusal: Refusal) -> Refusal {
        let Some(alert) = traffic.alert() else { return refusal };
        self.handshakes.log(&self.url, &alert);
        Refusal::UpstreamAlert
    }

    /// Closes what is too old.
    pub(crate) fn sweep(&self, now: Instant) {
        self.pool.sweep(now);
        self.shared.sweep(now);
    }

    /// The connection that this makes; another one where it is closed during its handshakes. At a
    /// reload of the upstream, the process that has accepted it may be about to end, and under load
    /// also the next one. Nothing of a request was sent.
    async fn while_it_reloads<T>(&self, connect: impl AsyncFn() -> Result<T, Refusal>) -> Result<T, Refusal> {
        for _ in 1..ATTEMPTS {
            match connect().await {
                Err(Refusal::UpstreamClosed) => (),
                connected => return connected,
            }
        }
        connect().await
    }

    /// Nothing if the upstream allows no request over the new connection yet
    async fn connect_once(self: &Rc<Self>) -> Result<Option<Way>, Refusal> {
        let versions = self.url.versions;
        let transport = self.transport(versions).await?;
        self.counts.fresh.inc();
        let is_http2 = transport.speaks_http2() || self.url.tls.is_none() && versions == Versions::Http2;
        let traffic = Rc::new(Traffic::new(self.counts.active.clone(), self.counts.idle.clone(), self.room.clone()));
        let io = UpstreamIo::new(transport, traffic.clone());
        let retires = self.retirement(Instant::now());
        if versions == Versions::Any {
            self.speaks_http2.set(Some(is_http2));
        }
        if is_http2 {
            let begun = Http2::begin(io, traffic.clone(), retires, self.room.clone(), self.shared.changed.clone());
            return match time::timeout(CONNECT_TIMEOUT, begun).await {
                Ok(Ok(connection)) => Ok(self.shared.add(connection, Instant::now()).map(Way::Http2)),
                Ok(Err(NoHttp2::Closed)) => Err(self.refusal_of(&traffic, Refusal::UpstreamClosed)),
                Ok(Err(NoHttp2::Otherwise)) => {
                    self.handshakes.not_http2(&self.url);
                    Err(Refusal::UpstreamBroken)
                }
                Err(_) => Err(Refusal::UpstreamUnreachable),
            };
        }
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_LIMIT);
        let begun = builder.handshake(TokioIo::new(io)).await;
        let (sender, driver) = begun.map_err(|_| Refusal::UpstreamClosed)?;
        let driver = task::spawn_local(drive(driver, traffic.clone(), Rc::downgrade(self))).abort_handle();
        Ok(Some(Way::Http1(Connection { sender, traffic, driver, retires, is_reused: false })))
    }

    /// A connection with TLS, where the upstream speaks it
    async fn transport(&self, versions: Versions) -> Result<Transport, Refusal> {
        let failure = match self.dial.connect(&self.url.address).await {
            Ok(socket) => return self.handshakes.shake(&self.url, socket, versions).await,
            Err(failure) => failure,
        };
        let refusal = dial::refusal(&self.url.address, &failure);
        if let (Refusal::UpstreamRefuses, Some(app)) = (refusal, &self.app) {
            // The watch of the app logs why.
            app.has_refused();
            return Err(Refusal::AppDown);
        }
        self.handshakes.log(&self.url, &failure.to_string());
        Err(refusal)
    }

    /// When a connection that is made now takes no more requests. A part of its age is left to chance, so that connections of a
    /// burst do not end in one.
    fn retirement(&self, now: Instant) -> Instant {
        let age = if self.max_age.is_zero() { AGELESS } else { self.max_age };
        now + age.min(AGELESS).mul_f64(0.8 + 0.2 * fastrand::f64())
    }
}

/// Runs a connection to its end. An end while nothing was asked teaches how long the upstream keeps one.
async fn drive(
    driver: http1::Connection<TokioIo<UpstreamIo>, RequestBody>,
    traffic: Rc<Traffic>,
    upstream: Weak<Upstream>,
) {
    let _ = driver.await;
    if let (Some(since), Some(upstream)) = (traffic.idle_since(), upstream.upgrade()) {
        upstream.pool.learn_closed(since.elapsed(), Instant::now());
    }
}
