//! The facts about an entry: kind, owner, mode, links.

use std::ffi::CStr;

use rustix::{
    fd::AsFd,
    fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp},
    io,
    time::{ClockId, clock_gettime},
};

/// The facts that decide whether an entry is as it should be. Times and sizes are not asked for: on
/// NFS they cost a flush.
const ASKED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::MODE)
    .union(StatxFlags::NLINK)
    .union(StatxFlags::UID)
    .union(StatxFlags::GID)
    .union(StatxFlags::INO);

/// The facts about an entry
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    /// The twelve bits below the kind
    pub(crate) mode: u16,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) links: u32,
    pub(crate) id: Id,
    /// The mount it is on; 0 where the kernel does not tell (before Linux 5.8)
    pub(crate) mount: u64,
    /// The device of the file system that it is in: for a file, that of its directory, because
    /// files of an overlay show the device of their layer (overlayfs.rst, "Inode properties")
    pub(crate) file_system: (u32, u32),
    /// The latest moment at which it can have been changed, linked or (on most file systems)
    /// renamed last, in nanoseconds since 1970; none where it was not asked for
    pub(crate) changed: Option<i128>,
}

/// Which file it is, as long as it exists
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
}

/// Kinds of entry that are treated differently
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Link,
    Regular,
    /// A device, socket or FIFO: it is never opened
    Special,
}

impl Stat {
    /// Looks at a name in a directory, following nothing and mounting nothing.
    pub(crate) fn at(directory: impl AsFd, name: &CStr) -> io::Result<Self> {
        statx(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, ASKED).map(|stat| Self::of(&stat))
    }

    /// Looks at an open file.
    pub(crate) fn open(file: impl AsFd) -> io::Result<Self> {
        let mask = ASKED.union(StatxFlags::MNT_ID);
        statx(file, c"", AtFlags::EMPTY_PATH, mask).map(|stat| Self::of(&stat))
    }

    /// Looks at an open file, and asks when it was changed.
    pub(crate) fn open_with_time(file: impl AsFd) -> io::Result<Self> {
        let mask = ASKED.union(StatxFlags::MNT_ID).union(StatxFlags::CTIME);
        let stat = statx(file, c"", AtFlags::EMPTY_PATH, mask)?;
        Ok(Self { changed: Some(latest(stat.stx_ctime)), ..Self::of(&stat) })
    }

    fn of(stat: &Statx) -> Self {
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.stx_mode.into())),
            mode: stat.stx_mode & 0o7777,
            user: stat.stx_uid,
            group: stat.stx_gid,
            links: stat.stx_nlink,
            id: Id { device: (stat.stx_dev_major, stat.stx_dev_minor), inode: stat.stx_ino },
            mount: stat.stx_mnt_id,
            file_system: (stat.stx_dev_major, stat.stx_dev_minor),
            changed: None,
        }
    }

    /// The same for an entry of this directory. Where the kernel tells mounts, a file on the mount
    /// of its directory is in its file system.
    pub(crate) fn in_directory(self, directory: &Self) -> Self {
        if self.is_directory() || self.mount == 0 || self.mount != directory.mount {
            return self;
        }
        Self { file_system: directory.file_system, ..self }
    }

    /// Whether it is on another mount, or in another file system on the same one, as subvolumes of
    /// btrfs and snapshots of NFS are.
    pub(crate) fn is_elsewhere(&self, other: &Self) -> bool {
        let is_told = self.mount != 0 && other.mount != 0;
        is_told && self.mount != other.mount || self.file_system != other.file_system
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

impl Kind {
    pub(crate) fn of(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Link,
            FileType::RegularFile => Self::Regular,
            _ => Self::Special,
        }
    }
}

const SECOND: i128 = 1_000_000_000;

/// The latest moment at which a file can have been changed last. Some file systems keep whole
/// seconds only (ext3, ext4 with small inodes): a time without a fraction may stand for any within
/// its second.
fn latest(time: StatxTimestamp) -> i128 {
    let fraction = if time.tv_nsec == 0 { SECOND } else { i128::from(time.tv_nsec) };
    i128::from(time.tv_sec) * SECOND + fraction
}

/// The clock that stamps changes of files, which stands still between two ticks; in nanoseconds
/// since 1970
pub(crate) fn stamping_clock() -> i128 {
    nanoseconds(ClockId::RealtimeCoarse)
}

/// The same clock between two ticks
pub(crate) fn exact_clock() -> i128 {
    nanoseconds(ClockId::Realtime)
}

fn nanoseconds(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * SECOND + i128::from(time.tv_nsec)
}

fn statx(directory: impl AsFd, name: &CStr, flags: AtFlags, mask: StatxFlags) -> io::Result<Statx> {
    rustix::fs::statx(directory, name, flags, mask)
}
