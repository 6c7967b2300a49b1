//! The open directory of a cgroup. Its files stay open too, so that a scrape takes one system call for each.

use std::{borrow::Cow, cell::RefCell, path::Path, str};

use rustix::{
    fd::OwnedFd,
    fs::{Access, AtFlags, CWD, Mode, OFlags},
    io,
};

use super::flaw::Flaw;
use crate::collect::kept_file::{Buffer, Extent, KeptFile};

/// The most bytes of a file. io.stat of 500 devices fits; a longer file is no file of a cgroup.
const FILE_LIMIT: usize = 64 * 1024;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Flags for files. NONBLOCK, because under another root a file may be a FIFO, and opening it must not wait.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// An open directory, which stays the same when another one is created at its path
#[derive(Debug)]
pub(super) struct Directory {
    opened: OwnedFd,
    /// The files that were read, with their names; a cgroup has some twenty
    files: RefCell<Vec<(Cow<'static, str>, KeptFile)>>,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let opened = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?;
        Ok(Self { opened, files: RefCell::default() })
    }

    pub(super) fn has(&self, file: &str) -> bool {
        rustix::fs::accessat(&self.opened, file, Access::EXISTS, AtFlags::empty()).is_ok()
    }

    /// Reads a file of the kernel to its end.
    ///
    /// One read returns all of a file with one value or with keys and values (the kernel's `filesystems/seq_file.rst`). Other
    /// files, for example cgroup.procs, are lists.
    pub(super) fn read<'b>(
        &self,
        file: impl Into<Cow<'static, str>>,
        extent: Extent,
        buffer: &'b mut Buffer,
    ) -> Result<&'b str, Flaw> {
        let name = file.into();
        let mut files = self.files.borrow_mut();
        let index = files.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            files.push((name, KeptFile::default()));
            files.len() - 1
        });
        let (name, file) = &mut files[index];
        let open = || rustix::fs::openat(&self.opened, &**name, FILE, Mode::empty());
        let content = file.read(open, extent, buffer)?;
        if extent == Extent::List {
            // Version 1 keeps the list of an open cgroup.procs for a second after the last reading.
            *file = KeptFile::default();
        }
        if content.len() == FILE_LIMIT {
            return Err(Flaw::TOO_LONG);
        }
        str::from_utf8(content).map_err(|_| Flaw::MALFORMED)
    }
}

/// Room for any file of a cgroup
pub(super) const fn buffer() -> Buffer {
    Buffer::up_to(FILE_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let read = |name: &str, content: &[u8]| {
            fs::write(folder.path().join(name), content).unwrap();
            directory.read(name.to_owned(), Extent::List, &mut buffer()).map(str::to_owned)
        };
        assert_eq!(read("empty", b""), Ok(String::new()));
        assert_eq!(read("short", b"1\n"), Ok("1\n".to_owned()));
        assert_eq!(read("odd", b"\xff\n"), Err(Flaw::MALFORMED));
        assert_eq!(read("long", &vec![b'1'; FILE_LIMIT - 1]).map(|text| text.len()), Ok(FILE_LIMIT - 1));
        assert_eq!(read("longer", &vec![b'1'; FILE_LIMIT]), Err(Flaw::TOO_LONG));
        assert_eq!(read("endless", &vec![b'1'; 10 * FILE_LIMIT]), Err(Flaw::TOO_LONG));
    }

    #[test]
    fn a_file_that_cannot_be_read_has_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        rustix::fs::mknodat(CWD, folder.path().join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let read = |name| directory.read(name, Extent::Whole, &mut buffer()).map(str::to_owned);
        assert_eq!(read("none"), Err(Flaw("not found")));
        assert_eq!(read("folder"), Err(Flaw("input or output error")));
        // A FIFO without a writer reads as an empty file.
        assert_eq!(read("fifo"), Ok(String::new()));
        assert!(directory.has("folder") && !directory.has("none"));
        assert!(Directory::open(&folder.path().join("none")).is_err());
    }
}
