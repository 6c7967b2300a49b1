//! The story that every server tells: it starts ten seconds late.

use std::time::Duration;

use e2e::process::Process;

const LATE: Duration = Duration::from_secs(10);

/// Waits for `target`, starts its server with `start` ten seconds later, and expects the wait to end well, and not before.
pub(crate) fn starts_ten_seconds_late(target: &str, start: impl FnOnce()) {
    let mut helper = Process::wait_for([target]);
    let first = helper.says("not ready");
    assert!(first.contains("connection refused"), "{first}");
    helper.runs_for(LATE);
    start();
    helper.ends_with(0);
}
