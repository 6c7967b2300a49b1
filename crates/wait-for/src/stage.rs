//! How far an attempt has come: the last words about a target when the wait ends in the middle of
//! an attempt.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use tokio::time::Instant;

/// An attempt that has lasted for this long says more than the one before it.
const LONG: Duration = Duration::from_secs(1);

/// How far an attempt has come
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Begun,
    Dialing,
    Connected,
    /// Connected, where that alone is the wanted answer
    Held,
}

/// The attempt of a target that is under way
#[derive(Debug, Default)]
pub(crate) struct Progress {
    attempt: Cell<Option<Attempt>>,
    /// More than the stage: of several hosts, the answers of some; of one, a part of its answer or
    /// the place to which a redirect has led
    heard: RefCell<Option<String>>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    stage: Stage,
    since: Instant,
    limit: Duration,
}

impl Progress {
    /// An attempt begins that may take this long.
    pub(crate) fn begin(&self, limit: Duration) {
        self.attempt.set(Some(Attempt { stage: Stage::Begun, since: Instant::now(), limit }));
        self.heard.take();
    }

    pub(crate) fn end(&self) {
        self.attempt.set(None);
    }

    /// Sets the words about the attempt under way.
    pub(crate) fn hear(&self, words: String) {
        self.heard.replace(Some(words));
    }

    pub(crate) fn heard(&self) -> Option<String> {
        self.heard.borrow().clone()
    }

    /// Of several hosts, the one that has come farthest counts.
    pub(crate) fn reach(&self, stage: Stage) {
        let further = |attempt: Attempt| Attempt { stage: attempt.stage.max(stage), ..attempt };
        self.attempt.set(self.attempt.get().map(further));
    }

    /// How far the attempt under way has come
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.attempt.get().map(|attempt| attempt.stage)
    }

    /// How long the attempt under way may take
    pub(crate) fn limit(&self) -> Duration {
        self.attempt.get().map_or(Duration::MAX, |attempt| attempt.limit)
    }

    /// How long the attempt under way has left
    pub(crate) fn time_left(&self) -> Duration {
        self.attempt.get().map_or(Duration::MAX, |attempt| attempt.limit.saturating_sub(attempt.since.elapsed()))
    }

    /// Whether the attempt under way hangs
    pub(crate) fn is_long(&self) -> bool {
        self.attempt.get().is_some_and(|attempt| attempt.since.elapsed() >= LONG)
    }
}

impl Stage {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Begun => "no answer yet",
            Self::Dialing => "no connection yet",
            Self::Connected => "connected, no answer yet",
            Self::Held => "connected, and not held for long enough yet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_stage_of_the_attempt_under_way_counts() {
        let progress = Progress::default();
        progress.reach(Stage::Connected);
        assert_eq!(progress.stage(), None);
        progress.begin(LONG);
        progress.reach(Stage::Connected);
        progress.reach(Stage::Dialing);
        assert_eq!(progress.stage(), Some(Stage::Connected));
        progress.begin(LONG);
        assert_eq!(progress.stage(), Some(Stage::Begun));
        progress.end();
        assert_eq!(progress.stage(), None);
    }
}
