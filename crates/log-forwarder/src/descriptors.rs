//! How many files may be open at once.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit to what may be had: runtimes set a lower one, for programs that can't deal with more, and each file that
/// is read stays open.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
