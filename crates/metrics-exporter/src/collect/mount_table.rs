//! `/proc/self/mountinfo`, read only when it has changed, because the kernel takes longer for it than for most other files.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    fs::{Mode, OFlags, open},
    io,
};

use crate::collect::kept_file::{Buffer, Extent, KeptFile};

/// The most bytes of the table, which hold some thousand mounts; a longer table is cut off there.
const TABLE_LIMIT: usize = 1024 * 1024;

/// The longest time without a reading. The kernel of a sandbox may have the file without the event of a change.
const FRESH_LIMIT: Duration = Duration::from_secs(60);

/// The mounts of this process
#[derive(Debug)]
pub(crate) struct MountTable {
    path: PathBuf,
    file: KeptFile,
    read_at: Option<Instant>,
}

impl MountTable {
    pub(crate) fn below(proc: &Path) -> Self {
        Self { path: proc.join("self/mountinfo"), file: KeptFile::default(), read_at: None }
    }

    /// Reads the table, cut off at its limit. `None` when it has not changed since the last reading.
    pub(crate) fn read_if_changed(&mut self, now: Instant) -> io::Result<Option<Vec<u8>>> {
        let is_fresh = self.read_at.is_some_and(|read_at| now.saturating_duration_since(read_at) < FRESH_LIMIT);
        // Ask before reading, so that a mount between the two is an event for the next scrape.
        let has_changed = self.has_changed();
        if is_fresh && !has_changed {
            return Ok(None);
        }
        self.read_at = None;
        let mut buffer = Buffer::up_to(TABLE_LIMIT);
        let table = self.file.read(|| open_table(&self.path), Extent::List, &mut buffer)?.to_vec();
        self.read_at = Some(now);
        Ok(Some(table))
    }

    /// Makes the next call read the table even when it has not changed.
    pub(crate) fn forget(&mut self) {
        self.read_at = None;
    }

    /// A change is a priority event of the open file, which the kernel reports once (`proc_pid_mounts(5)`).
    fn has_changed(&self) -> bool {
        let Some(file) = self.file.fd() else { return true };
        let mut events = [PollFd::from_borrowed_fd(file, PollFlags::PRI)];
        let answer = poll(&mut events, Some(&Timespec::default()));
        answer.is_err() || events[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
    }
}

fn open_table(path: &Path) -> io::Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_table_that_is_no_file_of_the_kernel_is_read_every_time() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("self")).unwrap();
        let mut table = MountTable::below(proc.path());
        let now = Instant::now();
        assert_eq!(table.read_if_changed(now), Err(io::Errno::NOENT));
        for content in ["first", "other"] {
            fs::write(proc.path().join("self/mountinfo"), content).unwrap();
            assert_eq!(table.read_if_changed(now), Ok(Some(content.into())));
        }
    }

    mod as_root {
        use harness::with_own_mounts;
        use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

        use super::*;

        #[test]
        fn the_table_is_read_when_a_mount_has_come_or_gone_and_once_a_minute() {
            with_own_mounts(|| {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().to_str().unwrap();
                let mut table = MountTable::below(Path::new("/proc"));
                let now = Instant::now();
                let mut has_mount = |now| {
                    let text = table.read_if_changed(now).unwrap();
                    text.map(|text| String::from_utf8(text).unwrap().contains(path))
                };
                assert_eq!([has_mount(now), has_mount(now)], [Some(false), None]);
                mount("memory", path, "tmpfs", MountFlags::empty(), Some(c"size=64k")).unwrap();
                assert_eq!([has_mount(now), has_mount(now)], [Some(true), None]);
                assert_eq!(has_mount(now + FRESH_LIMIT), Some(true));
                unmount(path, UnmountFlags::empty()).unwrap();
                assert_eq!([has_mount(now + FRESH_LIMIT), has_mount(now + FRESH_LIMIT)], [Some(false), None]);
                table.forget();
                assert!(table.read_if_changed(now).unwrap().is_some());
            });
        }
    }
}
