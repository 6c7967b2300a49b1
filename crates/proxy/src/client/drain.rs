//! The end of a listener as its clients see it, and the time at which a tunnel or an event stream leaves.

use std::{future, time::Duration};

use tokio::{sync::watch, time};

/// A part of a listener's life; each is followed by a later one only, but where the listener stays open
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    /// Clients are to go elsewhere, and are still served
    Draining,
    /// Idle connections close
    Closing,
    /// The process is about to end
    Deadline,
}

/// The phase of a listener, as one of its connections follows it
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    phase: watch::Receiver<Phase>,
    /// The time that what lasts leaves within
    spread: Duration,
}

impl Drain {
    pub(crate) fn new(phase: watch::Receiver<Phase>, spread: Duration) -> Self {
        Self { phase, spread }
    }

    /// Resolves when idle connections are to close.
    pub(crate) async fn closing(&mut self) {
        // A listener that is gone has closed.
        let _ = self.phase.wait_for(|phase| *phase >= Phase::Closing).await;
    }

    /// Resolves when a connection over HTTP/2 is to take no more streams, idle or not: when the
    /// drain begins. One that was made later is to take some until the listener closes.
    pub(crate) async fn going_away(&mut self) {
        let is_draining = *self.phase.borrow() >= Phase::Draining;
        let end = if is_draining { Phase::Closing } else { Phase::Draining };
        let _ = self.phase.wait_for(|phase| *phase >= end).await;
    }

    /// Whether the phase may have changed since this was made or has waited
    pub(crate) fn has_news(&self) -> bool {
        self.phase.has_changed().unwrap_or(true)
    }

    /// Resolves when what lasts for long is to leave: in a drain, or when its client has lost its
    /// standing.
    pub(crate) async fn turn(self, lost: impl Future<Output = ()>) {
        let draining = self.clone().until(Phase::Draining);
        let begun = async {
            tokio::select! {
                () = draining => (),
                () = lost => (),
            }
        };
        self.soon_after(begun).await;
    }

    /// Resolves at a time by chance after this event, so that not all clients connect again at
    /// once.
    pub(crate) async fn soon_after(self, event: impl Future<Output = ()>) {
        event.await;
        time::sleep(self.spread.mul_f64(fastrand::f64())).await;
    }

    /// Resolves when what has not left is given up.
    pub(crate) async fn deadline(self) {
        self.until(Phase::Deadline).await;
    }

    async fn until(mut self, wanted: Phase) {
        if self.phase.wait_for(|phase| *phase >= wanted).await.is_err() {
            future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_spread_over_the_time_and_begin_with_the_drain() {
        let (phase, follows) = watch::channel(Phase::Open);
        let spread = Duration::from_secs(10);
        let drain = Drain::new(follows, spread);
        assert!(time::timeout(spread * 10, drain.clone().turn(future::pending())).await.is_err());
        phase.send_replace(Phase::Closing);
        let start = Instant::now();
        let mut turns = Vec::new();
        for turn in (0..100).map(|_| tokio::spawn(drain.clone().turn(future::pending()))).collect::<Vec<_>>() {
            turn.await.unwrap();
            turns.push(start.elapsed().as_millis());
        }
        assert!(start.elapsed() <= spread + Duration::from_millis(1));
        // The last of those that have been waited for in order; a half of all may be late by no chance worth the name.
        assert!(start.elapsed() > spread / 2 && turns[0] < 10_000, "{turns:?}");
        assert!(time::timeout(spread, drain.deadline()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_lost_its_standing_has_its_turn_without_a_drain() {
        let (_phase, follows) = watch::channel(Phase::Open);
        let spread = Duration::from_secs(10);
        let start = Instant::now();
        Drain::new(follows, spread).turn(time::sleep(spread)).await;
        assert!((spread..=spread * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}
