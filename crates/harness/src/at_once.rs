//! "At once", on a machine that is busy with tests.

use std::time::{Duration, Instant};

/// Far longer than anything takes that waits for nothing, and shorter than the waits of a wrong program in these tests
const AT_ONCE: Duration = Duration::from_secs(8);

/// Fails if this is so long ago that the program must have waited for something.
#[track_caller]
pub fn assert_at_once(start: Instant) {
    let elapsed = start.elapsed();
    assert!(elapsed < AT_ONCE, "not at once: after {elapsed:?}");
}
