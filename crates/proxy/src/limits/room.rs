//! The memory that admitted work may take in a container with a memory limit. Work takes its part before it begins, as much as it
//! can need at most, and gives it back at its end, so that a burst is refused before it takes anything.
//!
//! The sizes are what the kernel charged for one of many in a debug build, which takes more than a release, and a margin.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A client's connection without buffers: 1.4 KiB here, the rest in the kernel
pub(crate) const CONNECTION: u64 = 5 * 1024;
/// A handshake under way: the session's state, and the messages of both sides
pub(crate) const HANDSHAKE: u64 = 32 * 1024;
/// The buffers of a client's connection with a head or an answer under way: 8 KiB to read, the task, what the client has not taken
pub(crate) const BUFFERS: u64 = 26 * 1024;
/// A request with its connection to the upstream, and two or three reads of its body
pub(crate) const REQUEST: u64 = 34 * 1024;
/// A client's connection over HTTP/2: the buffers of 8 and 16 KiB, two tables of 4 KiB, the task
pub(crate) const HTTP2_CONNECTION: u64 = 64 * 1024;
/// Bytes of a body that a client may send on a stream of HTTP/2 before the upstream has read them
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;
/// Bytes of an answer on a stream of HTTP/2 that are taken before the client has read them, where memory has a limit
pub(crate) const NARROW_SEND_BUFFER: usize = 8 * 1024;
/// A stream of HTTP/2 beside its request: the send buffer, a read that has begun when the buffer was not full, and the state of h2
pub(crate) const STREAM: u32 = 24 * 1024;
/// A stream whose head has been read, and not judged: its task, and the fields of a long head
pub(crate) const STREAM_TASK: u64 = 16 * 1024;
/// A connection to an upstream that no request uses
pub(crate) const IDLE_UPSTREAM: u64 = 20 * 1024;
/// Larger reads of a connection's bodies: hyper reads up to 64 KiB at once, and up to three such reads are on their way
const WIDE: u64 = 192 * 1024;
/// The part of it that stays between two requests, because hyper keeps a buffer that it has
/// enlarged
const KEPT: u64 = 64 * 1024;
/// Bytes of one read where there is no room for larger ones. hyper enlarges its buffer of 8 KiB once a read has filled it.
const NARROW: usize = 8 * 1024 - 1;
/// No limit
const NONE: u64 = u64::MAX;

/// The room that all workers share; without a limit it never ends
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Bytes, or [`NONE`]
    size: AtomicU64,
    taken: AtomicU64,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Counts { size: NONE.into(), taken: 0.into() }))
    }
}

impl Room {
    /// The container's limit leaves these bytes, or has no end.
    pub(crate) fn set(&self, size: Option<u64>) {
        self.0.size.store(size.unwrap_or(NONE), Relaxed);
    }

    /// Whether the container has a memory limit
    pub(crate) fn is_limited(&self) -> bool {
        self.size() != NONE
    }

    /// These bytes, if they are free
    pub(crate) fn take(&self, bytes: u64) -> Option<Taken> {
        self.take_below(bytes, self.size())
    }

    /// These bytes, also where they are not free: for the one that may show that the room suffices.
    pub(crate) fn take_anyway(&self, bytes: u64) -> Taken {
        self.0.taken.fetch_add(bytes, Relaxed);
        Taken { room: self.clone(), bytes }
    }

    /// Whether another client may connect: a part of the room is for requests.
    pub(crate) fn has_connection(&self) -> bool {
        let size = self.size();
        self.taken() + CONNECTION + BUFFERS <= size - size / 8
    }

    /// Whether connections should keep no buffers for later
    pub(crate) fn is_crowded(&self) -> bool {
        self.taken() > self.size() / 2
    }

    fn take_below(&self, bytes: u64, most: u64) -> Option<Taken> {
        let take = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= most);
        self.0.taken.fetch_update(Relaxed, Relaxed, take).ok()?;
        Some(Taken { room: self.clone(), bytes })
    }

    fn size(&self) -> u64 {
        self.0.size.load(Relaxed)
    }

    fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }
}

/// A part of the room, until it is dropped
#[derive(Debug)]
pub(crate) struct Taken {
    room: Room,
    bytes: u64,
}

impl Taken {
    /// Whether the room has an end
    pub(crate) fn is_of_limited_room(&self) -> bool {
        self.room.size() != NONE
    }

    /// Whether more than half of the room is taken
    pub(crate) fn is_of_crowded_room(&self) -> bool {
        self.room.is_crowded()
    }
}

