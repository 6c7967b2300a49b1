//! The search for a process by its name, in `/proc`.
//!
//! A look at one process costs some ten microseconds, and a pod's PID namespace may have hundreds. So old processes are looked
//! at once a second. A process that takes the name later in its life, and ends within that second, may go unnoticed.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

/// Between two looks at all processes
const WHOLE_POLL: Duration = Duration::from_secs(1);
/// A younger process is looked at each time, because it has the name of its parent until it calls execve.
const YOUNG: Duration = Duration::from_secs(1);
/// Bytes; the kernel cuts a process's name in `/proc/PID/comm` there (`TASK_COMM_LEN`).
const COMM_LIMIT: usize = 15;

/// What earlier looks at `/proc` have seen
#[derive(Default)]
pub(crate) struct ProcessSearch {
    /// When each process was seen first
    first_seen: HashMap<u32, Instant>,
    /// When all processes were looked at last
    whole_at: Option<Instant>,
}

impl ProcessSearch {
    /// The folder in `/proc` of a process of this name that runs. Looks at young processes, and at all of them when the last
    /// such look is [`WHOLE_POLL`] old; the first look is one.
    pub(crate) fn find(&mut self, proc: &Path, name: &str, now: Instant) -> io::Result<Option<PathBuf>> {
        let is_whole = self.whole_at.is_none_or(|at| now.duration_since(at) >= WHOLE_POLL);
        let mut first_seen = HashMap::with_capacity(self.first_seen.len());
        for entry in fs::read_dir(proc)? {
            let entry = entry?;
            let Some(id) = id(&entry) else { continue };
            let since = self.first_seen.get(&id).copied().unwrap_or(now);
            first_seen.insert(id, since);
            if is_whole || now.duration_since(since) < YOUNG {
                let process = entry.path();
                if is_running(&process, name)? {
                    return Ok(Some(process));
                }
            }
        }
        self.first_seen = first_seen;
        if is_whole {
            self.whole_at = Some(now);
        }
        Ok(None)
    }
}

/// Whether the process of this folder has the name and runs; a zombie has ended. One that may not be read is none of ours.
pub(crate) fn is_running(process: &Path, name: &str) -> io::Result<bool> {
    let name = &name.as_bytes()[..name.len().min(COMM_LIMIT)];
    match fs::read(process.join("stat")) {
        Ok(stat) => Ok(comm_and_state(&stat).is_some_and(|(comm, state)| comm == name && state != b'Z')),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(false),
        // The process has ended between the open and the read.
        Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `/proc` has this process and no other: a container with a PID namespace of its own, where the app never shows.
pub(crate) fn sees_only_itself(proc: &Path) -> bool {
    let Ok(own) = fs::read_link(proc.join("self")) else { return false };
    let Ok(entries) = fs::read_dir(proc) else { return false };
    entries.flatten().filter(|entry| id(entry).is_some()).all(|entry| entry.file_name() == own.as_os_str())
}

/// The number of the process that the entry of `/proc` is
fn id(entry: &fs::DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

/// From `PID (COMM) STATE …`, where COMM may hold anything, parentheses and line ends too: `proc_pid_stat(5)`.
fn comm_and_state(stat: &[u8]) -> Option<(&[u8], u8)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    Some((stat.get(open + 1..close)?, *stat.get(close + 2)?))
}

/// A process in a `/proc` of a test
#[cfg(test)]
pub(crate) fn write_process(proc: &Path, id: &str, stat: &str) {
    fs::create_dir_all(proc.join(id)).unwrap();
    fs::write(proc.join(id).join("stat"), stat).unwrap();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    #[test]
    fn a_process_is_found_by_its_cut_name_and_not_as_a_zombie() {
        let proc = tempfile::tempdir().unwrap();
        let is_found = |name: &str| ProcessSearch::default().find(proc.path(), name, Instant::now()).unwrap().is_some();
        write_process(proc.path(), "7", "7 (a-very-long-nam) S 1 7");
        assert!(is_found("a-very-long-name-indeed"));
        assert!(!is_found("a-very"));
        write_process(proc.path(), "7", "7 (odd) S (name)) S 1 7");
        assert!(is_found("odd) S (name)"));
        write_process(proc.path(), "7", "7 (a-very-long-nam) Z 1 7");
        assert!(!is_found("a-very-long-name-indeed"));
    }

    #[test]
    fn old_processes_are_looked_at_once_a_second_and_young_ones_each_time() {
        let proc = tempfile::tempdir().unwrap();
        let (mut search, start) = (ProcessSearch::default(), Instant::now());
        let mut is_found = |after: Duration| search.find(proc.path(), "app", start + after).unwrap().is_some();
        write_process(proc.path(), "7", "7 (shell) S 1 7");
        assert!(!is_found(Duration::ZERO));
        // A new process has the name of its parent before it has its own.
        write_process(proc.path(), "8", "8 (shell) S 7 7");
        assert!(!is_found(TICK));
        write_process(proc.path(), "8", "8 (app) S 7 7");
        assert!(is_found(TICK * 2));
        fs::remove_dir_all(proc.path().join("8")).unwrap();
        assert!(!is_found(WHOLE_POLL));
        write_process(proc.path(), "7", "7 (app) S 1 7");
        assert!(!is_found(WHOLE_POLL + TICK), "a process that is old is not looked at each time");
        assert!(is_found(WHOLE_POLL * 2));
    }

    #[test]
    fn a_namespace_of_its_own_shows_one_process() {
        let proc = tempfile::tempdir().unwrap();
        write_process(proc.path(), "7", "7 (helper) S 1 7");
        symlink("7", proc.path().join("self")).unwrap();
        fs::create_dir(proc.path().join("sys")).unwrap();
        assert!(sees_only_itself(proc.path()));
        write_process(proc.path(), "1", "1 (pause) S 0 1");
        assert!(!sees_only_itself(proc.path()));
    }
}
