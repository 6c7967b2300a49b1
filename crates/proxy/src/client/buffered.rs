//! The buffers of connections in use: how many have them, and the memory for them.

use std::{cell::Cell, rc::Rc};

use crate::{
    client::handler::Handler,
    context::Context,
    limits::room::{BUFFERS, Taken},
};

/// Idle connections that keep their buffers, about 20 KB each, because most of the next requests come soon. With more of them,
/// a connection gives up its buffers as soon as it is idle, so that memory follows the requests in flight.
const MOST_WARM: u32 = 128;

/// A connection with buffers
pub(super) struct Buffered {
    count: Rc<Cell<u32>>,
    memory: Taken,
}

impl Buffered {
    /// Nothing if there is no memory for it; the only one finds some.
    pub(super) fn new(context: &Context) -> Option<Self> {
        let (count, room) = (context.buffered.clone(), &context.memory.room);
        let memory = if count.get() == 0 { room.take_anyway(BUFFERS) } else { room.take(BUFFERS)? };
        count.update(|count| count + 1);
        Some(Self { count, memory })
    }

    /// Few look further than this.
    pub(super) fn are_many(&self) -> bool {
        self.count.get() > MOST_WARM || self.memory.is_of_crowded_room()
    }

    pub(super) fn are_too_many(&self, handler: &Handler) -> bool {
        handler.is_idle()
            && (self.memory.is_of_crowded_room()
                || self.count.get() > handler.current.get().in_flight.get() + MOST_WARM)
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.count.update(|count| count - 1);
    }
}
