//! The times of a connection while hyper serves it. One timer meets them all: it ticks while something is under way, and rests while
//! nothing is.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::streams::Streams;
use crate::limits::Limits;

/// The tick; a shorter limit makes it shorter
const TICK: Duration = Duration::from_secs(1);
/// How often an idle connection looks whether memory is short, where there is a limit
const MEMORY_TICK: Duration = Duration::from_secs(5);

/// The times that are running
pub(super) struct Times {
    timer: Pin<Box<Sleep>>,
    tick: Duration,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// The longest rest
    rest: Duration,
    is_resting: bool,
    /// For a head that has begun, with its number
    head: Option<(u64, Instant)>,
    /// Since when nothing has been under way, and the number of streams so far
    quiet: Option<(Instant, u64)>,
    /// For a client that must say that it knows of the end, since something was under way
    end: Option<Instant>,
    /// For the same client to open streams
    closing: Option<Instant>,
}

/// The work under way on a connection
#[derive(Clone, Copy, Default)]
pub(super) struct Activity {
    /// The number of a head that has begun, and not ended
    pub(super) head: Option<u64>,
    /// Whether a request is under way, or the client has not read all of an answer
    pub(super) is_busy: bool,
    /// Whether the client's connection takes nothing at the moment
    pub(super) is_blocked: bool,
}

/// The finding of a tick
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The connection goes on; `stalled` streams ended because the client gave no window
    InTime { stalled: u64 },
    /// A head did not come in time
    SlowHead,
    /// Nothing was under way for too long
    Idle,
    /// The client has not said in time that it knows of the end
    Over,
}

impl Times {
    /// Where memory has a limit, an idle connection looks for it now and then.
    pub(super) fn new(limits: &Limits, has_memory_limit: bool) -> Self {
        let Limits { header_timeout, idle_timeout, .. } = *limits;
        let tick = TICK.min(header_timeout / 2).min(idle_timeout);
        let rest = if has_memory_limit { MEMORY_TICK } else { Duration::MAX };
        let timer = Box::pin(sleep(tick));
        let (is_resting, head, quiet, end, closing) = (false, None, None, None, None);
        Self { timer, tick, header_timeout, idle_timeout, rest, is_resting, head, quiet, end, closing }
    }

    /// The client has the GOAWAY, and the time of a head to say that it knows.
    pub(super) fn limit_rest(&mut self) {
        let now = Instant::now();
        self.end = Some(now + self.header_timeout);
        self.closing = self.end;
        self.wake_at(now + self.tick);
    }

    /// hyper has done what it could: waits for the next tick.
    pub(super) fn poll(&mut self, context: &mut Context, streams: &Streams, activity: Activity) -> Poll<Verdict> {
        let Activity { head, is_busy, is_blocked } = activity;
        if self.head.map(|(number, _)| number) != head {
            let now = Instant::now();
            self.head = head.map(|number| (number, now + self.header_timeout));
            if head.is_some() {
                self.wake_at(now + self.tick);
            }
        }
        if is_busy && self.is_resting {
            self.wake_at(Instant::now() + self.tick);
        }
        if let Some(sooner) = streams.take_sooner(self.timer.deadline()) {
            self.timer.as_mut().reset(sooner);
        }
        if self.timer.as_mut().poll(context).is_pending() {
            streams.set_next_look(self.timer.deadline(), context);
            return Poll::Pending;
        }
        let now = Instant::now();
        let look = streams.look(now, self.idle_timeout, is_blocked);
        if is_busy {
            self.end = self.end.map(|_| now + self.header_timeout);
        }
        if is_busy || self.quiet.is_some_and(|(_, begun)| begun != streams.begun()) {
            self.quiet = None;
        }
        // A head that has begun has its own time, and any frame begins with one.
        let is_quiet = !is_busy && self.end.is_none();
        let (since, _) = *self.quiet.get_or_insert((now, streams.begun()));
        self.is_resting = is_quiet;
        let idle = is_quiet.then(|| since + self.idle_timeout);
        let next = if is_quiet { self.rest.min(self.idle_timeout) } else { self.tick };
        let head = self.head.map(|(_, at)| at);
        let later = [head, self.end, self.closing, look.soonest, idle].into_iter().flatten().filter(|at| *at > now);
        self.timer.as_mut().reset(later.fold(now + next, Instant::min));
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if has_passed(self.closing) {
            streams.are_closed.set(true);
        }
        Poll::Ready(match () {
            () if has_passed(head) => Verdict::SlowHead,
            () if has_passed(self.end) => Verdict::Over,
            () if has_passed(idle) => Verdict::Idle,
            () => Verdict::InTime { stalled: look.stalled },
        })
    }

