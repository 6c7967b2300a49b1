//! "At once", on a machine that is busy with tests.

use std::time::{Duration, Instant};

/// Far longer than a program without a wait takes on a busy machine. A wrong program waits for
/// longer in every test that uses this.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Fails when the time since `start` is 8 s or more.
#[track_caller]
pub fn assert_at_once(start: Instant) {
    let elapsed = start.elapsed();
    assert!(elapsed < AT_ONCE, "not at once: after {elapsed:?}");
}
