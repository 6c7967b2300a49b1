//! How fast a body must come.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// The time over which bytes are counted: long enough for a loss of packets, short enough to free what a slow client holds.
const WINDOW: Duration = Duration::from_secs(10);

/// Whether a body comes fast enough: a least number of bytes in each window, of which only the time counts in which its reader waits
pub(crate) struct Pace {
    /// Bytes in a window; 0 is no bound
    least: u64,
    bytes: u64,
    /// How long the reader has waited in this window, before the current wait
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// A pace of at least this number of bytes a second; 0 is no bound.
    pub(crate) fn at_least(bytes_a_second: u64) -> Self {
        let least = bytes_a_second.saturating_mul(WINDOW.as_secs());
        Self { least, bytes: 0, waited: Duration::ZERO, waiting_since: None, timer: None }
    }

    /// Nothing has come: whether the body is too slow by now. Wakes the task when it will be.
    pub(crate) fn is_too_slow(&mut self, context: &mut Context) -> bool {
        if self.least == 0 {
            return false;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(WINDOW)));
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            timer.as_mut().reset(now + WINDOW.saturating_sub(self.waited));
        }
        while timer.as_mut().poll(context) == Poll::Ready(()) {
            if self.bytes < self.least {
                return true;
            }
            let now = Instant::now();
            (self.bytes, self.waited, self.waiting_since) = (0, Duration::ZERO, Some(now));
            timer.as_mut().reset(now + WINDOW);
        }
        false
    }

    /// This number of bytes has come: whether they came too slowly. Bytes that never had to be
    /// waited for are free of a clock.
    pub(crate) fn was_too_slow(&mut self, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let Some(since) = self.waiting_since.take() else { return false };
        self.waited += since.elapsed();
        if self.waited < WINDOW {
            return false;
        }
        let is_slow = self.bytes < self.least;
        (self.bytes, self.waited) = (0, Duration::ZERO);
        is_slow
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    /// Waits for as long as the pace allows it.
    async fn waited(pace: &mut Pace) -> Duration {
        let start = Instant::now();
        let too_slow = poll_fn(|context| if pace.is_too_slow(context) { Poll::Ready(()) } else { Poll::Pending });
        let _ = timeout(Duration::from_secs(60), too_slow).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_a_window_and_bytes_give_another_one() {
        let mut pace = Pace::at_least(100);
        let quick = timeout(Duration::from_secs(9), waited(&mut pace)).await;
        assert!(quick.is_err());
        assert!(!pace.was_too_slow(1000));
        assert_eq!(waited(&mut pace).await.as_secs(), 11);
        assert_eq!(waited(&mut Pace::at_least(0)).await.as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn drops_at_intervals_are_too_slow() {
        let mut pace = Pace::at_least(100);
        let mut slow = Vec::new();
        for _ in 0..4 {
            let _ = timeout(Duration::from_secs(4), waited(&mut pace)).await;
            slow.push(pace.was_too_slow(10));
        }
        assert!(slow.contains(&true), "{slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_does_not_answer_for_the_time_in_which_nobody_reads() {
        let mut pace = Pace::at_least(100);
        for _ in 0..5 {
            let _ = timeout(Duration::from_secs(1), waited(&mut pace)).await;
            assert!(!pace.was_too_slow(10));
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(!pace.was_too_slow(10));
        }
    }
}
