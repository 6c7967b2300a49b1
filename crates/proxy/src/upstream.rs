//! An upstream as one worker sees it: its addresses, its connections, its retries.

pub(crate) mod app;
pub(crate) mod hold_start;
pub(crate) mod pool;
pub(crate) mod retry;
pub(crate) mod sent_head;
pub(crate) mod upstream_io;

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use endpoint::{Address, Failure, Names};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task, time};

use self::app::App;
use crate::{
    limits::room::Room,
    refusal::Refusal,
    telemetry::Counts,
    upstream::{
        pool::{Connection, Pool},
        retry::Budget,
        upstream_io::{Traffic, UpstreamIo},
    },
};

/// How long an answer of the resolver holds: getaddrinfo tells no TTL. A part of it is left to chance, so that workers and pods
/// do not ask all at once.
const RESOLVED_FOR: Duration = Duration::from_secs(5);
/// A connection must stand within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An upstream that takes no bytes for this time counts as gone. An app that is busy with the beginning of a body may read none of
/// the rest for much longer than a network is silent.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Bytes of an answer's head; more is no answer that a client could use
const HEAD_LIMIT: usize = 64 * 1024;

/// An upstream
pub(crate) struct Upstream {
    address: Address,
    names: Names,
    /// The addresses of the last lookup, and until when they hold
    resolved: RefCell<(Vec<SocketAddr>, Instant)>,
    pub(crate) pool: Pool,
    pub(crate) budget: RefCell<Budget>,
    /// The app behind an inbound listener
    pub(crate) app: Option<Arc<App>>,
    pub(crate) counts: Counts,
    room: Room,
}

impl Upstream {
    pub(crate) fn new(address: Address, app: Option<Arc<App>>, counts: Counts, room: Room, now: Instant) -> Self {
        let resolved = RefCell::new((Vec::new(), now));
        let budget = RefCell::new(Budget::new(now));
        Self { address, names: Names::default(), resolved, pool: Pool::new(room.clone()), budget, app, counts, room }
    }

    /// A kept connection that can carry a request.
    pub(crate) fn take_idle(&self, now: Instant, is_repeatable: bool) -> Option<Connection> {
        let (connection, stale) = self.pool.take(now, is_repeatable);
        self.counts.stale.inc_by(stale);
        self.counts.reused.inc_by(u64::from(connection.is_some()));
        connection
    }

    /// A connection that no request has used. Where an app is down, the request waits for it if it may.
    pub(crate) async fn connect_or_wait(self: &Rc<Self>) -> Result<Connection, Refusal> {
        let connected = self.connect().await;
        let place = match (&connected, &self.app) {
            (Err(Refusal::AppDown), Some(app)) => app.enqueue(),
            _ => None,
        };
        let Some(place) = place else { return connected };
        while place.wait().await {
            match self.connect().await {
                Err(Refusal::AppDown) => (),
                connected => return connected,
            }
        }
        connected
    }

    /// A connection that no request has used.
    pub(crate) async fn connect(self: &Rc<Self>) -> Result<Connection, Refusal> {
        let stream = match time::timeout(CONNECT_TIMEOUT, self.dial()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(failure)) => {
                self.resolve_before_next_dial();
                return Err(match (refusal(&failure), &self.app) {
                    (Refusal::UpstreamRefuses, Some(app)) => {
                        app.has_refused();
                        Refusal::AppDown
                    }
                    (refusal, _) => refusal,
                });
            }
            Err(_) => {
                self.resolve_before_next_dial();
                return Err(self.names.unanswered().map_or(Refusal::UpstreamUnreachable, |_| Refusal::UpstreamUnknown));
            }
        };
        self.counts.fresh.inc();
        let traffic = Rc::new(Traffic::new(self.counts.active.clone(), self.counts.idle.clone(), self.room.clone()));
        let io = TokioIo::new(UpstreamIo::new(stream, traffic.clone()));
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_LIMIT);
        let (sender, driver) = builder.handshake(io).await.map_err(|_| Refusal::UpstreamClosed)?;
        let driver = task::spawn_local(drive(driver, traffic.clone(), Rc::downgrade(self))).abort_handle();
        Ok(Connection { sender, traffic, driver, is_reused: false })
    }

    async fn dial(&self) -> Result<TcpStream, Failure> {
        let is_known = {
            let resolved = self.resolved.borrow();
            !resolved.0.is_empty() && Instant::now() < resolved.1
        };
        if !is_known {
            self.resolve().await?;
        }
        let addresses = self.resolved.borrow().0.clone();
        endpoint::dial_any(&addresses, SILENCE_LIMIT).await
    }

    /// The addresses may be those of pods that have gone. They stay known, because the resolver may have no answer.
    fn resolve_before_next_dial(&self) {
        self.resolved.borrow_mut().1 = Instant::now();
    }

    /// Looks the name up. While the resolver fails, the last addresses hold.
    async fn resolve(&self) -> Result<(), Failure> {
        let found = endpoint::addresses(&self.address, &self.names).await;
        let mut resolved = self.resolved.borrow_mut();
        match found {
            Ok(addresses) => resolved.0 = addresses,
            Err(failure) if resolved.0.is_empty() => return Err(failure),
            Err(_) => (),
        }
        resolved.1 = Instant::now() + RESOLVED_FOR.mul_f64(0.8 + 0.4 * fastrand::f64());
        Ok(())
    }
}

/// Runs a connection to its end. An end while nothing was asked teaches how long the upstream keeps one.
async fn drive(
    driver: http1::Connection<TokioIo<UpstreamIo>, crate::request_body::RequestBody>,
    traffic: Rc<Traffic>,
    upstream: Weak<Upstream>,
) {
    let _ = driver.await;
    if let (Some(since), Some(upstream)) = (traffic.idle_since(), upstream.upgrade()) {
        upstream.pool.learn_closed(since.elapsed(), Instant::now());
    }
}

fn refusal(failure: &Failure) -> Refusal {
    match failure {
        // A listener that closes resets the connections that it has not accepted.
        Failure::Refused | Failure::Reset => Refusal::UpstreamRefuses,
        Failure::UnknownName(_) | Failure::NoDnsAnswer(_) | Failure::NotAskedYet(_) | Failure::Lookup { .. } => {
            Refusal::UpstreamUnknown
        }
        _ => Refusal::UpstreamUnreachable,
    }
}
