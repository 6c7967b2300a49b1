//! What only root can show: owners, mounts, capabilities. `make test` leaves these out without root, and says how many.

mod agreement;

use crate::support;

/// Whoever gets here without root is told what to do.
#[track_caller]
fn need_root() {
    assert!(harness::is_root(), "this test needs root: `make test` leaves it out elsewhere and says so");
}