impl Taken {
    /// Gives back all but these bytes.
    fn shrink(&mut self, bytes: u64) {
        self.room.0.taken.fetch_sub(self.bytes - bytes, Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.0.taken.fetch_sub(self.bytes, Relaxed);
    }
}

/// How much a connection may read at once, and for it: few bytes, until there is room for many
#[derive(Debug)]
pub(crate) struct Reads {
    room: Room,
    /// [`WIDE`], or what is kept of it
    larger: RefCell<Option<Taken>>,
    /// Whether the bytes are those of a tunnel, whose reads have one size
    is_tunnel: Cell<bool>,
    /// Whether bytes wait for the other side to read
    is_blocked: Cell<bool>,
}

impl Reads {
    pub(crate) fn new(room: Room) -> Self {
        Self { room, larger: RefCell::default(), is_tunnel: Cell::default(), is_blocked: Cell::default() }
    }

    /// Bytes of the next read
    pub(crate) fn limit(&self) -> u64 {
        if self.is_narrow() { NARROW as u64 } else { u64::MAX }
    }

    pub(crate) fn is_narrow(&self) -> bool {
        self.room.size() != NONE && self.larger.borrow().as_ref().is_none_or(|larger| larger.bytes < WIDE)
    }

    /// Whether bytes wait for the other side to read; gives what was so before.
    pub(crate) fn set_blocked(&self, is_blocked: bool) -> bool {
        self.is_blocked.replace(is_blocked)
    }

    /// Whether nothing more may be read for the other side, because it does not read, and there is no memory for it
    pub(crate) fn must_wait(&self) -> bool {
        self.is_narrow() && self.is_blocked.get()
    }

    /// A read brought this many bytes. If more are likely to wait, the next one may be larger while half of the room is free.
    pub(crate) fn note(&self, bytes: usize) {
        if bytes == NARROW
            && self.is_narrow()
            && !self.is_tunnel.get()
            && let Some(wide) = self.room.take_below(WIDE, self.room.size() / 2)
        {
            self.larger.replace(Some(wide));
        }
    }

    /// Whether more of a head may be read behind these bytes of it. A long one is held several times on its way.
    pub(crate) fn have_room_behind(&self, bytes: usize) -> bool {
        if bytes >= NARROW {
            self.note(NARROW);
        }
        bytes < NARROW || !self.is_narrow()
    }

    /// The buffers of larger reads have gone, but for one that is kept for the next request.
    pub(crate) fn rest(&self) {
        if let Some(larger) = &mut *self.larger.borrow_mut() {
            larger.shrink(KEPT);
        }
    }

    /// The buffers of larger reads have gone.
    pub(crate) fn end(&self) {
        self.larger.replace(None);
    }

    /// The buffers have gone, and what follows is no HTTP.
    pub(crate) fn begin_tunnel(&self) {
        self.end();
        self.is_tunnel.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_fits_and_comes_back() {
        let room = Room::default();
        room.set(Some(2 * WIDE));
        let reads = Reads::new(room.clone());
        assert_eq!(reads.limit(), NARROW as u64);
        let request = room.take(REQUEST).unwrap();
        reads.note(NARROW);
        assert!(reads.is_narrow(), "less than half is free");
        drop(request);
        reads.note(NARROW);
        assert_eq!(reads.limit(), u64::MAX);
        assert!(room.take(WIDE).is_some() && room.take(WIDE + 1).is_none());
        reads.end();
        assert!(room.take(2 * WIDE).is_some());
    }

    #[test]
    fn a_kept_connection_and_a_tunnel_give_back_what_larger_reads_took() {
        let room = Room::default();
        room.set(Some(2 * WIDE));
        let reads = Reads::new(room.clone());
        reads.note(NARROW);
        assert_eq!((reads.is_narrow(), room.taken()), (false, WIDE));
        reads.rest();
        assert_eq!((reads.is_narrow(), room.taken()), (true, KEPT));
        reads.rest();
        let others = room.take(WIDE - KEPT).unwrap();
        reads.note(NARROW);
        assert_eq!((reads.is_narrow(), room.taken()), (true, WIDE), "there is no room for larger ones");
        drop(others);
        reads.begin_tunnel();
        reads.note(NARROW);
        assert_eq!((reads.is_narrow(), room.taken()), (true, 0));
    }

    #[test]
    fn without_a_limit_everything_has_room() {
        let room = Room::default();
        let _all = room.take_anyway(1 << 50);
        assert!(room.take(REQUEST).is_some() && room.has_connection() && !room.is_crowded());
        assert!(!Reads::new(room).is_narrow());
    }
}
