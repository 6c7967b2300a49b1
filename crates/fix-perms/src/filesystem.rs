//! Whether a file system is on this machine or behind a network.

use rustix::{fd::AsFd, fs::fstatfs};

/// Looks that wait for a server at the same time
const NETWORK_THREADS: usize = 16;

/// Magic numbers of file systems whose answers come from elsewhere (`linux/magic.h` and their own
/// sources). FUSE is among them: in pods it is a bucket or a cluster more often than not.
const NETWORK: [u32; 15] = [
    NFS,
    0x0000_517b, // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x00c3_6400, // Ceph
    0x6573_5546, // FUSE
    0x5346_414f, // AFS
    0x6b41_4653, // AFS in the kernel
    0x0102_1997, // 9P
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x7461_636f, // OCFS2
    0x0116_1970, // GFS2
    0x7375_7245, // Coda
];

const NFS: u32 = 0x0000_6969;
const OVERLAY: u32 = 0x794c_7630;

/// Those that are known to stamp files and directories by the kernel's own clock at each link,
/// rename and unlink
const LOCAL: [u32; 7] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
];

/// The kind of file system that refuses a change
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Nfs,
    /// Another one behind a server, or a process
    Network,
    /// On this machine
    Local,
    #[default]
    Unknown,
}

impl FileSystem {
    /// That of an open or pinned entry
    pub(crate) fn of(entry: impl AsFd) -> Self {
        match magic(entry) {
            Some(NFS) => Self::Nfs,
            Some(magic) if NETWORK.contains(&magic) => Self::Network,
            Some(magic) if magic == OVERLAY || LOCAL.contains(&magic) => Self::Local,
            _ => Self::Unknown,
        }
    }
}

/// As many threads as the CPU quota has CPUs, since a local look costs only CPU; more where looks
/// mostly wait.
pub(crate) fn threads(root: impl AsFd) -> usize {
    let quota = std::thread::available_parallelism().map_or(1, usize::from);
    if is_network(root) { NETWORK_THREADS.max(quota) } else { quota }
}

/// Whether a change leaves a file the one that its other names lead to, and times come from this
/// machine's clock. Not so on an overlay, which copies what is changed, and wherever a server has a
/// say.
pub(crate) fn keeps_links_and_times(file: impl AsFd) -> bool {
    magic(file).is_some_and(|magic| LOCAL.contains(&magic))
}

/// A file system that does not tell is taken for a local one.
fn is_network(root: impl AsFd) -> bool {
    matches!(FileSystem::of(root), FileSystem::Nfs | FileSystem::Network)
}

fn magic(file: impl AsFd) -> Option<u32> {
    // The field is signed on some architectures.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "magic numbers have 32 bits")]
    fstatfs(file).ok().map(|stat| stat.f_type as u32)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_what_is_known_keeps_times() {
        assert!(keeps_links_and_times(File::open("/dev/shm").unwrap()));
        assert!(!keeps_links_and_times(File::open("/proc").unwrap()));
    }

    #[test]
    fn the_kind_of_a_file_system() {
        let kind = |path| FileSystem::of(File::open(path).unwrap());
        assert_eq!([kind("/dev/shm"), kind("/proc")], [FileSystem::Local, FileSystem::Unknown]);
    }

    #[test]
    fn what_is_here_is_local() {
        for path in ["/tmp", "/proc", "/dev"] {
            assert!(!is_network(File::open(path).unwrap()), "{path}");
        }
    }
}
