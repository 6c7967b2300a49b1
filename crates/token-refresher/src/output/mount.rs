//! The mount that a file lies on.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd},
};

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, fstatfs, statx};

/// Magic numbers of file systems that keep their files in memory (`linux/magic.h`): tmpfs, ramfs
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// What is known of a mount
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The type of the file system, such as `tmpfs` or `ext4`
    pub(crate) kind: String,
    /// Whether its files stay in memory
    pub(crate) is_in_memory: bool,
}

impl Mount {
    /// The mount of an open directory
    pub(super) fn of(directory: impl AsFd) -> io::Result<Self> {
        // The field is signed on some architectures; magic numbers have 32 bits.
        let magic = u32::try_from(fstatfs(&directory)?.f_type & 0xffff_ffff).unwrap_or_default();
        let kind = kind(directory).unwrap_or_else(|| format!("type {magic:#x}"));
        Ok(Self { kind, is_in_memory: IN_MEMORY.contains(&magic) })
    }
}

/// Whether the entry of this name is a mount of its own, for example a file that a container's runtime bound there. No rename
/// replaces it. A kernel before 5.8 does not say, and the rename fails there.
pub(super) fn is_mount_point(directory: impl AsFd, name: &str) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(directory, name, flags, StatxFlags::TYPE) {
        Ok(stat) => Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The type of the file system as mount(8) names it, by the row of the mount in `/proc/self/mountinfo` (proc(5))
fn kind(directory: impl AsFd) -> Option<String> {
    let descriptor = directory.as_fd().as_raw_fd();
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
    let id = about.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind_in(&mounts, id).map(str::to_owned)
}

/// The optional fields before the type end in a dash.
fn kind_in<'a>(mounts: &'a str, id: &str) -> Option<&'a str> {
    let row = mounts.lines().find(|row| row.split(' ').next() == Some(id))?;
    row.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_row_names_the_type() {
        let rows = "21 1 0:20 / / rw shared:1 - ext4 /dev/vda rw\n22 21 0:5 / /run rw - tmpfs none rw,size=64k\n";
        assert_eq!(kind_in(rows, "22"), Some("tmpfs"));
        assert_eq!(kind_in(rows, "21"), Some("ext4"));
        assert_eq!(kind_in(rows, "2"), None);
    }

    #[test]
    fn memory_is_told_from_other_file_systems() {
        let shared_memory = Mount::of(File::open("/dev/shm").unwrap()).unwrap();
        assert_eq!(shared_memory, Mount { kind: "tmpfs".into(), is_in_memory: true });
        let processes = Mount::of(File::open("/proc").unwrap()).unwrap();
        assert_eq!(processes, Mount { kind: "proc".into(), is_in_memory: false });
        assert!(is_mount_point(File::open("/").unwrap(), "proc").unwrap());
        assert!(!is_mount_point(File::open("/proc").unwrap(), "meminfo").unwrap());
        assert!(!is_mount_point(File::open("/proc").unwrap(), "none").unwrap());
    }
}
