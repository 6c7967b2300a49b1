//! An open directory: how a walk gets into it, out of it, and back to it.

use std::{ffi::CStr, mem::MaybeUninit, sync::Arc};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, RawDir, SeekFrom},
    io,
};

use crate::{
    stat::{Kind, Stat},
    trail::Trail,
};

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const PIN: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that is open for reading
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    pub(crate) about: About,
}

/// The facts that a walk keeps of a directory, open or not
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) stat: Stat,
    pub(crate) trail: Arc<Trail>,
    /// 0 is the root
    pub(crate) depth: usize,
}

/// A directory that was closed in mid-reading, to save descriptors
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) about: About,
    position: u64,
}

impl Directory {
    pub(crate) fn new(fd: OwnedFd, about: About) -> Self {
        Self { fd, about }
    }

    /// Opens a single name in this directory, if it is a directory.
    pub(crate) fn enter(&self, name: &CStr) -> io::Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, OPEN, Mode::empty())?;
        self.entered(fd, name)
    }

    /// The same for a pinned name that could not be opened before.
    pub(crate) fn enter_pinned(&self, pinned: impl AsFd, name: &CStr) -> io::Result<Self> {
        let fd = rustix::fs::openat(pinned, c".", OPEN, Mode::empty())?;
        self.entered(fd, name)
    }

    fn entered(&self, fd: OwnedFd, name: &CStr) -> io::Result<Self> {
        let stat = Stat::open(&fd)?;
        let trail = Trail::below(&self.about.trail, name.to_bytes());
        Ok(Self { fd, about: About { stat, trail, depth: self.about.depth + 1 } })
    }

    /// Waits for processes that link, rename or unlink a name here, because the kernel lets no
    /// process read names during that.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let fd = rustix::fs::openat(&self.fd, c".", OPEN, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 512];
        RawDir::new(&fd, &mut buffer).next().transpose().map(drop)
    }

    /// Holds the entry that has this name now, without opening it.
    pub(crate) fn pin(&self, name: &CStr) -> io::Result<OwnedFd> {
        rustix::fs::openat(&self.fd, name, PIN, Mode::empty())
    }

    /// Reads as many names as fit into the buffer; false at the end of the directory. `.` and `..`
    /// are left out. The kind is `None` where the file system does not tell it.
    pub(crate) fn read(
        &self,
        buffer: &mut [MaybeUninit<u8>],
        mut each: impl FnMut(&CStr, Option<Kind>),
    ) -> io::Result<bool> {
        let mut entries = RawDir::new(&self.fd, buffer);
        let mut any = false;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            any = true;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                let kind = entry.file_type();
                each(name, (kind != rustix::fs::FileType::Unknown).then(|| Kind::of(kind)));
            }
            if entries.is_buffer_empty() {
                break;
            }
        }
        Ok(any)
    }

    /// Lets the next reading start from the first name.
    pub(crate) fn rewind(&self) -> io::Result<()> {
        rustix::fs::seek(&self.fd, SeekFrom::Start(0)).map(drop)
    }

    /// Gives the descriptor back, but remembers where the reading was.
    pub(crate) fn close(self) -> io::Result<Closed> {
        let position = rustix::fs::tell(&self.fd)?;
        Ok(Closed { about: self.about, position })
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Closed {
    /// Comes back from a directory below. `None` if its parent is another one by now.
    pub(crate) fn reopen_above(&self, below: &Directory) -> io::Result<Option<Directory>> {
        self.resume(rustix::fs::openat(below, c"..", OPEN, Mode::empty())?)
    }

    /// Comes back from the directory above, by its name. `None` if that is another one by now.
    pub(crate) fn reopen_below(&self, above: &Directory) -> io::Result<Option<Directory>> {
        self.resume(rustix::fs::openat(above, self.about.trail.name(), OPEN, Mode::empty())?)
    }

    fn resume(&self, fd: OwnedFd) -> io::Result<Option<Directory>> {
        if Stat::open(&fd)?.id != self.about.stat.id {
            return Ok(None);
        }
        rustix::fs::seek(&fd, SeekFrom::Start(self.position))?;
        Ok(Some(Directory { fd, about: self.about.clone() }))
    }
}
