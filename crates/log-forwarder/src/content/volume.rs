//! The file system as this program sees it: a few questions with plain answers.
//!
//! [`Disk`] asks the kernel. Tests of the file set ask a model, whose files can be renamed,
//! truncated and lost at any moment.

use std::{
    fmt::Debug,
    fs::{self, File, Metadata},
    io,
    num::NonZeroU64,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use rustix::fs::{Advice, SeekFrom, StatFs};
use serde::{Deserialize, Serialize};

use super::opening::open_to_read;

/// A file among those that exist at one time; the numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Inode {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The system's answer about a file at one moment
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) inode: Inode,
    /// When the file was made, in nanoseconds since 1970, where the file system knows it. An inode
    /// that is used again has another time.
    pub(crate) born: Option<i64>,
    /// Bytes
    pub(crate) size: u64,
    /// When the content last changed, in nanoseconds since 1970
    pub(crate) modified: i64,
    /// Names of the file; an open file without a name was deleted.
    pub(crate) links: u64,
    pub(crate) kind: Kind,
}

/// The kinds of files that matter here
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Directory,
    Link,
    Other,
}

/// A name in a directory. A link is not followed.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: Arc<Path>,
    pub(crate) stat: Stat,
}

/// A file system
pub(crate) trait Volume: Debug + Send + Sync {
    /// The file that a path leads to
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// The names in a directory, in any order
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>>;

    /// Opens a regular file to read it, without waiting for anything.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>>;

    /// The directory in which the file of a path lies, behind all links, or would lie if the last
    /// link led to one
    fn home(&self, path: &Path) -> PathBuf;
}

/// An open file
pub(crate) trait Handle: Debug + Send + Sync {
    fn stat(&self) -> io::Result<Stat>;

    /// Reads until the buffer is full or the file ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The next byte from an offset on that is in no hole, or the end of the file. A file system
    /// that knows no holes has none.
    fn data_from(&self, offset: u64) -> io::Result<u64>;

    /// Whether another host may change the file, so that the system's words about it can be old, or
    /// those about another file that has its path now.
    fn is_remote(&self) -> bool {
        false
    }
}

/// File systems whose files other hosts may change: FUSE, NFS, SMB (two versions), 9P and Ceph
/// (statfs(2))
const REMOTE: [u64; 6] = [FUSE, 0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x00C3_6400];
const FUSE: u64 = 0x6573_5546;
/// No page of the system's cache is larger on any processor.
const PAGE: u64 = 64 * 1024;
/// Links in a row that are followed to a file or a directory that is not there yet
pub(crate) const MOST_LINKS: usize = 16;

/// The real file system
#[derive(Debug)]
pub(crate) struct Disk;

impl Stat {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Self {
            inode: Inode::of(metadata),
            born: born.and_then(|since| i64::try_from(since.as_nanos()).ok()),
            size: metadata.len(),
            modified: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
            links: metadata.nlink(),
            kind: match () {
                () if metadata.is_file() => Kind::Regular,
                () if metadata.is_dir() => Kind::Directory,
                () if metadata.is_symlink() => Kind::Link,
                () => Kind::Other,
            },
        }
    }

    /// Whether this cannot be the file that was made at a time.
    pub(crate) fn is_another(&self, made: Option<i64>) -> bool {
        self.born.zip(made).is_some_and(|(born, made)| born != made)
    }

    /// Whether this is the file that got an inode at a time, as far as that is known.
    pub(crate) fn is_of(&self, inode: Inode, made: Option<i64>) -> bool {
        self.inode == inode && !self.is_another(made)
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind == Kind::Regular
    }
}

impl Inode {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl Volume for Disk {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        path.metadata().map(|metadata| Stat::of(&metadata))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let entries = fs::read_dir(directory)?.filter_map(Result::ok);
        // An entry that is gone by now is no error.
        let entry =
            |entry: fs::DirEntry| Some(Entry { path: entry.path().into(), stat: Stat::of(&entry.metadata().ok()?) });
        Ok(entries.filter_map(entry).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let file = open_to_read(path)?;
        Ok(if shares_caches(&file) { Arc::new(Uncached(file)) } else { Arc::new(file) })
    }

    fn home(&self, path: &Path) -> PathBuf {
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            if let Ok(real) = path.canonicalize() {
                path = real;
                break;
            }
            let Ok(target) = path.read_link() else { break };
            path = path.parent().unwrap_or(Path::new("/")).join(target);
        }
        let parent = path.parent().unwrap_or(Path::new("/"));
        parent.canonicalize().unwrap_or_else(|_| parent.to_path_buf())
    }
}

impl Handle for File {
    fn stat(&self) -> io::Result<Stat> {
        self.metadata().map(|metadata| Stat::of(&metadata))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match FileExt::read_at(self, &mut buffer[length..], offset + length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        match rustix::fs::seek(self, SeekFrom::Data(offset)) {
            Ok(data) => Ok(data),
            // No data behind the offset (lseek(2))
            Err(rustix::io::Errno::NXIO) => Ok(self.metadata()?.len()),
            Err(_) => Ok(offset),
        }
    }

    fn is_remote(&self) -> bool {
        rustix::fs::fstatfs(self).is_ok_and(|statistics| is_remote(&statistics))
    }
}

/// A file of FUSE. Files that have one path one after another have one inode there, and one cache:
/// it may hold bytes that a descriptor of another file has read.
#[derive(Debug)]
struct Uncached(File);

impl Handle for Uncached {
    fn stat(&self) -> io::Result<Stat> {
        Handle::stat(&self.0)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (begin, end) = (offset / PAGE * PAGE, (offset + buffer.len() as u64).next_multiple_of(PAGE));
        // Without it, the bytes come from the cache, as they did without this call.
        let _ = rustix::fs::fadvise(&self.0, begin, NonZeroU64::new(end - begin), Advice::DontNeed);
        Handle::read_at(&self.0, buffer, offset)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        self.0.data_from(offset)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

fn shares_caches(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|statistics| statistics.f_type.cast_unsigned() == FUSE)
}

/// Whether another host may change the files of a directory, of which no event comes.
pub(crate) fn is_on_remote_mount(directory: &Path) -> bool {
    rustix::fs::statfs(directory).is_ok_and(|statistics| is_remote(&statistics))
}

fn is_remote(statistics: &StatFs) -> bool {
    REMOTE.contains(&statistics.f_type.cast_unsigned())
}
