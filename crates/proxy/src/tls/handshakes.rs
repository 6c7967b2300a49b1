//! The handshakes of a worker: how many it has at once, and how long each of them may take.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    convert::Infallible,
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{self, Instant},
};

use super::{outcome::Outcome, refused_clients::RefusedClients};
use crate::limits::{
    Limits,
    room::{HANDSHAKE, Room, Taken},
};

/// The time of a handshake while others wait for a turn: enough for a client that answers, also over a slow network
const CROWDED_TIME: Duration = Duration::from_secs(1);

/// The bounds of handshakes, which all listeners of a worker share. A client that waits for its turn has nothing but its socket.
///
/// The last client that came has the next turn, because a flood of clients that do not answer would otherwise stand before it.
#[derive(Debug)]
pub(crate) struct Handshakes {
    pub(crate) timeout: Duration,
    /// Clients whose certificates were refused
    pub(crate) refused: RefusedClients,
    most: usize,
    /// Those that run, by their number: the first one is the oldest.
    running: RefCell<BTreeMap<u64, Running>>,
    /// The number of the next one
    next: Cell<u64>,
    waiting: Cell<usize>,
    /// Tells the last client that waits of a free turn
    freed: Notify,
    room: Room,
}

/// A handshake that may run; it must end when this is dropped.
#[derive(Debug)]
struct Running {
    since: Instant,
    _end: oneshot::Sender<Infallible>,
}

/// The turn of one handshake, until it is dropped
pub(crate) struct Slot<'a> {
    handshakes: &'a Handshakes,
    number: u64,
    since: Instant,
    end: oneshot::Receiver<Infallible>,
    _memory: Taken,
}

/// A client that waits until this is dropped
struct Waiting<'a>(&'a Cell<usize>);

impl Handshakes {
    pub(crate) fn new(limits: &Limits, room: Room) -> Self {
        Self {
            timeout: limits.handshake_timeout,
            refused: RefusedClients::default(),
            most: limits.max_handshakes as usize,
            running: RefCell::default(),
            next: Cell::default(),
            waiting: Cell::default(),
            freed: Notify::new(),
            room,
        }
    }

    /// Waits for a turn. The only handshake always finds memory.
    pub(super) async fn slot(&self, deadline: Instant) -> Result<Slot<'_>, Outcome> {
        if !self.has_turn() {
            let _waiting = Waiting::new(&self.waiting);
            let turn = async {
                while !self.has_turn() {
                    self.freed.notified().await;
                }
            };
            time::timeout_at(deadline, turn).await.map_err(|_| Outcome::Crowded)?;
        }
        let is_only = self.running.borrow().is_empty();
        let memory = if is_only { Some(self.room.take_anyway(HANDSHAKE)) } else { self.room.take(HANDSHAKE) };
        let Some(memory) = memory else {
            self.freed.notify_last();
            return Err(Outcome::Memory);
        };
        let number = self.next.replace(self.next.get() + 1);
        let (sender, end) = oneshot::channel();
        let since = Instant::now();
        self.running.borrow_mut().insert(number, Running { since, _end: sender });
        Ok(Slot { handshakes: self, number, since, end, _memory: memory })
    }

    /// Whether one more may run. If all turns are taken, the oldest handshake ends for it, once that has had its time.
    fn has_turn(&self) -> bool {
        let mut running = self.running.borrow_mut();
        if running.len() < self.most {
            return true;
        }
        let oldest = running.first_entry().filter(|oldest| oldest.get().since.elapsed() >= CROWDED_TIME);
        let Some(oldest) = oldest else { return false };
        oldest.remove();
        true
    }

    /// Whether more clients wait than turns are free
    fn is_crowded(&self) -> bool {
        self.waiting.get() > self.most.saturating_sub(self.running.borrow().len())
    }
}

impl Slot<'_> {
    /// Waits until the handshake must end, because another one needs its turn.
    pub(super) async fn crowded_out(&mut self) {
        time::sleep_until(self.since + CROWDED_TIME).await;
        if !self.handshakes.is_crowded() {
            let _ = (&mut self.end).await;
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Otherwise the one that ended it has its turn.
        if self.handshakes.running.borrow_mut().remove(&self.number).is_some() {
            self.handshakes.freed.notify_last();
        }
    }
}

impl<'a> Waiting<'a> {
    fn new(waiting: &'a Cell<usize>) -> Self {
        waiting.update(|waiting| waiting + 1);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.update(|waiting| waiting - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Poll};

    use futures_util::{FutureExt as _, poll};

    use super::*;

    fn handshakes(most: &str) -> Handshakes {
        Handshakes::new(&Limits::of_flags(&["--max-handshakes", most]), Room::default())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// A turn that is there at once
    fn at_once(handshakes: &Handshakes) -> Option<Slot<'_>> {
        handshakes.slot(soon()).now_or_never().and_then(Result::ok)
    }

    async fn is_pending(future: impl Future) -> bool {
        let future = pin!(future);
        poll!(future).is_pending()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_handshake_keeps_its_turn_until_another_one_needs_it() {
        let handshakes = handshakes("2");
        let (mut first, mut second) = (at_once(&handshakes).unwrap(), at_once(&handshakes).unwrap());
        time::advance(CROWDED_TIME / 2).await;
        assert!(at_once(&handshakes).is_none(), "both have more time");
        time::advance(CROWDED_TIME * 2).await;
        assert!(is_pending(first.crowded_out()).await, "no other one waits");
        let third = at_once(&handshakes).unwrap();
        first.crowded_out().await;
        assert!(is_pending(second.crowded_out()).await, "one is enough");
        drop(first);
        assert!(is_pending(second.crowded_out()).await && handshakes.running.borrow().len() == 2);
        drop((second, third));
        assert!(handshakes.running.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_client_that_waits_has_the_next_turn() {
        let handshakes = handshakes("2");
        let (mut first, mut second) = (at_once(&handshakes).unwrap(), at_once(&handshakes).unwrap());
        let (mut early, mut late) = (Box::pin(handshakes.slot(soon())), Box::pin(handshakes.slot(soon())));
        assert!(poll!(&mut early).is_pending() && poll!(&mut late).is_pending());
        time::advance(CROWDED_TIME).await;
        first.crowded_out().await;
        drop(first);
        assert!(poll!(&mut early).is_pending());
        let Poll::Ready(Ok(late)) = poll!(&mut late) else { panic!("it has no turn") };
        second.crowded_out().await;
        drop(second);
        let early = early.await.ok().unwrap();
        assert_eq!(handshakes.waiting.get(), 0);
        drop((early, late));
    }

    #[tokio::test(start_paused = true)]
    async fn no_turn_comes_in_time_from_handshakes_that_go_on() {
        let handshakes = handshakes("1");
        let _running = at_once(&handshakes).unwrap();
        let deadline = Instant::now() + CROWDED_TIME / 2;
        assert_eq!(handshakes.slot(deadline).await.err(), Some(Outcome::Crowded));
        assert_eq!(handshakes.waiting.get(), 0);
    }
}
