//! The search for a process by its name, in `/proc`.
//!
//! A look at one process costs some ten microseconds, and a pod's PID namespace may have hundreds. So old processes are looked
//! at once a second. A process that takes the name later in its life, and ends within that second, may go unnoticed.

use std::{collections::HashMap, io, path::Path, time::Duration};

use tokio::time::Instant;

use crate::process::{Process, process_ids};

/// Between two looks at all processes
const WHOLE_POLL: Duration = Duration::from_secs(1);
/// A younger process is looked at each time, because it has the name of its parent until it calls execve.
const YOUNG: Duration = Duration::from_secs(1);

/// What earlier looks at `/proc` have seen
#[derive(Default)]
pub(crate) struct ProcessSearch {
    /// When each process was seen first
    first_seen: HashMap<u32, Instant>,
    /// When all processes were looked at last
    whole_at: Option<Instant>,
}

impl ProcessSearch {
    /// The number of a process of this name that runs. Looks at young processes, and at all of them when the last
    /// such look is [`WHOLE_POLL`] old; the first look is one.
    pub(crate) fn find(&mut self, proc: &Path, name: &str, now: Instant) -> io::Result<Option<u32>> {
        let is_whole = self.whole_at.is_none_or(|at| now.duration_since(at) >= WHOLE_POLL);
        let mut first_seen = HashMap::with_capacity(self.first_seen.len());
        for id in process_ids(proc)? {
            let since = self.first_seen.get(&id).copied().unwrap_or(now);
            first_seen.insert(id, since);
            let is_due = is_whole || now.duration_since(since) < YOUNG;
            if is_due && is_running(proc, id, name)? {
                return Ok(Some(id));
            }
        }
        self.first_seen = first_seen;
        if is_whole {
            self.whole_at = Some(now);
        }
        Ok(None)
    }
}

/// Whether the process of this number runs and has the name.
pub(crate) fn is_running(proc: &Path, id: u32, name: &str) -> io::Result<bool> {
    Ok(Process::look(proc, id)?.is_some_and(|process| process.has_name(name)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::write_process;

    const TICK: Duration = Duration::from_millis(100);

    #[test]
    fn old_processes_are_looked_at_once_a_second_and_young_ones_each_time() {
        let proc = tempfile::tempdir().unwrap();
        let (mut search, start) = (ProcessSearch::default(), Instant::now());
        let mut is_found = |after: Duration| search.find(proc.path(), "app", start + after).unwrap().is_some();
        write_process(proc.path(), 7, "7 (shell) S 1 7");
        assert!(!is_found(Duration::ZERO));
        // A new process has the name of its parent before it has its own.
        write_process(proc.path(), 8, "8 (shell) S 7 7");
        assert!(!is_found(TICK));
        write_process(proc.path(), 8, "8 (app) S 7 7");
        assert!(is_found(TICK * 2));
        fs::remove_dir_all(proc.path().join("8")).unwrap();
        assert!(!is_found(WHOLE_POLL));
        write_process(proc.path(), 7, "7 (app) S 1 7");
        assert!(!is_found(WHOLE_POLL + TICK), "a process that is old is not looked at each time");
        assert!(is_found(WHOLE_POLL * 2));
    }
}
