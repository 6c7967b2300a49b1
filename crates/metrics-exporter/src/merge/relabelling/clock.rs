//! The time that the rules of a source have.

use std::time::Instant;

/// Rules between two looks at the clock, because a look costs as much as a simple rule
const INTERVAL: u32 = 8;

/// Says when the time has passed
pub(super) struct Clock {
    end: Instant,
    is_late: bool,
    until_look: u32,
}

impl Clock {
    pub(super) fn new(end: Instant) -> Self {
        Self { end, is_late: false, until_look: INTERVAL }
    }

    /// Counts the application of a rule, and says whether the time had passed at the last look.
    pub(super) fn tick(&mut self) -> bool {
        self.until_look -= 1;
        if self.until_look == 0 {
            self.until_look = INTERVAL;
            self.is_late = self.is_late || Instant::now() >= self.end;
        }
        self.is_late
    }

    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }
}
