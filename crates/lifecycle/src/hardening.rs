//! Keeps the secrets in a process away from others: no core dump, no look into its memory, no file that others can read.

use anyhow::Context;
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};

/// Hardens this process, for all its threads.
///
/// The limit alone does not prevent a core dump, because a pipe in `core_pattern` ignores it (core(5)); the kernel dumps no process
/// that is not dumpable. `/proc/PID` of such a process belongs to root. The process itself can still read its `fd`, `stat`
/// and `status` there, and no longer its `environ`.
pub(crate) fn harden() -> anyhow::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("cannot keep other processes out of this one's memory")?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("cannot turn off core dumps")?;
    umask(Mode::RWXG | Mode::RWXO);
    Ok(())
}
