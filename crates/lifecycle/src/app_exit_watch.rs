//! The end of the app, for Jobs without native sidecars: a file that appears, or a process that is gone.
//!
//! Both are polled. A file on a shared volume may come without an event, and no event tells of another container's
//! process; a stop that comes half a second later costs nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    time::Duration,
};

use tokio::time;

use crate::event::Event;

const POLL: Duration = Duration::from_millis(500);
/// Bytes; the kernel cuts a process's name in `/proc/PID/comm` there (`TASK_COMM_LEN`).
const COMM_LIMIT: usize = 15;

/// What to look for, and whom to tell
pub(crate) struct AppExitWatch {
    pub(crate) file: Option<PathBuf>,
    pub(crate) process: Option<String>,
    pub(crate) proc: PathBuf,
    pub(crate) events: Sender<Event>,
}

impl AppExitWatch {
    /// Returns once the app's end has been seen and told, or at once when there is nothing to look for.
    pub(crate) async fn watch(self) {
        if self.file.is_none() && self.process.is_none() {
            return;
        }
        let mut process_seen = false;
        loop {
            if self.file.as_deref().is_some_and(Path::exists) {
                break drop(self.events.send(Event::Quit("the file of --exit-with-file is there")));
            }
            if let Some(name) = &self.process {
                let running = is_running(&self.proc, name);
                if process_seen && !running {
                    break drop(self.events.send(Event::Quit("the process of --exit-with-process is gone")));
                }
                if running && !process_seen {
                    tracing::info!(name, "the process of --exit-with-process runs");
                }
                process_seen |= running;
            }
            time::sleep(POLL).await;
        }
    }
}

/// Whether some process of this name runs; a zombie has ended.
fn is_running(proc: &Path, name: &str) -> bool {
    let name = &name.as_bytes()[..name.len().min(COMM_LIMIT)];
    let Ok(entries) = fs::read_dir(proc) else { return false };
    entries.flatten().any(|entry| {
        let stat = fs::read(entry.path().join("stat")).unwrap_or_default();
        comm_and_state(&stat).is_some_and(|(comm, state)| comm == name && state != b'Z')
    })
}

/// From `PID (COMM) STATE …`, where COMM may hold anything, parentheses and line ends too: `proc_pid_stat(5)`.
fn comm_and_state(stat: &[u8]) -> Option<(&[u8], u8)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    Some((stat.get(open + 1..close)?, *stat.get(close + 2)?))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_process_is_found_by_its_cut_name_and_not_as_a_zombie() {
        let proc = tempfile::tempdir().unwrap();
        let stat = proc.path().join("7");
        fs::create_dir(&stat).unwrap();
        fs::write(stat.join("stat"), "7 (a-very-long-nam) S 1 7").unwrap();
        assert!(is_running(proc.path(), "a-very-long-name-indeed"));
        assert!(!is_running(proc.path(), "a-very"));
        fs::write(stat.join("stat"), "7 (odd) S (name)) S 1 7").unwrap();
        assert!(is_running(proc.path(), "odd) S (name)"));
        fs::write(stat.join("stat"), "7 (a-very-long-nam) Z 1 7").unwrap();
        assert!(!is_running(proc.path(), "a-very-long-name-indeed"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_must_have_been_seen_before_its_absence_counts() {
        let proc = tempfile::tempdir().unwrap();
        let (events, received) = mpsc::channel();
        let watch = AppExitWatch { file: None, process: Some("app".into()), proc: proc.path().into(), events };
        let watch = tokio::spawn(watch.watch());
        time::sleep(POLL * 3).await;
        assert!(received.try_recv().is_err());
        fs::create_dir(proc.path().join("7")).unwrap();
        fs::write(proc.path().join("7/stat"), "7 (app) S 1 7").unwrap();
        time::sleep(POLL * 3).await;
        assert!(received.try_recv().is_err());
        fs::remove_dir_all(proc.path().join("7")).unwrap();
        watch.await.unwrap();
        assert!(matches!(received.try_recv(), Ok(Event::Quit(_))));
    }
}
