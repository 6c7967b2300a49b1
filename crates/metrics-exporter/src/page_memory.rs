//! The memory for pages: a fifth is for the bodies of sources, a ninth for finished pages that scrapers still read, the rest for the
//! page that is being made. Without this bound one large source could bring the container to its limit, and the kernel would kill
//! the exporter.

use std::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{AcqRel, Relaxed, Release},
    },
};

use tokio::sync::Notify;

use crate::collect::{cgroup, roots::Roots};

/// Bytes of the container's memory that the exporter needs without pages: 3 MiB of its own, and the kernel's memory for its
/// connections and threads
const PROGRAM: u64 = 6 * 1024 * 1024;
/// Bytes for pages in a container without a limit
const WITHOUT_LIMIT: u64 = 256 * 1024 * 1024;
/// The least bytes for pages, enough for some hundred series
pub(crate) const LEAST: usize = 1024 * 1024;
/// The divisor for the part of the rest that stays free, because the allocator does not return all memory at once
const KEPT_FREE: u64 = 5;
/// The divisor for the part of bodies
const FOR_BODIES: usize = 5;
/// The divisor for the part of finished pages
const FOR_ANSWERS: usize = 9;
/// The most bytes that are reserved for a body of each source, so that large sources leave room for small ones. All reserved bytes
/// together are at most half of the part of bodies.
const RESERVED: usize = 256 * 1024;

/// The memory for pages; clones share it
#[derive(Clone, Debug)]
pub(crate) struct PageMemory(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    /// Bytes for all bodies
    bodies: usize,
    /// Bytes of these that are in use, without the reserved ones
    of_bodies: AtomicUsize,
    /// Bytes for finished pages, and one page more
    answers: usize,
    /// Bytes of these that are in use
    of_answers: AtomicUsize,
    /// Gets a permit when a finished page is dropped
    read: Notify,
    /// Bytes for the page that is being made
    page: usize,
}

/// The reserved memory of one source, which one body at a time has
#[derive(Clone, Debug, Default)]
pub(crate) struct Reserve(Arc<AtomicBool>);

/// The memory of one body, which is free again on drop
#[derive(Debug)]
pub(crate) struct BodyMemory {
    shares: Arc<Shares>,
    /// The most bytes of the body, independent of the free memory
    limit: usize,
    /// Bytes that are reserved for this body; 0 while another body of the source has them
    reserved: usize,
    /// The reserve that this body has
    reserve: Option<Reserve>,
    /// Bytes that all bodies share beyond their reserved ones
    shared: usize,
    taken: usize,
}

/// The memory of a finished page that a scraper reads, which is free again on drop
#[derive(Debug)]
pub(crate) struct AnswerMemory {
    shares: Arc<Shares>,
    taken: usize,
}

/// The reason why a body cannot grow
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The body has reached its own limit, in bytes.
    Limit(usize),
    Memory,
}

impl PageMemory {
    /// This number of bytes, or else most of the container's memory limit less the program's own memory.
    pub(crate) fn of(bytes: Option<usize>) -> Self {
        let left = || match cgroup::memory_limit(&Roots::under("/".as_ref())) {
            Some(limit) => limit.saturating_sub(PROGRAM) / KEPT_FREE * (KEPT_FREE - 1),
            None => WITHOUT_LIMIT,
        };
        Self::new(bytes.unwrap_or_else(|| usize::try_from(left()).unwrap_or(usize::MAX).max(LEAST)))
    }

    pub(crate) fn new(bytes: usize) -> Self {
        let (bodies, answers) = (bytes / FOR_BODIES, bytes / FOR_ANSWERS);
        let (of_bodies, of_answers) = (AtomicUsize::default(), AtomicUsize::default());
        let page = bytes - bodies - answers;
        Self(Arc::new(Shares { bodies, of_bodies, answers, of_answers, read: Notify::new(), page }))
    }

    /// Bytes for the page that is being made.
    pub(crate) fn page(&self) -> usize {
        self.0.page
    }

    /// Waits until scrapers have read enough of the finished pages for another one to be made. One page is made at a time.
    pub(crate) async fn room_for_answer(&self) {
        while self.0.of_answers.load(Relaxed) >= self.0.answers {
            self.0.read.notified().await;
        }
    }

    /// Takes the memory of a finished page of this length, for which there was room when it was begun.
    pub(crate) fn answer(&self, length: usize) -> Arc<AnswerMemory> {
        self.0.of_answers.fetch_add(length, Relaxed);
        Arc::new(AnswerMemory { shares: self.0.clone(), taken: length })
    }

