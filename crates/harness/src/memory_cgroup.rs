//! A cgroup with a memory limit, in which a helper's binary runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use crate::until::until;

/// The number of cgroups so far
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A cgroup with a memory limit, of version 1 or 2 as the system has it. It needs root, and is removed on drop.
#[derive(Debug)]
pub struct MemoryCgroup(PathBuf);

impl MemoryCgroup {
    /// Creates a cgroup with a limit in bytes.
    pub fn new(limit: u64) -> Self {
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
        let is_v2 = controllers.is_ok_and(|names| names.contains("memory"));
        let (root, file) =
            if is_v2 { ("/sys/fs/cgroup", "memory.max") } else { ("/sys/fs/cgroup/memory", "memory.limit_in_bytes") };
        let number = NUMBER.fetch_add(1, SeqCst);
        let cgroup = Path::new(root).join(format!("sidekit-test-{}-{number}", process::id()));
        fs::create_dir(&cgroup).unwrap();
        fs::write(cgroup.join(file), limit.to_string()).unwrap();
        Self(cgroup)
    }

    /// The command that runs `program` in this cgroup from its first instruction on, with an empty environment.
    pub fn enter(&self, program: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo $$ >\"$0\"; exec \"$@\""]).arg(self.0.join("cgroup.procs"));
        shell.arg(program.get_program()).args(program.get_args()).env_clear();
        shell
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // The cgroup is busy for a moment after its last process has ended.
        until("the cgroup is empty", || fs::remove_dir(&self.0).is_ok().then_some(()));
    }
}
