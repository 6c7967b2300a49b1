//! Waiting for a state, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far beyond anything that happens on a busy machine
pub const DEADLINE: Duration = Duration::from_secs(40);

/// How often a state is looked at
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Asks again until there is an answer; a deadline makes it a failure that names what was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(POLL);
    }
}