    /// Memory for one body of at most `limit` bytes; `sources` is the number of all sources.
    pub(crate) fn body(&self, sources: usize, limit: usize, reserve: &Reserve) -> BodyMemory {
        let bodies = self.0.bodies;
        let each = RESERVED.min(bodies / 2 / sources.max(1));
        let reserve = (!reserve.0.swap(true, AcqRel)).then(|| reserve.clone());
        let reserved = if reserve.is_some() { each } else { 0 };
        BodyMemory { shares: self.0.clone(), limit, reserved, reserve, shared: bodies - each * sources, taken: 0 }
    }
}

impl BodyMemory {
    /// Lets the body grow or shrink to this length.
    pub(crate) fn resize(&mut self, length: usize) -> Result<(), NoRoom> {
        if length > self.limit {
            return Err(NoRoom::Limit(self.limit));
        }
        let wanted = length.saturating_sub(self.reserved);
        let in_use = &self.shares.of_bodies;
        if wanted <= self.taken {
            in_use.fetch_sub(self.taken - wanted, Relaxed);
        } else if in_use.fetch_add(wanted - self.taken, Relaxed) + (wanted - self.taken) > self.shared {
            in_use.fetch_sub(wanted - self.taken, Relaxed);
            return Err(NoRoom::Memory);
        }
        self.taken = wanted;
        Ok(())
    }

    /// The length that the body may reach at the moment, if it needs this number of bytes too.
    pub(crate) fn most_beside(&self, bytes: usize) -> usize {
        let free = self.shared.saturating_sub(self.shares.of_bodies.load(Relaxed));
        self.reserved.saturating_add(self.taken).saturating_add(free).saturating_sub(bytes).min(self.limit)
    }
}

impl Drop for AnswerMemory {
    fn drop(&mut self) {
        self.shares.of_answers.fetch_sub(self.taken, Relaxed);
        self.shares.read.notify_one();
    }
}

impl Drop for BodyMemory {
    fn drop(&mut self) {
        self.shares.of_bodies.fetch_sub(self.taken, Relaxed);
        if let Some(reserve) = &self.reserve {
            reserve.0.store(false, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn body(memory: &PageMemory, sources: usize) -> BodyMemory {
        memory.body(sources, usize::MAX, &Reserve::default())
    }

    #[test]
    fn a_large_body_leaves_small_ones_their_reserved_memory() {
        let memory = PageMemory::new(20 * 1024 * 1024);
        let (mut large, mut small) = (body(&memory, 2), body(&memory, 2));
        let most = large.most_beside(0);
        assert_eq!(most, 4 * 1024 * 1024 - RESERVED);
        large.resize(most).unwrap();
        assert_eq!(large.resize(most + 1), Err(NoRoom::Memory));
        small.resize(RESERVED).unwrap();
        assert!(small.resize(RESERVED + 1).is_err());
        large.resize(most - 1).unwrap();
        small.resize(RESERVED + 1).unwrap();
        drop(large);
        assert_eq!(small.most_beside(0), most);
        small.resize(most).unwrap();
        assert_eq!(memory.body(2, 9, &Reserve::default()).resize(10), Err(NoRoom::Limit(9)));
    }

    #[test]
    fn one_body_of_a_source_at_a_time_has_its_reserve() {
        let (memory, reserve) = (PageMemory::new(20 * 1024 * 1024), Reserve::default());
        let first = memory.body(1, usize::MAX, &reserve);
        let mut second = memory.body(1, usize::MAX, &reserve);
        assert_eq!(first.most_beside(0) - second.most_beside(0), RESERVED);
        second.resize(1).unwrap();
        assert_eq!(memory.0.of_bodies.load(Relaxed), 1);
        drop(first);
        let mut third = memory.body(1, usize::MAX, &reserve);
        third.resize(RESERVED).unwrap();
        assert_eq!(memory.0.of_bodies.load(Relaxed), 1);
    }

    #[test]
    fn many_sources_share_half_of_the_bodies_in_equal_parts() {
        let memory = PageMemory::new(5_000_000);
        let mut bodies: Vec<_> = (0..100).map(|_| body(&memory, 100)).collect();
        bodies[0].resize(505_000).unwrap();
        for body in &mut bodies[1..] {
            body.resize(5000).unwrap();
            assert!(body.resize(5001).is_err());
        }
    }

    #[test]
    fn finished_pages_let_another_one_wait_and_take_nothing_from_bodies() {
        let memory = PageMemory::new(9_000_000);
        let most = body(&memory, 1).most_beside(0);
        let first = memory.answer(999_999);
        assert!(memory.room_for_answer().now_or_never().is_some());
        let second = memory.answer(1);
        assert!(memory.room_for_answer().now_or_never().is_none());
        assert_eq!(body(&memory, 1).most_beside(0), most);
        drop(second);
        assert!(memory.room_for_answer().now_or_never().is_some());
        drop(first);
    }
}
