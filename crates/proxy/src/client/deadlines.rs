//! The deadlines of a client's connection while hyper serves it. One timer that ticks once a second meets them all, because a timer
//! for each head, answer and body took a tenth of the instructions for a request of 1 KiB.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::{client::client_io::ClientState, limits::Limits};

/// The tick; also how long a connection that was used keeps its buffers, because most of the next requests come sooner
const TICK: Duration = Duration::from_secs(1);

/// The deadlines that are running
pub(crate) struct Deadlines {
    timer: Pin<Box<Sleep>>,
    /// At most half of the time for a head, so that a tick before the end of that time sets the timer to it
    tick: Duration,
    header_timeout: Duration,
    /// For a head that has begun, and is the next thing that hyper reads
    head: Option<Instant>,
    /// For what hyper still waits for on a connection that should be idle
    rest: Option<Instant>,
}

/// The finding of a tick
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// No deadline of the connection's own has passed
    InTime,
    /// A head did not come in time
    SlowHead,
    /// The bytes that hyper waited for did not come in time
    Over,
}

impl Deadlines {
    pub(crate) fn new(limits: &Limits) -> Self {
        let header_timeout = limits.header_timeout;
        let tick = TICK.min(header_timeout / 2);
        Self { timer: Box::pin(sleep(tick)), tick, header_timeout, head: None, rest: None }
    }

    /// hyper has done what it could: notes when a head or an answer must be there. `true` if a head has begun.
    pub(crate) fn note(&mut self, client: &ClientState) -> bool {
        if let Some(answer) = client.deadline.get()
            && answer < self.timer.deadline()
            && !client.is_late.get()
        {
            self.timer.as_mut().reset(answer);
        }
        let has_begun = client.raw_head.has_begun();
        // hyper reads the next head only when the answer before has gone, so until then the time is not the client's.
        if !has_begun || client.owes.get() {
            self.head = None;
        } else if self.head.is_none() {
            self.head = Some(Instant::now() + self.header_timeout);
        }
        has_begun
    }

    /// hyper waits for more on a connection that should be idle, and has the time of a head for it.
    pub(crate) fn limit_rest(&mut self) {
        self.rest = Some(Instant::now() + self.header_timeout);
    }

    /// Waits for the next tick, and says then whether the answer under way is late.
    pub(crate) fn poll_tick(&mut self, context: &mut Context, client: &ClientState) -> Poll<Tick> {
        ready!(self.timer.as_mut().poll(context));
        let now = Instant::now();
        let answer = client.deadline.get();
        let later = [self.head, self.rest, answer].into_iter().flatten().filter(|deadline| *deadline > now);
        self.timer.as_mut().reset(later.fold(now + self.tick, Instant::min));
        let has_passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        client.is_late.set(has_passed(answer));
        Poll::Ready(match self {
            Self { head, .. } if has_passed(*head) => Tick::SlowHead,
            Self { rest, .. } if has_passed(*rest) && !client.is_answering.get() => Tick::Over,
            _ => Tick::InTime,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn deadlines(flags: &[&str]) -> Deadlines {
        Deadlines::new(&Limits::of_flags(flags))
    }

    /// Ticks until it finds this, and says how long that took.
    async fn time_until(found: Tick, deadlines: &mut Deadlines, client: &ClientState) -> Duration {
        let start = Instant::now();
        while poll_fn(|context| deadlines.poll_tick(context, client)).await != found {}
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte() {
        for (timeout, seconds) in [("10s", 10.0), ("500ms", 0.5)] {
            let mut deadlines = deadlines(&["--header-timeout", timeout]);
            let client = ClientState::default();
            assert!(!deadlines.note(&client));
            time_until(Tick::InTime, &mut deadlines, &client).await;
            tokio::time::sleep(Duration::from_millis(170)).await;
            client.raw_head.note(b"GET");
            assert!(deadlines.note(&client));
            let elapsed = time_until(Tick::SlowHead, &mut deadlines, &client).await.as_secs_f64();
            assert!((elapsed - seconds).abs() < 0.01, "{elapsed} instead of {seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_late_at_its_deadline() {
        let mut deadlines = deadlines(&[]);
        let client = ClientState::default();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let start = Instant::now();
        client.deadline.set(Some(start + Duration::from_millis(300)));
        deadlines.note(&client);
        while !client.is_late.get() {
            time_until(Tick::InTime, &mut deadlines, &client).await;
        }
        assert!((start.elapsed().as_secs_f64() - 0.3).abs() < 0.01, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_must_come_unless_it_has_become_a_request() {
        let mut deadlines = deadlines(&[]);
        let client = ClientState::default();
        deadlines.limit_rest();
        client.is_answering.set(true);
        let patience = Duration::from_secs(60);
        assert!(tokio::time::timeout(patience, time_until(Tick::Over, &mut deadlines, &client)).await.is_err());
        client.is_answering.set(false);
        assert!(time_until(Tick::Over, &mut deadlines, &client).await <= TICK);
    }
}
