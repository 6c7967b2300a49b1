//! Files of the kernel that stay open from one scrape to the next.
//!
//! procfs and cgroup file systems make the content of a file when a read begins at its start (the kernel's
//! `filesystems/seq_file.rst`). A file that stays open is therefore fresh at every reading, and saves walking its path, opening and
//! closing. Files of other file systems are opened at each reading, because another file may have replaced them.

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{FsWord, PROC_SUPER_MAGIC, fstatfs},
    io::{self, Errno, pread, read},
};

/// The first size of a buffer, which most files of the kernel fit into
const FIRST_BYTES: usize = 8 * 1024;

/// The file systems whose files are fresh at every reading, by their numbers in `linux/magic.h`: procfs and both versions of
/// cgroups
const OF_KERNEL: [FsWord; 3] = [PROC_SUPER_MAGIC, 0x0027_e0eb, 0x6367_7270];

/// A file that stays open after its first reading
///
/// The open file belongs to one process, cgroup or network namespace. When a process or a cgroup is gone, a reading fails with
/// `ESRCH` or `ENODEV`, and the file is opened again once. The exporter never changes its network namespace.
#[derive(Debug, Default)]
pub(crate) struct KeptFile(Option<OwnedFd>);

/// The form in which the kernel returns a file
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// With one read, if the buffer has the room
    Whole,
    /// In parts: a list of records, which ends where a read returns nothing
    List,
}

/// Room for the content of one file at a time, which is cut off at the limit
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl KeptFile {
    /// Reads the file from its start, and calls `open` when it is not open.
    pub(crate) fn read<'b>(
        &mut self,
        open: impl Fn() -> io::Result<OwnedFd>,
        extent: Extent,
        buffer: &'b mut Buffer,
    ) -> io::Result<&'b [u8]> {
        let kept = self.0.as_ref().and_then(|file| fill(buffer, extent, |room, at| pread(file, room, at)).ok());
        let length = match kept {
            Some(length) => length,
            None => self.open_and_fill(open, extent, buffer)?,
        };
        Ok(&buffer.bytes[..length])
    }

    /// The open file, if it stays open
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    fn open_and_fill(
        &mut self,
        open: impl Fn() -> io::Result<OwnedFd>,
        extent: Extent,
        buffer: &mut Buffer,
    ) -> io::Result<usize> {
        self.0 = None;
        let file = open()?;
        let length = fill(buffer, extent, |room, _| read(&file, room))?;
        if is_of_kernel(&file) {
            self.0 = Some(file);
        }
        Ok(length)
    }
}

impl Buffer {
    pub(crate) const fn up_to(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// The free room after this many bytes; none at the limit
    fn room(&mut self, length: usize) -> &mut [u8] {
        if length == self.bytes.len() {
            let size = (2 * length).clamp(FIRST_BYTES.min(self.limit), self.limit);
            self.bytes.resize(size, 0);
        }
        &mut self.bytes[length..]
    }
}

/// Reads to the end of the file or to the buffer's limit, and returns the length of the content.
fn fill(
    buffer: &mut Buffer,
    extent: Extent,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut length = 0;
    while let room @ [_, ..] = buffer.room(length) {
        let wanted = room.len();
        let count = match read(room, length as u64) {
            Err(Errno::INTR) => continue,
            count => count?,
        };
        length += count;
        if count == 0 || (extent == Extent::Whole && count < wanted) {
            break;
        }
    }
    Ok(length)
}

fn is_of_kernel(file: &OwnedFd) -> bool {
    fstatfs(file).is_ok_and(|statfs| OF_KERNEL.contains(&statfs.f_type))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        process::{Command, Stdio},
    };

    use rustix::fs::{Mode, OFlags, open};

    use super::*;

    const LIMIT: usize = 3 * FIRST_BYTES;

    fn read_at(path: &Path, file: &mut KeptFile, extent: Extent) -> io::Result<String> {
        let mut buffer = Buffer::up_to(LIMIT);
        let content = file.read(|| open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()), extent, &mut buffer)?;
        Ok(String::from_utf8_lossy(content).into_owned())
    }

    #[test]
    fn a_file_of_procfs_stays_open_and_is_fresh_at_every_reading() {
        let comm = Path::new("/proc/thread-self/comm").canonicalize();
        let comm = comm.unwrap_or_else(|error| panic!("this test needs procfs: {error}"));
        let mut file = KeptFile::default();
        for name in ["first", "other"] {
            fs::write(&comm, name).unwrap();
            assert_eq!(read_at(&comm, &mut file, Extent::Whole).unwrap().trim_end(), name);
        }
        // Nothing at this path can be opened, and nothing has to be.
        assert_eq!(read_at(Path::new("/none"), &mut file, Extent::Whole).unwrap(), "other\n");
    }

    #[test]
    fn the_file_of_a_process_that_has_ended_is_opened_again() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        let mut file = KeptFile::default();
        assert!(read_at(Path::new(&stat), &mut file, Extent::Whole).unwrap().contains("sleep"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read_at(Path::new(&stat), &mut file, Extent::Whole), Err(Errno::NOENT));
        assert!(read_at(Path::new("/proc/self/stat"), &mut file, Extent::Whole).is_ok());
    }

    #[test]
    fn a_file_on_a_disk_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("file"), folder.path().join("next"));
        let mut file = KeptFile::default();
        for content in ["first", "second", "third"] {
            fs::write(&next, content).unwrap();
            fs::rename(&next, &path).unwrap();
            assert_eq!(read_at(&path, &mut file, Extent::Whole).unwrap(), content);
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(read_at(&path, &mut file, Extent::Whole), Err(Errno::NOENT));
    }

    #[test]
    fn a_content_is_read_to_its_end_or_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (length, wanted) in [
            (0, 0),
            (FIRST_BYTES - 1, FIRST_BYTES - 1),
            (FIRST_BYTES, FIRST_BYTES),
            (LIMIT - 1, LIMIT - 1),
            (LIMIT, LIMIT),
            (LIMIT + 1, LIMIT),
        ] {
            fs::write(&path, "x".repeat(length)).unwrap();
            for extent in [Extent::Whole, Extent::List] {
                let content = read_at(&path, &mut KeptFile::default(), extent).unwrap();
                assert_eq!(content.len(), wanted, "{length} {extent:?}");
            }
        }
        assert_eq!(read_at(Path::new("/dev/zero"), &mut KeptFile::default(), Extent::List).unwrap().len(), LIMIT);
        // The kernel gives a page of a list at a time, and this list has several.
        let mut file = KeptFile::default();
        for _ in 0..2 {
            let symbols = read_at(Path::new("/proc/kallsyms"), &mut file, Extent::List).unwrap();
            assert_eq!(symbols.len(), LIMIT);
        }
    }
}
