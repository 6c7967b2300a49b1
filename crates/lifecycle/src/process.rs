//! A process as `/proc` shows it: `proc_pid_stat(5)`.

use std::{fs, io, path::Path};

/// Bytes; the kernel cuts a process's name in `/proc/PID/comm` there (`TASK_COMM_LEN`).
const COMM_LIMIT: usize = 15;
/// The number of the start time among the fields of `/proc/PID/stat`, counted from 1
const START_TIME: usize = 22;

/// A process that runs
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number, which another process may have once this one has ended
    pub id: u32,
    /// When it began, in clock ticks since the system's boot; with the number it is this process and no other
    pub start_ticks: u64,
    comm: Vec<u8>,
}

impl Process {
    /// Looks at the process of this number. `None`: there is none, it has ended and is a zombie, or it is hidden from this user.
    #[expect(clippy::missing_errors_doc, reason = "an error is that of the file system")]
    pub fn look(proc: &Path, id: u32) -> io::Result<Option<Self>> {
        match fs::read(proc.join(id.to_string()).join("stat")) {
            Ok(stat) => Ok(Self::parse(id, &stat)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it has this name, as far as the kernel keeps names: 15 bytes.
    pub fn has_name(&self, name: &str) -> bool {
        self.comm == name.as_bytes()[..name.len().min(COMM_LIMIT)]
    }

    /// Its name, at most 15 bytes of it
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.comm).into_owned()
    }

    /// From `PID (COMM) STATE …`, where COMM may hold anything, parentheses and line ends too. `None` for a zombie.
    fn parse(id: u32, stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|byte| *byte == b'(')?;
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let comm = stat.get(open + 1..close)?.to_vec();
        let mut fields = std::str::from_utf8(stat.get(close + 1..)?).ok()?.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        // The state is field 3, and the next one here is field 4.
        let start_ticks = fields.nth(START_TIME - 4)?.parse().ok()?;
        Some(Self { id, start_ticks, comm })
    }
}

/// The numbers of all processes that this one sees.
#[expect(clippy::missing_errors_doc, reason = "an error is that of the file system")]
pub fn process_ids(proc: &Path) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(proc)? {
        ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(ids)
}

/// Whether `/proc` has this process and no other: a container with a PID namespace of its own, where the app never shows.
pub fn sees_only_itself(proc: &Path) -> bool {
    let own = fs::read_link(proc.join("self")).ok().and_then(|own| own.to_str()?.parse().ok());
    own.is_some_and(|own: u32| process_ids(proc).is_ok_and(|ids| ids.iter().all(|id| *id == own)))
}

/// Whether a look at a process failed because it has ended, maybe between the open and the read, or may not be read.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        || error.raw_os_error() == Some(nix::libc::ESRCH)
}

/// A process in a `/proc` of a test; `stat` are the first five fields of its file of this name.
#[cfg(test)]
pub(crate) fn write_process(proc: &Path, id: u32, stat: &str) {
    let folder = proc.join(id.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("stat"), format!("{stat} 7 0 -1 4194560 99 0 0 0 25 5 0 0 20 0 3 0 1234")).unwrap();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_process_has_its_cut_name_and_its_start_and_a_zombie_has_ended() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(Process::look(proc.path(), 7).unwrap(), None);
        write_process(proc.path(), 7, "7 (a-very-long-nam) S 1 7");
        let process = Process::look(proc.path(), 7).unwrap().unwrap();
        assert_eq!((process.id, process.start_ticks, &*process.name()), (7, 1234, "a-very-long-nam"));
        assert!(process.has_name("a-very-long-name-indeed"));
        assert!(!process.has_name("a-very"));
        write_process(proc.path(), 7, "7 (odd) S (name)) S 1 7");
        assert!(Process::look(proc.path(), 7).unwrap().unwrap().has_name("odd) S (name)"));
        write_process(proc.path(), 7, "7 (a-very-long-nam) Z 1 7");
        assert_eq!(Process::look(proc.path(), 7).unwrap(), None);
    }

    #[test]
    fn this_process_is_seen_as_the_kernel_shows_it() {
        let (proc, id) = (Path::new("/proc"), std::process::id());
        assert!(process_ids(proc).unwrap().contains(&id));
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(Process::look(proc, id).unwrap().unwrap().has_name(comm.trim_end()));
    }

    #[test]
    fn a_namespace_of_its_own_shows_one_process() {
        let proc = tempfile::tempdir().unwrap();
        write_process(proc.path(), 7, "7 (helper) S 1 7");
        symlink("7", proc.path().join("self")).unwrap();
        fs::create_dir(proc.path().join("sys")).unwrap();
        assert!(sees_only_itself(proc.path()));
        write_process(proc.path(), 1, "1 (pause) S 0 1");
        assert!(!sees_only_itself(proc.path()));
    }

    proptest! {
        #[test]
        fn a_name_may_hold_anything(comm in proptest::collection::vec(any::<u8>(), 0..=COMM_LIMIT), start in any::<u64>()) {
            let stat = format!(") S 1 7 7 0 -1 4194560 99 0 0 0 25 5 0 0 20 0 3 0 {start} 8388608 512");
            let stat = [b"7 (", &*comm, stat.as_bytes()].concat();
            prop_assert_eq!(Process::parse(7, &stat), Some(Process { id: 7, start_ticks: start, comm }));
        }

        #[test]
        fn no_text_is_too_odd(stat in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Process::parse(7, &stat);
        }
    }
}