    /// Lets the next tick be at this time, or earlier.
    fn wake_at(&mut self, at: Instant) {
        self.is_resting = false;
        if at < self.timer.deadline() {
            self.timer.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, rc::Rc};

    use super::*;

    fn times(flags: &[&str]) -> Times {
        Times::new(&Limits::of_flags(flags), false)
    }

    /// Ticks until something else than this is found, and says what and how many seconds that took.
    async fn found(times: &mut Times, streams: &Streams, activity: Activity) -> (Verdict, f64) {
        let start = Instant::now();
        loop {
            let verdict = poll_fn(|context| times.poll(context, streams, activity)).await;
            if verdict != (Verdict::InTime { stalled: 0 }) {
                return (verdict, start.elapsed().as_secs_f64());
            }
        }
    }

    fn is_about(found: (Verdict, f64), verdict: Verdict, seconds: f64) {
        assert!(found.0 == verdict && (found.1 - seconds).abs() < 1.1, "{found:?} instead of {verdict:?} {seconds}");
    }

    /// Nothing but requests
    const BUSY: Activity = Activity { head: None, is_busy: true, is_blocked: false };
    const QUIET: Activity = Activity { is_busy: false, ..BUSY };

    #[tokio::test(start_paused = true)]
    async fn each_time_is_met() {
        let streams = Streams::default();
        let in_head = Activity { head: Some(7), ..BUSY };
        is_about(found(&mut times(&[]), &streams, in_head).await, Verdict::SlowHead, 10.0);
        is_about(found(&mut times(&[]), &streams, QUIET).await, Verdict::Idle, 75.0);
        let mut times = times(&["--header-timeout", "3s"]);
        times.limit_rest();
        is_about(found(&mut times, &streams, QUIET).await, Verdict::Over, 3.0);
    }

    #[tokio::test(start_paused = true)]
    async fn each_head_has_a_time_of_its_own() {
        let (streams, mut times) = (Streams::default(), times(&[]));
        for number in 0..8 {
            let in_head = Activity { head: Some(number), ..BUSY };
            let slow = tokio::time::timeout(Duration::from_secs(8), found(&mut times, &streams, in_head)).await;
            assert!(slow.is_err(), "{number}: {slow:?}");
        }
    }

    /// For example the first byte of a PING, and later its rest with the first byte of the next one
    #[tokio::test(start_paused = true)]
    async fn frames_that_begin_do_not_keep_a_connection_without_requests() {
        let (streams, mut times, start) = (Streams::default(), times(&[]), Instant::now());
        let mut frames = (0..20).map(|number| Activity { head: Some(number), ..QUIET });
        let verdict = loop {
            let activity = frames.next().expect("the connection ends");
            let piece = tokio::time::timeout(Duration::from_secs(9), found(&mut times, &streams, activity)).await;
            if let Ok((verdict, _)) = piece {
                break verdict;
            }
        };
        is_about((verdict, start.elapsed().as_secs_f64()), Verdict::Idle, 75.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_under_way_and_new_streams_do_not() {
        let (streams, mut times) = (Streams::default(), times(&[]));
        times.limit_rest();
        let over = tokio::time::timeout(Duration::from_secs(9), found(&mut times, &streams, BUSY)).await;
        assert!(over.is_err() && !streams.are_closed.get());
        let over = tokio::time::timeout(Duration::from_secs(60), found(&mut times, &streams, BUSY)).await;
        assert!(over.is_err() && streams.are_closed.get());
        is_about(found(&mut times, &streams, QUIET).await, Verdict::Over, 10.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_rests_ticks_again_for_a_stream_and_its_deadline() {
        let (streams, mut times) = (Rc::<Streams>::default(), times(&[]));
        for _ in 0..3 {
            let idle = tokio::time::timeout(Duration::from_secs(70), found(&mut times, &streams, QUIET)).await;
            assert!(idle.is_err() && times.is_resting);
            let stream = Streams::open_one(&streams);
            let start = Instant::now();
            let tick = poll_fn(|context| times.poll(context, &streams, BUSY)).await;
            assert!(tick == (Verdict::InTime { stalled: 0 }) && start.elapsed() == TICK);
            let deadline = Instant::now() + Duration::from_millis(300);
            stream.client().deadline.set(Some(deadline));
            let waiting = poll_fn(|context| Poll::Ready(times.poll(context, &streams, BUSY).is_pending()));
            assert!(waiting.await);
            stream.note_deadline();
            poll_fn(|context| times.poll(context, &streams, BUSY)).await;
            assert!(Instant::now() - deadline < Duration::from_millis(5) && stream.client().is_late.get());
        }
    }
}
