//! Waiting for a state, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for any state: far longer than anything takes on a busy machine, also the
/// start of a database
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often `until` asks
const POLL: Duration = Duration::from_millis(5);

/// Asks again until there is an answer. At the deadline the test fails and names the state.
#[track_caller]
pub fn until<T>(state: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {state}");
        thread::sleep(POLL);
    }
}
