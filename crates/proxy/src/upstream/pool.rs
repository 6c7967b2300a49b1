//! The idle HTTP/1.1 connections of one worker to one upstream, and what is learned of how long the upstream keeps them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;

use crate::{
    limits::room::{IDLE_UPSTREAM, Room, Taken},
    request_body::RequestBody,
    upstream::upstream_io::Traffic,
};

/// Idle connections that are kept; more are closed, the oldest first
const LIMIT: usize = 256;
/// Those of them that are kept for long. The others are for the next burst of requests, because each holds buffers of 16 to 80 KiB.
const KEPT: usize = 16;
/// How long the others are kept
const BURST: Duration = Duration::from_secs(3);
/// How long a connection is kept where the upstream says and shows nothing: less than any usual server keeps it
const UNKNOWN: Duration = Duration::from_secs(55);
/// A close of the upstream teaches something only after this; before, it closes at random or restarts.
const SHORTEST_LESSON: Duration = Duration::from_secs(1);
/// Closes in a row before that time, after which the upstream counts as one that closes after each answer without a word
const EARLY_CLOSES: u32 = 3;
/// How long a close counts, because an upstream that restarts closes its connections too
const LESSON: Duration = Duration::from_secs(300);

/// A connection to an upstream, in use or idle
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) traffic: Rc<Traffic>,
    /// Ends the connection, also in the middle of an answer
    pub(crate) driver: AbortHandle,
    /// When it takes no more requests
    pub(crate) retires: Instant,
    /// Whether it has carried a request before
    pub(crate) is_reused: bool,
}

struct Idle {
    connection: Connection,
    since: Instant,
    _memory: Taken,
}

/// Idle connections, the last used at the end
pub(crate) struct Pool {
    idle: RefCell<Vec<Idle>>,
    /// How long the upstream keeps an idle connection by its own word, less a margin
    announced: Cell<Duration>,
    /// The same as a close has shown it, and when that was
    observed: Cell<Option<(Duration, Instant)>>,
    /// Connections in a row that the upstream closed before they had carried a second request
    early_closes: Cell<u32>,
    room: Room,
}

impl Idle {
    /// Closes the connection here, so that it teaches nothing of the upstream, and holds nothing that waits to be sent.
    fn close(&self) {
        self.connection.driver.abort();
    }
}

impl Pool {
    pub(crate) fn new(room: Room) -> Self {
        Self {
            idle: RefCell::default(),
            announced: Cell::new(UNKNOWN),
            observed: Cell::default(),
            early_closes: Cell::default(),
            room,
        }
    }

    /// The connection that was used last and can be used again; also how many were found stale.
    ///
    /// An upstream may close each connection a moment after the answer, and a request that is sent in this moment is lost. While it
    /// does so, only a connection that it has kept for longer is used; after the first such close that holds for requests that
    /// must not be repeated.
    pub(crate) fn take(&self, now: Instant, is_repeatable: bool) -> (Option<Connection>, u64) {
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        // `sweep` finds the other stale ones. A connection becomes ready a moment after the end of its answer.
        while idle.last().is_some_and(|last| self.is_stale(last, now)) {
            idle.pop().iter().for_each(Idle::close);
        }
        let stale = (before - idle.len()) as u64;
        let is_doubtful = self.early_closes.get() >= if is_repeatable { EARLY_CLOSES } else { 1 };
        let is_kept = |idle: &Idle| !is_doubtful || now.saturating_duration_since(idle.since) >= SHORTEST_LESSON;
        let is_usable = |idle: &Idle| idle.connection.sender.is_ready() && !self.is_stale(idle, now) && is_kept(idle);
        let ready = idle.iter().rposition(is_usable);
        let connection = ready.map(|at| idle.remove(at).connection);
        if let Some(connection) = &connection {
            connection.traffic.set_idle_since(None);
        }
        (connection, stale)
    }

    /// Keeps a connection whose answer has ended.
    pub(crate) fn give_back(&self, mut connection: Connection, now: Instant) {
        if connection.sender.is_closed() || now >= connection.retires {
            return;
        }
        // Dropped, it closes: memory is for requests first.
        let Some(memory) = self.room.take(IDLE_UPSTREAM) else { return };
        connection.is_reused = true;
        connection.traffic.reads.rest();
        connection.traffic.set_idle_since(Some(now));
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= LIMIT {
            idle.remove(0).close();
        }
        idle.push(Idle { connection, since: now, _memory: memory });
    }

    /// Closes what is too old, before the upstream does, and what is left of a burst.
    pub(crate) fn sweep(&self, now: Instant) {
        self.observed.set(self.observed.get().filter(|(_, at)| now.saturating_duration_since(*at) < LESSON));
        let mut idle = self.idle.borrow_mut();
        for stale in idle.extract_if(.., |idle| self.is_stale(idle, now)) {
            stale.close();
        }
        // The oldest come first.
        let others = idle.len().saturating_sub(KEPT);
        for other in idle.extract_if(..others, |idle| now.saturating_duration_since(idle.since) >= BURST) {
            other.close();
        }
    }

    /// The upstream says how long it keeps an idle connection (`Keep-Alive: timeout=`).
    pub(crate) fn learn_announced(&self, timeout: Duration) {
        self.announced.set(less_a_margin(timeout));
    }

    /// Learns from a connection that the upstream has closed after this idle time.
    pub(crate) fn learn_closed(&self, idle: Duration, now: Instant) {
        if idle < SHORTEST_LESSON {
            self.learn_early_close();
        } else if idle < self.lifetime() {
            self.observed.set(Some((less_a_margin(idle), now)));
        }
    }

    /// A kept connection was closed while a request came, or soon after its answer.
    pub(crate) fn learn_early_close(&self) {
        self.early_closes.update(|closes| closes.saturating_add(1));
    }

    /// A kept connection has carried another request.
    pub(crate) fn learn_kept(&self) {
        self.early_closes.set(0);
    }

    /// How long an idle connection is kept
    fn lifetime(&self) -> Duration {
        let observed = self.observed.get().map_or(UNKNOWN, |(lifetime, _)| lifetime);
        observed.min(self.announced.get()).min(UNKNOWN)
    }

    fn is_stale(&self, idle: &Idle, now: Instant) -> bool {
        let is_old = now.saturating_duration_since(idle.since) >= self.lifetime() || now >= idle.connection.retires;
        is_old || idle.connection.sender.is_closed()
    }
}

/// The time less a margin for the way to the upstream: a second, or half of a shorter time.
fn less_a_margin(timeout: Duration) -> Duration {
    timeout.saturating_sub(Duration::from_secs(1)).max(timeout / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_own_time_is_stayed_below() {
        let (pool, start) = (Pool::new(Room::default()), Instant::now());
        pool.learn_announced(Duration::from_secs(5));
        assert_eq!(pool.lifetime(), Duration::from_secs(4));
        pool.learn_closed(Duration::from_millis(100), start);
        assert_eq!(pool.lifetime(), Duration::from_secs(4));
        pool.learn_closed(Duration::from_millis(1500), start);
        assert_eq!(pool.lifetime(), Duration::from_millis(750));
        // Something in front of the upstream may close sooner than the upstream says, until the close is long ago.
        pool.learn_announced(Duration::from_secs(600));
        assert_eq!(pool.lifetime(), Duration::from_millis(750));
        pool.sweep(start + LESSON / 2);
        assert_eq!(pool.lifetime(), Duration::from_millis(750));
        pool.sweep(start + LESSON);
        assert_eq!(pool.lifetime(), UNKNOWN);
    }
}
