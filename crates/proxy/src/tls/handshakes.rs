//! The handshakes of a worker: how many it has at once, and how long each of them may take.

use std::{cell::Cell, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{self, Instant},
};

use super::outcome::Outcome;
use crate::limits::{
    Limits,
    room::{HANDSHAKE, Room, Taken},
};

/// The bounds of handshakes, which all listeners of a worker share. A client that waits for its turn has nothing but its socket.
#[derive(Debug)]
pub(crate) struct Handshakes {
    pub(crate) timeout: Duration,
    slots: Semaphore,
    /// Those that run
    running: Cell<u32>,
    room: Room,
}

/// The turn of one handshake, until it is dropped
pub(crate) struct Slot<'a> {
    handshakes: &'a Handshakes,
    _permit: SemaphorePermit<'a>,
    _memory: Taken,
}

impl Handshakes {
    pub(crate) fn new(limits: &Limits, room: Room) -> Self {
        Self {
            timeout: limits.handshake_timeout,
            slots: Semaphore::new(limits.max_handshakes as usize),
            running: Cell::default(),
            room,
        }
    }

    /// Waits for a turn. The only handshake always finds memory.
    pub(super) async fn slot(&self, deadline: Instant) -> Result<Slot<'_>, Outcome> {
        let permit = if let Ok(permit) = self.slots.try_acquire() {
            permit
        } else {
            let turn = time::timeout_at(deadline, self.slots.acquire()).await;
            turn.ok().and_then(Result::ok).ok_or(Outcome::Crowded)?
        };
        let memory =
            if self.running.get() == 0 { Some(self.room.take_anyway(HANDSHAKE)) } else { self.room.take(HANDSHAKE) };
        let memory = memory.ok_or(Outcome::Memory)?;
        self.running.update(|running| running + 1);
        Ok(Slot { handshakes: self, _permit: permit, _memory: memory })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.handshakes.running.update(|running| running - 1);
    }
}
