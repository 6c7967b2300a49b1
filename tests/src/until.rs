//! Waiting for a state, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What any state gets to come about: long on an idle machine, so that a busy one fits too.
pub const DEADLINE: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_millis(20);

/// Asks until the answer is something; `what` names the state for the test's failure.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain until {what}");
        thread::sleep(PACE);
    }
}
