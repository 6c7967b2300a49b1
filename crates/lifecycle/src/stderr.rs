//! The only way to stderr: a bounded queue, and a thread that writes it out.
//!
//! A reader that stalls (a full pipe, a terminal stopped by Ctrl-S) blocks that thread alone, and never a stop or a
//! deadline. Lines that do not fit are dropped and counted; the count is a line of its own as soon as there is room.

use std::{
    cell::Cell,
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes that wait for the reader; about two thousand lines
const LIMIT: usize = 512 * 1024;
/// Bytes up to which drawings are taken, so that they leave room for lines
const DRAWING_LIMIT: usize = LIMIT / 8;
/// At the end, for a reader that reads but is slow
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// At the end, for a reader that does not read; part of the 100 ms that a task has for its end
const FLUSH_PATIENCE: Duration = Duration::from_millis(20);
/// How often the end looks whether stderr takes bytes
const FLUSH_POLL: Duration = Duration::from_millis(5);
/// Bytes that a pipe takes without a wait when it takes any (`PIPE_BUF`)
const PIECE: usize = 4096;
/// Bytes; the thread writes texts and formats one log line.
const STACK: usize = 256 * 1024;

static QUEUE: Queue = Queue::new();

thread_local! {
    /// Whether this is the thread that writes. Its own line about dropped lines always fits, or their number would be lost.
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Texts on their way to stderr
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    texts: VecDeque<String>,
    /// Bytes that are not written yet, those of the text that is being written included
    bytes: usize,
    /// Lines that did not fit since the last line about it
    dropped: u64,
    /// Whether the line about dropped lines is being made
    is_counting: bool,
    has_writer: bool,
}

/// What the thread does next
#[derive(Debug, PartialEq, Eq)]
enum Work {
    Write(String),
    /// Mention this number of dropped lines, and then call [`Queue::counted`].
    Mention(u64),
}

/// Draws on the terminal that stderr is, in order with the log's lines. Returns false, and draws nothing, when the terminal
/// does not keep up.
pub fn draw(text: &str) -> bool {
    QUEUE.push(text.to_owned(), DRAWING_LIMIT)
}

/// Starts the thread that writes. Texts that were queued before it are written then.
pub(crate) fn start() -> io::Result<()> {
    if std::mem::replace(&mut QUEUE.lock().has_writer, true) {
        return Ok(());
    }
    let started = thread::Builder::new().name("log".into()).stack_size(STACK).spawn(|| QUEUE.write_out());
    started.map(drop).inspect_err(|_| QUEUE.lock().has_writer = false)
}

/// Queues whole lines; counts them as one dropped line when there is no room.
pub(crate) fn write(lines: String) {
    QUEUE.push_or_count(lines, if IS_WRITER.get() { usize::MAX } else { LIMIT });
}

/// Waits until everything is written, but not for a reader that has stalled.
pub(crate) fn flush() {
    if !QUEUE.lock().has_work() {
        return;
    }
    match start() {
        Ok(()) => QUEUE.flush(),
        Err(_) => QUEUE.write_out_here(),
    }
}

impl State {
    /// Whether something is not written yet, the number of dropped lines included
    fn has_work(&self) -> bool {
        self.bytes > 0 || self.dropped > 0 || self.is_counting
    }
}

impl Queue {
    const fn new() -> Self {
        let state = State { texts: VecDeque::new(), bytes: 0, dropped: 0, is_counting: false, has_writer: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A panic elsewhere must not silence the log: the state is whole after every statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a text, unless there would be more than `limit` bytes then.
    fn push(&self, text: String, limit: usize) -> bool {
        self.push_locked(&mut self.lock(), text, limit)
    }

    /// Queues lines, or counts them. Both happen under one lock, so that at the end no count comes after the last look.
    fn push_or_count(&self, lines: String, limit: usize) {
        let mut state = self.lock();
        if !self.push_locked(&mut state, lines, limit) {
            state.dropped += 1;
            self.changed.notify_all();
        }
    }

    fn push_locked(&self, state: &mut State, text: String, limit: usize) -> bool {
        if state.bytes.saturating_add(text.len()) > limit {
            return false;
        }
        state.bytes += text.len();
        state.texts.push_back(text);
        self.changed.notify_all();
        true
    }

    fn write_out(&self) {
        IS_WRITER.set(true);
        loop {
            match self.next() {
                Work::Write(text) => {
                    write_all(text.as_bytes());
                    self.written(text.len());
                }
                Work::Mention(dropped) => {
                    // An error, because at --log-level error the dropped lines were errors.
                    tracing::error!(dropped, "log lines were dropped, because stderr was not read in time");
                    self.counted();
                }
            }
        }
    }

    /// Writes without a thread, where the system has none left: what stderr takes at once.
    fn write_out_here(&self) {
        loop {
            let Some(text) = self.lock().texts.pop_front() else { return };
            for piece in text.as_bytes().chunks(PIECE) {
                if !is_writable() {
                    return;
                }
                write_all(piece);
            }
            self.lock().bytes -= text.len();
        }
    }

    /// Waits for work. Dropped lines are mentioned first, once there is room again.
    fn next(&self) -> Work {
        let mut state = self.lock();
        loop {
            if state.dropped > 0 && state.bytes < LIMIT / 2 {
                state.is_counting = true;
                return Work::Mention(std::mem::take(&mut state.dropped));
            }
            if let Some(text) = state.texts.pop_front() {
                return Work::Write(text);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Accounts for a text that is written.
    fn written(&self, bytes: usize) {
        self.lock().bytes -= bytes;
        self.changed.notify_all();
    }

    /// The line about dropped lines is in the queue.
    fn counted(&self) {
        self.lock().is_counting = false;
        self.changed.notify_all();
    }

    fn flush(&self) {
        let start = Instant::now();
        let mut progress_at = start;
        let mut state = self.lock();
        let mut left = state.bytes;
        while state.has_work() && start.elapsed() < FLUSH_LIMIT {
            let waited = self.changed.wait_timeout(state, FLUSH_POLL);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.bytes < left || is_writable() {
                (left, progress_at) = (state.bytes, Instant::now());
            } else if progress_at.elapsed() >= FLUSH_PATIENCE {
                return;
            }
        }
    }
}

/// Whether stderr takes bytes now. A closed one does: the write fails at once.
fn is_writable() -> bool {
    let stderr = io::stderr();
    let mut descriptors = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut descriptors, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Writes to stderr; a closed one is no reason to fail. Another program may have made it non-blocking.
fn write_all(mut bytes: &[u8]) {
    let mut stderr = io::stderr();
    while !bytes.is_empty() {
        match stderr.write(bytes) {
            Ok(length) if length > 0 => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None);
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_until_dropped_lines_are_mentioned() {
        let queue = Queue::new();
        queue.push_or_count("x".repeat(LIMIT), LIMIT);
        queue.push_or_count("dropped\n".into(), LIMIT);
        let Work::Write(text) = queue.next() else { panic!("the count comes when there is room") };
        queue.written(text.len());
        // Everything is written, but for the count.
        assert!(queue.lock().has_work());
        assert_eq!(queue.next(), Work::Mention(1));
        assert!(queue.lock().has_work());
        queue.push_or_count("1 dropped\n".into(), usize::MAX);
        queue.counted();
        assert_eq!(queue.next(), Work::Write("1 dropped\n".into()));
        queue.written("1 dropped\n".len());
        assert!(!queue.lock().has_work());
    }

    #[test]
    fn a_line_that_is_dropped_while_nothing_else_waits_is_mentioned() {
        let queue = Queue::new();
        queue.push_or_count("x".repeat(LIMIT + 1), LIMIT);
        assert!(queue.lock().has_work());
        assert_eq!(queue.next(), Work::Mention(1));
    }
}
