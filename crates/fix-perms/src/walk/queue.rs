//! Work that one thread of a walk has and another lacks.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

/// Pieces of work, few of them: a worker gives only while another may soon have none
#[derive(Debug)]
pub(crate) struct Queue<'a, T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// As in `state`, for a look without the lock
    length: AtomicUsize,
    workers: AtomicUsize,
    /// Set from outside, too: busy workers see it soon, and wake waiting ones
    stopped: &'a AtomicBool,
}

#[derive(Debug)]
struct State<T> {
    pieces: VecDeque<T>,
    workers: usize,
    idle: usize,
}

impl<'a, T> Queue<'a, T> {
    /// For one worker, the caller.
    pub(crate) fn new(first: T, stopped: &'a AtomicBool) -> Self {
        Self {
            state: State { pieces: [first].into(), workers: 1, idle: 0 }.into(),
            changed: Condvar::new(),
            length: AtomicUsize::new(1),
            workers: AtomicUsize::new(1),
            stopped,
        }
    }

    /// One more will take pieces: to be said before it starts.
    pub(crate) fn add_worker(&self) {
        self.change_workers(|workers| workers + 1);
    }

    /// One that was announced does not come.
    pub(crate) fn remove_worker(&self) {
        self.change_workers(|workers| workers - 1);
    }

    fn change_workers(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.workers = change(state.workers);
        self.workers.store(state.workers, Relaxed);
        self.changed.notify_all();
    }

    /// The next piece; waits for one. `None` when all work is done, or no more is to be done.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle += 1;
        loop {
            if self.is_stopped() || (state.pieces.is_empty() && state.idle == state.workers) {
                self.changed.notify_all();
                return None;
            }
            if let Some(piece) = state.pieces.pop_front() {
                state.idle -= 1;
                self.length.store(state.pieces.len(), Relaxed);
                return Some(piece);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a worker that has work should share it
    pub(crate) fn is_hungry(&self) -> bool {
        let workers = self.workers.load(Relaxed);
        workers > 1 && self.length.load(Relaxed) < workers
    }

    pub(crate) fn give(&self, piece: T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pieces.push_back(piece);
        self.length.store(state.pieces.len(), Relaxed);
        self.changed.notify_one();
    }

    /// No piece is handed out any more.
    pub(crate) fn stop(&self) {
        // Under the lock, so that no worker is between its look and its wait.
        let _state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Relaxed);
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_work_is_done_once_and_everyone_ends() {
        // Each piece of n is two of n - 1.
        let stopped = AtomicBool::new(false);
        let queue = Queue::new(10, &stopped);
        (0..4).for_each(|_| queue.add_worker());
        queue.remove_worker();
        let done = AtomicUsize::new(0);
        let work = || {
            while let Some(size) = queue.take() {
                done.fetch_add(1, Relaxed);
                for _ in 0..2 * usize::from(size > 0) {
                    queue.give(size - 1);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(work);
            }
        });
        assert_eq!(done.into_inner(), (1 << 11) - 1);
    }

    #[test]
    fn a_stop_wakes_those_who_wait() {
        let stopped = AtomicBool::new(false);
        let queue = Queue::new((), &stopped);
        queue.add_worker();
        assert!(queue.is_hungry());
        queue.take();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take());
            queue.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }
}
